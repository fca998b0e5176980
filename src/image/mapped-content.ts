// Content of files within an image: ranges of it, holes between them.

import { type Content, type Extent, emptyContent } from "../tree/content.ts";
import { firstEndingBehind, type MappedRun } from "./ranges.ts";
import type { ImageBytes } from "./volume.ts";

/** The content of `size` bytes that `runs` of units of `unit` bytes lead to, read from the image when asked for. */
export function mappedContent(image: ImageBytes, runs: readonly MappedRun[], unit: number, size: number): Content {
  return size === 0 ? emptyContent : new MappedContent(image, runs, unit, size);
}

class MappedContent implements Content {
  /** Left out for content without holes. */
  readonly extents?: readonly Extent[];

  constructor(
    readonly image: ImageBytes,
    readonly runs: readonly MappedRun[],
    readonly unit: number,
    readonly size: number,
  ) {
    const extents: { offset: number; length: number }[] = [];
    for (const { logical, count } of runs) {
      const offset = logical * unit;
      if (offset >= size) break;
      const length = Math.min(count * unit, size - offset);
      const last = extents.at(-1);
      if (last && last.offset + last.length === offset) last.length += length;
      else extents.push({ offset, length });
    }
    if (extents.length !== 1 || extents[0]?.length !== size) this.extents = extents;
  }

  read(offset: number, target: Uint8Array): void {
    const { runs, unit } = this;
    const end = offset + target.length;
    const endOf = (i: number): number => (runs[i] as MappedRun).logical + (runs[i] as MappedRun).count; // i is in range
    let at = offset;
    for (let i = firstEndingBehind(runs.length, Math.floor(offset / unit), endOf); i < runs.length && at < end; i++) {
      const run = runs[i] as MappedRun; // i is in range
      const start = run.logical * unit;
      if (start >= end) break;
      const from = Math.max(at, start);
      const to = Math.min(end, start + run.count * unit);
      target.fill(0, at - offset, from - offset);
      this.image.readAt(run.physical * unit + from - start, target.subarray(from - offset, to - offset));
      at = to;
    }
    target.fill(0, at - offset);
  }
}
