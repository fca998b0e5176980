// Plans an FFS file system: a tree and options in, every number out.

import { crc32c } from "../../src/bytes/crc.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { FsynthError } from "../../src/error.ts";
import type { PlanContext } from "../../src/image/format.ts";
import { Violations } from "../../src/image/loss.ts";
import { checkOffset } from "../../src/image/merge.ts";
import type { Plan, Summary } from "../../src/image/plan.ts";
import type { InodesSpec } from "../../src/image/size.ts";
import { pathOf, type Snapshot } from "../../src/tree/snapshot.ts";
import { denseFrags, fragsOf, sparseBlocks } from "./blocks.ts";
import { directorySize } from "./directory.ts";
import { type FfsRecords, ffsRecords } from "./disk/records.ts";
import { MAXFRAG, SBLOCK_UFS1, SBLOCK_UFS2 } from "./disk/superblock.ts";
import { extendedAttributes } from "./extattrs.ts";
import { type Attributes, type FileSystem, numberInodes } from "./filesystem.ts";
import { type Frame, makeFrame } from "./geometry.ts";
import { countGroups, sortedRests } from "./groups.ts";
import { isShortSymlink } from "./inodes.ts";
import { boundsOf, checkLimits, holdsXattr } from "./limits.ts";
import { withNetbsdDevices } from "./netbsd-dev.ts";
import type { FfsOptions } from "./options.ts";
import type { OwnerBlocks, Placer } from "./placement.ts";
import { type FfsProfile, profiles } from "./profiles.ts";
import { Regions } from "./regions.ts";
import { type Demand, layOut } from "./sizing.ts";

/** Plans an image of `profileName`. */
export function planFfs(profileName: string, given: Snapshot, options: FfsOptions, context: PlanContext): Plan {
  const profile = profiles.find(({ name }) => name === profileName);
  if (!profile) {
    const names = profiles.map(({ name }) => name).join(", ");
    throw new FsynthError("usage", `ffs has no profile "${profileName}"; it has ${names}`);
  }
  const { version } = profile;
  const frame = frameOf(profile, options);
  const records = ffsRecords(options.byteOrder);
  const snapshot = options.netbsdDev ? withNetbsdDevices(given) : given;
  const id = fileSystemId(options.fsId, context);
  const violations = new Violations(profile.name, context.allowLoss);
  const bounds = boundsOf(profile, frame.blockSize);
  checkLimits(snapshot, bounds, violations);
  const attributes = planAttributes(profile, snapshot, records, bounds.attributes, violations);
  const warnings = violations.settle();

  const inodes = numberInodes(snapshot);
  const directories = new Map<number, number>();
  snapshot.nodes.forEach((node, index) => {
    if (node.kind === "directory") directories.set(index, directorySize(snapshot, node));
  });
  const demand = demandOf(profile, frame, snapshot, directories, attributes, inodes.last + 1);
  const layout = layOut(frame, demand, { size: options.size, inodes: inodesSpec(profile, options), minfree: options.minfree });
  const fs: FileSystem = {
    ...layout,
    profile,
    records,
    snapshot,
    directories,
    attributes,
    inodes,
    minfree: options.minfree,
    optimization: options.optimization,
    label: new TextEncoder().encode(options.label),
    id: [viewOf(id).getInt32(0, false), viewOf(id).getInt32(4, false)],
    generationSeed: crc32c(0xffff_ffff, id),
  };
  return finishedPlan(fs, version, options, warnings);
}

function frameOf(profile: FfsProfile, options: FfsOptions): Frame {
  const { blockSize, fragmentSize } = options;
  const wrong = (option: string, message: string): never => {
    throw new FsynthError("usage", `${profile.name}: ${message}`, { format: profile.name, option });
  };
  if (fragmentSize > blockSize || blockSize > fragmentSize * MAXFRAG) {
    wrong(
      "fragmentSize",
      `a block of ${blockSize} bytes has ${blockSize / fragmentSize} fragments of ${fragmentSize}; expected 1 to ${MAXFRAG}`,
    );
  }
  if (profile.version === 1 && options.superblock === SBLOCK_UFS2) {
    wrong("superblock", `the superblock of UFS1 lies at ${SBLOCK_UFS1}, and nobody looks for it at ${SBLOCK_UFS2}`);
  }
  const superblock = options.superblock ?? (profile.version === 1 ? SBLOCK_UFS1 : SBLOCK_UFS2);
  return makeFrame(profile.version, options.byteOrder, blockSize, fragmentSize, superblock);
}

