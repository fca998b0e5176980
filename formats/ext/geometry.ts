// Where an ext file system keeps its own metadata: groups, backups, descriptors, bitmaps, inode tables.
// Pure arithmetic over a shape; nothing here knows the tree.
//
// Specification: Linux Documentation/filesystems/ext4/{blockgroup,group_descr}.rst; the choices of mke2fs stand in
// lib/ext2fs/{initialize,alloc_tables,closefs}.c of e2fsprogs.

import type { FeatureSet } from "./disk/features.ts";

/** What is fixed before the number of blocks is known. */
export interface Frame {
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly features: FeatureSet;
  /** s_first_data_block: 1 when the superblock fills block 1, else 0. */
  readonly firstBlock: number;
  /** Bytes of a group descriptor. */
  readonly descriptorSize: number;
  /** Most blocks of a group: the bits of one bitmap block (at most 65528, which 16-bit counters hold). */
  readonly maxBlocksPerGroup: number;
  /** Most inodes of a group. */
  readonly maxInodesPerGroup: number;
  readonly inodesPerBlock: number;
}

/** Groups per flex group, as mke2fs has it. */
const FLEX_GROUPS = 16;
export const LOG_GROUPS_PER_FLEX = 4;

/** The grid of groups. */
export interface Shape {
  readonly blocks: number;
  readonly blocksPerGroup: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  /** Blocks of one group's inode table. */
  readonly tableBlocks: number;
  /** Blocks of the whole descriptor table. */
  readonly descriptorBlocks: number;
  /** Blocks kept behind it for growth, in every group with a backup. */
  readonly reservedDescriptorBlocks: number;
}

export interface Geometry extends Shape {
  readonly frame: Frame;
  readonly blockBitmap: Float64Array;
  readonly inodeBitmap: Float64Array;
  readonly inodeTable: Float64Array;
  /** All metadata runs, ascending, not touching: start and length in blocks. */
  readonly runStart: Float64Array;
  readonly runLength: Float64Array;
  readonly runs: number;
}

export function makeFrame(blockSize: number, inodeSize: number, features: FeatureSet): Frame {
  const inodesPerBlock = blockSize / inodeSize;
  const maxBlocksPerGroup = Math.min(blockSize * 8, 65528);
  const step = Math.max(8, inodesPerBlock);
  const maxInodesPerGroup = Math.floor(Math.min(blockSize * 8, 65536 - inodesPerBlock) / step) * step;
  return {
    blockSize,
    inodeSize,
    features,
    firstBlock: blockSize === 1024 ? 1 : 0,
    descriptorSize: features.has("64bit") ? 64 : 32,
    maxBlocksPerGroup,
    maxInodesPerGroup,
    inodesPerBlock,
  };
}

/** First block of a group. */
export function groupStart(
  geometry: Geometry | { readonly frame: Frame; readonly blocksPerGroup: number },
  group: number,
): number {
  return geometry.frame.firstBlock + group * geometry.blocksPerGroup;
}

/** Blocks of a group; the last one may be shorter. */
export function groupLength(geometry: Geometry, group: number): number {
  return Math.min(geometry.blocksPerGroup, geometry.blocks - groupStart(geometry, group));
}

