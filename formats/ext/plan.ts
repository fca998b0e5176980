// Plans an ext file system: a tree and options in, every number out.

import { FsynthError } from "../../src/error.ts";
import type { PlanContext } from "../../src/image/format.ts";
import { Violations } from "../../src/image/loss.ts";
import { checkOffset } from "../../src/image/merge.ts";
import type { Plan, Summary } from "../../src/image/plan.ts";
import { type BlockRange, dataRanges } from "../../src/image/ranges.ts";
import { asUuid, formatUuid, parseUuid } from "../../src/image/seed.ts";
import { entryName, pathOf, type Snapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { DirectoryFull, type DirectoryStyle, type Entries, type LargeDirectory, planDirectory } from "./directory.ts";
import { seedWords } from "./dirhash.ts";
import { applyFeatures, type FeatureName, type FeatureSet, featureList } from "./disk/features.ts";
import {
  type FileSystem,
  type InodeNumbers,
  journalOwner,
  largeOwner,
  lostFoundOwner,
  makeIdentity,
  numberInodes,
} from "./filesystem.ts";
import { makeFrame } from "./geometry.ts";
import { countGroups } from "./groups.ts";
import { isFastSymlink } from "./inodes.ts";
import { boundsOf, checkLimits } from "./limits.ts";

import type { ExtOptions } from "./options.ts";
import { type Placer, SegmentKind } from "./placement.ts";
import { type ExtProfile, profiles } from "./profiles.ts";
import { Regions } from "./regions.ts";
import { type Demand, type Layout, layOut, NeedsMetaGroups } from "./sizing.ts";
import { inlineRoom, XattrPlanner } from "./xattrs.ts";

/** Plans an image of `profileName`. */
export function planExt(profileName: string, snapshot: Snapshot, options: ExtOptions, context: PlanContext): Plan {
  const profile = profiles.find(({ name }) => name === profileName);
  if (!profile)
    throw new FsynthError("usage", `ext has no profile "${profileName}"; it has ${profiles.map(({ name }) => name).join(", ")}`);
  const features = applyFeatures(profile.features, options.features, profile.name);
  checkOptions(profile, features, options);
  const uuid = options.uuid ? parseUuid(options.uuid) : asUuid(context.derive("ext uuid", 16));
  const hashSeed = options.hashSeed ? parseUuid(options.hashSeed) : asUuid(context.derive("ext hash seed", 16));
  return new Planning(profile, snapshot, options, context, uuid, hashSeed).plan(features);
}

function checkOptions(profile: ExtProfile, features: FeatureSet, options: ExtOptions): void {
  const wrong = (option: string, message: string): never => {
    throw new FsynthError("usage", `${profile.name}: ${message}`, { format: profile.name, option });
  };
  if (options.inodeSize > options.blockSize) {
    wrong("inodeSize", `inodes of ${options.inodeSize} bytes are larger than a block of ${options.blockSize}`);
  }
  if (options.inodeSize === 128 && features.has("extra_isize") && options.features.includes("extra_isize")) {
    wrong("features", "extra_isize needs inodes of 256 bytes or more");
  }
  if (features.has("inline_data") && options.inodeSize === 128)
    wrong("inodeSize", "inline_data needs inodes of 256 bytes or more");
}

class Planning {
  readonly violations: Violations;

  constructor(
    readonly profile: ExtProfile,
    readonly snapshot: Snapshot,
    readonly options: ExtOptions,
    context: PlanContext,
    readonly uuid: Uint8Array,
    readonly hashSeed: Uint8Array,
  ) {
    this.violations = new Violations(profile.name, context.allowLoss);
  }

  plan(features: FeatureSet): Plan {
    try {
      return this.#planWith(features);
    } catch (error) {
      if (!(error instanceof NeedsMetaGroups)) throw error;
      // As mke2fs decides when the table of descriptors outgrows its group, or blocks outgrow 32 bits.
      const names = featureList(features).filter((name) => name !== "resize_inode");
      return new Planning(
        this.profile,
        this.snapshot,
        this.options,
        { allowLoss: this.violations.allowLoss, derive: never },
        this.uuid,
        this.hashSeed,
      ).plan(new Set<FeatureName>([...names, "meta_bg"]));
    }
  }

  #planWith(features: FeatureSet): Plan {
    const { profile, snapshot, options, violations } = this;
    const { blockSize, inodeSize } = options;
    // Inodes of 128 bytes have no extra fields for the flag to speak of.
    if (inodeSize === 128) features = new Set([...features].filter((name) => name !== "extra_isize"));
    const identity = makeIdentity(features, this.uuid, this.hashSeed);
    const ownLostFound = lostFoundOf(snapshot);
    const makeLostFound = options.lostFound && ownLostFound < 0;
    const bounds = boundsOf(profile, features, blockSize, inodeSize);
    const warnings = checkLimits(snapshot, bounds, makeLostFound, violations);

    const xattrs = new XattrPlanner({ blockSize, inodeSize, features, checksumSeed: identity.checksumSeed }, violations);
    const inlined = this.#planXattrs(features, xattrs);
    const inodes = numberInodes(snapshot, makeLostFound, ownLostFound, xattrs.large.length);
    const entries: Entries = { snapshot, inodeOf: inodes.ofNode, lostFound: inodes.lostFound };
    const directoryStyle: DirectoryStyle = { blockSize, features, hashSeed: seedWords(this.hashSeed) };
    const directories = this.#planDirectories(entries, directoryStyle);
    warnings.push(...violations.settle());

    const frame = makeFrame(blockSize, inodeSize, features);
    const demand = this.#demand(features, inodes, directories, xattrs, inlined);
    const layout = layOut(frame, demand, options);
    const label = new TextEncoder().encode(options.label);
    const fs: FileSystem = {
      ...layout,
      profile,
      features,
      snapshot,
      entries,
      directoryStyle,
      directories,
      xattrs,
      inlined,
      inodes,
      uuid: this.uuid,
      hashSeed: this.hashSeed,
      label,
      identity,
    };
    return finishedPlan(fs, options, warnings);
  }

  #planXattrs(features: FeatureSet, planner: XattrPlanner): Set<number> {
    const { snapshot } = this;
    const room = features.has("inline_data") ? inlineRoom(planner.style) : 0;
    const inlined = new Set<number>();
    snapshot.nodes.forEach((node, index) => {
      const { content } = node;
      const inline =
        content && content.size > 0 && content.size <= room && !content.extents ? Math.max(0, content.size - 60) : undefined;
      if (inline === undefined && node.xattrs.length === 0) return;
      if (planner.add(index, node, () => pathOf(snapshot, index), inline)) inlined.add(index);
    });
    return inlined;
  }

  #planDirectories(entries: Entries, style: DirectoryStyle): Map<number, LargeDirectory> {
    const directories = new Map<number, LargeDirectory>();
    this.snapshot.nodes.forEach((node, index) => {
      if (node.kind !== "directory") return;
      try {
        const large = planDirectory(entries, node, style);
        if (large) directories.set(index, large);
      } catch (error) {
        if (!(error instanceof DirectoryFull)) throw error;
        const larger = style.blockSize < 4096 ? "a larger --block-size or " : "";
        const help = style.features.has("large_dir") ? "a larger --block-size" : `${larger}--features large_dir`;
        this.violations.refuse(pathOf(this.snapshot, index), `has ${error.message}; ${help} gives it room`);
      }
    });
    return directories;
  }

  /** What is placed, in this order: lost+found, directories, xattr blocks, symlinks, xattr values, the resize inode's block, the journal, files. */
  #demand(
    features: FeatureSet,
    inodes: InodeNumbers,
    directories: ReadonlyMap<number, LargeDirectory>,
    xattrs: XattrPlanner,
    inlined: ReadonlySet<number>,
  ): Demand {
    const { snapshot, options, profile } = this;
    const { blockSize } = options;
    const directory: number[] = [];
    const symlink: number[] = [];
    const file: number[] = [];
    const fileRanges: (number | readonly BlockRange[])[] = [];
    let blocks = xattrs.blocks.length + (inodes.lostFound > 0 ? 1 : 0) + (features.has("resize_inode") ? 1 : 0);
    for (const { value } of xattrs.large) blocks += Math.ceil(value.length / blockSize);
    snapshot.nodes.forEach((node, index) => {
      if (node.kind === "directory") {
        directory.push(index);
        blocks += directories.get(index)?.blocks ?? 1;
      } else if (node.kind === "symlink" && !isFastSymlink(node)) {
        symlink.push(index);
        blocks++;
      } else if (node.kind === "file" && node.content && node.content.size > 0 && !inlined.has(index)) {
        file.push(index);
        // Of files with holes the data ranges; of the others, nearly all, a number tells everything.
        const ranges = node.content.extents ? dataRanges(node.content, blockSize) : Math.ceil(node.content.size / blockSize);
        fileRanges.push(ranges);
        if (typeof ranges === "number") blocks += ranges;
        else for (const range of ranges) blocks += range.count;
      }
    });
    const place = (placer: Placer, journalBlocks: number): void => {
      if (inodes.lostFound > 0) placer.dense(lostFoundOwner(snapshot), 1);
      for (const index of directory) placer.dense(index, directories.get(index)?.blocks ?? 1);
      placer.loose(SegmentKind.xattrs, xattrs.blocks.length);
      for (const index of symlink) placer.dense(index, 1);
      xattrs.large.forEach(({ value }, i) => {
        placer.dense(largeOwner(snapshot, i), Math.ceil(value.length / blockSize));
      });
      if (features.has("resize_inode")) placer.loose(SegmentKind.resize, 1);
      if (journalBlocks > 0) placer.dense(journalOwner(snapshot), journalBlocks);
      for (let i = 0; i < file.length; i++) {
        const ranges = fileRanges[i] as number | readonly BlockRange[]; // one for each
        if (typeof ranges === "number") placer.dense(file[i] as number, ranges);
        else placer.owner(file[i] as number, ranges);
      }
    };
    return { format: profile.name, inodes: inodes.last, blocks, owners: snapshot.nodes.length + 2 + xattrs.large.length, place };
  }
}

