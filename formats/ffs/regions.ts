// The image as ascending regions: the metadata of the groups and the segments of the placement, merged.

import { type Slot, viewOf } from "../../src/bytes/struct.ts";
import { eachPointer, type IndirectBlock, indirectBlocks } from "../../src/image/indirect.ts";
import { mergedRegions, type Spans } from "../../src/image/merge.ts";
import { physicalOf } from "../../src/image/ranges.ts";
import { MAX_BYTES_REGION, type Region } from "../../src/image/region.ts";
import { emptyContent } from "../../src/tree/content.ts";
import { pathOf } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { type DirectoryWriting, writeDirectory } from "./directory.ts";
import { ROOT_INODE } from "./disk/dinode.ts";
import { type Attributes, type FileSystem, usedInodes } from "./filesystem.ts";
import { groupStart } from "./geometry.ts";
import { type Counts, countsRow, type GroupCounts, type Rests, writeGroup } from "./groups.ts";
import { blockRanges, writeInode } from "./inodes.ts";
import { SegmentKind } from "./placement.ts";
import { superblockBytes, writeSuperblock } from "./superblock.ts";

type PieceKind = "superblock" | "copy" | "header" | "inodes" | "summary";
const FIRST_GROUP: readonly PieceKind[] = ["superblock", "copy", "header", "inodes", "summary"];
const OTHER_GROUPS: readonly PieceKind[] = ["copy", "header", "inodes"];

/** Gives the regions of a file system, from any byte on. */
export class Regions {
  readonly #order: Uint32Array;
  readonly #attributes: readonly Attributes[];

  constructor(
    readonly fs: FileSystem,
    readonly counts: GroupCounts,
    readonly rests: Rests,
  ) {
    this.#order = fs.placement.order();
    this.#attributes = [...fs.attributes.values()];
  }

  /** Ascending, without gaps, from the region that holds byte `from` to the end. */
  from(from: number): Generator<Region> {
    const { geometry } = this.fs;
    return mergedRegions(this.#pieces(), this.#segments(), geometry.size * geometry.frame.fragmentSize, from);
  }

  #pieces(): Spans {
    const place = (index: number): readonly [group: number, kind: PieceKind] => {
      const first = FIRST_GROUP.length;
      if (index < first) return [0, FIRST_GROUP[index] as PieceKind];
      const rest = index - first;
      return [1 + Math.floor(rest / OTHER_GROUPS.length), OTHER_GROUPS[rest % OTHER_GROUPS.length] as PieceKind];
    };
    return {
      count: FIRST_GROUP.length + (this.fs.geometry.groups - 1) * OTHER_GROUPS.length,
      start: (index) => this.#startOf(...place(index)),
      length: (index) => this.#lengthOf(...place(index)),
      regions: (index) => this.#piece(...place(index)),
    };
  }

