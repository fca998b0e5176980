// Where two stretches of bytes differ, and where they are the same again.

import { viewOf } from "./struct.ts";

/** The first place from `from` on in which `a` and `b` differ; `to` when there is none before it. */
export function firstDifference(a: Uint8Array, b: Uint8Array, from: number, to: number): number {
  let i = from;
  if (to - from >= 64) {
    const left = viewOf(a);
    const right = viewOf(b);
    // Sixteen bytes a step; what order they are read in does not matter for being equal.
    for (const end = to - 15; i < end; i += 16) {
      const any =
        (left.getInt32(i, true) ^ right.getInt32(i, true)) |
        (left.getInt32(i + 4, true) ^ right.getInt32(i + 4, true)) |
        (left.getInt32(i + 8, true) ^ right.getInt32(i + 8, true)) |
        (left.getInt32(i + 12, true) ^ right.getInt32(i + 12, true));
      if (any !== 0) break;
    }
  }
  while (i < to && a[i] === b[i]) i++;
  return i;
}

/** The first place from `from` on in which `a` and `b` are the same; `to` when there is none before it. */
export function firstSame(a: Uint8Array, b: Uint8Array, from: number, to: number): number {
  let i = from;
  while (i < to && a[i] !== b[i]) i++;
  return i;
}
