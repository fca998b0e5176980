// Group descriptors: 32 bytes, or 64 with the 64bit feature.
// Specification: Linux Documentation/filesystems/ext4/group_descr.rst.

import { le16, le32, struct } from "../../../src/bytes/struct.ts";

export const GroupDescriptor = struct("ext4_group_desc", 64, {
  bg_block_bitmap: [0x00, le32],
  bg_inode_bitmap: [0x04, le32],
  bg_inode_table: [0x08, le32],
  bg_free_blocks_count: [0x0c, le16],
  bg_free_inodes_count: [0x0e, le16],
  bg_used_dirs_count: [0x10, le16],
  bg_flags: [0x12, le16],
  bg_exclude_bitmap_lo: [0x14, le32],
  bg_block_bitmap_csum_lo: [0x18, le16],
  bg_inode_bitmap_csum_lo: [0x1a, le16],
  bg_itable_unused: [0x1c, le16],
  bg_checksum: [0x1e, le16],
  bg_block_bitmap_hi: [0x20, le32],
  bg_inode_bitmap_hi: [0x24, le32],
  bg_inode_table_hi: [0x28, le32],
  bg_free_blocks_count_hi: [0x2c, le16],
  bg_free_inodes_count_hi: [0x2e, le16],
  bg_used_dirs_count_hi: [0x30, le16],
  bg_itable_unused_hi: [0x32, le16],
  bg_exclude_bitmap_hi: [0x34, le32],
  bg_block_bitmap_csum_hi: [0x38, le16],
  bg_inode_bitmap_csum_hi: [0x3a, le16],
  bg_reserved: [0x3c, le32],
});

/** bg_flags. */
export const GroupFlags = {
  /** The inode bitmap is not initialised: no inode of the group is in use. */
  INODE_UNINIT: 1,
  /** The block bitmap is not initialised: only the group's own metadata is in use. */
  BLOCK_UNINIT: 2,
  /** The inode table reads as zeros where unused; the kernel need not clear it. */
  INODE_ZEROED: 4,
} as const;
