// The journal's superblock (jbd2), big-endian, in the first block of inode 8.
// Specification: Linux Documentation/filesystems/ext4/journal.rst.

import { be32, raw, struct } from "../../../src/bytes/struct.ts";

export const JournalSuperblock = struct("journal_superblock_s", 1024, {
  h_magic: [0x00, be32],
  h_blocktype: [0x04, be32],
  h_sequence: [0x08, be32],
  s_blocksize: [0x0c, be32],
  s_maxlen: [0x10, be32],
  s_first: [0x14, be32],
  s_sequence: [0x18, be32],
  s_start: [0x1c, be32],
  s_errno: [0x20, be32],
  s_feature_compat: [0x24, be32],
  s_feature_incompat: [0x28, be32],
  s_feature_ro_compat: [0x2c, be32],
  s_uuid: [0x30, raw(16)],
  s_nr_users: [0x40, be32],
});

export const JOURNAL_MAGIC = 0xc03b3998;
/** h_blocktype of a version 2 superblock. */
export const JOURNAL_SUPERBLOCK_V2 = 4;
/** Fewest blocks that jbd2 accepts. */
export const JOURNAL_MIN_BLOCKS = 1024;
