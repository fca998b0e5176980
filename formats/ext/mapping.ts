// From a file's blocks to the image's: extent trees and indirect blocks. Both are counted when the plan is made and
// written when their turn comes, from the same runs.
//
// Specification: Linux Documentation/filesystems/ext4/ifork.rst.

import { crc32c } from "../../src/bytes/crc.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { assert } from "../../src/error.ts";
import type { Content } from "../../src/tree/content.ts";
import {
  EXTENT_ENTRY_SIZE,
  EXTENT_MAGIC,
  Extent,
  ExtentHeader,
  ExtentIndex,
  MAX_EXTENT_BLOCKS,
  ROOT_EXTENTS,
} from "./disk/extent.ts";

/** A run of a file's blocks, by their numbers within the file. */
export interface BlockRange {
  readonly first: number;
  readonly count: number;
}

/** A run of a file's blocks and where it lies in the image. Ascending by `logical` within one file. */
export interface MappedRun {
  readonly logical: number;
  readonly physical: number;
  readonly count: number;
}

/** The blocks of a content that hold data; the rest are holes. */
export function dataRanges(content: Content, blockSize: number): readonly BlockRange[] {
  if (content.size === 0) return [];
  if (!content.extents) return [{ first: 0, count: Math.ceil(content.size / blockSize) }];
  const ranges: { first: number; count: number }[] = [];
  let end = 0;
  for (const { offset, length } of content.extents) {
    if (length === 0) continue;
    const first = Math.max(end, Math.floor(offset / blockSize));
    const next = Math.ceil((offset + length) / blockSize);
    if (next <= first) continue;
    const last = ranges.at(-1);
    if (last && first === end) last.count += next - first;
    else ranges.push({ first, count: next - first });
    end = next;
  }
  return ranges;
}

// ---- extent trees

/** Entries of an extent block: the last 4 bytes are kept for the checksum, with or without metadata_csum. */
function extentsPerBlock(blockSize: number): number {
  return Math.floor((blockSize - EXTENT_ENTRY_SIZE) / EXTENT_ENTRY_SIZE);
}

/** Widths of an extent tree's levels below i_block, from the top; empty when i_block holds all extents. */
export function extentLevels(extents: number, blockSize: number): number[] {
  const perBlock = extentsPerBlock(blockSize);
  const widths: number[] = [];
  for (let width = extents; width > ROOT_EXTENTS; ) {
    width = Math.ceil(width / perBlock);
    widths.unshift(width);
  }
  return widths;
}

