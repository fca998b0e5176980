// From a file's blocks to the image's: walks extent trees and indirect blocks as they are on the disk.
// Specification: Linux Documentation/filesystems/ext4/ifork.rst; __ext4_ext_check in fs/ext4/extents.c.
//
// A tree block that leads to itself or is shared ends the walk there: every block is visited once, so the walk is bounded
// by the blocks of the image, whatever they hold.

import { crc32c } from "../../../src/bytes/crc.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import {
  EXTENT_ENTRY_SIZE,
  EXTENT_MAGIC,
  Extent,
  ExtentHeader,
  ExtentIndex,
  MAX_EXTENT_BLOCKS,
  ROOT_EXTENTS,
} from "../disk/extent.ts";
import { I_BLOCK, InodeFlags } from "../disk/inode.ts";
import type { Disk } from "./disk.ts";
import { hex, type Report } from "./fault.ts";
import { blockArea, type InodeRecord } from "./inodes.ts";

/** A run of a file's blocks and where it lies in the image. */
export interface Run {
  /** Block within the file. */
  readonly logical: number;
  /** Block of the image. */
  readonly physical: number;
  readonly count: number;
  /** False where blocks are set aside that read as zeros. */
  readonly written: boolean;
}

/** What a walk meets, in the order of the file. */
export interface MappingVisitor {
  run(logical: number, physical: number, count: number, written: boolean): void;
  /** A block of the tree itself, before what it leads to. `level` 0 leads to data. */
  tree?(block: number, level: number): void;
}

export interface Mapping {
  /** Ascending by `logical`; runs that touch in the file and in the image are one. */
  readonly runs: readonly Run[];
  /** Blocks of the tree itself. */
  readonly tree: readonly number[];
}

/** Deepest extent tree that the kernel follows (EXT4_MAX_EXTENT_DEPTH). */
const MAX_DEPTH = 5;
/** File blocks are numbered in 32 bits. */
const LOGICAL_END = 2 ** 32;
const DIRECT = 12;

/** Reads the whole map of an inode that has one. */
export function readMapping(disk: Disk, inode: InodeRecord, report: Report): Mapping {
  const runs: { logical: number; physical: number; count: number; written: boolean }[] = [];
  const tree: number[] = [];
  let mapped = 0;
  // Only where blocks may be shared can a file have more of them than there are.
  const most = disk.superblock.features.has("shared_blocks") ? Number.POSITIVE_INFINITY : disk.superblock.blocks;
  walkMapping(
    disk,
    inode,
    {
      run(logical, physical, count, written) {
        const last = runs.at(-1);
        mapped += count;
        if (mapped > most) {
          report({
            code: "mapping-too-large",
            place: `inode ${inode.number}`,
            found: "its map leads to more blocks than there are",
            expected: `at most ${most}`,
            where: { record: "inode", index: inode.number, offset: inode.offset + I_BLOCK },
          });
          return;
        }
        if (
          last &&
          last.written === written &&
          last.logical + last.count === logical &&
          last.physical + last.count === physical
        ) {
          last.count += count;
        } else runs.push({ logical, physical, count, written });
      },
      tree: (block) => void tree.push(block),
    },
    report,
  );
  return { runs, tree };
}

/** Walks the map of an inode: extents or indirect blocks, as its flags say. */
export function walkMapping(disk: Disk, inode: InodeRecord, visitor: MappingVisitor, report: Report): void {
  if ((inode.flags & InodeFlags.EXTENTS) !== 0) new ExtentWalk(disk, inode, visitor, report).walk();
  else new IndirectWalk(disk, inode, visitor, report).walk();
}

/** What both walks share: the blocks seen, and how faults are told. */
class Walk {
  readonly #seen = new Set<number>();

  constructor(
    readonly disk: Disk,
    readonly inode: InodeRecord,
    readonly visitor: MappingVisitor,
    readonly report: Report,
  ) {}

  /** Block of the tree, or undefined and reported when it cannot be one. */
  protected treeBlock(block: number, level: number, offset: number): Uint8Array | undefined {
    if (!this.disk.holds(block, 1)) {
      this.wrong("mapping-range", `its map leads to block ${block}`, this.within(), offset);
      return undefined;
    }
    if (this.#seen.has(block)) {
      this.wrong("mapping-loop", `block ${block} stands twice in its map`, "every block once", offset);
      return undefined;
    }
    this.#seen.add(block);
    this.visitor.tree?.(block, level);
    return this.disk.block(block);
  }

  protected within(): string {
    const { firstBlock, blocks } = this.disk.superblock;
    return `blocks ${Math.max(1, firstBlock)} to ${blocks - 1}`;
  }

  protected wrong(code: string, found: string, expected: string, offset: number): void {
    const { number } = this.inode;
    this.report({ code, place: `inode ${number}`, found, expected, where: { record: "inode", index: number, offset } });
  }
}

class ExtentWalk extends Walk {
  /** End of the extent before, in file blocks. */
  #end = 0;

  walk(): void {
    this.#node(blockArea(this.inode), this.inode.offset + I_BLOCK, undefined, LOGICAL_END);
  }

