// Where everything that belongs to inodes lies: one ascending sweep over the blocks that metadata leaves free. Ends of
// files that fill no block share blocks: each goes into the block whose rest is the tightest fit. So all that is free
// below the sweep's end are those rests, and maps need no memory.

import { denseIndirectBlocks, indirectBlocks } from "../../src/image/indirect.ts";
import type { BlockRange } from "../../src/image/ranges.ts";
import { DATA, Segments, wider } from "../../src/image/segments.ts";
import { type Geometry, metadataEnd, metadataStart } from "./geometry.ts";

/** What a segment holds. */
export const SegmentKind = {
  /** An owner's data, from its fragment `logical` on. */
  data: DATA,
  /** An owner's indirect blocks, from fragment `logical` of them on. */
  tree: 1,
} as const;

/** Blocks of an owner, and a last one that takes only `tail` fragments (0: none such). */
export interface OwnerBlocks {
  readonly ranges: readonly BlockRange[];
  readonly tail: number;
  /** The tail's block number within the file. */
  readonly tailBlock: number;
}

export interface Placer {
  /** Places an owner's data, its tail and then its indirect blocks. */
  owner(owner: number, blocks: OwnerBlocks): void;
  /** The same for `frags` fragments without holes: what nearly all files are. */
  dense(owner: number, frags: number): void;
}

/** Stands for "no tail follows in this block". */
const NONE = 0xffff_ffff;

/** The result of a sweep, in fragments. Segments of one owner follow each other; {@link order} has them ascending. */
export class Placement extends Segments implements Placer {
  /** Fragments that owners take. */
  used = 0;
  /** First fragment behind everything that was placed; a whole number of blocks. */
  end = 0;
  #group = 0;
  /** What the sweep took, in its order: a segment, or the first tail of a shared block; its other tails are chained. */
  #sweep: Uint32Array<ArrayBuffer>;
  #steps = 0;
  #nextTail: Uint32Array<ArrayBuffer>;
  /** Shared blocks by how many fragments are left at their end: where those start, and the last tail before them. */
  readonly #rests: { readonly at: number; readonly after: number }[][];

  constructor(
    readonly geometry: Geometry,
    owners: number,
    spare?: Placement,
  ) {
    super(owners, spare);
    this.#sweep = spare ? spare.#sweep : new Uint32Array(this.start.length);
    this.#nextTail = spare ? spare.#nextTail : new Uint32Array(this.start.length);
    const { frag } = geometry.frame;
    this.#rests = Array.from({ length: frag }, () => []);
    this.#skipMetadata();
    // The summary area leaves the rest of its last block.
    const summaryEnd = metadataEnd(geometry, 0);
    if (summaryEnd < this.end) this.#rests[this.end - summaryEnd]?.push({ at: summaryEnd, after: NONE });
  }

  owner(owner: number, { ranges, tail, tailBlock }: OwnerBlocks): void {
    const { frag, pointers } = this.geometry.frame;
    this.first[owner] = this.segments;
    for (const range of ranges) this.#take(SegmentKind.data, owner, range.first * frag, range.count * frag);
    if (tail > 0) this.#takeTail(owner, tailBlock * frag, tail);
    const tree = indirectBlocks(ranges, pointers).length;
    if (tree > 0) this.#take(SegmentKind.tree, owner, 0, tree * frag);
    this.last[owner] = this.segments;
  }

  dense(owner: number, frags: number): void {
    const { frag, pointers } = this.geometry.frame;
    const tail = frags % frag;
    this.first[owner] = this.segments;
    this.#take(SegmentKind.data, owner, 0, frags - tail);
    if (tail > 0) this.#takeTail(owner, frags - tail, tail);
    const tree = denseIndirectBlocks((frags - tail) / frag, pointers);
    if (tree > 0) this.#take(SegmentKind.tree, owner, 0, tree * frag);
    this.last[owner] = this.segments;
  }

  /** Free fragments below the sweep's end: start and length of each run. */
  *rests(): Generator<readonly [start: number, length: number]> {
    for (const [length, places] of this.#rests.entries()) for (const { at } of places) yield [at, length];
  }

  /** Segments ascending by where they lie. */
  order(): Uint32Array {
    const order = new Uint32Array(this.segments);
    let at = 0;
    for (let step = 0; step < this.#steps; step++) {
      for (let segment = this.#sweep[step] as number; segment !== NONE; segment = this.#nextTail[segment] as number) {
        order[at++] = segment;
      }
    }
    return order;
  }

  /** Moves the sweep behind the metadata of the group it has come to. */
  #skipMetadata(): void {
    const { frag } = this.geometry.frame;
    this.end = Math.ceil(metadataEnd(this.geometry, this.#group++) / frag) * frag;
  }

  /** Fragments up to the next obstacle; behind the last group there is none. */
  #room(): number {
    const { groups } = this.geometry;
    while (this.#group < groups && this.end === metadataStart(this.geometry, this.#group)) this.#skipMetadata();
    return this.#group < groups ? metadataStart(this.geometry, this.#group) - this.end : Number.POSITIVE_INFINITY;
  }

  #take(kind: number, owner: number, logical: number, count: number): void {
    for (let left = count, at = logical; left > 0; ) {
      const size = Math.min(left, this.#room());
      this.#step(this.#place(kind, owner, at, this.end, size));
      this.end += size;
      at += size;
      left -= size;
    }
  }

  #takeTail(owner: number, logical: number, count: number): void {
    const { frag } = this.geometry.frame;
    for (let size = count; size < frag; size++) {
      const rest = this.#rests[size]?.pop();
      if (!rest) continue;
      const segment = this.#place(SegmentKind.data, owner, logical, rest.at, count);
      if (rest.after === NONE) this.#stepFirst(segment);
      else this.#nextTail[rest.after] = segment;
      if (size > count) this.#rests[size - count]?.push({ at: rest.at + count, after: segment });
      return;
    }
    this.#room();
    const segment = this.#place(SegmentKind.data, owner, logical, this.end, count);
    this.#step(segment);
    this.#rests[frag - count]?.push({ at: this.end + count, after: segment });
    this.end += frag;
  }

  #place(kind: number, owner: number, logical: number, start: number, count: number): number {
    const segment = this.add(kind, owner, logical, start, count);
    this.#nextTail[segment] = NONE;
    this.used += count;
    return segment;
  }

  #step(segment: number): void {
    this.#sweep[this.#steps++] = segment;
  }

  /** The first tail behind the summary area lies before everything else. */
  #stepFirst(segment: number): void {
    this.#step(segment);
    this.#sweep.copyWithin(1, 0, this.#steps - 1);
    this.#sweep[0] = segment;
  }

  protected override grow(): void {
    super.grow();
    // There are no more steps than segments.
    this.#sweep = wider(this.#sweep, new Uint32Array(this.start.length));
    this.#nextTail = wider(this.#nextTail, new Uint32Array(this.start.length));
  }

  /** Where indirect block `index` of an owner lies. */
  treeAt(owner: number, index: number): number {
    const logical = index * this.geometry.frame.frag;
    return this.locate(this.first[owner] as number, this.last[owner] as number, SegmentKind.tree, logical);
  }
}
