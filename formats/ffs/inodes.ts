// Writes inodes, of both versions.
// Specification: NetBSD sys/ufs/ufs/dinode.h.

import type { Slot } from "../../src/bytes/struct.ts";
import { DIRECT, eachRoot, indirectBlocks } from "../../src/image/indirect.ts";
import { type MappedRun, physicalOf } from "../../src/image/ranges.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { deviceNumber } from "./devices.ts";
import { DB_OFFSET, FileType, MAXSYMLINKLEN, ROOT_INODE } from "./disk/dinode.ts";
import { type FileSystem, generationOf } from "./filesystem.ts";
import { SegmentKind } from "./placement.ts";
import { storedTime } from "./times.ts";

/** Whether a symlink's target lies in its inode. */
export function isShortSymlink(node: SnapshotNode, version: 1 | 2): boolean {
  return node.target !== undefined && node.target.length < MAXSYMLINKLEN[version];
}

/** di_size. */
function sizeOf(fs: FileSystem, index: number, node: SnapshotNode): number {
  if (node.kind === "file") return node.content?.size ?? 0;
  if (node.kind === "directory") return fs.directories.get(index) ?? 0;
  return node.target?.length ?? 0;
}

/** Writes inode `number`, which is in use, into its slot, which holds zeros. */
export function writeInode(fs: FileSystem, number: number, target: Slot): void {
  const index = number - ROOT_INODE;
  const node = fs.snapshot.nodes[index] as SnapshotNode; // inodes in use are nodes
  const { frame } = fs.geometry;
  const attributes = fs.attributes.get(index);
  const frags = fs.placement.unitsOf(index) + (attributes ? fs.placement.unitsOf(attributes.owner) : 0);
  const common = {
    mode: FileType[node.kind] | node.mode,
    links: node.kind === "directory" ? 2 + node.subdirectories : node.links,
    size: sizeOf(fs, index, node),
    sectors: frags * (frame.fragmentSize / 512),
    generation: generationOf(fs, number),
  };
  if (frame.version === 1) writeFirst(fs, node, common, target);
  else writeSecond(fs, node, common, target);
  if (attributes) writeAttributePointers(fs, attributes.owner, attributes.area.length, target);
  writeBlocks(fs, index, node, target);
}

interface Common {
  readonly mode: number;
  readonly links: number;
  /** Bytes. */
  readonly size: number;
  readonly sectors: number;
  readonly generation: number;
}

function writeFirst(fs: FileSystem, node: SnapshotNode, common: Common, target: Slot): void {
  const { f } = fs.records.Dinode1;
  const { view, at } = target;
  const atime = storedTime(node.atime, 1);
  const mtime = storedTime(node.mtime, 1);
  const ctime = storedTime(node.ctime, 1);
  f.di_mode.set(view, at, common.mode);
  f.di_nlink.set(view, at, common.links);
  f.di_size.set(view, at, common.size);
  f.di_atime.set(view, at, atime.sec);
  f.di_atimensec.set(view, at, atime.nsec);
  f.di_mtime.set(view, at, mtime.sec);
  f.di_mtimensec.set(view, at, mtime.nsec);
  f.di_ctime.set(view, at, ctime.sec);
  f.di_ctimensec.set(view, at, ctime.nsec);
  f.di_blocks.set(view, at, common.sectors);
  f.di_gen.set(view, at, common.generation);
  f.di_uid.set(view, at, node.uid);
  f.di_gid.set(view, at, node.gid);
}

function writeSecond(fs: FileSystem, node: SnapshotNode, common: Common, target: Slot): void {
  const { f } = fs.records.Dinode2;
  const { view, at } = target;
  const { uid, gid, atime, mtime, ctime, btime } = node;
  f.di_mode.set(view, at, common.mode);
  f.di_nlink.set(view, at, common.links);
  f.di_uid.set(view, at, uid);
  f.di_gid.set(view, at, gid);
  f.di_size.set(view, at, common.size);
  f.di_blocks.set(view, at, common.sectors);
  f.di_atime.set(view, at, atime.sec);
  f.di_mtime.set(view, at, mtime.sec);
  f.di_ctime.set(view, at, ctime.sec);
  f.di_birthtime.set(view, at, btime.sec);
  f.di_mtimensec.set(view, at, mtime.nsec);
  f.di_atimensec.set(view, at, atime.nsec);
  f.di_ctimensec.set(view, at, ctime.nsec);
  f.di_birthnsec.set(view, at, btime.nsec);
  f.di_gen.set(view, at, common.generation);
}

function writeAttributePointers(fs: FileSystem, owner: number, size: number, target: Slot): void {
  const { f } = fs.records.Dinode2;
  const { view, at } = target;
  const runs = fs.placement.runsOf(owner);
  f.di_extsize.set(view, at, size);
  f.di_extb.set(view, at, [physicalOf(runs, 0), physicalOf(runs, fs.geometry.frame.frag)]);
}

/** Fills di_db and di_ib: pointers, a device number, or a short target. */
function writeBlocks(fs: FileSystem, index: number, node: SnapshotNode, target: Slot): void {
  const { version, pointerSize, frag, pointers } = fs.geometry.frame;
  const { bytes, view } = target;
  const at = target.at + DB_OFFSET[version];
  const pointer = fs.records.pointer[version];
  if (node.kind === "character-device" || node.kind === "block-device") {
    pointer.set(view, at, deviceNumber(node.major, node.minor));
    return;
  }
  if (isShortSymlink(node, version)) {
    bytes.set(node.target ?? new Uint8Array(0), at);
    return;
  }
  const { placement } = fs;
  const last = placement.last[index] as number; // every owner has its place
  let segment = placement.first[index] as number;
  for (; segment < last && placement.kind[segment] === SegmentKind.data; segment++) {
    const logical = placement.logical[segment] as number;
    const end = Math.min(logical + (placement.count[segment] as number), DIRECT * frag);
    const start = placement.start[segment] as number;
    for (let unit = logical; unit < end; unit += frag)
      pointer.set(view, at + (unit / frag) * pointerSize, start + unit - logical);
  }
  if (segment === last) return;
  const runs = placement.runsOf(index);
  eachRoot(indirectBlocks(blockRanges(runs, frag), pointers), pointers, (tree, i) => {
    pointer.set(view, at + (DIRECT + tree) * pointerSize, fs.placement.treeAt(index, i));
  });
}

/** Runs in fragments as runs of blocks; a tail counts as a block. */
export function blockRanges(runs: readonly MappedRun[], frag: number): { readonly first: number; readonly count: number }[] {
  return runs.map((run) => ({ first: run.logical / frag, count: Math.ceil(run.count / frag) }));
}
