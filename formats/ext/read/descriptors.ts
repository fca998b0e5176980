// Reads group descriptors, each block of the table when it is first needed.
// Specification: Linux Documentation/filesystems/ext4/group_descr.rst; ext4_group_desc_csum in fs/ext4/super.c.

import { crc16, crc32c, crc32cLe32 } from "../../../src/bytes/crc.ts";
import { type Field, viewOf } from "../../../src/bytes/struct.ts";
import { GroupDescriptor } from "../disk/group.ts";
import type { Disk } from "./disk.ts";
import { hex, type Report } from "./fault.ts";
import { descriptorBlock } from "./layout.ts";

/** A group's descriptor. Bitmaps and table are block numbers. */
export interface Descriptor {
  readonly group: number;
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  /** Clusters, under bigalloc. */
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly directories: number;
  readonly flags: number;
  /** Inodes at the table's end that were never in use. */
  readonly unusedInodes: number;
  /** 16 bits, or 32 where the descriptor has room for them. */
  readonly blockBitmapChecksum: number;
  readonly inodeBitmapChecksum: number;
}

/** The descriptors of all groups. */
export class Descriptors {
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #known = new Map<number, Descriptor>();

  constructor(readonly disk: Disk) {}

  /** The descriptor of `group`; its checksum and the places that it names are checked the first time. */
  at(group: number, report: Report): Descriptor {
    let descriptor = this.#known.get(group);
    if (!descriptor) {
      descriptor = this.#read(group, report);
      this.#known.set(group, descriptor);
    }
    return descriptor;
  }

  /** The bytes of a descriptor, as they are on the disk. */
  bytes(group: number): { readonly bytes: Uint8Array; readonly offset: number } {
    const { blockSize, descriptorSize } = this.disk.superblock;
    const perBlock = blockSize / descriptorSize;
    const index = Math.floor(group / perBlock);
    const block = descriptorBlock(this.disk.superblock, index);
    let table = this.#blocks.get(index);
    if (!table) {
      table = this.disk.block(block);
      this.#blocks.set(index, table);
    }
    const at = (group % perBlock) * descriptorSize;
    return { bytes: table.subarray(at, at + descriptorSize), offset: block * blockSize + at };
  }

  #read(group: number, report: Report): Descriptor {
    const { superblock: sb } = this.disk;
    const { bytes, offset } = this.bytes(group);
    const wide = new Uint8Array(GroupDescriptor.size);
    wide.set(bytes.subarray(0, GroupDescriptor.size));
    const view = viewOf(wide);
    const f = GroupDescriptor.f;
    // Fields behind a short descriptor read 0.
    const joined = (low: Field, high: Field): number =>
      low.get(view, 0) + high.get(view, 0) * (low.size === 4 ? 2 ** 32 : 2 ** 16);
    const stored = f.bg_checksum.get(view, 0);
    const sum = this.checksum(group, bytes);
    if (sum !== undefined && sum !== stored) {
      report({
        code: "group-checksum",
        place: `group ${group}`,
        found: `its descriptor's checksum is ${hex(stored, 2)}`,
        expected: hex(sum, 2),
        where: { record: "group", index: group, offset: offset + f.bg_checksum.offset },
      });
    }
    const descriptor: Descriptor = {
      group,
      offset,
      blockBitmap: joined(f.bg_block_bitmap, f.bg_block_bitmap_hi),
      inodeBitmap: joined(f.bg_inode_bitmap, f.bg_inode_bitmap_hi),
      inodeTable: joined(f.bg_inode_table, f.bg_inode_table_hi),
      freeBlocks: joined(f.bg_free_blocks_count, f.bg_free_blocks_count_hi),
      freeInodes: joined(f.bg_free_inodes_count, f.bg_free_inodes_count_hi),
      directories: joined(f.bg_used_dirs_count, f.bg_used_dirs_count_hi),
      flags: f.bg_flags.get(view, 0),
      unusedInodes: joined(f.bg_itable_unused, f.bg_itable_unused_hi),
      blockBitmapChecksum: joined(f.bg_block_bitmap_csum_lo, f.bg_block_bitmap_csum_hi),
      inodeBitmapChecksum: joined(f.bg_inode_bitmap_csum_lo, f.bg_inode_bitmap_csum_hi),
    };
    const placed = (what: string, block: number, count: number, field: keyof typeof f): void => {
      if (this.disk.holds(block, count)) return;
      report({
        code: "group-placement",
        place: `group ${group}`,
        found: `its ${what} is at block ${block}`,
        expected: `${count} blocks within ${Math.max(1, sb.firstBlock)} to ${sb.blocks - 1}`,
        where: { record: "group", index: group, offset: offset + f[field].offset },
      });
    };
    placed("block bitmap", descriptor.blockBitmap, 1, "bg_block_bitmap");
    placed("inode bitmap", descriptor.inodeBitmap, 1, "bg_inode_bitmap");
    placed("inode table", descriptor.inodeTable, sb.tableBlocks, "bg_inode_table");
    return descriptor;
  }

  /** What bg_checksum has to be; undefined where there is none. */
  checksum(group: number, bytes: Uint8Array): number | undefined {
    const { superblock: sb } = this.disk;
    const { offset } = GroupDescriptor.f.bg_checksum;
    const zero = new Uint8Array(2);
    if (sb.checksums) {
      let sum = crc32c(crc32cLe32(sb.checksumSeed, group), bytes, 0, offset);
      sum = crc32c(sum, zero);
      return crc32c(sum, bytes, offset + 2) & 0xffff;
    }
    if (!sb.features.has("uninit_bg")) return undefined;
    const number = new Uint8Array(4);
    viewOf(number).setUint32(0, group, true);
    // The checksum's own field is left out, not zeroed.
    const sum = crc16(crc16(crc16(0xffff, sb.uuid), number), bytes, 0, offset);
    return crc16(sum, bytes, offset + 2);
  }
}
