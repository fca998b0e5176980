// What a file holds: a size, where its data lies, and a way to read any range. Never the bytes themselves,
// unless the caller brought them in memory.

import { shown } from "../arguments.ts";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";

/** A run of data within a file, in bytes. */
export interface Extent {
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** The content of a file. */
export interface Content {
  /** Bytes. */
  readonly size: number;
  /** Where data lies: ascending, not overlapping, within `size`; the rest are holes. Left out: all of it is data. */
  readonly extents?: readonly Extent[];
  /**
   * Fills `target` with the bytes from `offset`; the range always lies within `size`. Bytes of holes read as zeros.
   * Synchronous where the bytes are at hand, since a promise per file is dear.
   */
  read(offset: number, target: Uint8Array): void | Promise<void>;
}

class BytesContent implements Content {
  readonly size: number;
  constructor(readonly bytes: Uint8Array) {
    this.size = bytes.length;
  }
  read(offset: number, target: Uint8Array): void {
    target.set(this.bytes.subarray(offset, offset + target.length));
  }
}

/** Content of no bytes. */
export const emptyContent: Content = new BytesContent(new Uint8Array(0));

/**
 * Content of bytes in memory. They are not copied: do not change them before the image is written.
 *
 * @example
 * ```ts
 * import { bytesContent, Tree } from "fsynth";
 * const shared = bytesContent(new Uint8Array(1 << 20).fill(0xff));
 * new Tree().file("/a", shared).file("/b", shared);
 * ```
 */
export function bytesContent(bytes: Uint8Array | string): Content {
  if (typeof bytes === "string") return bytes === "" ? emptyContent : new BytesContent(new TextEncoder().encode(bytes));
  return bytes.length === 0 ? emptyContent : new BytesContent(bytes);
}

/** Content of `size` bytes that are `pattern` over and over, without holding them. */
export function repeatedContent(size: number, pattern: Uint8Array): Content {
  return {
    size,
    read(offset, target) {
      for (let at = 0, from = offset % pattern.length; at < target.length; from = 0) {
        const piece = pattern.subarray(from, from + target.length - at);
        target.set(piece, at);
        at += piece.length;
      }
    },
  };
}

/**
 * The content behind what callers give for one: text (as UTF-8), bytes (not copied) or a content.
 *
 * Throws `usage` for anything else, and for a content whose size or extents are none. `path` is for the error.
 */
export function toContent(path: string, given: Content | Uint8Array | string): Content {
  if (typeof given === "string" || given instanceof Uint8Array) return bytesContent(given);
  if (typeof given !== "object" || given === null || typeof given.size !== "number" || typeof given.read !== "function") {
    throw new FsynthError(
      "usage",
      `${quoteName(String(path))}: the content is ${shown(given)}, expected text, a Uint8Array or { size, read }`,
      { path },
    );
  }
  checkExtents(given.size, given.extents ?? []);
  return given;
}

/**
 * Content with holes. `data` holds the bytes of `extents` one behind the other (left out: nothing but holes).
 *
 * Throws `usage` when the extents are out of order, overlap, or leave `size`.
 *
 * @example
 * ```ts
 * import { bytesContent, sparseContent, Tree } from "fsynth";
 * // One gigabyte, of which the first four bytes and the last four are data.
 * const extents = [{ offset: 0, length: 4 }, { offset: 2 ** 30 - 4, length: 4 }];
 * new Tree().file("/disk", sparseContent(2 ** 30, extents, bytesContent("headtail")));
 * ```
 */
export function sparseContent(size: number, extents: readonly Extent[] = [], data: Content = emptyContent): Content {
  checkExtents(size, extents);
  const sum = extents.reduce((total, extent) => total + extent.length, 0);
  if (sum !== data.size) {
    throw new FsynthError("usage", `sparse content: the extents hold ${sum} bytes, the data ${data.size}`);
  }
  return new SparseContent(
    size,
    extents.filter((extent) => extent.length > 0),
    data,
  );
}

function checkExtents(size: number, extents: readonly Extent[]): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new FsynthError("usage", `content of ${size} bytes; expected 0 to 2^53-1`);
  let end = 0;
  for (const { offset, length } of extents) {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < end || length < 0 || offset + length > size) {
      throw new FsynthError(
        "usage",
        `content of extents: extent ${offset}+${length} must lie behind ${end} and within ${size} bytes`,
      );
    }
    end = offset + length;
  }
}

class SparseContent implements Content {
  /** Where each extent starts within `data`. */
  readonly #starts: number[] = [];
  constructor(
    readonly size: number,
    readonly extents: readonly Extent[],
    readonly data: Content,
  ) {
    let at = 0;
    for (const extent of extents) {
      this.#starts.push(at);
      at += extent.length;
    }
  }

  read(offset: number, target: Uint8Array): void | Promise<void> {
    const end = offset + target.length;
    const pending: Promise<void>[] = [];
    let at = offset;
    for (let i = this.#firstAfter(offset); i < this.extents.length && at < end; i++) {
      const extent = this.extents[i] as Extent; // i is in range
      const from = Math.max(extent.offset, offset);
      if (from >= end) break;
      const to = Math.min(extent.offset + extent.length, end);
      target.fill(0, at - offset, from - offset);
      const start = (this.#starts[i] as number) + from - extent.offset;
      const done = this.data.read(start, target.subarray(from - offset, to - offset));
      if (done) pending.push(done);
      at = to;
    }
    target.fill(0, at - offset);
    if (pending.length > 0) return Promise.all(pending).then(() => undefined);
  }

  /** Index of the first extent that ends behind `offset`. */
  #firstAfter(offset: number): number {
    let low = 0;
    let high = this.extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const extent = this.extents[middle] as Extent; // middle is in range
      if (extent.offset + extent.length <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
