// Extended attributes: entries from the front, values from the back, in the inode's tail or in a block of their own.
// Specification: Linux Documentation/filesystems/ext4/attributes.rst.

import { le16, le32, struct, u8 } from "../../../src/bytes/struct.ts";

export const XattrHeader = struct("ext4_xattr_header", 32, {
  h_magic: [0x00, le32],
  h_refcount: [0x04, le32],
  h_blocks: [0x08, le32],
  h_hash: [0x0c, le32],
  h_checksum: [0x10, le32],
});

export const XattrEntry = struct("ext4_xattr_entry", 16, {
  e_name_len: [0x0, u8],
  e_name_index: [0x1, u8],
  e_value_offs: [0x2, le16],
  e_value_inum: [0x4, le32],
  e_value_size: [0x8, le32],
  e_hash: [0xc, le32],
});

export const XATTR_MAGIC = 0xea020000;
/** Most inodes that may share one block. */
export const XATTR_REFCOUNT_MAX = 1024;

/** e_name_index: the prefixes that a name is stored without, longest first; `whole` ones stand for a full name. */
export const XATTR_PREFIXES: readonly { readonly index: number; readonly prefix: string; readonly whole?: true }[] = [
  { index: 2, prefix: "system.posix_acl_access", whole: true },
  { index: 3, prefix: "system.posix_acl_default", whole: true },
  { index: 8, prefix: "system.richacl", whole: true },
  { index: 1, prefix: "user." },
  { index: 4, prefix: "trusted." },
  { index: 6, prefix: "security." },
  { index: 7, prefix: "system." },
];

/** e_name_index of `system.data`, where inline data goes on. */
export const XATTR_INDEX_SYSTEM = 7;
