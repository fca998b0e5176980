// The superblock's fields against each other. Those that geometry is made of were checked when it was read.
// Specification: Linux Documentation/filesystems/ext4/super.rst.

import { Superblock } from "../disk/superblock.ts";
import type { Super } from "../read/superblock.ts";
import type { Tell } from "./findings.ts";

const f = Superblock.f;

/** Features that are known but that nothing supports any more, or not yet. */
const DEAD = ["lazy_bg", "snapshot_bitmap", "snapshot", "replica"];
/** Lowest bits of an encoding that the kernel has tables for: UTF-8 12.1. */
const ENCODING_UTF8 = 1;
const RESERVED_GROUPS_PER_FLEX = 31;

export function checkSuperblock(sb: Super, tell: Tell): void {
  const { view, features, blockSize, inodeSize } = sb;
  const value = (field: keyof typeof f): number => f[field].get(view, 0) as number; // called for scalars only
  const bad = (field: keyof typeof f, expected: string): void =>
    tell("superblock-field", `${field} is ${value(field)}`, expected);

  if (sb.revision > 1) bad("s_rev_level", "0 or 1");
  for (const name of sb.featureNames) {
    if (name.includes(":0x") || DEAD.includes(name))
      tell("feature-unknown", `the feature ${name} is on`, "features that are known");
  }
  if (!features.has("bigalloc") && value("s_log_cluster_size") !== value("s_log_block_size")) {
    bad("s_log_cluster_size", `s_log_block_size, ${value("s_log_block_size")}, without bigalloc`);
  }
  const perGroup = value("s_clusters_per_group");
  const mostClusters = Math.min(8 * blockSize, 65528);
  if (perGroup < 8 || perGroup > mostClusters) bad("s_clusters_per_group", `8 to ${mostClusters}`);
  else if (perGroup * sb.clusterBlocks !== sb.blocksPerGroup) {
    bad("s_clusters_per_group", `${sb.blocksPerGroup / sb.clusterBlocks}, as s_blocks_per_group says`);
  }
  const perBlock = blockSize / inodeSize;
  const mostInodes = Math.min(perBlock * (sb.blocksPerGroup - 4), 65536 - perBlock);
  if (sb.inodesPerGroup > mostInodes) bad("s_inodes_per_group", `at most ${mostInodes}`);
  const reserved = value("s_r_blocks_count") + (features.has("64bit") ? value("s_r_blocks_count_hi") * 2 ** 32 : 0);
  if (reserved > sb.blocks / 2) {
    tell("superblock-field", `${reserved} blocks are reserved`, `at most half of ${sb.blocks}`);
  }
  if (value("s_reserved_gdt_blocks") > blockSize / 4) bad("s_reserved_gdt_blocks", `at most ${blockSize / 4}`);
  else if (!features.has("resize_inode") && value("s_reserved_gdt_blocks") !== 0) {
    bad("s_reserved_gdt_blocks", "0 without resize_inode");
  }
  const descriptor = value("s_desc_size");
  if (descriptor > 1024 || (descriptor & (descriptor - 1)) !== 0) bad("s_desc_size", "a power of two up to 1024");
  if (value("s_log_groups_per_flex") > RESERVED_GROUPS_PER_FLEX)
    bad("s_log_groups_per_flex", `at most ${RESERVED_GROUPS_PER_FLEX}`);
  if (inodeSize > 128) {
    for (const field of ["s_min_extra_isize", "s_want_extra_isize"] as const) {
      const size = value(field);
      if (size !== 0 && (size < 4 || size > inodeSize - 128 || size % 4 !== 0)) bad(field, `4 to ${inodeSize - 128}, in fours`);
    }
  }
  if (features.has("metadata_csum") && features.has("uninit_bg")) {
    tell("features-contradict", "the features metadata_csum and uninit_bg are on", "one of them");
  }
  if (features.has("metadata_csum_seed") && !features.has("metadata_csum")) {
    tell("features-contradict", "the feature metadata_csum_seed is on", "metadata_csum with it");
  }
  if (features.has("64bit") && !features.has("extent")) {
    tell("features-contradict", "the feature 64bit is on", "extent with it");
  }
  if (features.has("meta_bg") && features.has("resize_inode")) {
    tell("features-contradict", "the features meta_bg and resize_inode are on", "one of them");
  }
  if (features.has("meta_bg") && value("s_first_meta_bg") > sb.descriptorBlocks) {
    bad("s_first_meta_bg", `at most ${sb.descriptorBlocks}`);
  }
  if (features.has("casefold") && value("s_encoding") !== ENCODING_UTF8) bad("s_encoding", `${ENCODING_UTF8} (UTF-8 12.1)`);
  for (const field of ["s_usr_quota_inum", "s_grp_quota_inum", "s_prj_quota_inum"] as const) {
    // 1 bad blocks, 2 root, 5 to 9 boot loader, undelete, resize, journal, exclude; 10 replica.
    const inode = value(field);
    if (inode === 1 || inode === 2 || (inode >= 5 && inode <= 10) || inode > sb.inodes) bad(field, "0 or an inode for quotas");
  }
  checkOrphanHead(sb, tell);
}

/** The list of inodes that were deleted while in use, or were being truncated, starts here. */
function checkOrphanHead(sb: Super, tell: Tell): void {
  const head = f.s_last_orphan.get(sb.view, 0);
  if (head !== 0 && (head < sb.firstInode || head > sb.inodes)) {
    tell("orphan-list", `s_last_orphan is ${head}`, `0, or ${sb.firstInode} to ${sb.inodes}`);
  }
}
