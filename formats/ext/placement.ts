// Where everything that belongs to inodes lies: one ascending sweep over the blocks that metadata leaves free.
// Because nothing is ever skipped, all blocks below the sweep's end are in use, and bitmaps need no memory.

import { denseIndirectBlocks } from "../../src/image/indirect.ts";
import type { BlockRange, TreeLocation } from "../../src/image/ranges.ts";
import { DATA, Segments } from "../../src/image/segments.ts";
import { extentsOf, extentTreeBlocks } from "./extents.ts";
import type { Geometry } from "./geometry.ts";
import { indirectTreeBlocks, pointersPerBlock } from "./indirect.ts";

/** What a segment holds. */
export const SegmentKind = {
  /** Blocks of an owner's data, from its block `logical` on. */
  data: DATA,
  /** An owner's extent or indirect blocks, from number `logical` on. */
  tree: 1,
  /** Shared xattr blocks, from number `logical` on; no owner. */
  xattrs: 2,
  /** The double indirect block of the resize inode; no owner. */
  resize: 3,
} as const;

/** One step of the sweep. */
export interface Placer {
  /** Places an owner's data and then the blocks of its mapping tree. */
  owner(owner: number, ranges: readonly BlockRange[]): void;
  /** The same for the blocks from 0 to `count`: what nearly all files are. */
  dense(owner: number, count: number): void;
  /** Places `count` blocks that no inode maps. */
  loose(kind: number, count: number): void;
}

/** The result of a sweep, in blocks. Segments are ascending by `start`; those of one owner follow each other, data before tree. */
export class Placement extends Segments implements Placer {
  /** Blocks that owners and loose blocks take. */
  blocks = 0;
  /** First block behind everything that was placed. */
  end: number;
  #nextRun = 0;
  /** Segments of the loose blocks of each kind. */
  readonly #loose = new Map<number, { readonly from: number; readonly to: number }>();

  constructor(
    readonly geometry: Geometry,
    readonly useExtents: boolean,
    owners: number,
    spare?: Placement,
  ) {
    super(owners, spare);
    this.end = geometry.frame.firstBlock;
  }

  owner(owner: number, ranges: readonly BlockRange[]): void {
    this.first[owner] = this.segments;
    for (const range of ranges) this.#take(SegmentKind.data, owner, range.first, range.count);
    this.#finish(owner, this.useExtents ? 0 : indirectTreeBlocks(ranges, this.geometry.frame.blockSize));
  }

  dense(owner: number, count: number): void {
    this.first[owner] = this.segments;
    this.#take(SegmentKind.data, owner, 0, count);
    this.#finish(owner, this.useExtents ? 0 : denseIndirectBlocks(count, pointersPerBlock(this.geometry.frame.blockSize)));
  }

  /** The mapping tree behind an owner's data: extent blocks, or so many indirect ones. */
  #finish(owner: number, indirect: number): void {
    let tree = indirect;
    if (this.useExtents) {
      let extents = 0;
      for (let i = this.first[owner] as number; i < this.segments; i++) extents += extentsOf(this.count[i] as number); // i is in range
      tree = extentTreeBlocks(extents, this.geometry.frame.blockSize);
    }
    if (tree > 0) this.#take(SegmentKind.tree, owner, 0, tree);
    this.last[owner] = this.segments;
  }

  loose(kind: number, count: number): void {
    const from = this.segments;
    this.#take(kind, 0, 0, count);
    this.#loose.set(kind, { from, to: this.segments });
  }

  #take(kind: number, owner: number, logical: number, count: number): void {
    const { runStart, runLength, runs } = this.geometry;
    this.blocks += count;
    for (let left = count, at = logical; left > 0; ) {
      const obstacle = this.#nextRun < runs ? (runStart[this.#nextRun] as number) : Number.POSITIVE_INFINITY;
      if (this.end === obstacle) {
        this.end += runLength[this.#nextRun++] as number;
        continue;
      }
      const size = Math.min(left, obstacle - this.end);
      this.add(kind, owner, at, this.end, size);
      this.end += size;
      at += size;
      left -= size;
    }
  }

  /** Where the blocks of an owner's mapping tree lie. */
  treeOf(owner: number): TreeLocation {
    return (index) => this.locate(this.first[owner] as number, this.last[owner] as number, SegmentKind.tree, index);
  }

  /** Where loose block `index` of a kind lies. */
  looseAt(kind: number, index: number): number {
    const { from, to } = this.#loose.get(kind) ?? { from: 0, to: 0 };
    return this.locate(from, to, kind, index);
  }
}
