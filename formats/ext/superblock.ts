// Writes the superblock and its copies.
// Specification: Linux Documentation/filesystems/ext4/super.rst.

import { crc32c } from "../../src/bytes/crc.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { featureWord } from "./disk/features.ts";
import { EXTRA_ISIZE, I_BLOCK_SIZE, Inode, ReservedInode } from "./disk/inode.ts";
import {
  CHECKSUM_CRC32C,
  DEFAULT_MOUNT_XATTR_ACL,
  ERRORS_CONTINUE,
  EXT_MAGIC,
  FLAG_UNSIGNED_HASH,
  HASH_HALF_MD4,
  JOURNAL_BACKUP_BLOCKS,
  REVISION_DYNAMIC,
  STATE_VALID,
  Superblock,
} from "./disk/superblock.ts";
import type { FileSystem } from "./filesystem.ts";
import { LOG_GROUPS_PER_FLEX, sparseSuper2Groups } from "./geometry.ts";
import type { GroupCounts } from "./groups.ts";
import { superblockTime } from "./times.ts";

/** Writes the superblock as group `group` keeps it into 1024 bytes of zeros. `journal` is the journal's inode, if there is one. */
export function writeSuperblock(
  fs: FileSystem,
  counts: GroupCounts,
  group: number,
  journal: Uint8Array | undefined,
  target: Uint8Array,
): void {
  const { geometry, features, snapshot } = fs;
  const { frame } = geometry;
  const view = viewOf(target);
  const f = Superblock.f;
  const logBlock = Math.log2(frame.blockSize) - 10;
  const time = superblockTime(snapshot.time);
  f.s_inodes_count.set(view, 0, geometry.inodesPerGroup * geometry.groups);
  split(view, f.s_blocks_count, f.s_blocks_count_hi, geometry.blocks);
  split(view, f.s_r_blocks_count, f.s_r_blocks_count_hi, fs.reservedBlocks);
  split(view, f.s_free_blocks_count, f.s_free_blocks_hi, counts.allFreeBlocks);
  f.s_free_inodes_count.set(view, 0, counts.allFreeInodes);
  f.s_first_data_block.set(view, 0, frame.firstBlock);
  f.s_log_block_size.set(view, 0, logBlock);
  f.s_log_cluster_size.set(view, 0, logBlock);
  f.s_blocks_per_group.set(view, 0, geometry.blocksPerGroup);
  f.s_clusters_per_group.set(view, 0, geometry.blocksPerGroup);
  f.s_inodes_per_group.set(view, 0, geometry.inodesPerGroup);
  // No periodic checks; s_mtime and s_wtime stay 0, since one later than the checker's clock makes e2fsck complain.
  f.s_max_mnt_count.set(view, 0, 0xffff);
  f.s_magic.set(view, 0, EXT_MAGIC);
  f.s_state.set(view, 0, STATE_VALID);
  f.s_errors.set(view, 0, ERRORS_CONTINUE);
  f.s_lastcheck.set(view, 0, time);
  f.s_rev_level.set(view, 0, REVISION_DYNAMIC);
  f.s_first_ino.set(view, 0, ReservedInode.firstFree);
  f.s_inode_size.set(view, 0, frame.inodeSize);
  f.s_block_group_nr.set(view, 0, group);
  f.s_feature_compat.set(view, 0, featureWord(features, "compat"));
  f.s_feature_incompat.set(view, 0, featureWord(features, "incompat"));
  f.s_feature_ro_compat.set(view, 0, featureWord(features, "ro_compat"));
  f.s_uuid.set(view, 0, fs.uuid);
  f.s_volume_name.set(view, 0, fs.label);
  f.s_reserved_gdt_blocks.set(view, 0, geometry.reservedDescriptorBlocks);
  f.s_hash_seed.set(view, 0, wordsOf(fs.hashSeed));
  f.s_def_hash_version.set(view, 0, HASH_HALF_MD4);
  f.s_flags.set(view, 0, FLAG_UNSIGNED_HASH);
  if (features.has("64bit")) f.s_desc_size.set(view, 0, frame.descriptorSize);
  if (fs.profile.defaultMountOptions) f.s_default_mount_opts.set(view, 0, DEFAULT_MOUNT_XATTR_ACL);
  f.s_mkfs_time.set(view, 0, time);
  if (frame.inodeSize > 128) {
    f.s_min_extra_isize.set(view, 0, EXTRA_ISIZE);
    f.s_want_extra_isize.set(view, 0, EXTRA_ISIZE);
  }
  if (features.has("flex_bg")) f.s_log_groups_per_flex.set(view, 0, LOG_GROUPS_PER_FLEX);
  if (features.has("sparse_super2")) f.s_backup_bgs.set(view, 0, sparseSuper2Groups(geometry.groups));
  if (features.has("metadata_csum_seed")) f.s_checksum_seed.set(view, 0, fs.identity.checksumSeed);
  if (journal) {
    f.s_journal_inum.set(view, 0, ReservedInode.journal);
    f.s_jnl_backup_type.set(view, 0, JOURNAL_BACKUP_BLOCKS);
    const inode = viewOf(journal);
    const words = wordsOf(Inode.f.i_block.get(inode, 0).subarray(0, I_BLOCK_SIZE));
    f.s_jnl_blocks.set(view, 0, [...words, Inode.f.i_size_high.get(inode, 0), Inode.f.i_size.get(inode, 0)]);
  }
  if (fs.identity.checksums) {
    f.s_checksum_type.set(view, 0, CHECKSUM_CRC32C);
    f.s_checksum.set(view, 0, crc32c(0xffff_ffff, target, 0, f.s_checksum.offset));
  }
}

function split(
  view: DataView,
  low: { set(view: DataView, at: number, value: number): void },
  high: { set(view: DataView, at: number, value: number): void },
  value: number,
): void {
  low.set(view, 0, value % 2 ** 32);
  high.set(view, 0, Math.floor(value / 2 ** 32));
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true));
}
