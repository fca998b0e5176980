// Directory entries: a number, lengths, a kind and a name, within chunks of 512 bytes that no entry crosses.
// Specification: NetBSD sys/ufs/ufs/dir.h (struct direct).

import { type Scalars, struct, u8 } from "../../../src/bytes/struct.ts";

export function direntTable({ u16, u32 }: Scalars) {
  return struct("direct", 8, { d_ino: [0, u32], d_reclen: [4, u16], d_type: [6, u8], d_namlen: [7, u8] });
}

/** Bytes of a chunk. Writes of one sector keep each chunk whole. */
export const DIRBLKSIZ = 512;
/** The chunk of Apple's UFS. */
export const APPLE_DIRBLKSIZ = 1024;
export const MAXNAMLEN = 255;

/** Bytes of an entry: the name ends in a NUL and is filled up to a multiple of 4. */
export function entrySize(nameLength: number): number {
  return 8 + ((nameLength + 4) & ~3);
}

/** d_type: the kind's four bits of di_mode. */
export const DirentType = {
  fifo: 1,
  "character-device": 2,
  directory: 4,
  "block-device": 6,
  file: 8,
  symlink: 10,
  socket: 12,
} as const;
export const DT_WHITEOUT = 14;
