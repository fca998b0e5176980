// The image as ascending regions: the pieces of the groups' metadata and the segments of the placement, merged.

import { type Slot, viewOf } from "../../src/bytes/struct.ts";
import { mergedRegions, type Spans } from "../../src/image/merge.ts";
import { type BytesRegion, MAX_BYTES_REGION, type Region } from "../../src/image/region.ts";
import { emptyContent } from "../../src/tree/content.ts";
import { pathOf } from "../../src/tree/snapshot.ts";
import { plainNode, type SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { type DirectoryWriting, writeDirectory } from "./directory.ts";
import { GroupFlags } from "./disk/group.ts";
import { ReservedInode } from "./disk/inode.ts";
import { SUPERBLOCK_OFFSET, Superblock } from "./disk/superblock.ts";
import { writeExtentBlock } from "./extents.ts";
import { blockChecksumSeed, type FileSystem, inodeChecksumSeed, journalOwner, lostFoundOwner } from "./filesystem.ts";
import { groupStart, hasMetaDescriptors, hasSuperblock } from "./geometry.ts";
import { descriptorTable, type GroupCounts, usedInodes, writeBlockBitmap, writeInodeBitmap } from "./groups.ts";
import { indirectWriter } from "./indirect.ts";
import { writeInode } from "./inodes.ts";
import { writeJournalSuperblock } from "./journal.ts";
import { SegmentKind } from "./placement.ts";
import { writeReservedBlock, writeResizeRoot } from "./resize.ts";
import { writeSuperblock } from "./superblock.ts";
import { type LargeValue, writeXattrBlock, type XattrBlock } from "./xattrs.ts";

/** A piece of a group's metadata, in blocks. */
interface Piece {
  readonly start: number;
  readonly count: number;
  readonly kind: "superblock" | "descriptors" | "reserved" | "block-bitmap" | "inode-bitmap" | "inode-table";
  readonly group: number;
  /** Of descriptors: the first block within the table. */
  readonly first: number;
}

/** Gives the regions of a file system, from any byte on. */
export class Regions {
  readonly #pieces: readonly Piece[];
  #table: Uint8Array | undefined;
  #journal: Uint8Array | undefined;

  constructor(
    readonly fs: FileSystem,
    readonly counts: GroupCounts,
  ) {
    this.#pieces = pieces(fs);
  }

  /** Ascending, without gaps, from the region that holds byte `from` to the end. */
  from(from: number): Iterable<Region> {
    const { geometry, placement } = this.fs;
    const { blockSize } = geometry.frame;
    // Indices stay within the lists whose counts are given.
    const pieces: Spans = {
      count: this.#pieces.length,
      start: (i) => (this.#pieces[i] as Piece).start * blockSize,
      length: (i) => (this.#pieces[i] as Piece).count * blockSize,
      regions: (i) => this.#piece(this.#pieces[i] as Piece),
    };
    const segments: Spans = {
      count: placement.segments,
      start: (i) => (placement.start[i] as number) * blockSize,
      length: (i) => (placement.count[i] as number) * blockSize,
      regions: (i) => this.#segment(i),
    };
    return mergedRegions(pieces, segments, geometry.blocks * blockSize, from);
  }

  #bytes(block: number, count: number, fill: (target: Uint8Array) => void | Promise<void>): BytesRegion {
    const { blockSize } = this.fs.geometry.frame;
    return { kind: "bytes", offset: block * blockSize, length: count * blockSize, fill };
  }

  #hole(block: number, count: number): Region {
    const { blockSize } = this.fs.geometry.frame;
    return { kind: "hole", offset: block * blockSize, length: count * blockSize };
  }

  /** Cuts blocks into regions of bytes that a sink can hold. */
  *#cut(
    block: number,
    count: number,
    fill: (first: number, count: number, target: Uint8Array) => void | Promise<void>,
  ): Generator<Region> {
    const most = Math.max(1, MAX_BYTES_REGION / this.fs.geometry.frame.blockSize);
    for (let done = 0; done < count; done += most) {
      const first = done;
      const part = Math.min(most, count - done);
      yield this.#bytes(block + first, part, (target) => fill(first, part, target));
    }
  }

  *#piece(piece: Piece): Generator<Region> {
    const { fs, counts } = this;
    const { blockSize } = fs.geometry.frame;
    const { start, count, group } = piece;
    switch (piece.kind) {
      case "superblock":
        yield this.#bytes(start, 1, (target) => {
          // In the first block of larger ones it keeps its place behind the boot sector; copies start their block.
          const at = start === 0 ? SUPERBLOCK_OFFSET : 0;
          writeSuperblock(fs, counts, group, this.#journalInode(), target.subarray(at, at + Superblock.size));
        });
        return;
      case "descriptors":
        yield* this.#cut(start, count, (first, _, target) => {
          const from = (piece.first + first) * blockSize;
          target.set(this.#descriptors().subarray(from, from + target.length));
        });
        return;
      case "reserved":
        if (group === 0) yield* this.#cut(start, count, (first, part, target) => this.#reserved(first, part, target));
        else yield this.#hole(start, count);
        return;
      case "block-bitmap":
        if (((counts.flags[group] as number) & GroupFlags.BLOCK_UNINIT) !== 0) yield this.#hole(start, 1);
        else yield this.#bytes(start, 1, (target) => writeBlockBitmap(fs, group, target));
        return;
      case "inode-bitmap":
        if (((counts.flags[group] as number) & GroupFlags.INODE_UNINIT) !== 0) yield this.#hole(start, 1);
        else yield this.#bytes(start, 1, (target) => writeInodeBitmap(fs, group, target));
        return;
      case "inode-table": {
        const used = Math.ceil(usedInodes(fs, group) / fs.geometry.frame.inodesPerBlock);
        yield* this.#cut(start, used, (first, _, target) => this.#inodes(group, first, target));
        if (used < count) yield this.#hole(start + used, count - used);
        return;
      }
    }
  }

  #segment(segment: number): Iterable<Region> {
    const { placement, snapshot } = this.fs;
    // Every array of the placement has an element for each segment.
    const start = placement.start[segment] as number;
    const count = placement.count[segment] as number;
    const logical = placement.logical[segment] as number;
    const owner = placement.ownerOf[segment] as number;
    const kind = placement.kind[segment] as number;
    // Most segments are files': without a generator for each.
    if (kind === SegmentKind.data && owner < snapshot.nodes.length) return this.#data(owner, start, logical, count);
    return this.#other(kind, owner, start, logical, count);
  }

  *#other(kind: number, owner: number, start: number, logical: number, count: number): Generator<Region> {
    const { fs } = this;
    const { snapshot } = fs;
    if (kind === SegmentKind.tree) {
      const write = this.#treeWriter(owner);
      yield* this.#cut(start, count, (first, part, target) =>
        eachBlock(target, part, (i, block) => write(logical + first + i, block)),
      );
    } else if (kind === SegmentKind.xattrs) {
      const seed = fs.identity.checksums ? fs.identity.checksumSeed : undefined;
      const inodeOf = (large: number): number => fs.inodes.firstLarge + large;
      yield* this.#cut(start, count, (first, part, target) =>
        eachBlock(target, part, (i, bytes) => {
          const block = fs.xattrs.blocks[logical + first + i] as XattrBlock; // as many were placed
          writeXattrBlock(block, fs.xattrs, inodeOf, start + first + i, seed, bytes);
        }),
      );
    } else if (kind === SegmentKind.resize) {
      yield this.#bytes(start, 1, (target) => writeResizeRoot(fs, target));
    } else if (owner === lostFoundOwner(snapshot)) {
      yield this.#bytes(start, 1, (target) => writeDirectory(this.#lostFound(), 0, 1, target));
    } else if (owner === journalOwner(snapshot)) {
      const head = logical === 0 ? 1 : 0;
      if (head) yield this.#bytes(start, 1, (target) => writeJournalSuperblock(fs, target));
      if (count > head) yield this.#hole(start + head, count - head);
    } else {
      const { value } = fs.xattrs.large[owner - journalOwner(snapshot) - 1] as LargeValue; // value inodes follow the journal
      yield* this.#cut(start, count, (first, part, target) => {
        const from = (logical + first) * fs.geometry.frame.blockSize;
        target.set(value.subarray(from, from + part * fs.geometry.frame.blockSize));
      });
    }
  }

  #data(index: number, start: number, logical: number, count: number): Iterable<Region> {
    const { fs } = this;
    const { blockSize } = fs.geometry.frame;
    const node = fs.snapshot.nodes[index] as SnapshotNode; // an owner below nodes.length
    if (node.kind === "directory") {
      const writing = this.#directory(index, node);
      return this.#cut(start, count, (first, part, target) => writeDirectory(writing, logical + first, part, target));
    }
    if (node.kind === "symlink") return [this.#bytes(start, 1, (target) => target.set(node.target ?? new Uint8Array(0)))];
    const content = node.content ?? emptyContent;
    const offset = start * blockSize;
    const from = logical * blockSize;
    const length = Math.min(count * blockSize, content.size - from);
    const data: Region = { kind: "content", offset, length, content, start: from, path: () => pathOf(fs.snapshot, index) };
    const rest = count * blockSize - length;
    return rest > 0 ? [data, { kind: "hole", offset: offset + length, length: rest }] : [data];
  }

  #directory(index: number, node: SnapshotNode): DirectoryWriting {
    const { fs } = this;
    const inode = fs.inodes.ofNode[index] as number; // index is a node
    return {
      entries: fs.entries,
      style: fs.directoryStyle,
      node,
      inode,
      parentInode: fs.inodes.ofNode[node.parent] as number,
      large: fs.directories.get(index),
      checksumSeed: inodeChecksumSeed(fs, inode),
    };
  }

  #lostFound(): DirectoryWriting {
    const { fs } = this;
    const root = fs.snapshot.nodes[0] as SnapshotNode; // every tree has a root
    return {
      ...this.#directory(0, { ...plainNode(root), entry: 0, first: 0, count: 0 }),
      inode: fs.inodes.lostFound,
      parentInode: ReservedInode.root,
      large: undefined,
      checksumSeed: inodeChecksumSeed(fs, fs.inodes.lostFound),
    };
  }

  #treeWriter(owner: number): (index: number, target: Uint8Array) => void {
    const { fs } = this;
    const runs = fs.placement.runsOf(owner);
    const tree = fs.placement.treeOf(owner);
    if (!fs.features.has("extent")) return indirectWriter(runs, tree, fs.geometry.frame.blockSize);
    const seed = blockChecksumSeed(fs, this.#inodeOfOwner(owner));
    return (index, target) => writeExtentBlock(runs, tree, index, seed, target);
  }

  #inodeOfOwner(owner: number): number {
    const { inodes, snapshot } = this.fs;
    if (owner < snapshot.nodes.length) return inodes.ofNode[owner] as number;
    if (owner === lostFoundOwner(snapshot)) return inodes.lostFound;
    if (owner === journalOwner(snapshot)) return ReservedInode.journal;
    return inodes.firstLarge + owner - journalOwner(snapshot) - 1;
  }

  /** Fills blocks of an inode table; a promise only where data inside inodes has to be waited for. */
  #inodes(group: number, firstBlock: number, target: Uint8Array): void | Promise<void> {
    const { fs } = this;
    const { inodesPerBlock, inodeSize } = fs.geometry.frame;
    const first = group * fs.geometry.inodesPerGroup + firstBlock * inodesPerBlock + 1;
    const last = Math.min(fs.inodes.last, (group + 1) * fs.geometry.inodesPerGroup, first + target.length / inodeSize - 1);
    const pending: Promise<void>[] = [];
    const slot: Slot = { bytes: target, view: viewOf(target), at: 0 };
    for (let inode = first; inode <= last; inode++) {
      const at = (inode - first) * inodeSize;
      slot.at = at;
      const node = fs.inodes.nodeAt[inode] as number; // inode is at most the last one
      if (node < 0 || !fs.inlined.has(node)) writeInode(fs, inode, undefined, slot);
      else {
        const inline = this.#inlineData(node);
        if (inline instanceof Uint8Array) writeInode(fs, inode, inline, slot);
        else pending.push(inline.then((data) => writeInode(fs, inode, data, { ...slot, at })));
      }
    }
    if (pending.length > 0) return Promise.all(pending).then(() => undefined);
  }

  #inlineData(node: number): Uint8Array | Promise<Uint8Array> {
    const { content } = this.fs.snapshot.nodes[node] as SnapshotNode; // only nodes are inlined
    const data = new Uint8Array(content?.size ?? 0);
    const done = content?.read(0, data);
    return done ? done.then(() => data) : data;
  }

  #reserved(first: number, count: number, target: Uint8Array): void {
    eachBlock(target, count, (i, block) => writeReservedBlock(this.fs, first + i, block));
  }

  #descriptors(): Uint8Array {
    this.#table ??= descriptorTable(this.fs, this.counts);
    return this.#table;
  }

  #journalInode(): Uint8Array | undefined {
    if (this.fs.journalBlocks === 0) return undefined;
    if (!this.#journal) {
      this.#journal = new Uint8Array(this.fs.geometry.frame.inodeSize);
      writeInode(this.fs, ReservedInode.journal, undefined, { bytes: this.#journal, view: viewOf(this.#journal), at: 0 });
    }
    return this.#journal;
  }
}

