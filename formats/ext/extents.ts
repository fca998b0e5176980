// Extent trees: from a file's blocks to the image's, in entries of up to 32768 blocks. Counted when the plan is made and
// written when their turn comes, from the same runs.
//
// Specification: Linux Documentation/filesystems/ext4/ifork.rst.

import { crc32c } from "../../src/bytes/crc.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import type { MappedRun, TreeLocation } from "../../src/image/ranges.ts";
import {
  EXTENT_ENTRY_SIZE,
  EXTENT_MAGIC,
  Extent,
  ExtentHeader,
  ExtentIndex,
  MAX_EXTENT_BLOCKS,
  ROOT_EXTENTS,
} from "./disk/extent.ts";

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

function writeEntry(view: DataView, at: number, logical: number, physical: number, count: number): void {
  Extent.f.ee_block.set(view, at, logical);
  Extent.f.ee_len.set(view, at, count);
  Extent.f.ee_start_hi.set(view, at, Math.floor(physical / 2 ** 32));
  Extent.f.ee_start_lo.set(view, at, physical % 2 ** 32);
}

function writeExtent(view: DataView, at: number, run: MappedRun): void {
  writeEntry(view, at, run.logical, run.physical, run.count);
}

/** Writes the extent root of a file that is one extent into i_block at `at`. */
export function writeSingleExtent(logical: number, physical: number, count: number, view: DataView, at: number): void {
  writeHeader(view, at, 1, ROOT_EXTENTS, 0);
  writeEntry(view, at + EXTENT_ENTRY_SIZE, logical, physical, count);
}

function writeIndex(view: DataView, at: number, logical: number, physical: number): void {
  ExtentIndex.f.ei_block.set(view, at, logical);
  ExtentIndex.f.ei_leaf_lo.set(view, at, physical % 2 ** 32);
  ExtentIndex.f.ei_leaf_hi.set(view, at, Math.floor(physical / 2 ** 32));
}

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

/** Blocks of the tree of a file with so many extents. */
export function extentTreeBlocks(extents: number, blockSize: number): number {
  if (extents <= ROOT_EXTENTS) return 0;
  return extentLevels(extents, blockSize).reduce((sum, width) => sum + width, 0);
}
