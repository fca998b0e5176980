// Reads the bitmaps of the groups.
// Specification: Linux Documentation/filesystems/ext4/bitmaps.rst; fs/ext4/bitmap.c.

import { setBits } from "../../../src/bytes/bitmap.ts";
import { crc32c } from "../../../src/bytes/crc.ts";
import { GroupFlags } from "../disk/group.ts";
import type { Descriptors } from "./descriptors.ts";
import type { Disk } from "./disk.ts";
import { hex, type Report } from "./fault.ts";
import { blocksOf, firstBlockOf, fixedRuns } from "./layout.ts";

/** The group's flags count only where descriptors have checksums. */
function flagsCount(disk: Disk): boolean {
  return disk.superblock.checksums || disk.superblock.features.has("uninit_bg");
}

/**
 * A group's block bitmap, one bit a cluster. Where it is not initialised it is made: what the kernel takes to be in use there
 * is the group's own metadata.
 */
export function readBlockBitmap(disk: Disk, descriptors: Descriptors, group: number, report: Report): Uint8Array {
  const { superblock: sb } = disk;
  const descriptor = descriptors.at(group, report);
  if (flagsCount(disk) && (descriptor.flags & GroupFlags.BLOCK_UNINIT) !== 0)
    return freshBlockBitmap(disk, descriptors, group, report);
  if (!disk.holds(descriptor.blockBitmap, 1)) return new Uint8Array(sb.blockSize).fill(0xff);
  const bitmap = disk.block(descriptor.blockBitmap);
  const bytes = sb.blocksPerGroup / sb.clusterBlocks / 8;
  verify(
    disk,
    bitmap,
    Math.floor(bytes),
    descriptor.blockBitmapChecksum,
    `group ${group}`,
    "block bitmap",
    descriptor.blockBitmap,
    report,
  );
  return bitmap;
}

/** A group's inode bitmap; all free where it is not initialised. */
export function readInodeBitmap(disk: Disk, descriptors: Descriptors, group: number, report: Report): Uint8Array {
  const { superblock: sb } = disk;
  const descriptor = descriptors.at(group, report);
  if (flagsCount(disk) && (descriptor.flags & GroupFlags.INODE_UNINIT) !== 0) {
    const fresh = new Uint8Array(sb.blockSize);
    setBits(fresh, sb.inodesPerGroup, fresh.length * 8);
    return fresh;
  }
  if (!disk.holds(descriptor.inodeBitmap, 1)) return new Uint8Array(sb.blockSize).fill(0xff);
  const bitmap = disk.block(descriptor.inodeBitmap);
  const bytes = Math.floor(sb.inodesPerGroup / 8);
  verify(disk, bitmap, bytes, descriptor.inodeBitmapChecksum, `group ${group}`, "inode bitmap", descriptor.inodeBitmap, report);
  return bitmap;
}

function verify(
  disk: Disk,
  bitmap: Uint8Array,
  bytes: number,
  stored: number,
  place: string,
  what: string,
  block: number,
  report: Report,
): void {
  const { superblock: sb } = disk;
  if (!sb.checksums) return;
  const full = crc32c(sb.checksumSeed, bitmap, 0, bytes);
  const wide = sb.descriptorSize >= 64;
  const sum = wide ? full : full & 0xffff;
  if (sum === stored) return;
  report({
    code: `${what.replace(" ", "-")}-checksum`,
    place,
    found: `${what} checksum is ${hex(stored, wide ? 4 : 2)}`,
    expected: hex(sum, wide ? 4 : 2),
    where: { record: what, offset: block * sb.blockSize },
  });
}

/** ext4_init_block_bitmap: fixed parts, and its own bitmaps and table as far as they lie in it. */
function freshBlockBitmap(disk: Disk, descriptors: Descriptors, group: number, report: Report): Uint8Array {
  const { superblock: sb } = disk;
  const bitmap = new Uint8Array(sb.blockSize);
  const first = firstBlockOf(sb, group);
  const length = blocksOf(sb, group);
  const mark = (block: number, count: number): void => {
    const from = Math.max(block, first);
    const to = Math.min(block + count, first + length);
    if (from < to) setBits(bitmap, Math.floor((from - first) / sb.clusterBlocks), Math.ceil((to - first) / sb.clusterBlocks));
  };
  for (const run of fixedRuns(sb, group)) mark(run.block, run.count);
  const { blockBitmap, inodeBitmap, inodeTable } = descriptors.at(group, report);
  mark(blockBitmap, 1);
  mark(inodeBitmap, 1);
  mark(inodeTable, sb.tableBlocks);
  setBits(bitmap, Math.ceil(length / sb.clusterBlocks), bitmap.length * 8);
  return bitmap;
}