  /** A node of the tree at byte `offset` of the image. `depth` is what its parent says; the root says it itself. */
  #node(bytes: Uint8Array, offset: number, depth: number | undefined, end: number): void {
    const view = viewOf(bytes);
    const h = ExtentHeader.f;
    const magic = h.eh_magic.get(view, 0);
    if (magic !== EXTENT_MAGIC) {
      this.wrong("extent-magic", `eh_magic is ${hex(magic, 2)}`, hex(EXTENT_MAGIC, 2), offset);
      return;
    }
    const room = depth === undefined ? ROOT_EXTENTS : Math.floor((bytes.length - EXTENT_ENTRY_SIZE) / EXTENT_ENTRY_SIZE);
    const max = h.eh_max.get(view, 0);
    const entries = h.eh_entries.get(view, 0);
    const own = h.eh_depth.get(view, 0);
    if (max === 0 || max > room || entries > max) {
      this.wrong("extent-count", `${entries} of ${max} entries in a node`, `at most ${room}`, offset + h.eh_entries.offset);
      return;
    }
    if (depth === undefined ? own > MAX_DEPTH : own !== depth) {
      const expected = depth === undefined ? `at most ${MAX_DEPTH}` : String(depth);
      this.wrong("extent-depth", `eh_depth is ${own}`, expected, offset + h.eh_depth.offset);
      return;
    }
    if (entries === 0 && own > 0) {
      this.wrong("extent-count", "an index node without entries", "at least one", offset + h.eh_entries.offset);
      return;
    }
    if (depth !== undefined) this.#verify(bytes, view, max, offset);
    for (let i = 0; i < entries; i++) {
      const at = (i + 1) * EXTENT_ENTRY_SIZE;
      if (own === 0) this.#extent(view, at, offset + at, end);
      else {
        const next = i + 1 < entries ? ExtentIndex.f.ei_block.get(view, at + EXTENT_ENTRY_SIZE) : end;
        this.#index(view, at, offset + at, own, Math.min(next, end));
      }
    }
  }

  #index(view: DataView, at: number, offset: number, depth: number, end: number): void {
    const f = ExtentIndex.f;
    const logical = f.ei_block.get(view, at);
    const block = f.ei_leaf_lo.get(view, at) + f.ei_leaf_hi.get(view, at) * 2 ** 32;
    if (logical < this.#end || logical >= end) {
      this.wrong("extent-order", `an index entry starts at file block ${logical}`, `${this.#end} to ${end - 1}`, offset);
      return;
    }
    this.#end = logical;
    const bytes = this.treeBlock(block, depth - 1, offset);
    if (bytes) this.#node(bytes, block * bytes.length, depth - 1, end);
  }

  #extent(view: DataView, at: number, offset: number, end: number): void {
    const f = Extent.f;
    const logical = f.ee_block.get(view, at);
    const length = f.ee_len.get(view, at);
    const written = length <= MAX_EXTENT_BLOCKS;
    const count = written ? length : length - MAX_EXTENT_BLOCKS;
    const physical = f.ee_start_lo.get(view, at) + f.ee_start_hi.get(view, at) * 2 ** 32;
    if (count === 0 || logical < this.#end || logical + count > end) {
      this.wrong(
        "extent-order",
        `an extent of ${count} blocks at file block ${logical}`,
        `at least 1 block within ${this.#end} to ${end - 1}`,
        offset,
      );
      return;
    }
    if (!this.disk.holds(physical, count)) {
      this.wrong("mapping-range", `an extent leads to ${count} blocks from ${physical} on`, this.within(), offset);
      return;
    }
    this.#end = logical + count;
    this.visitor.run(logical, physical, count, written);
  }

  /** The checksum stands right behind the last entry that there is room for. */
  #verify(bytes: Uint8Array, view: DataView, max: number, offset: number): void {
    if (!this.disk.superblock.checksums) return;
    const end = (max + 1) * EXTENT_ENTRY_SIZE;
    const stored = end + 4 <= bytes.length ? view.getUint32(end, true) : 0;
    const sum = crc32c(this.inode.checksumSeed, bytes, 0, end);
    if (sum !== stored) {
      this.wrong("extent-checksum", `the checksum of its extent block is ${hex(stored)}`, hex(sum), offset + end);
    }
  }
}

class IndirectWalk extends Walk {
  walk(): void {
    const view = viewOf(blockArea(this.inode));
    const at = this.inode.offset + I_BLOCK;
    const pointers = this.disk.superblock.blockSize / 4;
    for (let i = 0; i < DIRECT; i++) this.#data(view.getUint32(i * 4, true), i, at + i * 4);
    let logical = DIRECT;
    for (let level = 0; level < 3; level++) {
      const offset = (DIRECT + level) * 4;
      this.#indirect(view.getUint32(offset, true), level, logical, at + offset);
      logical += pointers ** (level + 1);
    }
  }

  #indirect(block: number, level: number, logical: number, offset: number): void {
    if (block === 0) return;
    const bytes = this.treeBlock(block, level, offset);
    if (!bytes) return;
    const view = viewOf(bytes);
    const pointers = bytes.length / 4;
    const span = pointers ** level;
    for (let i = 0; i < pointers; i++) {
      const pointer = view.getUint32(i * 4, true);
      if (pointer === 0) continue;
      const at = block * bytes.length + i * 4;
      if (level === 0) this.#data(pointer, logical + i, at);
      else this.#indirect(pointer, level - 1, logical + i * span, at);
    }
  }

  #data(block: number, logical: number, offset: number): void {
    if (block === 0) return;
    if (this.disk.holds(block, 1)) this.visitor.run(logical, block, 1, true);
    else this.wrong("mapping-range", `file block ${logical} is at block ${block}`, this.within(), offset);
  }
}
