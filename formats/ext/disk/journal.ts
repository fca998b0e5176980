// The journal (jbd2), big-endian: its superblock in the first block of inode 8, and the blocks of its log.
// Specification: Linux Documentation/filesystems/ext4/journal.rst; include/linux/jbd2.h.

import { be16, be32, le16, le32, raw, struct, u8 } from "../../../src/bytes/struct.ts";

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
  s_dynsuper: [0x44, be32],
  s_max_transaction: [0x48, be32],
  s_max_trans_data: [0x4c, be32],
  s_checksum_type: [0x50, u8],
  s_num_fc_blks: [0x54, be32],
  s_head: [0x58, be32],
  s_checksum: [0xfc, be32],
});

export const JOURNAL_MAGIC = 0xc03b3998;
/** h_blocktype of a version 2 superblock. */
export const JOURNAL_SUPERBLOCK_V2 = 4;
/** Fewest blocks that jbd2 accepts. */
export const JOURNAL_MIN_BLOCKS = 1024;

/** What every block of the log starts with that is not a copy of a block of the file system. */
export const JournalHeader = struct("journal_header_s", 12, {
  h_magic: [0x0, be32],
  h_blocktype: [0x4, be32],
  h_sequence: [0x8, be32],
});

/** h_blocktype. */
export const JournalBlockType = {
  descriptor: 1,
  commit: 2,
  superblock1: 3,
  superblock2: JOURNAL_SUPERBLOCK_V2,
  revoke: 5,
} as const;

/** Bits of s_feature_incompat. */
export const JournalFeatures = {
  revoke: 0x1,
  "64bit": 0x2,
  async_commit: 0x4,
  csum_v2: 0x8,
  csum_v3: 0x10,
  fast_commit: 0x20,
} as const;

/** A tag of a descriptor block; the last field is there with 64bit only, and csum_v2 adds two bytes that nobody uses. */
export const JournalTag = struct("journal_block_tag_s", 12, {
  t_blocknr: [0x0, be32],
  t_checksum: [0x4, be16],
  t_flags: [0x6, be16],
  t_blocknr_high: [0x8, be32],
});

/** A tag under csum_v3. */
export const JournalTag3 = struct("journal_block_tag3_s", 16, {
  t_blocknr: [0x0, be32],
  t_flags: [0x4, be32],
  t_blocknr_high: [0x8, be32],
  t_checksum: [0xc, be32],
});

/** t_flags: the copy starts with zeros in place of the magic; no UUID follows the tag; it is the last one of its block. */
export const JournalTagFlags = { escaped: 1, sameUuid: 2, last: 8 } as const;

export const CommitBlock = struct("commit_header", 60, {
  h_magic: [0x00, be32],
  h_blocktype: [0x04, be32],
  h_sequence: [0x08, be32],
  h_chksum_type: [0x0c, u8],
  h_chksum_size: [0x0d, u8],
  h_chksum: [0x10, be32],
});

/** r_count: bytes in use, these included. */
export const RevokeHeader = struct("jbd2_journal_revoke_header_s", 16, {
  h_magic: [0x0, be32],
  h_blocktype: [0x4, be32],
  h_sequence: [0x8, be32],
  r_count: [0xc, be32],
});

/** The first tag of the fast commit area, little-endian, with the head that follows it. */
export const FastCommitTag = struct("ext4_fc_tl", 12, {
  fc_tag: [0x0, le16],
  fc_len: [0x2, le16],
  fc_features: [0x4, le32],
  fc_tid: [0x8, le32],
});
