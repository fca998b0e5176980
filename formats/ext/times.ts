// Times: 32 signed bits of seconds, and in larger inodes two more bits of seconds above 30 of nanoseconds.
// Specification: Linux Documentation/filesystems/ext4/inodes.rst ("Inode Timestamps").

import type { Time } from "../../src/tree/node.ts";

const MIN = -(2 ** 31);
/** 1901-12-13 to 2038-01-19. */
const MAX_SHORT = 2 ** 31 - 1;
/** 2446-05-10. */
const MAX_LONG = 2 ** 34 + MIN - 1;

/** What an inode of this kind stores for `time`: the nearest time that it holds; for the image's own time, 0 if it does not fit. */
export function storedTime(time: Time, own: Time, long: boolean): Time {
  if (fitsTime(time, long)) return time;
  if (time === own) return { sec: 0, nsec: 0 };
  return { sec: time.sec < MIN ? MIN : long ? MAX_LONG : MAX_SHORT, nsec: 0 };
}

export function fitsTime(time: Time, long: boolean): boolean {
  return time.sec >= MIN && time.sec <= (long ? MAX_LONG : MAX_SHORT);
}

/** The range in words, for refusals. */
export function timeRange(long: boolean): string {
  return long ? "1901-12-13 to 2446-05-10" : "1901-12-13 to 2038-01-19 (inodes of 256 bytes reach 2446)";
}

/** From 2310-04-04 to 2378-04-22 the encoding is right, but e2fsck 1.47 takes it for a bug of kernels before 3.14. */
export function looksWrapped(time: Time): boolean {
  return time.sec >= 3 * 2 ** 32 + MIN && time.sec < 3 * 2 ** 32;
}

/** The low word. */
export function timeLow(time: Time): number {
  return time.sec >>> 0;
}

/** The extra word: nanoseconds above the two epoch bits. */
export function timeExtra(time: Time): number {
  const epoch = (time.sec - (time.sec | 0)) / 2 ** 32;
  return ((time.nsec << 2) | epoch) >>> 0;
}

/** A superblock's time: seconds as 32 unsigned bits, 0 where they do not fit. */
export function superblockTime(time: Time): number {
  return time.sec >= 0 && time.sec < 2 ** 32 ? time.sec : 0;
}
