// What every block of an image is for: the parts of the groups, then what each inode owns, then what the bitmaps say of the rest.

import { testBit } from "../../../src/bytes/bitmap.ts";
import type { UsedRun } from "../../../src/image/volume.ts";
import { walkNodes } from "../../../src/image/walk.ts";
import { ReservedInode } from "../disk/inode.ts";
import { Superblock } from "../disk/superblock.ts";
import { readBlockBitmap } from "./bitmaps.ts";
import { refuse } from "./fault.ts";
import { blocksOf, firstBlockOf, fixedRuns, groupOfBlock } from "./layout.ts";
import { isMapped } from "./mapped.ts";
import { readMapping } from "./mapping.ts";
import type { Nodes } from "./nodes.ts";
import type { Super } from "./superblock.ts";
import { storedXattrs } from "./xattrs.ts";

/** A run of blocks and its use. */
export interface Use {
  readonly block: number;
  readonly count: number;
  readonly use:
    | "boot"
    | "superblock"
    | "descriptors"
    | "reserved-descriptors"
    | "block-bitmap"
    | "inode-bitmap"
    | "inodes"
    | "file"
    | "directory"
    | "symlink"
    | "map"
    | "xattrs"
    | "journal"
    | "resize-inode"
    | "quota"
    | "orphan-file"
    | "bad-blocks"
    | "multi-mount";
  /** Of the parts of a group. */
  readonly group: number;
  /** The inode that owns them; 0 for none. */
  readonly inode: number;
  /** Of data: the first block's number within its file. Of descriptors: within their table. */
  readonly logical: number;
}

/** How many runs the files have. */
export interface Fragmentation {
  files: number;
  fragmented: number;
  runs: number;
}

/** The uses of an image's blocks, ascending, and the paths of those who own them. */
export interface UsageIndex {
  readonly uses: readonly Use[];
  readonly fragmentation: Fragmentation;
  /** The path of an inode's first name; undefined for inodes without. */
  readonly pathOf: (inode: number) => string | undefined;
}

/** The parts of the groups, ascending: all that is known without looking at an inode. */
export function groupUses(nodes: Nodes): Use[] {
  const { superblock: sb, descriptors } = nodes.opened;
  const uses: Use[] = [];
  if (sb.firstBlock > 0) uses.push({ block: 0, count: 1, use: "boot", group: 0, inode: 0, logical: 0 });
  for (let group = 0; group < sb.groups; group++) {
    for (const { block, count, use, index } of fixedRuns(sb, group)) {
      uses.push({ block, count, use, group, inode: 0, logical: index });
    }
    const { blockBitmap, inodeBitmap, inodeTable } = descriptors.at(group, refuse);
    uses.push({ block: blockBitmap, count: 1, use: "block-bitmap", group, inode: 0, logical: 0 });
    uses.push({ block: inodeBitmap, count: 1, use: "inode-bitmap", group, inode: 0, logical: 0 });
    uses.push({ block: inodeTable, count: sb.tableBlocks, use: "inodes", group, inode: 0, logical: 0 });
  }
  return uses.sort((a, b) => a.block - b.block);
}

