// Numbers of ustar headers: octal digits and a NUL.

/** Largest number of a field of `width` bytes. */
export function octalMax(width: number): number {
  return 8 ** (width - 1) - 1;
}

/** Largest number in the fields of owners, modes and devices; of sizes and times. */
export const FIELD_MAX = octalMax(8);
export const LONG_FIELD_MAX = octalMax(12);

/** Writes `value`, which must fit. */
export function writeOctal(target: Uint8Array, at: number, width: number, value: number): void {
  let rest = value;
  for (let i = at + width - 2; i >= at; i--) {
    target[i] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  target[at + width - 1] = 0;
}
