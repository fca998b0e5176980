// Directories: how many blocks each takes, and the bytes of those blocks. One that does not fit a block becomes an
// htree, built in bulk: entries sorted by hash, leaves filled one behind the other, the index laid over them.
//
// Specification: Linux Documentation/filesystems/ext4/directory.rst; e2fsck/rehash.c and lib/ext2fs/csum.c of e2fsprogs.

import { crc32c } from "../../src/bytes/crc.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { assert } from "../../src/error.ts";
import type { Snapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { halfMd4 } from "./dirhash.ts";
import {
  Dirent,
  DirentTail,
  DirentType,
  DX_NODE_ENTRIES,
  DX_ROOT_ENTRIES,
  DxCountLimit,
  DxEntry,
  DxRootInfo,
  DxTail,
  direntSize,
  storedRecordLength,
  TAIL_FILE_TYPE,
} from "./disk/dirent.ts";
import type { FeatureSet } from "./disk/features.ts";
import { HASH_HALF_MD4 } from "./disk/superblock.ts";

const LOST_FOUND_NAME = new TextEncoder().encode("lost+found");
/** What `.` and `..` take in the first block. */
const DOTS = 24;

/** Where the entries of all directories come from: the snapshot, and a lost+found that the root gains. */
export interface Entries {
  readonly snapshot: Snapshot;
  /** Inode number of each node. */
  readonly inodeOf: Uint32Array;
  /** Inode number of the lost+found that is made, 0 when none is. It is entry `snapshot.entries`, in the root. */
  readonly lostFound: number;
}

/** What directory blocks look like in this file system. */
export interface DirectoryStyle {
  readonly blockSize: number;
  readonly features: FeatureSet;
  readonly hashSeed: Uint32Array;
}

/** A directory of several blocks. */
export interface LargeDirectory {
  readonly blocks: number;
  /** Entries in the order of the leaves. */
  readonly order: Uint32Array;
  /** Leaf `i` holds `order[leafStart[i]..leafStart[i + 1])`. */
  readonly leafStart: Uint32Array;
  /** With an htree: the hash at which each leaf starts (lowest bit: it continues the leaf before), and the widths of the index. */
  readonly index: { readonly leafHash: Uint32Array; readonly widths: readonly number[] } | undefined;
}

function nameRange(entries: Entries, entry: number): [bytes: Uint8Array, from: number, to: number] {
  const { snapshot } = entries;
  if (entry === snapshot.entries) return [LOST_FOUND_NAME, 0, LOST_FOUND_NAME.length];
  return [snapshot.names, snapshot.nameStart[entry] as number, snapshot.nameStart[entry + 1] as number]; // entry is in range
}

/** How many entries a directory has, with lost+found. */
function entryCount(entries: Entries, node: SnapshotNode): number {
  return node.count + (node.entry === -1 && entries.lostFound !== 0 ? 1 : 0);
}

function entryAt(entries: Entries, node: SnapshotNode, i: number): number {
  return i < node.count ? node.first + i : entries.snapshot.entries;
}

function tailSize(style: DirectoryStyle): number {
  return style.features.has("metadata_csum") ? DirentTail.size : 0;
}

/** Plans a directory: undefined when one block holds it. Throws a {@link DirectoryFull} when the index cannot. */
export function planDirectory(entries: Entries, node: SnapshotNode, style: DirectoryStyle): LargeDirectory | undefined {
  const count = entryCount(entries, node);
  const room = style.blockSize - tailSize(style);
  const { nameStart } = entries.snapshot;
  let size = DOTS;
  for (let i = 0; i < node.count; i++) {
    const entry = node.first + i;
    size += direntSize((nameStart[entry + 1] as number) - (nameStart[entry] as number)); // entry is in range
  }
  if (count > node.count) size += direntSize(LOST_FOUND_NAME.length);
  if (size <= room) return undefined;
  return style.features.has("dir_index") ? planIndexed(entries, node, count, style) : planLinear(entries, node, count, style);
}

function planLinear(entries: Entries, node: SnapshotNode, count: number, style: DirectoryStyle): LargeDirectory {
  const room = style.blockSize - tailSize(style);
  const order = Uint32Array.from({ length: count }, (_, i) => entryAt(entries, node, i));
  const leafStart = [0];
  let used = DOTS;
  for (let i = 0; i < count; i++) {
    const [, from, to] = nameRange(entries, order[i] as number);
    const size = direntSize(to - from);
    if (used + size > room) {
      leafStart.push(i);
      used = 0;
    }
    used += size;
  }
  leafStart.push(count);
  return { blocks: leafStart.length - 1, order, leafStart: Uint32Array.from(leafStart), index: undefined };
}

/** The index of a directory cannot hold its leaves. */
export class DirectoryFull extends Error {
  constructor(
    readonly blocks: number,
    readonly most: number,
  ) {
    super(`${blocks} blocks of entries; an index of this kind holds ${most}`);
  }
}

/** Entries that the root and the other nodes of an index hold. */
function indexLimits(style: DirectoryStyle): { root: number; node: number } {
  const tail = style.features.has("metadata_csum") ? DxTail.size : 0;
  return {
    root: Math.floor((style.blockSize - DX_ROOT_ENTRIES - tail) / DxEntry.size),
    node: Math.floor((style.blockSize - DX_NODE_ENTRIES - tail) / DxEntry.size),
  };
}

/** Entries in the order of their hashes, equal ones in the order of their names. A hash's lowest bit is free: `half` leaves it out. */
interface HashOrder {
  place(i: number): number;
  half(i: number): number;
}

function byHash(entries: Entries, node: SnapshotNode, count: number, style: DirectoryStyle): HashOrder {
  const halfAt = (place: number): number => {
    const [bytes, from, to] = nameRange(entries, entryAt(entries, node, place));
    return halfMd4(bytes, from, to, style.hashSeed) / 2;
  };
  // The reads below stay inside their arrays, hence the casts from `number | undefined`.
  if (count < PACKED_PLACES) {
    // One number an entry, 31 bits of hash above 22 of place: exact in a double, and sorted without a comparison function.
    const keys = Float64Array.from({ length: count }, (_, place) => halfAt(place) * PACKED_PLACES + place).sort();
    const half = (i: number): number => Math.floor((keys[i] as number) / PACKED_PLACES);
    return { half, place: (i) => (keys[i] as number) - half(i) * PACKED_PLACES };
  }
  const halves = Float64Array.from({ length: count }, (_, place) => halfAt(place));
  const places = Uint32Array.from({ length: count }, (_, place) => place);
  places.sort((a, b) => (halves[a] as number) - (halves[b] as number) || a - b);
  return { half: (i) => halves[places[i] as number] as number, place: (i) => places[i] as number };
}

const PACKED_PLACES = 2 ** 22;

function planIndexed(entries: Entries, node: SnapshotNode, count: number, style: DirectoryStyle): LargeDirectory {
  const room = style.blockSize - tailSize(style);
  const sorted = byHash(entries, node, count, style);
  const order = new Uint32Array(count);
  const leafStart = [0];
  const leafHash = [0];
  let used = 0;
  let before = -1;
  for (let i = 0; i < count; i++) {
    const entry = entryAt(entries, node, sorted.place(i));
    const half = sorted.half(i);
    order[i] = entry;
    const [, from, to] = nameRange(entries, entry);
    const size = direntSize(to - from);
    if (used + size > room) {
      leafStart.push(i);
      leafHash.push(half * 2 + (half === before ? 1 : 0));
      used = 0;
    }
    used += size;
    before = half;
  }
  leafStart.push(count);
  const leaves = leafHash.length;
  const limits = indexLimits(style);
  const levels = style.features.has("large_dir") ? 3 : 2;
  // Widths of the index from the root down: one node, then as many as the level below needs.
  const widths = [1];
  for (let width = leaves; width > limits.root; ) {
    width = Math.ceil(width / limits.node);
    widths.splice(1, 0, width);
  }
  if (widths.length > levels) throw new DirectoryFull(leaves, limits.root * limits.node ** (levels - 1));
  const nodes = widths.reduce((sum, width) => sum + width, 0);
  return {
    blocks: nodes + leaves,
    order,
    leafStart: Uint32Array.from(leafStart),
    index: { leafHash: Uint32Array.from(leafHash), widths },
  };
}

/** Everything that writing the blocks of one directory needs. */
export interface DirectoryWriting {
  readonly entries: Entries;
  readonly style: DirectoryStyle;
  readonly node: SnapshotNode;
  readonly inode: number;
  readonly parentInode: number;
  readonly large: LargeDirectory | undefined;
  /** Start value of this inode's checksums; only looked at under metadata_csum. */
  readonly checksumSeed: number;
}

/** Writes `count` blocks of a directory from its block `first` on into `target`, which holds zeros. */
export function writeDirectory(writing: DirectoryWriting, first: number, count: number, target: Uint8Array): void {
  const { blockSize } = writing.style;
  for (let i = 0; i < count; i++) {
    const bytes = target.subarray(i * blockSize, (i + 1) * blockSize);
    const block = first + i;
    const index = writing.large?.index;
    const nodes = index ? index.widths.reduce((sum, width) => sum + width, 0) : 0;
    if (block < nodes) writeIndexNode(writing, block, bytes);
    else writeLeaf(writing, block - nodes, block === 0, bytes);
  }
}

function writeEntry(view: DataView, at: number, inode: number, length: number, nameLength: number, type: number): void {
  Dirent.f.inode.set(view, at, inode);
  Dirent.f.rec_len.set(view, at, storedRecordLength(length));
  Dirent.f.name_len.set(view, at, nameLength);
  Dirent.f.file_type.set(view, at, type);
}

/** `.` and `..`; the second reaches to `end`. */
function writeDots(writing: DirectoryWriting, view: DataView, bytes: Uint8Array, end: number): void {
  const type = writing.style.features.has("filetype") ? DirentType.directory : 0;
  writeEntry(view, 0, writing.inode, 12, 1, type);
  bytes[8] = 0x2e;
  writeEntry(view, 12, writing.parentInode, end - 12, 2, type);
  bytes.fill(0x2e, 20, 22);
}

function writeLeaf(writing: DirectoryWriting, leaf: number, dots: boolean, bytes: Uint8Array): void {
  const { entries, style, node, large } = writing;
  const { snapshot, inodeOf } = entries;
  const view = viewOf(bytes);
  const room = bytes.length - tailSize(style);
  const types = style.features.has("filetype");
  const from = large ? (large.leafStart[leaf] as number) : 0;
  const to = large ? (large.leafStart[leaf + 1] as number) : entryCount(entries, node);
  let at = 0;
  let last = -1;
  if (dots) {
    writeDots(writing, view, bytes, from === to ? room : DOTS);
    at = DOTS;
    last = 12;
  }
  for (let i = from; i < to; i++) {
    const entry = large ? (large.order[i] as number) : entryAt(entries, node, i);
    const [names, start, end] = nameRange(entries, entry);
    const length = end - start;
    const size = direntSize(length);
    let inode = entries.lostFound;
    let type: number = DirentType.directory;
    if (entry !== snapshot.entries) {
      const target = snapshot.entryNode[entry] as number; // entry is in range
      inode = inodeOf[target] as number;
      type = DirentType[(snapshot.nodes[target] as SnapshotNode).kind];
    }
    writeEntry(view, at, inode, size, length, types ? type : 0);
    for (let k = 0; k < length; k++) bytes[at + 8 + k] = names[start + k] as number;
    last = at;
    at += size;
  }
  if (last >= 0) Dirent.f.rec_len.set(view, last, storedRecordLength(room - last));
  else writeEntry(view, 0, 0, room, 0, 0);
  if (room < bytes.length) {
    DirentTail.f.det_rec_len.set(view, room, DirentTail.size);
    DirentTail.f.det_reserved_ft.set(view, room, TAIL_FILE_TYPE);
    DirentTail.f.det_checksum.set(view, room, crc32c(writing.checksumSeed, bytes, 0, room));
  }
}

function writeIndexNode(writing: DirectoryWriting, block: number, bytes: Uint8Array): void {
  const { index } = writing.large as LargeDirectory; // only indexed directories have nodes
  assert(index !== undefined, "an index node of a directory without index");
  const { widths, leafHash } = index;
  const limits = indexLimits(writing.style);
  const view = viewOf(bytes);
  // The node's level, its place there, and the first block of the level below.
  let level = 0;
  let levelStart = 0;
  while (block >= levelStart + (widths[level] as number)) levelStart += widths[level++] as number;
  const place = block - levelStart;
  const below = levelStart + (widths[level] as number);
  const belowWidth = level + 1 < widths.length ? (widths[level + 1] as number) : leafHash.length;
  const root = level === 0;
  const limit = root ? limits.root : limits.node;
  const first = root ? 0 : place * limits.node;
  const count = root ? belowWidth : Math.min(limits.node, belowWidth - first);
  // How many leaves one child covers.
  const span = limits.node ** (widths.length - 1 - level);
  let base = DX_NODE_ENTRIES;
  if (root) {
    writeDots(writing, view, bytes, bytes.length);
    Dirent.f.rec_len.set(view, 12, bytes.length - 12);
    DxRootInfo.f.hash_version.set(view, DOTS, HASH_HALF_MD4);
    DxRootInfo.f.info_length.set(view, DOTS, DxRootInfo.size);
    DxRootInfo.f.indirect_levels.set(view, DOTS, widths.length - 1);
    base = DX_ROOT_ENTRIES;
  } else {
    writeEntry(view, 0, 0, bytes.length, 0, 0);
  }
  for (let i = 0; i < count; i++) {
    const at = base + i * DxEntry.size;
    if (i > 0) DxEntry.f.hash.set(view, at, leafHash[(first + i) * span] as number); // inside the leaves by construction
    DxEntry.f.block.set(view, at, below + first + i);
  }
  DxCountLimit.f.limit.set(view, base, limit);
  DxCountLimit.f.count.set(view, base, count);
  if (writing.style.features.has("metadata_csum")) {
    const tail = base + limit * DxEntry.size;
    let sum = crc32c(writing.checksumSeed, bytes, 0, base + count * DxEntry.size);
    // The tail takes part with its reserved word and a checksum of 0, both still zero here.
    sum = crc32c(sum, bytes, tail, tail + DxTail.size);
    DxTail.f.dt_checksum.set(view, tail, sum);
  }
}
