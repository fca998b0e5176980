// Directory blocks: linear entries, the checksum tail, and the nodes of an htree.
// Specification: Linux Documentation/filesystems/ext4/directory.rst.

import { le16, le32, struct, u8 } from "../../../src/bytes/struct.ts";

/** The fixed part of an entry; the name follows. Without the filetype feature `file_type` is the upper half of a 16-bit name_len and 0. */
export const Dirent = struct("ext4_dir_entry_2", 8, {
  inode: [0, le32],
  rec_len: [4, le16],
  name_len: [6, u8],
  file_type: [7, u8],
});

/** The last 12 bytes of a linear block under metadata_csum: an entry without a name. */
export const DirentTail = struct("ext4_dir_entry_tail", 12, {
  det_reserved_zero1: [0, le32],
  det_rec_len: [4, le16],
  det_reserved_zero2: [6, u8],
  det_reserved_ft: [7, u8],
  det_checksum: [8, le32],
});

/** det_reserved_ft of every tail. */
export const TAIL_FILE_TYPE = 0xde;

/** What follows `.` and `..` in the root of an htree, at byte 24 of the block. */
export const DxRootInfo = struct("dx_root_info", 8, {
  reserved_zero: [0, le32],
  hash_version: [4, u8],
  info_length: [5, u8],
  indirect_levels: [6, u8],
  unused_flags: [7, u8],
});

/** An entry of an htree node. The first one of a node keeps limit and count where the others keep their hash. */
export const DxEntry = struct("dx_entry", 8, {
  hash: [0, le32],
  block: [4, le32],
});

export const DxCountLimit = struct("dx_countlimit", 4, {
  limit: [0, le16],
  count: [2, le16],
});

/** The last 8 bytes of an htree node under metadata_csum. */
export const DxTail = struct("dx_tail", 8, {
  dt_reserved: [0, le32],
  dt_checksum: [4, le32],
});

/** Where a node's entries start: in the root behind the info, in others behind an empty entry. */
export const DX_ROOT_ENTRIES = 32;
export const DX_NODE_ENTRIES = 8;

/** file_type by kind. */
export const DirentType = {
  file: 1,
  directory: 2,
  "character-device": 3,
  "block-device": 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
} as const;

/** Bytes that an entry with a name of `length` bytes takes at least. */
export function direntSize(length: number): number {
  return (8 + length + 3) & ~3;
}

/** A record length as it is stored: 65536 does not fit 16 bits and reads 65535. */
export function storedRecordLength(length: number): number {
  return length === 65536 ? 65535 : length;
}
