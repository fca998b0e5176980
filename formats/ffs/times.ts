// Times: 32 signed bits of seconds in UFS1, 64 in UFS2, each beside nanoseconds.

import type { Time } from "../../src/tree/node.ts";

const MIN = -(2 ** 31);
const MAX = 2 ** 31 - 1;

export function fitsTime(time: Time, version: 1 | 2): boolean {
  return version === 2 || (time.sec >= MIN && time.sec <= MAX);
}

/** What an inode or the superblock stores for `time`: the nearest time that it holds. */
export function storedTime(time: Time, version: 1 | 2): Time {
  if (fitsTime(time, version)) return time;
  return time.sec < MIN ? { sec: MIN, nsec: 0 } : { sec: MAX, nsec: 0 };
}
