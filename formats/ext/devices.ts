// Device numbers in i_block. Linux knows an old form (one byte each, first word) and a new one (second word);
// NetBSD reads one form of its own from the first word.
//
// Specification: Linux include/linux/kdev_t.h and fs/ext4/inode.c; NetBSD sys/sys/types.h (makedev).

/** Most that either encoding holds. */
export const MAJOR_MAX = 0xfff;
export const MINOR_MAX = 0xfffff;

/** The first two words of i_block. */
export function deviceWords(major: number, minor: number, encoding: "linux" | "netbsd"): readonly [number, number] {
  if (encoding === "netbsd") {
    return [(((minor << 12) & 0xfff00000) | ((major << 8) & 0x000fff00) | (minor & 0xff)) >>> 0, 0];
  }
  if (major < 256 && minor < 256) return [(major << 8) | minor, 0];
  return [0, ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0];
}
