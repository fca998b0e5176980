// Device numbers in di_db[0], in NetBSD's encoding. FreeBSD and Linux read it alike for numbers below 256.
// Specification: NetBSD sys/sys/types.h (makedev, major, minor).

/** Most that the encoding holds. */
export const MAJOR_MAX = 0xfff;
export const MINOR_MAX = 0xfffff;

export function deviceNumber(major: number, minor: number): number {
  return (((minor << 12) & 0xfff0_0000) | ((major << 8) & 0x000f_ff00) | (minor & 0xff)) >>> 0;
}

export function deviceParts(number: number): { readonly major: number; readonly minor: number } {
  return { major: (number >>> 8) & 0xfff, minor: ((number >>> 12) & 0xfff00) | (number & 0xff) };
}
