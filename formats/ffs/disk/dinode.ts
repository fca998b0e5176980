// Inodes: 128 bytes in UFS1, 256 in UFS2.
// Specification: NetBSD sys/ufs/ufs/dinode.h.

import { raw, row, type Scalars, struct } from "../../../src/bytes/struct.ts";

export function dinode1Table({ u16, i32, u32, i64, u64 }: Scalars) {
  return struct("ufs1_dinode", 128, {
    di_mode: [0, u16],
    di_nlink: [2, u16],
    di_oldids: [4, row(u16, 2)],
    di_size: [8, u64],
    di_atime: [16, i32],
    di_atimensec: [20, i32],
    di_mtime: [24, i32],
    di_mtimensec: [28, i32],
    di_ctime: [32, i32],
    di_ctimensec: [36, i32],
    di_db: [40, row(u32, 12)],
    di_ib: [88, row(u32, 3)],
    di_flags: [100, u32],
    di_blocks: [104, u32],
    di_gen: [108, u32],
    di_uid: [112, u32],
    di_gid: [116, u32],
    di_modrev: [120, i64],
  });
}

export function dinode2Table({ u16, i32, u32, i64, u64 }: Scalars) {
  return struct("ufs2_dinode", 256, {
    di_mode: [0, u16],
    di_nlink: [2, u16],
    di_uid: [4, u32],
    di_gid: [8, u32],
    di_blksize: [12, u32],
    di_size: [16, u64],
    di_blocks: [24, u64],
    di_atime: [32, i64],
    di_mtime: [40, i64],
    di_ctime: [48, i64],
    di_birthtime: [56, i64],
    di_mtimensec: [64, i32],
    di_atimensec: [68, i32],
    di_ctimensec: [72, i32],
    di_birthnsec: [76, i32],
    di_gen: [80, u32],
    di_kernflags: [84, u32],
    di_flags: [88, u32],
    di_extsize: [92, u32],
    di_extb: [96, row(i64, 2)],
    di_db: [112, row(i64, 12)],
    di_ib: [208, row(i64, 3)],
    di_modrev: [232, i64],
    di_spare: [240, raw(16)],
  });
}

/** di_db as bytes: block pointers, a device number, or a symlink's target. */
export const DB_OFFSET = { 1: 40, 2: 112 } as const;
/** Symlinks shorter than this lie in di_db and di_ib (fs_maxsymlinklen). */
export const MAXSYMLINKLEN = { 1: 60, 2: 120 } as const;
/** Blocks of extended attributes that an inode of UFS2 points to. */
export const EXT_BLOCKS = 2;

/** di_mode's kinds. */
export const FileType = {
  fifo: 0x1000,
  "character-device": 0x2000,
  directory: 0x4000,
  "block-device": 0x6000,
  file: 0x8000,
  symlink: 0xa000,
  socket: 0xc000,
} as const;
/** Of a name that hides what lies below a union mount. */
export const WHITEOUT = 0xe000;

/** di_flags by name (NetBSD sys/sys/stat.h); `snapshot` and above it belong to the system. */
export const InodeFlags = {
  nodump: 0x1,
  uimmutable: 0x2,
  uappend: 0x4,
  opaque: 0x8,
  archived: 0x1_0000,
  immutable: 0x2_0000,
  append: 0x4_0000,
  snapshot: 0x20_0000,
  log: 0x40_0000,
  snapinval: 0x80_0000,
} as const;

export const ROOT_INODE = 2;
/** Inodes 0 and 1 never hold a file: 0 marks unused directory entries, 1 whiteouts. */
export const WHITEOUT_INODE = 1;
