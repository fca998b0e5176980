// From a file's blocks to the image's fragments: walks pointers and indirect blocks as they are on the disk.
// Specification: NetBSD sys/ufs/ufs/ufs_bmap.c, sys/ufs/ffs/fs.h (ffs_blksize).
//
// Every indirect block is visited once, so the walk is bounded by the blocks of the image, whatever they hold.

import { viewOf } from "../../../src/bytes/struct.ts";
import { DIRECT, TREES } from "../../../src/image/indirect.ts";
import type { MappedRun } from "../../../src/image/ranges.ts";
import type { Disk } from "./disk.ts";
import type { Report } from "./fault.ts";
import type { InodeRecord } from "./inodes.ts";

/** What a walk meets, in the order of the file; numbers are fragments. */
export interface MappingVisitor {
  /** A block or, at the end of a file, fragments. */
  data(logical: number, physical: number, count: number): void;
  /** An indirect block, before what it leads to. */
  tree?(physical: number): void;
}

export interface Mapping {
  /** In fragments, ascending by `logical`; runs that touch in the file and in the image are one. */
  readonly runs: readonly MappedRun[];
  /** First fragments of the indirect blocks. */
  readonly tree: readonly number[];
}

/** Reads the whole map of an inode that has one. */
export function readMapping(disk: Disk, inode: InodeRecord, report: Report): Mapping {
  const runs: { logical: number; physical: number; count: number }[] = [];
  const tree: number[] = [];
  walkMapping(
    disk,
    inode,
    {
      data(logical, physical, count) {
        const last = runs.at(-1);
        if (last && last.logical + last.count === logical && last.physical + last.count === physical) last.count += count;
        else runs.push({ logical, physical, count });
      },
      tree: (physical) => void tree.push(physical),
    },
    report,
  );
  return { runs, tree };
}

/** Fragments of block `block` of a file of `size` bytes: fewer at the end of files of at most twelve blocks. */
export function fragsOfBlock(disk: Disk, size: number, block: number): number {
  const { blockSize, fragmentSize, frag } = disk.superblock;
  if (block >= DIRECT || size >= (block + 1) * blockSize) return frag;
  return Math.ceil(Math.max(0, size - block * blockSize) / fragmentSize);
}

/** Walks all pointers of an inode, those behind its end too. */
export function walkMapping(disk: Disk, inode: InodeRecord, visitor: MappingVisitor, report: Report): void {
  new Walk(disk, inode, visitor, report).walk();
}

class Walk {
  readonly #seen = new Set<number>();
  #mapped = 0;

  constructor(
    readonly disk: Disk,
    readonly inode: InodeRecord,
    readonly visitor: MappingVisitor,
    readonly report: Report,
  ) {}

  walk(): void {
    const { disk, inode } = this;
    const { pointers } = disk.superblock;
    for (let i = 0; i < DIRECT; i++) {
      // Behind the end of a file that shrank a pointer would be a whole block.
      const frags = fragsOfBlock(disk, inode.size, i) || disk.superblock.frag;
      this.#data(inode.pointers[i] as number, i, frags, inode.offset);
    }
    let block = DIRECT;
    for (let level = 0; level < TREES; level++) {
      this.#indirect(inode.pointers[DIRECT + level] as number, level, block, inode.offset);
      block += pointers ** (level + 1);
    }
  }

  #indirect(physical: number, level: number, block: number, offset: number): void {
    if (physical === 0) return;
    const { frag, pointers, pointerSize, fragmentSize, records, version } = this.disk.superblock;
    if (!this.#check(physical, frag, `an indirect block`, offset)) return;
    if (this.#seen.has(physical)) {
      this.#wrong("mapping-loop", `fragment ${physical} is an indirect block twice`, "every block once", offset);
      return;
    }
    this.#seen.add(physical);
    this.visitor.tree?.(physical);
    const view = viewOf(this.disk.frags(physical, frag));
    const pointer = records.pointer[version];
    const span = pointers ** level;
    for (let i = 0; i < pointers; i++) {
      const next = pointer.get(view, i * pointerSize);
      if (next === 0) continue;
      const at = physical * fragmentSize + i * pointerSize;
      if (level === 0) this.#data(next, block + i, frag, at);
      else this.#indirect(next, level - 1, block + i * span, at);
    }
  }

  #data(physical: number, block: number, count: number, offset: number): void {
    if (physical === 0 || !this.#check(physical, count, `block ${block} of the file`, offset)) return;
    const { frag, size } = this.disk.superblock;
    this.#mapped += count;
    if (this.#mapped > size) {
      if (this.#mapped - count <= size) {
        this.#wrong("mapping-too-large", "the file has more blocks than there are", `at most ${size} fragments`, offset);
      }
      return;
    }
    this.visitor.data(block * frag, physical, count);
  }

  #check(physical: number, count: number, what: string, offset: number): boolean {
    const { frag } = this.disk.superblock;
    if (!this.disk.holds(physical, count)) {
      this.#wrong("mapping-range", `${what} is at fragment ${physical}`, "fragments of one group's data", offset);
      return false;
    }
    if ((physical % frag) + count > frag) {
      this.#wrong(
        "mapping-alignment",
        `${what} is ${count} fragments from ${physical} on`,
        `no more than one block of ${frag}`,
        offset,
      );
      return false;
    }
    return true;
  }

  #wrong(code: string, found: string, expected: string, offset: number): void {
    const { number } = this.inode;
    this.report({ code, place: `inode ${number}`, found, expected, where: { record: "inode", index: number, offset } });
  }
}