function inodesSpec(profile: FfsProfile, options: FfsOptions): InodesSpec {
  if (options.density === undefined) return options.inodes;
  if (options.inodes.base !== "fit" || options.inodes.plus !== 0) {
    throw new FsynthError(
      "usage",
      `${profile.name}: inodes and density both say how many inodes there are; expected one of them`,
      {
        format: profile.name,
        option: "density",
      },
    );
  }
  return { base: "ratio", bytes: options.density };
}

/** 8 bytes: given, or derived with the top bits clear, as newfs makes them. */
function fileSystemId(given: string | undefined, context: PlanContext): Uint8Array {
  if (given !== undefined) return Uint8Array.from({ length: 8 }, (_, i) => Number.parseInt(given.slice(i * 2, i * 2 + 2), 16));
  const id = context.derive("ffs id", 8).slice();
  id[0] = (id[0] as number) & 0x7f; // id has 8 bytes
  id[4] = (id[4] as number) & 0x7f;
  return id;
}

function planAttributes(
  profile: FfsProfile,
  snapshot: Snapshot,
  records: FfsRecords,
  room: number,
  violations: Violations,
): Map<number, Attributes> {
  const attributes = new Map<number, Attributes>();
  if (!profile.extendedAttributes) return attributes;
  snapshot.nodes.forEach((node, index) => {
    const held = node.xattrs.filter((xattr) => holdsXattr(profile, xattr));
    if (held.length === 0) return;
    const area = extendedAttributes(held, records);
    if (area.length > room) {
      violations.refuse(pathOf(snapshot, index), `xattrs take ${area.length} bytes; ${room} is the most of one inode here`);
    }
    attributes.set(index, { owner: snapshot.nodes.length + attributes.size, area });
  });
  return attributes;
}

/** What is placed, in this order: directories with the attributes of all, long symlinks, files. */
function demandOf(
  profile: FfsProfile,
  frame: Frame,
  snapshot: Snapshot,
  directories: ReadonlyMap<number, number>,
  attributes: ReadonlyMap<number, Attributes>,
  inodes: number,
): Demand {
  const owners: number[] = [];
  // Of files with holes their blocks; of all others a number, their fragments, tells everything.
  const needed: (number | OwnerBlocks)[] = [];
  let frags = 0;
  const add = (owner: number, need: number | OwnerBlocks): void => {
    owners.push(owner);
    needed.push(need);
    frags += typeof need === "number" ? need : fragsOf(need, frame);
  };
  for (const [index, size] of directories) add(index, denseFrags(size, frame));
  for (const { owner, area } of attributes.values()) add(owner, denseFrags(area.length, frame));
  snapshot.nodes.forEach((node, index) => {
    if (node.target && !isShortSymlink(node, frame.version)) add(index, denseFrags(node.target.length, frame));
  });
  snapshot.nodes.forEach((node, index) => {
    const { content } = node;
    if (!content || content.size === 0) return;
    add(index, content.extents ? sparseBlocks(content, frame) : denseFrags(content.size, frame));
  });
  return {
    format: profile.name,
    inodes,
    frags,
    owners: snapshot.nodes.length + attributes.size,
    place(placer: Placer): void {
      for (let i = 0; i < owners.length; i++) {
        const need = needed[i] as number | OwnerBlocks; // one for each
        if (typeof need === "number") placer.dense(owners[i] as number, need);
        else placer.owner(owners[i] as number, need);
      }
    },
  };
}

function finishedPlan(fs: FileSystem, version: 1 | 2, options: FfsOptions, warnings: Plan["warnings"]): Plan {
  const { geometry, snapshot, profile } = fs;
  const { frame } = geometry;
  const rests = sortedRests(fs);
  const counts = countGroups(fs, rests);
  const regions = new Regions(fs, counts, rests);
  const size = geometry.size * frame.fragmentSize;
  const summary: Summary = {
    format: profile.name,
    size,
    blockSize: frame.blockSize,
    blocks: geometry.size / frame.frag,
    freeBlocks: counts.all.blocks,
    inodes: geometry.ipg * geometry.groups,
    freeInodes: counts.all.inodes,
    groups: geometry.groups,
    label: options.label,
    features: [`UFS${version}`, `${frame.order}-endian`, ...(profile.extendedAttributes ? ["extended attributes"] : [])],
    entries: snapshot.entries,
  };
  return {
    size,
    uuid: undefined,
    summary,
    warnings,
    regions(from = 0) {
      checkOffset(from, size);
      return regions.from(from);
    },
  };
}