  #startOf(group: number, kind: PieceKind): number {
    const { geometry } = this.fs;
    const { frame } = geometry;
    if (kind === "superblock") return frame.superblock;
    const within = { copy: frame.sblkno, header: frame.cblkno, inodes: frame.iblkno, summary: geometry.dblkno }[kind];
    return (groupStart(geometry, group) + within) * frame.fragmentSize;
  }

  #lengthOf(group: number, kind: PieceKind): number {
    const { geometry } = this.fs;
    const { frame } = geometry;
    switch (kind) {
      case "superblock":
      case "copy":
        return superblockBytes(this.fs);
      case "header":
        return frame.blockSize;
      case "inodes":
        return usedInodes(this.fs, group) * frame.inodeSize;
      case "summary":
        return geometry.summaryFrags * frame.fragmentSize;
    }
  }

  *#piece(group: number, kind: PieceKind): Generator<Region> {
    const { fs, counts } = this;
    const offset = this.#startOf(group, kind);
    const length = this.#lengthOf(group, kind);
    switch (kind) {
      case "superblock":
      case "copy":
        yield { kind: "bytes", offset, length, fill: (target) => writeSuperblock(fs, counts, target) };
        return;
      case "header":
        yield {
          kind: "bytes",
          offset,
          length,
          fill: (target) => writeGroup(fs, this.rests, counts.groups[group] as Counts, group, target),
        };
        return;
      case "inodes":
        yield* cut(offset, length, (from, target) => this.#inodes(group, from, target));
        return;
      case "summary":
        yield* cut(offset, length, (from, target) => this.#summary(from, target));
    }
  }

  #segments(): Spans {
    const { placement, geometry } = this.fs;
    const { fragmentSize } = geometry.frame;
    // The order holds segments of the placement, whose arrays have an element for each.
    const at = (index: number): number => this.#order[index] as number;
    return {
      count: placement.segments,
      start: (index) => (placement.start[at(index)] as number) * fragmentSize,
      length: (index) => (placement.count[at(index)] as number) * fragmentSize,
      regions: (index) => this.#segment(at(index)),
    };
  }

  #segment(segment: number): Iterable<Region> {
    const { placement, geometry, snapshot } = this.fs;
    const { fragmentSize } = geometry.frame;
    const owner = placement.ownerOf[segment] as number;
    const offset = (placement.start[segment] as number) * fragmentSize;
    const length = (placement.count[segment] as number) * fragmentSize;
    const logical = (placement.logical[segment] as number) * fragmentSize;
    if (placement.kind[segment] === SegmentKind.tree) return this.#tree(owner, offset, length, logical);
    if (owner < snapshot.nodes.length) return this.#data(owner, offset, length, logical);
    const { area } = this.#attributes[owner - snapshot.nodes.length] as Attributes; // owners behind the nodes
    return cut(offset, length, (from, target) => {
      target.set(area.subarray(logical + from, logical + from + target.length));
    });
  }

  *#tree(owner: number, offset: number, length: number, logical: number): Generator<Region> {
    const { placement, geometry, records } = this.fs;
    const { frag, pointers, pointerSize, version, blockSize } = geometry.frame;
    const runs = placement.runsOf(owner);
    const pointer = records.pointer[version];
    let blocks: readonly IndirectBlock[] | undefined;
    yield* cut(offset, length, (from, target) => {
      blocks ??= indirectBlocks(blockRanges(runs, frag), pointers);
      const view = viewOf(target);
      for (let at = 0; at < target.length; at += blockSize) {
        const put = (slot: number, place: number): void => pointer.set(view, at + slot * pointerSize, place);
        const dataAt = (block: number): number => physicalOf(runs, block * frag);
        const treeAt = (index: number): number => placement.treeAt(owner, index);
        eachPointer(blocks, (logical + from + at) / blockSize, pointers, dataAt, treeAt, put);
      }
    });
  }

  #data(index: number, offset: number, length: number, logical: number): Iterable<Region> {
    const { fs } = this;
    const node = fs.snapshot.nodes[index] as SnapshotNode; // an owner below nodes.length
    if (node.kind === "directory") {
      const writing = this.#directory(index, node);
      const size = fs.directories.get(index) ?? 0;
      // Behind di_size the last fragment is zeros.
      return cut(offset, length, (from, target) => {
        writeDirectory(writing, logical + from, target.subarray(0, Math.max(0, size - logical - from)));
      });
    }
    if (node.kind === "symlink") {
      return [{ kind: "bytes", offset, length, fill: (target) => target.set(node.target ?? new Uint8Array(0)) }];
    }
    const content = node.content ?? emptyContent;
    const held = Math.min(length, content.size - logical);
    const data: Region = {
      kind: "content",
      offset,
      length: held,
      content,
      start: logical,
      path: () => pathOf(fs.snapshot, index),
    };
    return held < length ? [data, { kind: "hole", offset: offset + held, length: length - held }] : [data];
  }

  #directory(index: number, node: SnapshotNode): DirectoryWriting {
    const { snapshot, records, inodes } = this.fs;
    const { ofNode } = inodes;
    // Every node has its number.
    return {
      snapshot,
      node,
      records,
      inode: ofNode[index] as number,
      parent: ofNode[node.parent] as number,
      inodeOf: ofNode,
    };
  }

  #inodes(group: number, from: number, target: Uint8Array): void {
    const { fs } = this;
    const { inodeSize } = fs.geometry.frame;
    const first = group * fs.geometry.ipg + from / inodeSize;
    const slot: Slot = { bytes: target, view: viewOf(target), at: 0 };
    for (; slot.at < target.length; slot.at += inodeSize) {
      const inode = first + slot.at / inodeSize;
      if (inode >= ROOT_INODE) writeInode(fs, inode, slot);
    }
  }

  #summary(from: number, target: Uint8Array): void {
    const { Summary } = this.fs.records;
    const view = viewOf(target);
    const fields = Object.values(Summary.f);
    for (let at = 0; at < target.length; at += Summary.size) {
      const counts = this.counts.groups[(from + at) / Summary.size];
      if (!counts) return;
      const row = countsRow(counts);
      fields.forEach((field, i) => {
        field.set(view, at, row[i] as number); // as many as fields
      });
    }
  }
}

/** Cuts bytes into regions that a sink can hold. `fill` is told how far into them it starts. */
function* cut(offset: number, length: number, fill: (from: number, target: Uint8Array) => void): Generator<Region> {
  for (let done = 0; done < length; done += MAX_BYTES_REGION) {
    const from = done;
    const part = Math.min(MAX_BYTES_REGION, length - done);
    yield { kind: "bytes", offset: offset + from, length: part, fill: (target) => fill(from, target) };
  }
}