/** Extents that `count` consecutive blocks need. */
export function extentsOf(count: number): number {
  return Math.ceil(count / MAX_EXTENT_BLOCKS);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The runs cut into extents. */
function cut(runs: readonly MappedRun[]): MappedRun[] {
  if (runs.every((run) => run.count <= MAX_EXTENT_BLOCKS)) return runs as MappedRun[];
  return runs.flatMap((run) =>
    Array.from({ length: extentsOf(run.count) }, (_, i) => ({
      logical: run.logical + i * MAX_EXTENT_BLOCKS,
      physical: run.physical + i * MAX_EXTENT_BLOCKS,
      count: Math.min(MAX_EXTENT_BLOCKS, run.count - i * MAX_EXTENT_BLOCKS),
    })),
  );
}

function writeHeader(view: DataView, at: number, entries: number, max: number, depth: number): void {
  ExtentHeader.f.eh_magic.set(view, at, EXTENT_MAGIC);
  ExtentHeader.f.eh_entries.set(view, at, entries);
  ExtentHeader.f.eh_max.set(view, at, max);
  ExtentHeader.f.eh_depth.set(view, at, depth);
}

function writeExtent(view: DataView, at: number, run: MappedRun): void {
  Extent.f.ee_block.set(view, at, run.logical);
  Extent.f.ee_len.set(view, at, run.count);
  Extent.f.ee_start_hi.set(view, at, Math.floor(run.physical / 2 ** 32));
  Extent.f.ee_start_lo.set(view, at, run.physical % 2 ** 32);
}

function writeIndex(view: DataView, at: number, logical: number, physical: number): void {
  ExtentIndex.f.ei_block.set(view, at, logical);
  ExtentIndex.f.ei_leaf_lo.set(view, at, physical % 2 ** 32);
  ExtentIndex.f.ei_leaf_hi.set(view, at, Math.floor(physical / 2 ** 32));
}

/** Where block `i` of a file's own tree lies in the image. */
export type TreeLocation = (index: number) => number;

/** Writes the extent root into i_block at `at`. */
export function writeExtentRoot(
  runs: readonly MappedRun[],
  treeAt: TreeLocation,
  blockSize: number,
  view: DataView,
  at: number,
): void {
  const extents = cut(runs);
  const widths = extentLevels(extents.length, blockSize);
  const perBlock = extentsPerBlock(blockSize);
  const entries = widths[0] ?? extents.length;
  writeHeader(view, at, entries, ROOT_EXTENTS, widths.length);
  const span = perBlock ** widths.length;
  for (let i = 0; i < entries; i++) {
    const to = at + (i + 1) * EXTENT_ENTRY_SIZE;
    if (widths.length === 0) writeExtent(view, to, extents[i] as MappedRun);
    else writeIndex(view, to, (extents[i * span] as MappedRun).logical, treeAt(i));
  }
}

/** Writes block `index` of an extent tree. `checksumSeed` is that of the inode; undefined without metadata_csum. */
export function writeExtentBlock(
  runs: readonly MappedRun[],
  treeAt: TreeLocation,
  index: number,
  checksumSeed: number | undefined,
  target: Uint8Array,
): void {
  const view = viewOf(target);
  const perBlock = extentsPerBlock(target.length);
  const extents = cut(runs);
  const widths = extentLevels(extents.length, target.length);
  let level = 0;
  let start = 0;
  while (index >= start + (widths[level] as number)) start += widths[level++] as number;
  const place = index - start;
  const leaf = level === widths.length - 1;
  const below = leaf ? extents.length : (widths[level + 1] as number);
  const first = place * perBlock;
  const count = Math.min(perBlock, below - first);
  const span = perBlock ** (widths.length - 1 - level);
  writeHeader(view, 0, count, perBlock, widths.length - 1 - level);
  for (let i = 0; i < count; i++) {
    const to = (i + 1) * EXTENT_ENTRY_SIZE;
    if (leaf) writeExtent(view, to, extents[first + i] as MappedRun);
    else
      writeIndex(
        view,
        to,
        (extents[(first + i) * span] as MappedRun).logical,
        treeAt(start + (widths[level] as number) + first + i),
      );
  }
  if (checksumSeed !== undefined) {
    const end = (perBlock + 1) * EXTENT_ENTRY_SIZE;
    view.setUint32(end, crc32c(checksumSeed, target, 0, end), true);
  }
}

// ---- indirect blocks

/** Block pointers that an inode holds itself. */
const DIRECT = 12;

/** One indirect block: how many levels of pointers lie below it, and the first file block that it leads to. */
interface IndirectBlock {
  readonly level: number;
  readonly first: number;
}

/** Blocks that indirect mapping reaches. */
export function indirectReach(blockSize: number): number {
  const n = blockSize / 4;
  return DIRECT + n + n * n + n * n * n;
}

/** Indirect blocks of a file of `count` blocks without holes. */
export function denseIndirectBlocks(count: number, blockSize: number): number {
  const n = blockSize / 4;
  let total = 0;
  let left = count - DIRECT;
  for (let tree = 0; tree < 3 && left > 0; tree++) {
    const part = Math.min(left, n ** (tree + 1));
    for (let level = 0; level <= tree; level++) total += Math.ceil(part / n ** (level + 1));
    left -= part;
  }
  return total;
}

/**
 * The indirect blocks that `ranges` need: each before those below it, ascending by what they lead to. At level 0 stand
 * pointers to data. Throws never; ranges beyond the reach are refused before.
 */
export function indirectBlocks(ranges: readonly BlockRange[], blockSize: number): IndirectBlock[] {
  const n = blockSize / 4;
  const blocks: IndirectBlock[] = [];
  // The last block seen of each level of the current tree, so that each is listed once.
  let last = [-1, -1, -1];
  let lastTree = -1;
  for (const { first, count } of ranges) {
    for (let at = first, end = first + count; at < end; ) {
      if (at < DIRECT) {
        at = Math.min(end, DIRECT);
        continue;
      }
      const tree = at < DIRECT + n ? 0 : at < DIRECT + n + n * n ? 1 : 2;
      if (tree !== lastTree) {
        last = [-1, -1, -1];
        lastTree = tree;
      }
      const base = treeBase(tree, n);
      for (let level = tree; level >= 0; level--) {
        const span = n ** (level + 1);
        const start = base + Math.floor((at - base) / span) * span;
        if (start !== last[level]) {
          blocks.push({ level, first: start });
          last[level] = start;
        }
      }
      at = (last[0] as number) + n;
    }
  }
  return blocks;
}

/** First file block behind the direct ones of tree 0 (single), 1 (double), 2 (triple). */
function treeBase(tree: number, n: number): number {
  return DIRECT + (tree > 0 ? n : 0) + (tree > 1 ? n * n : 0);
}

/** The image's block for a file's block, 0 in a hole. */
function physicalOf(runs: readonly MappedRun[], logical: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const run = runs[middle] as MappedRun; // middle is in range
    if (run.logical + run.count <= logical) low = middle + 1;
    else high = middle;
  }
  const run = runs[low];
  return run && run.logical <= logical ? run.physical + logical - run.logical : 0;
}

