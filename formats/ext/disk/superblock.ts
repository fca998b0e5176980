// The superblock: 1024 bytes at byte 1024 of the image, and copies at the start of backup groups.
// Specification: Linux Documentation/filesystems/ext4/super.rst.

import { le16, le32, le64, raw, row, struct, u8 } from "../../../src/bytes/struct.ts";

export const Superblock = struct("ext4_super_block", 1024, {
  s_inodes_count: [0x000, le32],
  s_blocks_count: [0x004, le32],
  s_r_blocks_count: [0x008, le32],
  s_free_blocks_count: [0x00c, le32],
  s_free_inodes_count: [0x010, le32],
  s_first_data_block: [0x014, le32],
  s_log_block_size: [0x018, le32],
  s_log_cluster_size: [0x01c, le32],
  s_blocks_per_group: [0x020, le32],
  s_clusters_per_group: [0x024, le32],
  s_inodes_per_group: [0x028, le32],
  s_mtime: [0x02c, le32],
  s_wtime: [0x030, le32],
  s_mnt_count: [0x034, le16],
  s_max_mnt_count: [0x036, le16],
  s_magic: [0x038, le16],
  s_state: [0x03a, le16],
  s_errors: [0x03c, le16],
  s_minor_rev_level: [0x03e, le16],
  s_lastcheck: [0x040, le32],
  s_checkinterval: [0x044, le32],
  s_creator_os: [0x048, le32],
  s_rev_level: [0x04c, le32],
  s_def_resuid: [0x050, le16],
  s_def_resgid: [0x052, le16],
  s_first_ino: [0x054, le32],
  s_inode_size: [0x058, le16],
  s_block_group_nr: [0x05a, le16],
  s_feature_compat: [0x05c, le32],
  s_feature_incompat: [0x060, le32],
  s_feature_ro_compat: [0x064, le32],
  s_uuid: [0x068, raw(16)],
  s_volume_name: [0x078, raw(16)],
  s_last_mounted: [0x088, raw(64)],
  s_algorithm_usage_bitmap: [0x0c8, le32],
  s_prealloc_blocks: [0x0cc, u8],
  s_prealloc_dir_blocks: [0x0cd, u8],
  s_reserved_gdt_blocks: [0x0ce, le16],
  s_journal_uuid: [0x0d0, raw(16)],
  s_journal_inum: [0x0e0, le32],
  s_journal_dev: [0x0e4, le32],
  s_last_orphan: [0x0e8, le32],
  s_hash_seed: [0x0ec, row(le32, 4)],
  s_def_hash_version: [0x0fc, u8],
  s_jnl_backup_type: [0x0fd, u8],
  s_desc_size: [0x0fe, le16],
  s_default_mount_opts: [0x100, le32],
  s_first_meta_bg: [0x104, le32],
  s_mkfs_time: [0x108, le32],
  s_jnl_blocks: [0x10c, row(le32, 17)],
  s_blocks_count_hi: [0x150, le32],
  s_r_blocks_count_hi: [0x154, le32],
  s_free_blocks_hi: [0x158, le32],
  s_min_extra_isize: [0x15c, le16],
  s_want_extra_isize: [0x15e, le16],
  s_flags: [0x160, le32],
  s_raid_stride: [0x164, le16],
  s_mmp_update_interval: [0x166, le16],
  s_mmp_block: [0x168, le64],
  s_raid_stripe_width: [0x170, le32],
  s_log_groups_per_flex: [0x174, u8],
  s_checksum_type: [0x175, u8],
  s_encryption_level: [0x176, u8],
  s_reserved_pad: [0x177, u8],
  s_kbytes_written: [0x178, le64],
  s_snapshot_inum: [0x180, le32],
  s_snapshot_id: [0x184, le32],
  s_snapshot_r_blocks_count: [0x188, le64],
  s_snapshot_list: [0x190, le32],
  s_error_count: [0x194, le32],
  s_first_error_time: [0x198, le32],
  s_first_error_ino: [0x19c, le32],
  s_first_error_block: [0x1a0, le64],
  s_first_error_func: [0x1a8, raw(32)],
  s_first_error_line: [0x1c8, le32],
  s_last_error_time: [0x1cc, le32],
  s_last_error_ino: [0x1d0, le32],
  s_last_error_line: [0x1d4, le32],
  s_last_error_block: [0x1d8, le64],
  s_last_error_func: [0x1e0, raw(32)],
  s_mount_opts: [0x200, raw(64)],
  s_usr_quota_inum: [0x240, le32],
  s_grp_quota_inum: [0x244, le32],
  s_overhead_clusters: [0x248, le32],
  s_backup_bgs: [0x24c, row(le32, 2)],
  s_encrypt_algos: [0x254, raw(4)],
  s_encrypt_pw_salt: [0x258, raw(16)],
  s_lpf_ino: [0x268, le32],
  s_prj_quota_inum: [0x26c, le32],
  s_checksum_seed: [0x270, le32],
  s_wtime_hi: [0x274, u8],
  s_mtime_hi: [0x275, u8],
  s_mkfs_time_hi: [0x276, u8],
  s_lastcheck_hi: [0x277, u8],
  s_first_error_time_hi: [0x278, u8],
  s_last_error_time_hi: [0x279, u8],
  s_first_error_errcode: [0x27a, u8],
  s_last_error_errcode: [0x27b, u8],
  s_encoding: [0x27c, le16],
  s_encoding_flags: [0x27e, le16],
  s_orphan_file_inum: [0x280, le32],
  s_checksum: [0x3fc, le32],
});

/** Byte offset of the primary superblock. */
export const SUPERBLOCK_OFFSET = 1024;
export const EXT_MAGIC = 0xef53;
/** s_state: cleanly unmounted. */
export const STATE_VALID = 1;
/** s_errors: go on. */
export const ERRORS_CONTINUE = 1;
/** s_rev_level with features and inode sizes. */
export const REVISION_DYNAMIC = 1;
/** s_flags: directory hashes take characters as unsigned, whatever the CPU. */
export const FLAG_UNSIGNED_HASH = 2;
/** s_def_hash_version. */
export const HASH_HALF_MD4 = 1;
/** s_default_mount_opts: user_xattr and acl, as mke2fs sets them. */
export const DEFAULT_MOUNT_XATTR_ACL = 0x000c;
/** s_checksum_type. */
export const CHECKSUM_CRC32C = 1;
/** s_jnl_backup_type: s_jnl_blocks holds i_block and size of the journal's inode. */
export const JOURNAL_BACKUP_BLOCKS = 1;
