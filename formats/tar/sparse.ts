// Sparse files in their four forms: old GNU headers, and GNU's pax formats 0.0, 0.1 and 1.0
// (GNU tar manual, "Storing Sparse Files"). Each gives a map of offsets and lengths; the archive stores the data of
// those ranges one behind the other.

import { decodeName } from "../../src/bytes/names.ts";
import type { Extent } from "../../src/tree/content.ts";
import { MAX_EXTENTS } from "./limits.ts";
import { readNumber } from "./number.ts";
import type { Fail } from "./pax.ts";

const PAIR = 24;

/** Adds the pairs of an old GNU header or extension block; an empty pair ends the list. */
export function addOldGnuPairs(bytes: Uint8Array, at: number, length: number, pairs: number[], fail: Fail): void {
  for (let i = at; i + PAIR <= at + length; i += PAIR) {
    if (bytes[i] === 0 && bytes[i + 12] === 0) return;
    pairs.push(readNumber(bytes, i, 12), readNumber(bytes, i + 12, 12));
  }
  if (pairs.length > 2 * MAX_EXTENTS) fail(`its sparse map has more than ${MAX_EXTENTS} entries`);
}

/** The pairs of `GNU.sparse.map` (format 0.1): decimal numbers with commas between them. */
export function parseMapRecord(value: Uint8Array, fail: Fail): number[] {
  const text = decodeName(value);
  if (!/^\d+,\d+(,\d+,\d+)*$/.test(text)) fail("GNU.sparse.map is not pairs of decimal numbers with commas between them");
  return text.split(",").map(Number);
}

/** Reads the map of format 1.0, which stands in front of the data: lines of decimal numbers, the count first, filled up to a block. */
export class MapReader {
  readonly pairs: number[] = [];
  #count = -1;
  #number = 0;
  #digits = 0;

  /** Takes one block; tells whether the map is complete. */
  take(bytes: Uint8Array, at: number, length: number, fail: Fail): boolean {
    for (let i = at; i < at + length; i++) {
      const byte = bytes[i] as number; // inside the block
      if (byte === 0x0a && this.#digits > 0) {
        if (this.#line(fail)) return true;
      } else if (byte >= 0x30 && byte <= 0x39 && this.#digits < 16) {
        this.#number = this.#number * 10 + byte - 0x30;
        this.#digits++;
      } else fail("its sparse map in front of the data is not lines of decimal numbers");
    }
    return false;
  }

  #line(fail: Fail): boolean {
    if (this.#count < 0) {
      this.#count = this.#number;
      if (this.#count > MAX_EXTENTS) fail(`its sparse map has ${this.#count} entries, more than ${MAX_EXTENTS}`);
    } else this.pairs.push(this.#number);
    this.#number = 0;
    this.#digits = 0;
    return this.pairs.length === 2 * this.#count;
  }
}

/** The extents of a map of `offset, length, …` for a file of `size` bytes, of which the archive stores `stored`. */
export function checkedExtents(pairs: readonly number[], size: number, stored: number, fail: Fail): Extent[] {
  const extents: Extent[] = [];
  let end = 0;
  let sum = 0;
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const offset = pairs[i] as number; // i is in range
    const length = pairs[i + 1] as number;
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || length < 0 || offset < end || offset + length > size) {
      fail(`its sparse map has a range ${offset}+${length}; expected one behind byte ${end} and within ${size} bytes`);
    }
    end = offset + length;
    sum += length;
    if (length > 0) extents.push({ offset, length });
  }
  if (sum !== stored) fail(`its sparse map covers ${sum} bytes of data, but ${stored} are stored`);
  return extents;
}
