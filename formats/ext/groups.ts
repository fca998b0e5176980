// The groups: what each has free, its bitmaps, and the table of their descriptors.
// Specification: Linux Documentation/filesystems/ext4/{group_descr,bitmaps}.rst; lib/ext2fs/csum.c of e2fsprogs.

import { setBits } from "../../src/bytes/bitmap.ts";
import { crc16, crc32c, crc32cLe32 } from "../../src/bytes/crc.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { GroupDescriptor, GroupFlags } from "./disk/group.ts";
import type { FileSystem } from "./filesystem.ts";
import { fixedBlocks, groupLength, groupStart } from "./geometry.ts";

/** The counts of every group. */
export interface GroupCounts {
  readonly freeBlocks: Float64Array;
  readonly freeInodes: Uint32Array;
  readonly directories: Uint32Array;
  readonly flags: Uint8Array;
  readonly allFreeBlocks: number;
  readonly allFreeInodes: number;
}

export function countGroups(fs: FileSystem): GroupCounts {
  const { geometry, placement, features, inodes } = fs;
  const { groups, inodesPerGroup } = geometry;
  const freeBlocks = new Float64Array(groups);
  const freeInodes = new Uint32Array(groups);
  const directories = new Uint32Array(groups);
  const flags = new Uint8Array(groups);
  fs.snapshot.nodes.forEach((node, index) => {
    if (node.kind === "directory") addDirectory(directories, inodes.ofNode[index] as number, inodesPerGroup);
  });
  if (inodes.lostFound > 0) addDirectory(directories, inodes.lostFound, inodesPerGroup);
  const lazy = features.has("metadata_csum") || features.has("uninit_bg");
  let allFreeBlocks = 0;
  let allFreeInodes = 0;
  const metadata = new RunCursor(fs);
  for (let group = 0; group < groups; group++) {
    const start = groupStart(geometry, group);
    const end = start + groupLength(geometry, group);
    const from = Math.min(end, Math.max(start, placement.end));
    const own = metadata.within(start, end);
    freeBlocks[group] = end - from - (from === start ? own : new RunCursor(fs, from).within(from, end));
    freeInodes[group] = inodesPerGroup - usedInodes(fs, group);
    if (lazy) {
      let flag: number = GroupFlags.INODE_ZEROED;
      if (freeInodes[group] === inodesPerGroup) flag |= GroupFlags.INODE_UNINIT;
      // What the kernel takes for granted in such a group is its fixed part alone; never the last group (e2fsck: PR_0_BB_UNINIT_LAST).
      const untouched = placement.end <= start && own === fixedBlocks(geometry.frame, geometry, group);
      if (untouched && group > 0 && group < groups - 1) flag |= GroupFlags.BLOCK_UNINIT;
      flags[group] = flag;
    }
    allFreeBlocks += freeBlocks[group] as number;
    allFreeInodes += freeInodes[group] as number;
  }
  return { freeBlocks, freeInodes, directories, flags, allFreeBlocks, allFreeInodes };
}

function addDirectory(directories: Uint32Array, inode: number, inodesPerGroup: number): void {
  const group = Math.floor((inode - 1) / inodesPerGroup);
  directories[group] = (directories[group] as number) + 1; // every inode in use lies in a group
}

/** Inodes in use in a group; they are its first ones. */
export function usedInodes(fs: FileSystem, group: number): number {
  const { inodesPerGroup } = fs.geometry;
  return Math.max(0, Math.min(inodesPerGroup, fs.inodes.last - group * inodesPerGroup));
}

