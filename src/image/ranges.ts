// Which blocks of a file hold data, and where they lie in the image.

import type { Content } from "../tree/content.ts";

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

/** Where block `index` of a file's own mapping tree (extent or indirect blocks) lies in the image. */
export type TreeLocation = (index: number) => number;

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

/** Where block `logical` of a file lies in the image, 0 in a hole. */
export function physicalOf(runs: readonly MappedRun[], logical: number): number {
  const run = runs[firstEndingBehind(runs.length, logical, (i) => runEnd(runs[i] as MappedRun))]; // i is in range
  return run && run.logical <= logical ? run.physical + logical - run.logical : 0;
}

function runEnd(run: MappedRun): number {
  return run.logical + run.count;
}

/** Index of the first of `length` ascending runs that ends behind `place`; `length` when none does. */
export function firstEndingBehind(length: number, place: number, endOf: (index: number) => number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (endOf(middle) <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}