/** Writes i_block of an indirectly mapped file at `at`: 12 direct pointers and the roots of up to three trees. */
export function writeIndirectRoot(
  runs: readonly MappedRun[],
  treeAt: TreeLocation,
  blockSize: number,
  view: DataView,
  at: number,
): void {
  for (let i = 0; i < DIRECT; i++) view.setUint32(at + i * 4, physicalOf(runs, i), true);
  const last = runs.at(-1);
  if (!last || last.logical + last.count <= DIRECT) return;
  const n = blockSize / 4;
  indirectBlocks(rangesOf(runs), blockSize).forEach((block, index) => {
    for (let tree = 0; tree < 3; tree++) {
      if (block.level === tree && block.first === treeBase(tree, n))
        view.setUint32(at + (DIRECT + tree) * 4, treeAt(index), true);
    }
  });
}

function rangesOf(runs: readonly MappedRun[]): BlockRange[] {
  return runs.map((run) => ({ first: run.logical, count: run.count }));
}

/** Writer of a file's indirect blocks, in the order of {@link indirectBlocks}. */
export function indirectWriter(
  runs: readonly MappedRun[],
  treeAt: TreeLocation,
  blockSize: number,
): (index: number, target: Uint8Array) => void {
  const n = blockSize / 4;
  const blocks = indirectBlocks(rangesOf(runs), blockSize);
  return (index, target) => {
    const block = blocks[index];
    assert(block !== undefined, `indirect block ${index} of ${blocks.length}`);
    const view = viewOf(target);
    if (block.level === 0) {
      for (let i = 0; i < n; i++) view.setUint32(i * 4, physicalOf(runs, block.first + i), true);
      return;
    }
    const span = n ** block.level;
    for (let i = index + 1; i < blocks.length; i++) {
      const child = blocks[i] as IndirectBlock; // i is in range
      if (child.first >= block.first + span * n || child.level >= block.level) break;
      if (child.level === block.level - 1) view.setUint32(((child.first - block.first) / span) * 4, treeAt(i), true);
    }
  };
}

/** Blocks of a file's own tree. */
export function treeBlockCount(ranges: readonly BlockRange[], extents: number, useExtents: boolean, blockSize: number): number {
  return useExtents ? sum(extentLevels(extents, blockSize)) : indirectBlocks(ranges, blockSize).length;
}