/** Index of the first metadata run that ends behind `block`. */
function firstRunBehind(fs: FileSystem, block: number): number {
  const { runStart, runLength, runs } = fs.geometry;
  let low = 0;
  let high = runs;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((runStart[middle] as number) + (runLength[middle] as number) <= block) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Counts metadata blocks of ascending ranges. */
class RunCursor {
  #run: number;

  constructor(
    readonly fs: FileSystem,
    from = 0,
  ) {
    this.#run = firstRunBehind(fs, from);
  }

  within(start: number, end: number): number {
    const { runStart, runLength, runs } = this.fs.geometry;
    let total = 0;
    for (; this.#run < runs; this.#run++) {
      const first = runStart[this.#run] as number; // the cursor stays in range
      const last = first + (runLength[this.#run] as number);
      total += Math.max(0, Math.min(end, last) - Math.max(start, first));
      if (last > end) break;
    }
    return total;
  }
}

/** Writes a group's block bitmap; bits behind the group's end are set. */
export function writeBlockBitmap(fs: FileSystem, group: number, target: Uint8Array): void {
  const { geometry, placement } = fs;
  const start = groupStart(geometry, group);
  const end = start + groupLength(geometry, group);
  setBits(target, 0, Math.max(0, Math.min(placement.end, end) - start));
  const { runStart, runLength, runs } = geometry;
  for (let run = firstRunBehind(fs, start); run < runs && (runStart[run] as number) < end; run++) {
    const first = runStart[run] as number;
    const last = first + (runLength[run] as number);
    setBits(target, Math.max(first, start) - start, Math.min(last, end) - start);
  }
  setBits(target, end - start, target.length * 8);
}

/** Writes a group's inode bitmap; bits behind the group's inodes are set. */
export function writeInodeBitmap(fs: FileSystem, group: number, target: Uint8Array): void {
  setBits(target, 0, usedInodes(fs, group));
  setBits(target, fs.geometry.inodesPerGroup, target.length * 8);
}

/** The whole descriptor table. */
export function descriptorTable(fs: FileSystem, counts: GroupCounts): Uint8Array {
  const { geometry } = fs;
  const { frame, groups } = geometry;
  const size = frame.descriptorSize;
  const table = new Uint8Array(groups * size);
  const wide = new Uint8Array(GroupDescriptor.size);
  const view = viewOf(wide);
  const bitmap = new Uint8Array(frame.blockSize);
  for (let group = 0; group < groups; group++) {
    wide.fill(0);
    writeDescriptor(fs, counts, group, bitmap, view);
    const descriptor = table.subarray(group * size, (group + 1) * size);
    descriptor.set(wide.subarray(0, size));
    GroupDescriptor.f.bg_checksum.set(viewOf(descriptor), 0, descriptorChecksum(fs, group, descriptor));
  }
  return table;
}

function writeDescriptor(fs: FileSystem, counts: GroupCounts, group: number, bitmap: Uint8Array, view: DataView): void {
  const { geometry, identity } = fs;
  const f = GroupDescriptor.f;
  const split = (low: typeof f.bg_block_bitmap, high: typeof f.bg_block_bitmap_hi, value: number): void => {
    low.set(view, 0, value % 2 ** 32);
    high.set(view, 0, Math.floor(value / 2 ** 32));
  };
  const split16 = (low: typeof f.bg_flags, high: typeof f.bg_flags, value: number): void => {
    low.set(view, 0, value & 0xffff);
    high.set(view, 0, value >>> 16);
  };
  // All arrays below have an element for every group.
  const flags = counts.flags[group] as number;
  const free = counts.freeInodes[group] as number;
  split(f.bg_block_bitmap, f.bg_block_bitmap_hi, geometry.blockBitmap[group] as number);
  split(f.bg_inode_bitmap, f.bg_inode_bitmap_hi, geometry.inodeBitmap[group] as number);
  split(f.bg_inode_table, f.bg_inode_table_hi, geometry.inodeTable[group] as number);
  split16(f.bg_free_blocks_count, f.bg_free_blocks_count_hi, counts.freeBlocks[group] as number);
  split16(f.bg_free_inodes_count, f.bg_free_inodes_count_hi, free);
  split16(f.bg_used_dirs_count, f.bg_used_dirs_count_hi, counts.directories[group] as number);
  f.bg_flags.set(view, 0, flags);
  if (flags !== 0) split16(f.bg_itable_unused, f.bg_itable_unused_hi, free);
  if (!identity.checksums) return;
  if ((flags & GroupFlags.BLOCK_UNINIT) === 0) {
    bitmap.fill(0);
    writeBlockBitmap(fs, group, bitmap);
    split16(
      f.bg_block_bitmap_csum_lo,
      f.bg_block_bitmap_csum_hi,
      crc32c(identity.checksumSeed, bitmap, 0, geometry.blocksPerGroup / 8),
    );
  }
  if ((flags & GroupFlags.INODE_UNINIT) === 0) {
    bitmap.fill(0);
    writeInodeBitmap(fs, group, bitmap);
    split16(
      f.bg_inode_bitmap_csum_lo,
      f.bg_inode_bitmap_csum_hi,
      crc32c(identity.checksumSeed, bitmap, 0, geometry.inodesPerGroup / 8),
    );
  }
}

/** Of a descriptor whose own checksum is still 0. */
function descriptorChecksum(fs: FileSystem, group: number, descriptor: Uint8Array): number {
  if (fs.identity.checksums) return crc32c(crc32cLe32(fs.identity.checksumSeed, group), descriptor) & 0xffff;
  if (!fs.features.has("uninit_bg")) return 0;
  const number = new Uint8Array(4);
  viewOf(number).setUint32(0, group, true);
  const at = GroupDescriptor.f.bg_checksum.offset;
  let sum = crc16(crc16(0xffff, fs.uuid), number);
  sum = crc16(sum, descriptor, 0, at);
  return crc16(sum, descriptor, at + 2, descriptor.length);
}
