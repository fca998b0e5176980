// Runs of zero bytes.

/** Whether `bytes[from..to)` holds nothing but zeros. */
export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  let i = from;
  // Eight at a time: one branch for each eight bytes. Reads stay inside the array, hence the casts from `number | undefined`.
  for (const end = to - 7; i < end; i += 8) {
    const any =
      (bytes[i] as number) |
      (bytes[i + 1] as number) |
      (bytes[i + 2] as number) |
      (bytes[i + 3] as number) |
      (bytes[i + 4] as number) |
      (bytes[i + 5] as number) |
      (bytes[i + 6] as number) |
      (bytes[i + 7] as number);
    if (any !== 0) return false;
  }
  for (; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
