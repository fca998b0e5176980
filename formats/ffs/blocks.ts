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

/** The blocks of `size` bytes without holes. */
export function denseBlocks(size: number, frame: Frame): OwnerBlocks {
  const tail = tailOf(size, frame);
  const blocks = Math.ceil(size / frame.blockSize);
  const whole = tail > 0 ? blocks - 1 : blocks;
  return { ranges: whole > 0 ? [{ first: 0, count: whole }] : [], tail, tailBlock: blocks - 1 };
}

/** The blocks of a content; holes of a whole block take none. */
export function contentBlocks(content: Content, frame: Frame): OwnerBlocks {
  if (!content.extents) return denseBlocks(content.size, frame);
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
