// Extent trees: a header and up to `eh_max` entries of 12 bytes, in i_block or in a block.
// Specification: Linux Documentation/filesystems/ext4/ifork.rst.

import { le16, le32, struct } from "../../../src/bytes/struct.ts";

export const ExtentHeader = struct("ext4_extent_header", 12, {
  eh_magic: [0, le16],
  eh_entries: [2, le16],
  eh_max: [4, le16],
  eh_depth: [6, le16],
  eh_generation: [8, le32],
});

/** A leaf's entry. */
export const Extent = struct("ext4_extent", 12, {
  ee_block: [0, le32],
  ee_len: [4, le16],
  ee_start_hi: [6, le16],
  ee_start_lo: [8, le32],
});

/** An index node's entry. */
export const ExtentIndex = struct("ext4_extent_idx", 12, {
  ei_block: [0, le32],
  ei_leaf_lo: [4, le32],
  ei_leaf_hi: [8, le16],
  ei_unused: [10, le16],
});

export const EXTENT_MAGIC = 0xf30a;
/** Entries that i_block holds. */
export const ROOT_EXTENTS = 4;
/** Most blocks of one initialised extent. */
export const MAX_EXTENT_BLOCKS = 32768;
/** Size of a header and of an entry. */
export const EXTENT_ENTRY_SIZE = 12;
