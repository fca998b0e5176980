// Sparse files as GNU tar's format 1.0 has them: a map in front of the data, in decimal lines, filled up to a block
// (GNU tar manual, "Storing Sparse Files").

import type { Content, Extent } from "../../../src/tree/content.ts";
import { BLOCK } from "../records.ts";

/** How a sparse file is stored. */
export interface SparseFile {
  /**
   * What is stored of the file, in whole blocks but for its end: GNU tar starts each range at a new block when it reads,
   * libarchive does not, so a range must fill its blocks.
   */
  readonly extents: readonly Extent[];
  /** Bytes of data. */
  readonly stored: number;
  /** Bytes of the map with what fills it up. */
  readonly mapSize: number;
}

/** How a content is stored; undefined for one without a hole of a block. */
export function sparseFile({ size, extents }: Content): SparseFile | undefined {
  if (!extents || size === 0) return undefined;
  const aligned: { offset: number; length: number }[] = [];
  let stored = 0;
  for (const { offset, length } of extents) {
    if (length === 0) continue;
    const start = Math.floor(offset / BLOCK) * BLOCK;
    const end = Math.min(Math.ceil((offset + length) / BLOCK) * BLOCK, size);
    const last = aligned.at(-1);
    const from = last ? Math.max(last.offset + last.length, start) : start;
    if (from >= end) continue;
    stored += end - from;
    if (last && from === last.offset + last.length) last.length += end - from;
    else aligned.push({ offset: from, length: end - from });
  }
  if (stored === size) return undefined;
  const text = mapLength(size, aligned);
  return { extents: aligned, stored, mapSize: Math.ceil(text / BLOCK) * BLOCK };
}

/** The numbers of a map: how many pairs, then offset and length of each. An empty range at the end says how long a file is that ends in a hole. */
function* mapNumbers(size: number, extents: readonly Extent[]): Generator<number> {
  const last = extents.at(-1);
  const open = !last || last.offset + last.length < size;
  yield extents.length + (open ? 1 : 0);
  for (const { offset, length } of extents) {
    yield offset;
    yield length;
  }
  if (open) {
    yield size;
    yield 0;
  }
}

function mapLength(size: number, extents: readonly Extent[]): number {
  let length = 0;
  for (const number of mapNumbers(size, extents)) length += String(number).length + 1;
  return length;
}

/** Writes the map at `at`. */
export function writeMap(target: Uint8Array, at: number, size: number, extents: readonly Extent[]): void {
  let i = at;
  for (const number of mapNumbers(size, extents)) {
    const digits = String(number);
    for (let d = 0; d < digits.length; d++) target[i++] = digits.charCodeAt(d);
    target[i++] = 0x0a;
  }
}
