// Where the fixed parts of an image on the disk lie: groups, backups, descriptors. The arithmetic of the kernel, from the
// superblock alone; the writer has its own (../geometry.ts), of the layouts that it chooses.
// Specification: Linux Documentation/filesystems/ext4/blockgroup.rst; fs/ext4/balloc.c and super.c (descriptor_loc).

import { Superblock } from "../disk/superblock.ts";
import type { Super } from "./superblock.ts";

/** First block of a group. */
export function firstBlockOf(sb: Super, group: number): number {
  return sb.firstBlock + group * sb.blocksPerGroup;
}

/** Blocks of a group; the last one may be shorter. */
export function blocksOf(sb: Super, group: number): number {
  return Math.min(sb.blocksPerGroup, sb.blocks - firstBlockOf(sb, group));
}

/** The group that a block lies in; -1 for what is before the first one. */
export function groupOfBlock(sb: Super, block: number): number {
  return block < sb.firstBlock ? -1 : Math.floor((block - sb.firstBlock) / sb.blocksPerGroup);
}

function isPowerOf(base: number, value: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}

/** Whether a group starts with a superblock, its own or a copy. */
export function keepsSuperblock(sb: Super, group: number): boolean {
  if (group === 0) return true;
  if (sb.features.has("sparse_super2")) return sb.backupGroups.includes(group);
  if (group === 1 || !sb.features.has("sparse_super")) return true;
  return group % 2 === 1 && (isPowerOf(3, group) || isPowerOf(5, group) || isPowerOf(7, group));
}

/** The block with the primary superblock. */
export function superblockBlock(sb: Super): number {
  return sb.blockSize === 1024 ? 1 : 0;
}

/** How many descriptor blocks stand together behind each superblock; with meta_bg the others stand in their own groups. */
export function gatheredDescriptorBlocks(sb: Super): number {
  if (!sb.features.has("meta_bg")) return sb.descriptorBlocks;
  return Math.min(sb.descriptorBlocks, Superblock.f.s_first_meta_bg.get(sb.view, 0));
}

/** The block that holds block `index` of the descriptor table. */
export function descriptorBlock(sb: Super, index: number): number {
  if (index < gatheredDescriptorBlocks(sb)) return superblockBlock(sb) + 1 + index;
  const group = index * (sb.blockSize / sb.descriptorSize);
  let before = keepsSuperblock(sb, group) ? 1 : 0;
  // With clusters of several blocks of 1 KiB the boot block is part of group 0.
  if (group === 0 && sb.blockSize === 1024 && sb.firstBlock === 0) before++;
  return firstBlockOf(sb, group) + before;
}

/** A run of blocks at the start of a group. */
export interface FixedRun {
  readonly block: number;
  readonly count: number;
  readonly use: "boot" | "superblock" | "descriptors" | "reserved-descriptors";
  /** Of descriptors: the first block's place in the table. */
  readonly index: number;
}

/** Superblock, descriptors and reserved descriptors of a group, ascending. */
export function fixedRuns(sb: Super, group: number): FixedRun[] {
  const runs: FixedRun[] = [];
  const first = firstBlockOf(sb, group);
  let at = first;
  const add = (use: FixedRun["use"], count: number, index = 0): void => {
    if (count > 0) runs.push({ block: at, count, use, index });
    at += count;
  };
  const keeps = keepsSuperblock(sb, group);
  if (group === 0 && sb.blockSize === 1024 && sb.firstBlock === 0) add("boot", 1);
  if (keeps) add("superblock", 1);
  const gathered = gatheredDescriptorBlocks(sb);
  if (keeps) add("descriptors", gathered);
  if (sb.features.has("meta_bg")) {
    const perBlock = sb.blockSize / sb.descriptorSize;
    const index = Math.floor(group / perBlock);
    const within = group % perBlock;
    if (index >= gathered && (within === 0 || within === 1 || within === perBlock - 1)) add("descriptors", 1, index);
  } else if (keeps) add("reserved-descriptors", sb.reservedDescriptorBlocks);
  return runs;
}
