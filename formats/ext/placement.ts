// Where everything that belongs to inodes lies: one ascending sweep over the blocks that metadata leaves free.
// Because nothing is ever skipped, all blocks below the sweep's end are in use, and bitmaps need no memory.

import { denseIndirectBlocks } from "../../src/image/indirect.ts";
import type { BlockRange, MappedRun, TreeLocation } from "../../src/image/ranges.ts";
import { extentsOf, extentTreeBlocks } from "./extents.ts";
import type { Geometry } from "./geometry.ts";
import { indirectTreeBlocks, pointersPerBlock } from "./indirect.ts";

/** What a segment holds. */
export const SegmentKind = {
  /** Blocks of an owner's data, from its block `logical` on. */
  data: 0,
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

/** The result of a sweep. Segments are ascending by `start`; those of one owner follow each other, data before tree. */
export class Placement implements Placer {
  start = new Float64Array(1024);
  count = new Float64Array(1024);
  logical = new Float64Array(1024);
  ownerOf = new Uint32Array(1024);
  kind = new Uint8Array(1024);
  segments = 0;
  /** Per owner: its first segment, and one behind its last one. */
  readonly first: Uint32Array;
  readonly last: Uint32Array;
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
  ) {
    this.first = new Uint32Array(owners);
    this.last = new Uint32Array(owners);
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
      if (this.segments === this.start.length) this.#grow();
      const i = this.segments++;
      this.start[i] = this.end;
      this.count[i] = size;
      this.logical[i] = at;
      this.ownerOf[i] = owner;
      this.kind[i] = kind;
      this.end += size;
      at += size;
      left -= size;
    }
  }

  #grow(): void {
    const wider = <T extends { set(from: T): void; length: number }>(make: new (length: number) => T, old: T): T => {
      const larger = new make(old.length * 2);
      larger.set(old);
      return larger;
    };
    this.start = wider<Float64Array<ArrayBuffer>>(Float64Array, this.start);
    this.count = wider<Float64Array<ArrayBuffer>>(Float64Array, this.count);
    this.logical = wider<Float64Array<ArrayBuffer>>(Float64Array, this.logical);
    this.ownerOf = wider<Uint32Array<ArrayBuffer>>(Uint32Array, this.ownerOf);
    this.kind = wider<Uint8Array<ArrayBuffer>>(Uint8Array, this.kind);
  }

  /** The data runs of an owner. */
  runsOf(owner: number): MappedRun[] {
    const runs: MappedRun[] = [];
    for (let i = this.first[owner] as number; i < (this.last[owner] as number) && this.kind[i] === SegmentKind.data; i++) {
      runs.push({ logical: this.logical[i] as number, physical: this.start[i] as number, count: this.count[i] as number });
    }
    return runs;
  }

  /** All blocks of an owner: data and tree. */
  blocksOf(owner: number): number {
    let total = 0;
    for (let i = this.first[owner] as number; i < (this.last[owner] as number); i++) total += this.count[i] as number;
    return total;
  }

  /** Where the blocks of an owner's mapping tree lie. */
  treeOf(owner: number): TreeLocation {
    return (index) => this.#locate(this.first[owner] as number, this.last[owner] as number, SegmentKind.tree, index);
  }

  /** Where loose block `index` of a kind lies. */
  looseAt(kind: number, index: number): number {
    const { from, to } = this.#loose.get(kind) ?? { from: 0, to: 0 };
    return this.#locate(from, to, kind, index);
  }

  #locate(from: number, to: number, kind: number, index: number): number {
    for (let i = from; i < to; i++) {
      if (this.kind[i] !== kind) continue;
      const offset = index - (this.logical[i] as number);
      if (offset >= 0 && offset < (this.count[i] as number)) return (this.start[i] as number) + offset;
    }
    throw new Error(`bug in fsynth: block ${index} of kind ${kind} was never placed`);
  }
}
