// The resize inode (7): it owns the blocks behind the descriptor tables, so that a file system can grow while mounted.
// Its double indirect block lists the reserved blocks of group 0; each of those lists its copies in the backup groups.
// Specification: lib/ext2fs/res_gdt.c of e2fsprogs.

import { viewOf } from "../../src/bytes/struct.ts";
import type { FileSystem } from "./filesystem.ts";
import { groupStart, hasSuperblock } from "./geometry.ts";

/** Groups other than the first that keep copies. */
function backupGroups(fs: FileSystem): number[] {
  const { groups } = fs.geometry;
  const found: number[] = [];
  for (let group = 1; group < groups; group++) if (hasSuperblock(fs.features, group, groups)) found.push(group);
  return found;
}

/** Image block of reserved descriptor block `index` in group 0. */
function reservedBlock(fs: FileSystem, index: number): number {
  return groupStart(fs.geometry, 0) + 1 + fs.geometry.descriptorBlocks + index;
}

/** Blocks that count as the inode's own. */
export function resizeInodeBlocks(fs: FileSystem): number {
  return 1 + fs.geometry.reservedDescriptorBlocks * (1 + backupGroups(fs).length);
}

/** Its size in bytes: the most that double indirection reaches. */
export function resizeInodeSize(fs: FileSystem): number {
  const pointers = fs.geometry.frame.blockSize / 4;
  return (pointers * pointers + pointers + 12) * fs.geometry.frame.blockSize;
}

/** Writes the double indirect block into zeros. */
export function writeResizeRoot(fs: FileSystem, target: Uint8Array): void {
  const view = viewOf(target);
  const pointers = target.length / 4;
  for (let i = 0; i < fs.geometry.reservedDescriptorBlocks; i++) {
    view.setUint32(((fs.geometry.descriptorBlocks + i) % pointers) * 4, reservedBlock(fs, i), true);
  }
}

/** Writes reserved descriptor block `index` of group 0 into zeros; the copies in other groups stay zero. */
export function writeReservedBlock(fs: FileSystem, index: number, target: Uint8Array): void {
  const view = viewOf(target);
  backupGroups(fs).forEach((group, i) => {
    view.setUint32(i * 4, reservedBlock(fs, index) + group * fs.geometry.blocksPerGroup, true);
  });
}
