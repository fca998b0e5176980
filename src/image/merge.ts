// Regions out of two ascending lists: what lies at places of its own (metadata), and what was placed between.

import { FsynthError } from "../error.ts";
import { firstEndingBehind } from "./ranges.ts";
import type { Region } from "./region.ts";

/** Ascending runs that do not touch each other's bytes. All numbers are bytes. */
export interface Spans {
  readonly count: number;
  start(index: number): number;
  length(index: number): number;
  /** The regions that fill a run, ascending and without gaps. */
  regions(index: number): Iterable<Region>;
}

/** The regions of both lists and holes between them, from the region that holds byte `from` to byte `size`. */
export function* mergedRegions(a: Spans, b: Spans, size: number, from: number): Generator<Region> {
  const endOf = (spans: Spans, index: number): number => spans.start(index) + spans.length(index);
  let i = firstEndingBehind(a.count, from, (index) => endOf(a, index));
  let j = firstEndingBehind(b.count, from, (index) => endOf(b, index));
  // Where the next region starts. A gap before the first thing found is a hole that starts where the thing before it ends.
  let at = Math.max(i > 0 ? endOf(a, i - 1) : 0, j > 0 ? endOf(b, j - 1) : 0);
  while (i < a.count || j < b.count) {
    const first = i < a.count ? a.start(i) : Number.POSITIVE_INFINITY;
    const second = j < b.count ? b.start(j) : Number.POSITIVE_INFINITY;
    const start = Math.min(first, second);
    if (start > at && start > from) yield { kind: "hole", offset: at, length: start - at };
    const [spans, index] = first < second ? [a, i++] : [b, j++];
    for (const region of spans.regions(index)) if (region.offset + region.length > from) yield region;
    at = endOf(spans, index);
  }
  if (at < size && from < size) yield { kind: "hole", offset: at, length: size - at };
}

/** Thrown by plans that are asked for bytes behind their end. */
export function checkOffset(from: number, size: number): void {
  if (!Number.isSafeInteger(from) || from < 0 || from > size) {
    throw new FsynthError("usage", `regions from byte ${from} of an image of ${size} bytes`);
  }
}
