// The checksum of a header: the sum of its bytes, those of `chksum` itself counted as spaces.

import { BLOCK, ustar } from "./records.ts";

/** Sum of the 512 bytes at `at`, four bytes a step in two lanes of 16 bits (128 times 255 twice fits). */
export function blockSum(view: DataView, at: number): number {
  let even = 0;
  let odd = 0;
  for (let i = at; i < at + BLOCK; i += 4) {
    const word = view.getUint32(i, false);
    even += word & 0x00ff00ff;
    odd += (word >>> 8) & 0x00ff00ff;
  }
  return (even & 0xffff) + (even >>> 16) + (odd & 0xffff) + (odd >>> 16);
}

/** The checksum as POSIX has it, out of the sum of all bytes. */
export function checksumOf(bytes: Uint8Array, at: number, sum: number): number {
  const { offset, size } = ustar.f.chksum;
  let field = 0;
  for (let i = at + offset; i < at + offset + size; i++) field += bytes[i] as number; // inside the block
  return sum - field + size * 0x20;
}

/** The checksum of tars that added up signed characters (early SunOS and others): as above, bytes from 0x80 count as negative. */
export function signedChecksumOf(bytes: Uint8Array, at: number, checksum: number): number {
  const { offset, size } = ustar.f.chksum;
  let high = 0;
  for (let i = at; i < at + BLOCK; i++) {
    const inField = i >= at + offset && i < at + offset + size;
    if (!inField && (bytes[i] as number) >= 0x80) high++;
  }
  return checksum - high * 256;
}
