// The orphan file: blocks of inode numbers, all zero when the image is clean, each with a magic and a checksum at its end.
// Specification: Linux Documentation/filesystems/ext4/orphan.rst.

import { crc32c } from "../../../src/bytes/crc.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { Superblock } from "../disk/superblock.ts";
import { hex } from "../read/fault.ts";
import { readMapping } from "../read/mapping.ts";
import { unreported } from "./findings.ts";
import type { State } from "./state.ts";

const MAGIC = 0x0b10ca04;
/** Magic and checksum. */
const TAIL = 8;

export function checkOrphanFile(state: State): void {
  const { sb, disk, findings } = state;
  const tell = findings.at("orphan file");
  const present = sb.features.has("orphan_present");
  if (!sb.features.has("orphan_file")) {
    if (present) tell("orphan-file", "the feature orphan_present is on", "orphan_file with it");
    return;
  }
  if (!sb.features.has("has_journal")) tell("orphan-file", "an orphan file without a journal", "a journal");
  const inode = state.inodes.read(Superblock.f.s_orphan_file_inum.get(sb.view, 0), unreported);
  if (!inode) {
    tell("orphan-file", `s_orphan_file_inum is ${Superblock.f.s_orphan_file_inum.get(sb.view, 0)}`, `1 to ${sb.inodes}`);
    return;
  }
  if (inode.size % sb.blockSize !== 0) tell("orphan-file", `a size of ${inode.size}`, `whole blocks of ${sb.blockSize}`);
  let next = 0;
  for (const { logical, physical, count } of readMapping(disk, inode, unreported).runs) {
    if (logical !== next) break;
    for (let i = 0; i < count; i++) checkBlock(state, physical + i, inode.checksumSeed);
    next += count;
  }
  const blocks = Math.floor(inode.size / sb.blockSize);
  if (next < blocks) tell("orphan-file", `block ${next} of it is a hole`, `${blocks} blocks without`);
  if (present) tell("orphan-file", "the feature orphan_present is on", "off in an image that was unmounted");
}

function checkBlock({ sb, disk, findings }: State, block: number, seed: number): void {
  const tell = findings.at("orphan file");
  const bytes = disk.block(block);
  const view = viewOf(bytes);
  const end = bytes.length - TAIL;
  const magic = view.getUint32(end, true);
  if (magic !== MAGIC) tell("orphan-file", `block ${block} ends with ${hex(magic)}`, hex(MAGIC));
  const used = bytes.subarray(0, end).findIndex((byte) => byte !== 0);
  if (used >= 0)
    tell("orphan-file", `block ${block} names inode ${view.getUint32(used & ~3, true)}`, "none in an image that was unmounted");
  if (!sb.checksums) return;
  const number = new Uint8Array(8);
  viewOf(number).setUint32(0, block % 2 ** 32, true);
  viewOf(number).setUint32(4, Math.floor(block / 2 ** 32), true);
  const sum = crc32c(crc32c(seed, number), bytes, 0, end);
  const stored = view.getUint32(end + 4, true);
  if (stored !== sum) tell("orphan-file", `the checksum of block ${block} is ${hex(stored)}`, hex(sum));
}
