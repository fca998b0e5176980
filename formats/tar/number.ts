// Numbers in tar headers: octal text, or GNU's base-256 (big-endian two's complement, marked by the highest bit).

/**
 * The number in `bytes[at..at + length)`: 0 for a blank field, NaN for what is no number, ±Infinity beyond 2^53-1.
 *
 * Octal text may be led by spaces or NULs and ends at a space, a NUL or the end of the field; old tars left anything
 * behind that terminator.
 */
export function readNumber(bytes: Uint8Array, at: number, length: number): number {
  if (((bytes[at] as number) & 0x80) !== 0) return readBase256(bytes, at, length);
  const end = at + length;
  let i = at;
  while (i < end && (bytes[i] === 0x20 || bytes[i] === 0)) i++;
  let value = 0;
  for (; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 7) return bytes[i] === 0x20 || bytes[i] === 0 ? value : Number.NaN;
    value = value * 8 + digit;
  }
  return value;
}

function readBase256(bytes: Uint8Array, at: number, length: number): number {
  const first = bytes[at] as number; // of a field inside the header
  const negative = (first & 0x40) !== 0;
  // For a negative value the inverted bits are its magnitude less one.
  const flip = negative ? 0xff : 0;
  let value = (first ^ flip) & 0x3f;
  for (let i = at + 1; i < at + length; i++) {
    value = value * 256 + ((bytes[i] as number) ^ flip);
    if (value > Number.MAX_SAFE_INTEGER) return negative ? -Infinity : Infinity;
  }
  return negative ? -1 - value : value;
}

/** A run of decimal digits as pax writes numbers; NaN for anything else. */
export function readDecimal(bytes: Uint8Array): number {
  if (bytes.length === 0 || bytes.length > 20) return Number.NaN;
  let value = 0;
  for (const byte of bytes) {
    if (byte < 0x30 || byte > 0x39) return Number.NaN;
    value = value * 10 + byte - 0x30;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : Infinity;
}
