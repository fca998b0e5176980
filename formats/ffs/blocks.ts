// How a size becomes blocks: whole ones, and a tail of fragments where the last block is one of the first twelve.
// Specification: NetBSD sys/ufs/ffs/fs.h (ffs_blksize).

import { DIRECT } from "../../src/image/indirect.ts";
import { dataRanges } from "../../src/image/ranges.ts";
import type { Content } from "../../src/tree/content.ts";
import type { Frame } from "./geometry.ts";
import type { OwnerBlocks } from "./placement.ts";

/** Fragments of the last block of `size` bytes, 0 where it is a whole one. */
function tailOf(size: number, frame: Frame): number {
  if (size > DIRECT * frame.blockSize) return 0;
  const tail = Math.ceil((size % frame.blockSize) / frame.fragmentSize);
  return tail === frame.frag ? 0 : tail;
}

/** Fragments of `size` bytes without holes: whole blocks, and a tail where their number is no multiple of a block's. */
export function denseFrags(size: number, frame: Frame): number {
  if (size > DIRECT * frame.blockSize) return Math.ceil(size / frame.blockSize) * frame.frag;
  return Math.ceil(size / frame.fragmentSize);
}

/** The blocks of a content with holes; those of a whole block take none. */
export function sparseBlocks(content: Content, frame: Frame): OwnerBlocks {
  const ranges = dataRanges(content, frame.blockSize);
  const last = ranges.at(-1);
  const tailBlock = Math.ceil(content.size / frame.blockSize) - 1;
  const tail = tailOf(content.size, frame);
  // The last block is a tail only if it is no hole.
  if (tail === 0 || !last || last.first + last.count <= tailBlock) return { ranges, tail: 0, tailBlock };
  const before = ranges.slice(0, -1);
  if (last.count > 1) before.push({ first: last.first, count: last.count - 1 });
  return { ranges: before, tail, tailBlock };
}

/** Fragments of all of them. */
export function fragsOf({ ranges, tail }: OwnerBlocks, frame: Frame): number {
  return ranges.reduce((sum, { count }) => sum + count * frame.frag, tail);
}
