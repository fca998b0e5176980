// The checksum of crc headers: all bytes of a file, added up in 32 bits.

import type { Content } from "../../src/tree/content.ts";

/** Bytes read at once. */
const WINDOW = 256 * 1024;

/** Sum of bytes, on top of `sum`. */
export function addBytes(sum: number, bytes: Uint8Array): number {
  let total = sum;
  let i = 0;
  // In steps whose sum stays far below 2^31, so that it is kept in small integers.
  for (const { length } = bytes; i < length; ) {
    const end = Math.min(i + 65_536, length);
    let part = 0;
    for (; i < end; i++) part += bytes[i] as number; // i is below the length
    total = (total + part) >>> 0;
  }
  return total;
}

/** The sum of a whole content; at once where its bytes are at hand. Holes add nothing and are not read. */
export function contentSum(content: Content): number | Promise<number> {
  const window = new Uint8Array(Math.min(WINDOW, content.size));
  const pieces: { offset: number; length: number }[] = [];
  for (const { offset, length } of content.extents ?? [{ offset: 0, length: content.size }]) {
    for (let at = offset; at < offset + length; at += WINDOW)
      pieces.push({ offset: at, length: Math.min(WINDOW, offset + length - at) });
  }
  return sumFrom(content, pieces, 0, 0, window);
}

function sumFrom(
  content: Content,
  pieces: readonly { readonly offset: number; readonly length: number }[],
  first: number,
  before: number,
  window: Uint8Array,
): number | Promise<number> {
  let sum = before;
  for (let i = first; i < pieces.length; i++) {
    const { offset, length } = pieces[i] as { offset: number; length: number }; // i is in range
    const bytes = window.subarray(0, length);
    const pending = content.read(offset, bytes);
    if (pending) return pending.then(() => sumFrom(content, pieces, i + 1, addBytes(sum, bytes), window));
    sum = addBytes(sum, bytes);
  }
  return sum;
}
