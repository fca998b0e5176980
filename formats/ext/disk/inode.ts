// Inodes: 128 bytes, and what `i_extra_isize` says behind them where inodes are larger.
// Specification: Linux Documentation/filesystems/ext4/inodes.rst.

import { le16, le32, raw, struct } from "../../../src/bytes/struct.ts";

export const Inode = struct("ext4_inode", 160, {
  i_mode: [0x00, le16],
  i_uid: [0x02, le16],
  i_size: [0x04, le32],
  i_atime: [0x08, le32],
  i_ctime: [0x0c, le32],
  i_mtime: [0x10, le32],
  i_dtime: [0x14, le32],
  i_gid: [0x18, le16],
  i_links_count: [0x1a, le16],
  i_blocks: [0x1c, le32],
  i_flags: [0x20, le32],
  l_i_version: [0x24, le32],
  i_block: [0x28, raw(60)],
  i_generation: [0x64, le32],
  i_file_acl: [0x68, le32],
  i_size_high: [0x6c, le32],
  i_faddr: [0x70, le32],
  l_i_blocks_hi: [0x74, le16],
  l_i_file_acl_high: [0x76, le16],
  l_i_uid_high: [0x78, le16],
  l_i_gid_high: [0x7a, le16],
  l_i_checksum_lo: [0x7c, le16],
  l_i_reserved: [0x7e, le16],
  i_extra_isize: [0x80, le16],
  i_checksum_hi: [0x82, le16],
  i_ctime_extra: [0x84, le32],
  i_mtime_extra: [0x88, le32],
  i_atime_extra: [0x8c, le32],
  i_crtime: [0x90, le32],
  i_crtime_extra: [0x94, le32],
  i_version_hi: [0x98, le32],
  i_projid: [0x9c, le32],
});

/** Bytes of an inode that every revision has. */
export const GOOD_OLD_INODE_SIZE = 128;
/** What fsynth writes into i_extra_isize: up to and with i_projid. */
export const EXTRA_ISIZE = 32;
/** Offset of i_block within the inode, and its length: 15 pointers, 4 extents, or 60 bytes of data. */
export const I_BLOCK = 0x28;
export const I_BLOCK_SIZE = 60;

/** i_mode's kinds. */
export const FileType = {
  fifo: 0x1000,
  "character-device": 0x2000,
  directory: 0x4000,
  "block-device": 0x6000,
  file: 0x8000,
  symlink: 0xa000,
  socket: 0xc000,
} as const;

/** i_flags. */
export const InodeFlags = {
  SECRM: 0x1,
  UNRM: 0x2,
  COMPR: 0x4,
  SYNC: 0x8,
  IMMUTABLE: 0x10,
  APPEND: 0x20,
  NODUMP: 0x40,
  NOATIME: 0x80,
  ENCRYPT: 0x800,
  /** A directory with an htree. */
  INDEX: 0x1000,
  JOURNAL_DATA: 0x4000,
  NOTAIL: 0x8000,
  DIRSYNC: 0x1_0000,
  TOPDIR: 0x2_0000,
  /** i_blocks counts file system blocks. */
  HUGE_FILE: 0x4_0000,
  EXTENTS: 0x8_0000,
  VERITY: 0x10_0000,
  /** The inode holds an xattr's value. */
  EA_INODE: 0x20_0000,
  DAX: 0x200_0000,
  INLINE_DATA: 0x1000_0000,
  PROJINHERIT: 0x2000_0000,
  CASEFOLD: 0x4000_0000,
} as const;

/** Inodes with a fixed meaning. */
export const ReservedInode = { badBlocks: 1, root: 2, resize: 7, journal: 8, firstFree: 11 } as const;