/** Both seeds are derived before planning starts; planning again needs none. */
function never(): never {
  throw new Error("bug in fsynth: seeds are derived once");
}

/** Node of the tree's own /lost+found directory, -1 when there is none. */
function lostFoundOf(snapshot: Snapshot): number {
  const root = snapshot.nodes[0] as SnapshotNode; // every tree has a root
  for (let entry = root.first; entry < root.first + root.count; entry++) {
    const name = entryName(snapshot, entry);
    if (name.length === 10 && String.fromCharCode(...name) === "lost+found") return snapshot.entryNode[entry] as number;
  }
  return -1;
}

function finishedPlan(fs: FileSystem & Layout, options: ExtOptions, warnings: Plan["warnings"]): Plan {
  const { geometry, snapshot, profile } = fs;
  const counts = countGroups(fs);
  const regions = new Regions(fs, counts);
  const size = geometry.blocks * geometry.frame.blockSize;
  const uuid = formatUuid(fs.uuid);
  const summary: Summary = {
    format: profile.name,
    size,
    blockSize: geometry.frame.blockSize,
    blocks: geometry.blocks,
    freeBlocks: counts.allFreeBlocks,
    inodes: geometry.inodesPerGroup * geometry.groups,
    freeInodes: counts.allFreeInodes,
    groups: geometry.groups,
    journalBlocks: fs.journalBlocks,
    label: options.label,
    uuid,
    features: featureList(fs.features),
    entries: snapshot.entries,
  };
  return {
    size,
    uuid,
    summary,
    warnings,
    regions(from = 0) {
      checkOffset(from, size);
      return regions.from(from);
    },
  };
}
