// Bitmaps against what was found in use, their padding and checksums, and the counts of groups and superblock.
// Specification: Linux Documentation/filesystems/ext4/bitmaps.rst.

import { testBit } from "../../../src/bytes/bitmap.ts";
import { GroupFlags } from "../disk/group.ts";
import { Superblock } from "../disk/superblock.ts";
import { readBlockBitmap, readInodeBitmap } from "../read/bitmaps.ts";
import { blocksOf, firstBlockOf } from "../read/layout.ts";
import { unreported } from "./findings.ts";
import type { State } from "./state.ts";

const f = Superblock.f;

export function checkBitmaps(state: State): void {
  const { sb, findings } = state;
  let freeClusters = 0;
  let freeInodes = 0;
  for (let group = 0; group < sb.groups; group++) {
    freeClusters += checkBlockBitmap(state, group);
    freeInodes += checkInodeBitmap(state, group);
  }
  const tell = findings.at("superblock");
  const blocks =
    f.s_free_blocks_count.get(sb.view, 0) + (sb.features.has("64bit") ? f.s_free_blocks_hi.get(sb.view, 0) * 2 ** 32 : 0);
  if (blocks !== freeClusters * sb.clusterBlocks) {
    tell("free-blocks", `${blocks} blocks are said to be free`, String(freeClusters * sb.clusterBlocks));
  }
  const inodes = f.s_free_inodes_count.get(sb.view, 0);
  if (inodes !== freeInodes) tell("free-inodes", `${inodes} inodes are said to be free`, String(freeInodes));
}

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest &= rest - 1) count++;
  return count;
});

/** Gives how many clusters of the group its bitmap says are free. */
function checkBlockBitmap(state: State, group: number): number {
  const { sb, disk, descriptors, findings, claims } = state;
  const tell = findings.at(`group ${group}`);
  const descriptor = descriptors.at(group, unreported);
  const bitmap = readBlockBitmap(disk, descriptors, group, findings.report);
  const first = Math.floor(firstBlockOf(sb, group) / sb.clusterBlocks);
  const count = Math.ceil(blocksOf(sb, group) / sb.clusterBlocks);
  const runs = new Differences();
  let free = 0;
  for (let at = 0; at < count; at += 8) {
    const width = Math.min(8, count - at);
    const mask = (1 << width) - 1;
    const stated = (bitmap[at / 8] as number) & mask; // at is before the end of the bitmap
    const found = claims.used.byteAt(first + at) & mask;
    free += width - (BITS[stated] as number);
    if (stated === found) continue;
    for (let bit = 0; bit < width; bit++) {
      const mine = (stated >>> bit) & 1;
      if (mine !== ((found >>> bit) & 1)) runs.add((first + at + bit) * sb.clusterBlocks, sb.clusterBlocks, mine === 1);
    }
  }
  for (const { from, to, stated } of runs.all()) {
    const blocks = from === to ? `block ${from}` : `blocks ${from} to ${to}`;
    tell(
      "block-bitmap",
      `${blocks} ${stated ? "marked in use" : "marked free"}`,
      stated ? "free: nothing leads there" : "in use",
    );
  }
  if (descriptor.freeBlocks !== free) tell("free-blocks", `${descriptor.freeBlocks} blocks are said to be free`, String(free));
  const uninit = state.groupChecksums && (descriptor.flags & GroupFlags.BLOCK_UNINIT) !== 0;
  if (!uninit && disk.holds(descriptor.blockBitmap, 1)) {
    const padding = firstClear(bitmap, count);
    if (padding >= 0) tell("bitmap-padding", `bit ${padding} behind the end of the block bitmap is 0`, "1");
  }
  return free;
}

/** Gives how many inodes of the group its bitmap says are free. */
function checkInodeBitmap(state: State, group: number): number {
  const { sb, disk, descriptors, findings, table } = state;
  const tell = findings.at(`group ${group}`);
  const descriptor = descriptors.at(group, unreported);
  const bitmap = readInodeBitmap(disk, descriptors, group, findings.report);
  const first = group * sb.inodesPerGroup + 1;
  const runs = new Differences();
  let free = 0;
  let directories = 0;
  for (let i = 0; i < sb.inodesPerGroup; i++) {
    const stated = testBit(bitmap, i);
    if (!stated) free++;
    else if (table.isDirectory(first + i)) directories++;
    if (stated !== table.inUse(first + i)) runs.add(first + i, 1, stated);
  }
  for (const { from, to, stated } of runs.all()) {
    const inodes = from === to ? `inode ${from}` : `inodes ${from} to ${to}`;
    tell("inode-bitmap", `${inodes} ${stated ? "marked in use" : "marked free"}`, stated ? "free" : "in use");
  }
  if (descriptor.freeInodes !== free) tell("free-inodes", `${descriptor.freeInodes} inodes are said to be free`, String(free));
  if (descriptor.directories !== directories) {
    tell("directory-count", `${descriptor.directories} directories are said to be there`, String(directories));
  }
  const uninit = state.groupChecksums && (descriptor.flags & GroupFlags.INODE_UNINIT) !== 0;
  if (!uninit && disk.holds(descriptor.inodeBitmap, 1)) {
    const padding = firstClear(bitmap, sb.inodesPerGroup);
    if (padding >= 0) tell("bitmap-padding", `bit ${padding} behind the end of the inode bitmap is 0`, "1");
  }
  return free;
}

/** The first bit from `from` on that is 0; -1 when all are 1. */
function firstClear(bitmap: Uint8Array, from: number): number {
  for (let bit = from; bit < bitmap.length * 8; ) {
    if ((bit & 7) === 0 && bitmap[bit / 8] === 0xff) bit += 8;
    else if (testBit(bitmap, bit)) bit++;
    else return bit;
  }
  return -1;
}

/** Runs of numbers that a bitmap is wrong about in the same way. */
class Differences {
  readonly #runs: { from: number; to: number; readonly stated: boolean }[] = [];

  add(from: number, count: number, stated: boolean): void {
    const last = this.#runs.at(-1);
    if (last && last.stated === stated && last.to + 1 === from) last.to += count;
    else this.#runs.push({ from, to: from + count - 1, stated });
  }

  all(): readonly { readonly from: number; readonly to: number; readonly stated: boolean }[] {
    return this.#runs;
  }
}
