// The options that rebuild an image of ours byte for byte from the tree that it holds. Most are plain to see in the superblock.
// Of the size of the journal and the number of inodes only as much is said as the planner would not find by itself: what is
// said is also demanded of smaller layouts, which the planner tries first.

import { viewOf } from "../../../src/bytes/struct.ts";
import { formatUuid } from "../../../src/image/seed.ts";
import { walkNodes } from "../../../src/image/walk.ts";
import type { Time } from "../../../src/tree/node.ts";
import { isLater } from "../../../src/tree/snapshot.ts";
import { type FeatureName, featureList } from "../disk/features.ts";
import { ReservedInode } from "../disk/inode.ts";
import { JournalSuperblock } from "../disk/journal.ts";
import { Superblock } from "../disk/superblock.ts";
import { makeFrame, shapeFor } from "../geometry.ts";
import { extOptions } from "../options.ts";
import { profiles } from "../profiles.ts";
import { defaultJournal } from "../sizing.ts";
import { refuse } from "./fault.ts";
import { isMapped } from "./mapped.ts";
import { readMapping } from "./mapping.ts";
import type { Nodes } from "./nodes.ts";
import { profileOf } from "./profile.ts";
import type { Super } from "./superblock.ts";

/** Options by API name; what stands at its default is left out. */
export function buildOptionsOf(nodes: Nodes): Readonly<Record<string, unknown>> {
  const { superblock: sb } = nodes.opened;
  const made = madeLostFound(nodes);
  const survey = surveyOf(nodes, made);
  const f = Superblock.f;
  const options: Record<string, unknown> = {
    size: sb.blocks * sb.blockSize,
    blockSize: sb.blockSize,
    inodeSize: sb.inodeSize,
    uuid: formatUuid(sb.uuid),
    hashSeed: formatUuid(sb.bytes.subarray(f.s_hash_seed.offset, f.s_hash_seed.offset + 16)),
  };
  if (sb.blockSize === extOptions.blockSize.default) delete options.blockSize;
  if (sb.inodeSize === extOptions.inodeSize.default) delete options.inodeSize;
  if (sb.label !== "") options.label = sb.label;
  const inodes = inodesOption(sb, survey.lastInode);
  if (inodes !== undefined) options.inodes = inodes;
  const reserved = reservedPercent(sb);
  if (reserved > 0) options.reserved = reserved;
  const journal = journalBlocks(nodes);
  if (journal > 0 && journal !== defaultJournal(sb.blocks)) options.journalSize = journal * sb.blockSize;
  const features = featureChanges(sb);
  if (features.length > 0) options.features = features;
  if (made === undefined && nodes.children(ReservedInode.root).every(({ name }) => name !== "lost+found"))
    options.lostFound = false;
  const time = imageTime(nodes);
  if (time && !sameTime(time, survey.newest)) options.clampMtime = time;
  return options;
}

/**
 * The /lost+found that building makes again, as fsynth writes it: empty, 0700, 0:0, inode 11, one block, without xattrs, of
 * the image's own time, placed before everything else. Undefined when there is none such.
 */
export function madeLostFound(nodes: Nodes): number | undefined {
  const { superblock: sb, disk } = nodes.opened;
  const found = nodes.children(ReservedInode.root).find(({ name }) => name === "lost+found");
  if (found?.id !== ReservedInode.firstFree) return undefined;
  const node = nodes.inode(found.id);
  if (node.kind !== "directory" || (node.mode & 0o7777) !== 0o700 || node.uid !== 0 || node.gid !== 0) return undefined;
  if (node.size !== sb.blockSize || node.links !== 2 || nodes.node(found.id).flags.length > 0) return undefined;
  if (nodes.children(found.id).length > 0 || nodes.xattrs(found.id).size > 0) return undefined;
  const times = [node.atime, node.ctime, node.btime ?? node.mtime];
  if (times.some((time) => !sameTime(time, node.mtime))) return undefined;
  const created = Superblock.f.s_mkfs_time.get(sb.view, 0);
  // Either field is 0 where it cannot hold the time.
  if (created !== 0 && node.mtime.sec !== created && node.mtime.sec !== 0) return undefined;
  // One that a tree brings stands behind the root's own blocks.
  const first = (id: number): number => {
    const inode = nodes.inode(id);
    return isMapped(nodes, inode) ? (readMapping(disk, inode, refuse).runs[0]?.physical ?? 0) : 0;
  };
  return first(found.id) < first(ReservedInode.root) ? found.id : undefined;
}