function eachBlock(target: Uint8Array, count: number, write: (index: number, block: Uint8Array) => void): void {
  const size = target.length / count;
  for (let i = 0; i < count; i++) write(i, target.subarray(i * size, (i + 1) * size));
}

/** All pieces, ascending. */
function pieces(fs: FileSystem): Piece[] {
  const { geometry, features } = fs;
  const { frame, groups, descriptorBlocks, reservedDescriptorBlocks, tableBlocks } = geometry;
  const all: Piece[] = [];
  const meta = features.has("meta_bg");
  const perMeta = frame.blockSize / frame.descriptorSize;
  for (let group = 0; group < groups; group++) {
    let at = groupStart(geometry, group);
    const copy = hasSuperblock(features, group, groups);
    if (copy) all.push({ kind: "superblock", start: at++, count: 1, group, first: 0 });
    if (meta && hasMetaDescriptors(frame, group)) {
      all.push({ kind: "descriptors", start: at++, count: 1, group, first: Math.floor(group / perMeta) });
    } else if (!meta && copy) {
      all.push({ kind: "descriptors", start: at, count: descriptorBlocks, group, first: 0 });
      at += descriptorBlocks;
      if (reservedDescriptorBlocks > 0)
        all.push({ kind: "reserved", start: at, count: reservedDescriptorBlocks, group, first: 0 });
    }
    // Every group has its place in these arrays.
    all.push({ kind: "block-bitmap", start: geometry.blockBitmap[group] as number, count: 1, group, first: 0 });
    all.push({ kind: "inode-bitmap", start: geometry.inodeBitmap[group] as number, count: 1, group, first: 0 });
    all.push({ kind: "inode-table", start: geometry.inodeTable[group] as number, count: tableBlocks, group, first: 0 });
  }
  return all.sort((a, b) => a.start - b.start);
}
