// Indirect blocks, as ext2 and FFS have them: an inode points to its first twelve blocks itself, and to the rest through
// one tree of one level, one of two and one of three. `pointers` is how many pointers an indirect block holds.

import { assert } from "../error.ts";
import type { BlockRange } from "./ranges.ts";

/** Block pointers that an inode holds itself. */
export const DIRECT = 12;
/** Trees behind them. */
export const TREES = 3;

/** One indirect block: how many levels of pointers lie below it, and the first file block that it leads to. */
export interface IndirectBlock {
  readonly level: number;
  readonly first: number;
}

/** Blocks of a file that the three trees reach. */
export function indirectReach(pointers: number): number {
  return DIRECT + pointers + pointers ** 2 + pointers ** 3;
}

/** First file block that tree 0 (single), 1 (double), 2 (triple) leads to. */
export function treeBase(tree: number, pointers: number): number {
  return DIRECT + (tree > 0 ? pointers : 0) + (tree > 1 ? pointers ** 2 : 0);
}

/** Indirect blocks of a file of `count` blocks without holes. */
export function denseIndirectBlocks(count: number, pointers: number): number {
  let total = 0;
  let left = count - DIRECT;
  for (let tree = 0; tree < TREES && left > 0; tree++) {
    const part = Math.min(left, pointers ** (tree + 1));
    for (let level = 0; level <= tree; level++) total += Math.ceil(part / pointers ** (level + 1));
    left -= part;
  }
  return total;
}

/**
 * The indirect blocks that `ranges` need: each before those below it, ascending by what they lead to. At level 0 stand
 * pointers to data. Throws never; ranges beyond the reach are refused before.
 */
export function indirectBlocks(ranges: readonly BlockRange[], pointers: number): IndirectBlock[] {
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
      const tree = at < treeBase(1, pointers) ? 0 : at < treeBase(2, pointers) ? 1 : 2;
      if (tree !== lastTree) {
        last = [-1, -1, -1];
        lastTree = tree;
      }
      const base = treeBase(tree, pointers);
      for (let level = tree; level >= 0; level--) {
        const span = pointers ** (level + 1);
        const start = base + Math.floor((at - base) / span) * span;
        if (start !== last[level]) {
          blocks.push({ level, first: start });
          last[level] = start;
        }
      }
      at = (last[0] as number) + pointers;
    }
  }
  return blocks;
}

/** Where the trees' roots lie: calls `put(tree, index)` with the index among `blocks` of each root. */
export function eachRoot(blocks: readonly IndirectBlock[], pointers: number, put: (tree: number, index: number) => void): void {
  blocks.forEach((block, index) => {
    for (let tree = 0; tree < TREES; tree++) {
      if (block.level === tree && block.first === treeBase(tree, pointers)) put(tree, index);
    }
  });
}

/**
 * The pointers of block `index` among `blocks`: calls `put(slot, place)`, with the place of data block `logical` from
 * `dataAt` (0: a hole) and of indirect block `i` from `treeAt`.
 */
export function eachPointer(
  blocks: readonly IndirectBlock[],
  index: number,
  pointers: number,
  dataAt: (logical: number) => number,
  treeAt: (index: number) => number,
  put: (slot: number, place: number) => void,
): void {
  const block = blocks[index];
  assert(block !== undefined, `indirect block ${index} of ${blocks.length}`);
  if (block.level === 0) {
    for (let i = 0; i < pointers; i++) put(i, dataAt(block.first + i));
    return;
  }
  const span = pointers ** block.level;
  for (let i = index + 1; i < blocks.length; i++) {
    const child = blocks[i] as IndirectBlock; // i is in range
    if (child.first >= block.first + span * pointers || child.level >= block.level) break;
    if (child.level === block.level - 1) put((child.first - block.first) / span, treeAt(i));
  }
}
