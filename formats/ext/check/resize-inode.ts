// The resize inode: its map lists the blocks set aside behind every superblock, so that descriptors can grow into them.
// Specification: Linux fs/ext4/resize.c (verify_reserved_gdb).

import { viewOf } from "../../../src/bytes/struct.ts";
import { ReservedInode } from "../disk/inode.ts";
import { Superblock } from "../disk/superblock.ts";
import { keepsSuperblock, superblockBlock } from "../read/layout.ts";
import { unreported } from "./findings.ts";
import { isFileMode, POINTERS, pointer, rawInode } from "./raw-inode.ts";
import type { State } from "./state.ts";

const DOUBLE_INDIRECT = 13;

export function checkResizeInode(state: State): void {
  const { sb, disk, findings } = state;
  const record = state.inodes.read(ReservedInode.resize, unreported);
  if (!record) return;
  const inode = rawInode(sb, record);
  const tell = findings.atInode(inode.number);
  const others = Array.from({ length: POINTERS }, (_, i) => (i === DOUBLE_INDIRECT ? 0 : pointer(inode, i)));
  const root = pointer(inode, DOUBLE_INDIRECT);
  if (!sb.features.has("resize_inode")) {
    if (root !== 0 || others.some((block) => block !== 0)) tell("resize-inode", "a map", "none without the feature resize_inode");
    return;
  }
  if (root === 0 || others.some((block) => block !== 0) || inode.links === 0 || !isFileMode(inode.mode) || !state.holds(root)) {
    tell(
      "resize-inode",
      "an inode that is not as resize_inode has it",
      "a file in use with a double indirect block and nothing else",
    );
    return;
  }
  const pointers = sb.blockSize / 4;
  const table = viewOf(disk.block(root));
  const first = superblockBlock(sb) + 1 + sb.descriptorBlocks;
  const copies = Array.from({ length: sb.groups }, (_, group) => group).filter(
    (group) => group > 0 && keepsSuperblock(sb, group),
  );
  const count = Math.min(Superblock.f.s_reserved_gdt_blocks.get(sb.view, 0), pointers);
  for (let i = 0; i < count; i++) {
    const slot = (sb.descriptorBlocks + i) % pointers;
    const stated = table.getUint32(slot * 4, true);
    const block = first + i;
    if (stated !== block) {
      tell("resize-inode", `entry ${slot} of its double indirect block is ${stated}`, String(block));
      return;
    }
    const list = viewOf(disk.block(block));
    for (let at = 0; at < Math.min(copies.length, pointers); at++) {
      const expected = block + (copies[at] as number) * sb.blocksPerGroup; // at is in range
      if (list.getUint32(at * 4, true) === expected) continue;
      tell("resize-inode", `entry ${at} of block ${block} is ${list.getUint32(at * 4, true)}`, String(expected));
      return;
    }
  }
}
