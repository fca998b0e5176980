// Indirect mapping: pointers of 32 bits in i_block and in indirect blocks, for files without extents.
//
// Specification: Linux Documentation/filesystems/ext4/ifork.rst ("Direct/Indirect Block Addressing").

import { viewOf } from "../../src/bytes/struct.ts";
import { DIRECT, eachPointer, eachRoot, indirectBlocks } from "../../src/image/indirect.ts";
import { type BlockRange, type MappedRun, physicalOf, type TreeLocation } from "../../src/image/ranges.ts";

/** Bytes of a pointer. */
const POINTER = 4;

/** Pointers that an indirect block holds. */
export function pointersPerBlock(blockSize: number): number {
  return blockSize / POINTER;
}

/** Indirect blocks that `ranges` need. */
export function indirectTreeBlocks(ranges: readonly BlockRange[], blockSize: number): number {
  return indirectBlocks(ranges, pointersPerBlock(blockSize)).length;
}

function blocksOf(runs: readonly MappedRun[], blockSize: number): ReturnType<typeof indirectBlocks> {
  return indirectBlocks(
    runs.map((run) => ({ first: run.logical, count: run.count })),
    pointersPerBlock(blockSize),
  );
}

/** Writes i_block of a file at `at` whose blocks are one run that needs no indirect ones. */
export function writeDirectPointers(logical: number, physical: number, count: number, view: DataView, at: number): void {
  for (let i = 0; i < count; i++) view.setUint32(at + (logical + i) * POINTER, physical + i, true);
}

/** Writes i_block of an indirectly mapped file at `at`: 12 direct pointers and the roots of up to three trees. */
export function writeIndirectRoot(
  runs: readonly MappedRun[],
  treeAt: TreeLocation,
  blockSize: number,
  view: DataView,
  at: number,
): void {
  for (let i = 0; i < DIRECT; i++) view.setUint32(at + i * POINTER, physicalOf(runs, i), true);
  const last = runs.at(-1);
  if (!last || last.logical + last.count <= DIRECT) return;
  eachRoot(blocksOf(runs, blockSize), pointersPerBlock(blockSize), (tree, index) => {
    view.setUint32(at + (DIRECT + tree) * POINTER, treeAt(index), true);
  });
}

/** Writer of a file's indirect blocks, by their number. */
export function indirectWriter(
  runs: readonly MappedRun[],
  treeAt: TreeLocation,
  blockSize: number,
): (index: number, target: Uint8Array) => void {
  const pointers = pointersPerBlock(blockSize);
  const blocks = blocksOf(runs, blockSize);
  return (index, target) => {
    const view = viewOf(target);
    eachPointer(
      blocks,
      index,
      pointers,
      (logical) => physicalOf(runs, logical),
      treeAt,
      (slot, place) => view.setUint32(slot * POINTER, place, true),
    );
  };
}
