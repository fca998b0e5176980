// Content of files: ranges of the image, holes between them.

import { type Content, type Extent, emptyContent } from "../../../src/tree/content.ts";
import type { Disk } from "./disk.ts";
import type { Run } from "./mapping.ts";

/**
 * The content that `runs` lead to, read from the image when asked for. What is set aside and not written is a hole.
 * `explicit` gives extents to content without holes, too.
 */
export function mappedContent(disk: Disk, runs: readonly Run[], size: number, explicit: boolean): Content {
  if (size === 0) return emptyContent;
  return new MappedContent(disk, runs, size, explicit);
}

class MappedContent implements Content {
  readonly extents?: readonly Extent[];
  readonly #runs: readonly Run[];

  constructor(
    readonly disk: Disk,
    runs: readonly Run[],
    readonly size: number,
    explicit: boolean,
  ) {
    const { blockSize } = disk.superblock;
    this.#runs = runs.every(({ written }) => written) ? runs : runs.filter(({ written }) => written);
    const extents: { offset: number; length: number }[] = [];
    for (const { logical, count } of this.#runs) {
      const offset = logical * blockSize;
      if (offset >= size) break;
      const length = Math.min(count * blockSize, size - offset);
      const last = extents.at(-1);
      if (last && last.offset + last.length === offset) last.length += length;
      else extents.push({ offset, length });
    }
    if (explicit || extents.length !== 1 || extents[0]?.length !== size) this.extents = extents;
  }

  read(offset: number, target: Uint8Array): void {
    const { blockSize } = this.disk.superblock;
    const end = offset + target.length;
    let at = offset;
    for (let i = this.#firstBehind(Math.floor(offset / blockSize)); i < this.#runs.length && at < end; i++) {
      const run = this.#runs[i] as Run; // i is in range
      const start = run.logical * blockSize;
      if (start >= end) break;
      const from = Math.max(at, start);
      const to = Math.min(end, start + run.count * blockSize);
      target.fill(0, at - offset, from - offset);
      this.disk.readAt(run.physical * blockSize + from - start, target.subarray(from - offset, to - offset));
      at = to;
    }
    target.fill(0, at - offset);
  }

  /** Index of the first run that ends behind file block `block`. */
  #firstBehind(block: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const run = this.#runs[middle] as Run; // middle is in range
      if (run.logical + run.count <= block) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