/** Reads all inodes in use. */
export function usageIndex(nodes: Nodes): UsageIndex {
  const { superblock: sb, disk, inodes } = nodes.opened;
  const uses = groupUses(nodes);
  const parents = new Map<number, { readonly parent: number; readonly name: string }>();
  const fragmentation = { files: 0, fragmented: 0, runs: 0 };
  const xattrBlocks = new Set<number>();
  const own = (use: Use["use"], inode: number, block: number, count: number, logical: number): void => {
    if (!disk.holds(block, count)) {
      refuse({
        code: "block-range",
        place: inode === 0 ? "superblock" : `inode ${inode}`,
        found: `its ${use} lies at block ${block}`,
        expected: `blocks ${Math.max(1, sb.firstBlock)} to ${sb.blocks - 1}`,
        where: inode === 0 ? { record: "superblock" } : { record: "inode", index: inode },
      });
    }
    uses.push({ block, count, use, group: 0, inode, logical });
  };
  for (const { inode, parent, name } of walkNodes(nodes, ReservedInode.root)) {
    const { number, kind } = inode;
    parents.set(number, { parent, name });
    if (isMapped(nodes, inode)) {
      const { runs, tree } = readMapping(disk, inode, refuse);
      const use = kind === "directory" || kind === "symlink" ? kind : "file";
      let end = -1;
      let pieces = 0;
      for (const { logical, physical, count } of runs) {
        own(use, number, physical, count, logical);
        if (physical !== end) pieces++;
        end = physical + count;
      }
      for (const block of tree) own("map", number, block, 1, 0);
      if (kind === "file" && pieces > 0) {
        fragmentation.files++;
        fragmentation.runs += pieces;
        if (pieces > 1) fragmentation.fragmented++;
      }
    }
    if (inode.fileAcl !== 0 && !xattrBlocks.has(inode.fileAcl)) {
      xattrBlocks.add(inode.fileAcl);
      own("xattrs", number, inode.fileAcl, 1, 0);
    }
    if (!sb.features.has("ea_inode")) continue;
    for (const { valueInode } of storedXattrs(disk, inode, refuse)) {
      if (valueInode === 0 || parents.has(-valueInode)) continue;
      // Marked by its negative number, which no node has.
      parents.set(-valueInode, { parent: number, name: "" });
      owned("xattrs", valueInode, number);
    }
  }

  /** All blocks of an inode that no directory names. `owner` is whom they are shown as. */
  function owned(use: Use["use"], number: number, owner = number): void {
    const inode = inodes.read(number, refuse);
    if (inode?.kind !== "file") return;
    const { runs, tree } = readMapping(disk, inode, refuse);
    for (const { logical, physical, count } of runs) own(use, owner, physical, count, logical);
    for (const block of tree) own(use === "resize-inode" ? use : "map", owner, block, 1, 0);
  }

  const f = Superblock.f;
  const named = (use: Use["use"], feature: Parameters<Super["features"]["has"]>[0], ...numbers: readonly number[]): void => {
    if (sb.features.has(feature)) for (const number of numbers) if (number !== 0 && !parents.has(number)) owned(use, number);
  };
  named("journal", "has_journal", sb.journalInode);
  named(
    "quota",
    "quota",
    f.s_usr_quota_inum.get(sb.view, 0),
    f.s_grp_quota_inum.get(sb.view, 0),
    f.s_prj_quota_inum.get(sb.view, 0),
  );
  named("orphan-file", "orphan_file", f.s_orphan_file_inum.get(sb.view, 0));
  named("resize-inode", "resize_inode", ReservedInode.resize);
  const bad = inodes.read(ReservedInode.badBlocks, refuse);
  if (bad)
    for (const { physical, count, logical } of readMapping(disk, bad, refuse).runs)
      own("bad-blocks", bad.number, physical, count, logical);
  if (sb.features.has("mmp")) own("multi-mount", 0, f.s_mmp_block.get(sb.view, 0), 1, 0);
  // Stable: parts of groups stay before the resize inode, which names them again.
  uses.sort((a, b) => a.block - b.block);
  return {
    uses,
    fragmentation,
    pathOf(inode) {
      const names: string[] = [];
      for (let at = inode; at !== ReservedInode.root; ) {
        const known = parents.get(at);
        if (!known || names.length > parents.size) return undefined;
        names.push(known.name);
        at = known.parent;
      }
      return `/${names.reverse().join("/")}`;
    },
  };
}

/** All blocks in ascending runs without gaps; where two claim a block, the first is shown. */
export function* usageOf(nodes: Nodes, { uses, pathOf }: UsageIndex): Generator<UsedRun> {
  const { superblock: sb } = nodes.opened;
  let at = 0;
  for (const use of uses) {
    if (use.block > at) yield* unowned(nodes, at, use.block);
    const from = Math.max(at, use.block);
    const end = Math.min(use.block + use.count, sb.blocks);
    if (end <= from) continue;
    const path = use.inode === 0 ? undefined : pathOf(use.inode);
    const run = { offset: from * sb.blockSize, length: (end - from) * sb.blockSize, use: use.use };
    yield path === undefined ? run : { ...run, path };
    at = end;
  }
  if (at < sb.blocks) yield* unowned(nodes, at, sb.blocks);
}

/** Blocks that nothing leads to: free, or `unowned` where the bitmap says that they are in use. */
function* unowned(nodes: Nodes, from: number, to: number): Generator<UsedRun> {
  const { superblock: sb, disk, descriptors } = nodes.opened;
  let start = from;
  let free: boolean | undefined;
  const run = (end: number): UsedRun => ({
    offset: start * sb.blockSize,
    length: (end - start) * sb.blockSize,
    use: free ? "free" : "unowned",
  });
  for (let block = from; block < to; ) {
    const group = groupOfBlock(sb, block);
    const first = firstBlockOf(sb, group);
    const end = Math.min(to, first + blocksOf(sb, group));
    const bitmap = readBlockBitmap(disk, descriptors, group, refuse);
    for (; block < end; ) {
      const cluster = Math.floor((block - first) / sb.clusterBlocks);
      const next = !testBit(bitmap, cluster);
      if (free !== undefined && next !== free) {
        yield run(block);
        start = block;
      }
      free = next;
      block = Math.min(end, first + (cluster + 1) * sb.clusterBlocks);
    }
  }
  if (to > start) yield run(to);
}