/** s_backup_bgs of sparse_super2: the second and the last group. */
export function sparseSuper2Groups(groups: number): readonly [number, number] {
  return groups === 1 ? [0, 0] : groups === 2 ? [1, 0] : [1, groups - 1];
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

/** Whether a group starts with a copy of the superblock. */
export function hasSuperblock(features: FeatureSet, group: number, groups: number): boolean {
  if (group === 0) return true;
  if (features.has("sparse_super2")) return sparseSuper2Groups(groups).includes(group);
  if (!features.has("sparse_super")) return true;
  return group === 1 || (group % 2 === 1 && (isPowerOf(3, group) || isPowerOf(5, group) || isPowerOf(7, group)));
}

/** With meta_bg each run of groups that one descriptor block describes keeps it in its first, second and last group. */
export function hasMetaDescriptors(frame: Frame, group: number): boolean {
  const perBlock = frame.blockSize / frame.descriptorSize;
  const within = group % perBlock;
  return within === 0 || within === 1 || within === perBlock - 1;
}

/** Blocks at a group's start: superblock, descriptors, reserved descriptors. */
export function fixedBlocks(frame: Frame, shape: Shape, group: number): number {
  const copy = hasSuperblock(frame.features, group, shape.groups);
  if (frame.features.has("meta_bg")) return (copy ? 1 : 0) + (hasMetaDescriptors(frame, group) ? 1 : 0);
  return copy ? 1 + shape.descriptorBlocks + shape.reservedDescriptorBlocks : 0;
}

/**
 * The grid for `blocks` blocks and at least `inodes` inodes. Undefined when no grid can be that small.
 *
 * Groups are as large as a bitmap block allows. They are made smaller when the inodes need more groups than the blocks,
 * and when the last group would be too short for its own metadata: mke2fs drops such a rest, fsynth widens it.
 */
export function shapeFor(frame: Frame, blocks: number, inodes: number): Shape | undefined {
  const space = blocks - frame.firstBlock;
  if (space < 1) return undefined;
  const least = Math.ceil(inodes / frame.maxInodesPerGroup);
  const most = frame.maxBlocksPerGroup;
  let blocksPerGroup = most;
  if (Math.ceil(space / most) < least) blocksPerGroup = Math.min(most, Math.ceil(space / least / 8) * 8);
  for (; blocksPerGroup >= Math.min(256, most); blocksPerGroup -= 8) {
    const groups = Math.ceil(space / blocksPerGroup);
    if (groups < least) continue;
    const shape = grid(frame, blocks, blocksPerGroup, groups, inodes);
    if (groups === 1) return shape;
    const last = space - (groups - 1) * blocksPerGroup;
    if (last === blocksPerGroup || last >= 2 + shape.tableBlocks + fixedBlocks(frame, shape, groups - 1) + LAST_GROUP_SPARE)
      return shape;
  }
  return undefined;
}

/** What mke2fs wants free in the last group beyond its metadata. */
const LAST_GROUP_SPARE = 50;

function grid(frame: Frame, blocks: number, blocksPerGroup: number, groups: number, inodes: number): Shape {
  const step = Math.max(8, frame.inodesPerBlock);
  const inodesPerGroup = Math.ceil(Math.ceil(inodes / groups) / step) * step;
  const perBlock = frame.blockSize / frame.descriptorSize;
  const descriptorBlocks = Math.ceil(groups / perBlock);
  return {
    blocks,
    blocksPerGroup,
    groups,
    inodesPerGroup,
    tableBlocks: Math.ceil(inodesPerGroup / frame.inodesPerBlock),
    descriptorBlocks,
    reservedDescriptorBlocks: frame.features.has("resize_inode")
      ? reservedFor(frame, groups, blocksPerGroup, descriptorBlocks)
      : 0,
  };
}

/** Room for 1024 times as many groups, up to 2^32 blocks, as mke2fs keeps it; at most what one indirect block can list. */
function reservedFor(frame: Frame, groups: number, blocksPerGroup: number, descriptorBlocks: number): number {
  const perBlock = frame.blockSize / frame.descriptorSize;
  const grown = Math.min(groups * 1024, Math.ceil(2 ** 32 / blocksPerGroup));
  const wanted = Math.ceil(grown / perBlock) - descriptorBlocks;
  return Math.max(0, Math.min(wanted, frame.blockSize / 4));
}

/** Whether the descriptor table has outgrown a group, which is when mke2fs turns to meta_bg. */
export function needsMetaGroups(shape: Shape): boolean {
  return shape.descriptorBlocks + shape.reservedDescriptorBlocks > (shape.blocksPerGroup * 3) / 4;
}

/** Places all metadata. Undefined when a table finds no room. */
export function placeMetadata(frame: Frame, shape: Shape): Geometry | undefined {
  const { groups, tableBlocks } = shape;
  const blockBitmap = new Float64Array(groups);
  const inodeBitmap = new Float64Array(groups);
  const inodeTable = new Float64Array(groups);
  const runs = new Runs(groups);
  const at = { frame, blocksPerGroup: shape.blocksPerGroup };
  const perFlex = frame.features.has("flex_bg") ? FLEX_GROUPS : 1;
  // The next fixed part in the way of a table.
  let obstacle = 0;
  for (let first = 0; first < groups; first += perFlex) {
    const members = Math.min(perFlex, groups - first);
    for (let group = first; group < first + members; group++) {
      const fixed = fixedBlocks(frame, shape, group);
      if (fixed > 0) runs.add(groupStart(at, group), fixed);
    }
    let cursor = groupStart(at, first) + fixedBlocks(frame, shape, first);
    obstacle = first + 1;
    const take = (length: number): number => {
      for (;;) {
        while (obstacle < groups && (fixedBlocks(frame, shape, obstacle) === 0 || groupStart(at, obstacle) < cursor)) obstacle++;
        if (obstacle >= groups || cursor + length <= groupStart(at, obstacle)) break;
        cursor = groupStart(at, obstacle) + fixedBlocks(frame, shape, obstacle);
      }
      const start = cursor;
      runs.add(start, length);
      cursor += length;
      return start;
    };
    const blockBitmaps = take(members);
    const inodeBitmaps = take(members);
    for (let i = 0; i < members; i++) {
      blockBitmap[first + i] = blockBitmaps + i;
      inodeBitmap[first + i] = inodeBitmaps + i;
    }
    for (let i = 0; i < members; i++) inodeTable[first + i] = take(tableBlocks);
    // The tables of one flex group stay clear of the next one's, which start at its first group.
    if (first + members < groups && cursor > groupStart(at, first + members)) return undefined;
  }
  return { ...shape, frame, blockBitmap, inodeBitmap, inodeTable, ...runs.sorted() };
}

/** Gathers runs of blocks in any order and gives them ascending, those that touch made one. */
class Runs {
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];

  constructor(readonly groups: number) {}

  add(start: number, length: number): void {
    this.#starts.push(start);
    this.#lengths.push(length);
  }

  sorted(): { runStart: Float64Array; runLength: Float64Array; runs: number } {
    const order = Array.from(this.#starts.keys()).sort((a, b) => (this.#starts[a] as number) - (this.#starts[b] as number));
    const runStart = new Float64Array(order.length);
    const runLength = new Float64Array(order.length);
    let runs = 0;
    let end = -1;
    for (const i of order) {
      const start = this.#starts[i] as number; // i is one of its indices
      const length = this.#lengths[i] as number;
      if (start === end) runLength[runs - 1] = (runLength[runs - 1] as number) + length;
      else {
        runStart[runs] = start;
        runLength[runs++] = length;
      }
      end = start + length;
    }
    return { runStart: runStart.slice(0, runs), runLength: runLength.slice(0, runs), runs };
  }
}

/** End of the last metadata run: no file system of this grid can be shorter. */
export function metadataEnd(geometry: Geometry): number {
  const last = geometry.runs - 1;
  return (geometry.runStart[last] as number) + (geometry.runLength[last] as number); // group 0 always has a run
}
