// What every fragment of an image is for: the parts of the groups, then what each inode owns, then what the maps say of the rest.

import { testBit } from "../../../src/bytes/bitmap.ts";
import type { UsedRun } from "../../../src/image/volume.ts";
import { walkNodes } from "../../../src/image/walk.ts";
import { InodeFlags, ROOT_INODE } from "../disk/dinode.ts";
import { SBLOCKSIZE } from "../disk/superblock.ts";
import { attributeRuns } from "./extattrs.ts";
import { refuse } from "./fault.ts";
import { isMapped } from "./mapped.ts";
import { readMapping } from "./mapping.ts";
import type { Nodes } from "./nodes.ts";
import { groupRange, groupStart } from "./superblock.ts";

/** A run of fragments and its use. */
export interface Use {
  readonly first: number;
  readonly count: number;
  readonly use:
    | "boot"
    | "superblock"
    | "group-header"
    | "inodes"
    | "summary"
    | "file"
    | "directory"
    | "symlink"
    | "map"
    | "xattrs";
  /** Of the parts of a group. */
  readonly group: number;
  /** The inode that owns them; 0 for none. */
  readonly inode: number;
  /** Of data: the first fragment's number within its file. */
  readonly logical: number;
}

/** How many runs the files have. */
export interface Fragmentation {
  files: number;
  fragmented: number;
  runs: number;
}

/** The uses of an image's fragments, ascending, and the paths of those who own them. */
export interface UsageIndex {
  readonly uses: readonly Use[];
  readonly fragmentation: Fragmentation;
  /** The path of an inode's first name; undefined for inodes without. */
  readonly pathOf: (inode: number) => string | undefined;
}

/** The parts of the groups, ascending: all that is known without looking at an inode. */
export function groupUses(nodes: Nodes): Use[] {
  const { superblock: sb } = nodes.disk;
  const uses: Use[] = [];
  const add = (use: Use["use"], first: number, end: number, group: number): void => {
    if (end > first) uses.push({ first, count: end - first, use, group, inode: 0, logical: 0 });
  };
  // With large fragments boot blocks and superblock share the first one, which is shown as the superblock's.
  const place = Math.floor(sb.place / sb.fragmentSize);
  const placeEnd = Math.min(Math.ceil((sb.place + SBLOCKSIZE) / sb.fragmentSize), sb.sblkno);
  add("boot", 0, place, 0);
  add("superblock", place, placeEnd, 0);
  add("boot", placeEnd, sb.sblkno, 0);
  for (let group = 0; group < sb.groups; group++) {
    const start = groupStart(sb, group);
    add("superblock", start + sb.sblkno, start + sb.cblkno, group);
    add("group-header", start + sb.cblkno, start + sb.iblkno, group);
    add("inodes", start + sb.iblkno, start + sb.dblkno, group);
  }
  add("summary", sb.csaddr, sb.csaddr + Math.ceil(sb.cssize / sb.fragmentSize), 0);
  return uses.sort((a, b) => a.first - b.first);
}

/** Reads all inodes that directories name. */
export function usageIndex(nodes: Nodes): UsageIndex {
  const { disk } = nodes;
  const uses = groupUses(nodes);
  const parents = new Map<number, { readonly parent: number; readonly name: string }>();
  const fragmentation = { files: 0, fragmented: 0, runs: 0 };
  const own = (use: Use["use"], inode: number, first: number, count: number, logical: number): void => {
    uses.push({ first, count, use, group: 0, inode, logical });
  };
  for (const { inode, parent, name } of walkNodes(nodes, ROOT_INODE)) {
    const { number, kind } = inode;
    parents.set(number, { parent, name });
    for (const { block, physical, count } of attributeRuns(disk, inode, refuse)) {
      own("xattrs", number, physical, count, block * disk.superblock.frag);
    }
    // Pointers of snapshots are not all pointers.
    if (!isMapped(nodes, inode) || (inode.flags & InodeFlags.snapshot) !== 0) continue;
    const { runs, tree } = readMapping(disk, inode, refuse);
    const use = kind === "directory" || kind === "symlink" ? kind : "file";
    let end = -1;
    let pieces = 0;
    for (const { logical, physical, count } of runs) {
      own(use, number, physical, count, logical);
      if (physical !== end) pieces++;
      end = physical + count;
    }
    for (const first of tree) own("map", number, first, disk.superblock.frag, 0);
    if (kind === "file" && pieces > 0) {
      fragmentation.files++;
      fragmentation.runs += pieces;
      if (pieces > 1) fragmentation.fragmented++;
    }
  }
  uses.sort((a, b) => a.first - b.first);
  return {
    uses,
    fragmentation,
    pathOf(inode) {
      const names: string[] = [];
      for (let at = inode; at !== ROOT_INODE; ) {
        const known = parents.get(at);
        if (!known || names.length > parents.size) return undefined;
        names.push(known.name);
        at = known.parent;
      }
      return `/${names.reverse().join("/")}`;
    },
  };
}

/** All fragments in ascending runs without gaps; where two claim one, the first is shown. */
export function* usageOf(nodes: Nodes, { uses, pathOf }: UsageIndex): Generator<UsedRun> {
  const { superblock: sb } = nodes.disk;
  let at = 0;
  for (const use of uses) {
    if (use.first > at) yield* unowned(nodes, at, use.first);
    const from = Math.max(at, use.first);
    const end = Math.min(use.first + use.count, sb.size);
    if (end <= from) continue;
    const path = use.inode === 0 ? undefined : pathOf(use.inode);
    const run = { offset: from * sb.fragmentSize, length: (end - from) * sb.fragmentSize, use: use.use };
    yield path === undefined ? run : { ...run, path };
    at = end;
  }
  if (at < sb.size) yield* unowned(nodes, at, sb.size);
}

/** Fragments that nothing leads to: free, or `unowned` where the map says that they are in use. */
function* unowned(nodes: Nodes, from: number, to: number): Generator<UsedRun> {
  const { superblock: sb } = nodes.disk;
  let start = from;
  let free: boolean | undefined;
  const run = (end: number): UsedRun => ({
    offset: start * sb.fragmentSize,
    length: (end - start) * sb.fragmentSize,
    use: free ? "free" : "unowned",
  });
  for (let at = from; at < to; ) {
    const group = Math.floor(at / sb.fpg);
    const [first, last] = groupRange(sb, group);
    const end = Math.min(to, last);
    const map = nodes.header(group).free;
    while (at < end) {
      const next = testBit(map, at - first);
      if (free !== undefined && next !== free) {
        yield run(at);
        start = at;
      }
      free = next;
      // Most of a large image is free: bytes that say nothing new are passed whole.
      const whole = (at - first) % 8 === 0 && at + 8 <= end && map[(at - first) / 8] === (next ? 0xff : 0);
      at += whole ? 8 : 1;
    }
  }
  if (to > start) yield run(to);
}
