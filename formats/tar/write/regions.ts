// The archive as ascending regions: runs of headers, the data of files between them, zeros at the end.

import { decodeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { MAX_BYTES_REGION, type Region } from "../../../src/image/region.ts";
import type { Layout } from "./layout.ts";
import { writeHead } from "./member.ts";

/** Regions from the one that holds byte `from`, of an archive of `size` bytes. */
export function* regionsOf(layout: Layout, size: number, from: number): Generator<Region> {
  for (let run = firstRun(layout, from); run < layout.runs.length; run++)
    for (const region of runRegions(layout, run)) if (region.offset + region.length > from) yield region;
  const end = lastByte(layout);
  if (size > end && size > from) yield { kind: "hole", offset: end, length: size - end };
}

/** Where the last member ends: what fills up its last block is part of the zeros behind. */
function lastByte(layout: Layout): number {
  const last = layout.count - 1;
  return last < 0 ? 0 : layout.data(last) + layout.dataSize(last);
}

/** Where a run starts: behind the data of the run before, so that it holds what fills up the block. */
function runStart(layout: Layout, run: number): number {
  const member = layout.runs[run] as number; // run is in range
  return member === 0 ? 0 : layout.data(member - 1) + layout.dataSize(member - 1);
}

/** The last run that starts at or before `offset`. */
function firstRun(layout: Layout, offset: number): number {
  let low = 0;
  let high = layout.runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (runStart(layout, middle) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function* runRegions(layout: Layout, run: number): Generator<Region> {
  const first = layout.runs[run] as number; // run is in range
  const end = run + 1 < layout.runs.length ? (layout.runs[run + 1] as number) : layout.count;
  // Behind the last data nothing but the end follows.
  if (first === end) return;
  const offset = runStart(layout, run);
  const length = layout.data(end - 1) - offset;
  if (length <= MAX_BYTES_REGION) {
    yield { kind: "bytes", offset, length, fill: (target) => fillRun(layout, first, end, offset, target) };
  } else {
    // A member with more records, or a longer map, than one region holds: made once, given in pieces.
    let whole: Uint8Array | undefined;
    for (let at = 0; at < length; at += MAX_BYTES_REGION) {
      const count = Math.min(MAX_BYTES_REGION, length - at);
      const fill = (target: Uint8Array): void => {
        if (!whole) fillRun(layout, first, end, offset, (whole = new Uint8Array(length)));
        target.set(whole.subarray(at, at + count));
      };
      yield { kind: "bytes", offset: offset + at, length: count, fill };
    }
  }
  yield* dataRegions(layout, end - 1);
}

function* dataRegions(layout: Layout, index: number): Generator<Region> {
  const size = layout.dataSize(index);
  if (size === 0) return;
  const { node, sparse, path } = layout.member(index);
  const { content } = node;
  if (!content) return;
  let at = layout.data(index);
  for (const { offset, length } of sparse?.extents ?? [{ offset: 0, length: size }]) {
    yield { kind: "content", offset: at, length, content, start: offset, path: () => `/${decodeName(path)}` };
    at += length;
  }
}

function fillRun(layout: Layout, first: number, end: number, offset: number, target: Uint8Array): void {
  const view = viewOf(target);
  for (let index = first; index < end; index++) {
    writeHead(target, view, (layout.start[index] as number) - offset, layout.member(index)); // members are below count
  }
}