interface Survey {
  readonly lastInode: number;
  /** The newest mtime; undefined for a tree whose root is all there is, and made. */
  readonly newest: Time | undefined;
}

function surveyOf(nodes: Nodes, made: number | undefined): Survey {
  let lastInode: number = ReservedInode.firstFree - 1;
  let newest: Time | undefined;
  for (const { inode } of walkNodes(nodes, ReservedInode.root)) {
    lastInode = Math.max(lastInode, inode.number);
    if (inode.number !== made && (newest === undefined || isLater(inode.mtime, newest))) newest = inode.mtime;
  }
  const { superblock: sb, inodes } = nodes.opened;
  // Value inodes follow the nodes.
  if (sb.features.has("ea_inode")) {
    for (let number = lastInode + 1; number <= sb.inodes; number++) {
      if ((inodes.read(number, refuse)?.mode ?? 0) === 0) break;
      lastInode = number;
    }
  }
  return { lastInode, newest };
}

/** The number of inodes to ask for: none when as many as needed come to this layout, else the least that does. */
function inodesOption(sb: Super, last: number): number | undefined {
  const frame = makeFrame(sb.blockSize, sb.inodeSize, sb.features);
  const fits = (inodes: number): boolean => {
    const shape = shapeFor(frame, sb.blocks, inodes);
    return (
      shape?.blocksPerGroup === sb.blocksPerGroup && shape.inodesPerGroup === sb.inodesPerGroup && shape.groups === sb.groups
    );
  };
  if (fits(last)) return undefined;
  const step = Math.max(8, frame.inodesPerBlock);
  const least = Math.max(last, (sb.inodesPerGroup - step) * sb.groups + 1);
  return fits(least) ? least : sb.inodes;
}

/** The shortest decimal number whose share of the blocks is what is reserved. */
function reservedPercent(sb: Super): number {
  const f = Superblock.f;
  const high = sb.features.has("64bit") ? f.s_r_blocks_count_hi.get(sb.view, 0) * 2 ** 32 : 0;
  const reserved = f.s_r_blocks_count.get(sb.view, 0) + high;
  if (reserved === 0) return 0;
  const exact = ((reserved + 0.5) * 100) / sb.blocks;
  for (let digits = 0; digits < 16; digits++) {
    for (const percent of [Number(((reserved * 100) / sb.blocks).toFixed(digits)), Number(exact.toFixed(digits))]) {
      if (Math.floor((sb.blocks * percent) / 100) === reserved) return percent;
    }
  }
  return exact;
}

function journalBlocks(nodes: Nodes): number {
  const { superblock: sb, inodes, disk } = nodes.opened;
  const inode = sb.journalInode === 0 ? undefined : inodes.read(sb.journalInode, refuse);
  if (inode?.kind !== "file") return 0;
  const at = readMapping(disk, inode, refuse).runs[0]?.physical;
  return at === undefined ? 0 : JournalSuperblock.f.s_maxlen.get(viewOf(disk.block(at)), 0);
}

/** What `--features` makes of the profile's own. */
function featureChanges(sb: Super): string[] {
  const profile = profiles.find(({ name }) => name === profileOf(sb));
  const own = new Set<FeatureName>(profile?.features);
  // Small inodes have no room for what this flag speaks of, and the planner takes it out.
  if (sb.inodeSize === 128) own.delete("extra_isize");
  return [
    ...[...own].filter((name) => !sb.features.has(name)).map((name) => `^${name}`),
    ...featureList(sb.features).filter((name) => !own.has(name)),
  ];
}

/** The image's own time: that of what fsynth makes itself, to the nanosecond; else when the file system was made. */
function imageTime(nodes: Nodes): Time | undefined {
  const { superblock: sb, inodes } = nodes.opened;
  const sec = Superblock.f.s_mkfs_time.get(sb.view, 0);
  const makers = [
    madeLostFound(nodes),
    sb.journalInode || undefined,
    sb.features.has("resize_inode") ? ReservedInode.resize : undefined,
  ];
  for (const number of makers) {
    const inode = number === undefined ? undefined : inodes.read(number, refuse);
    if (inode && inode.mode !== 0 && (inode.mtime.sec !== 0 || sec === 0)) return inode.mtime;
  }
  return { sec, nsec: 0 };
}

function sameTime(a: Time, b: Time | undefined): boolean {
  return b !== undefined && a.sec === b.sec && a.nsec === b.nsec;
}
