// Directories: entries in their order, `.` and `..` first, in chunks of 512 bytes that none crosses.
// Specification: NetBSD sys/ufs/ufs/dir.h.

import { viewOf } from "../../src/bytes/struct.ts";
import { entryName, type Snapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { DIRBLKSIZ, DirentType, entrySize } from "./disk/dirent.ts";
import type { FfsRecords } from "./disk/records.ts";

/** `.` and `..` before the entries of the tree. */
const OWN = 2;

/** Bytes of entry `index` of a directory, `.` and `..` counted. */
function sizeOfEntry(snapshot: Snapshot, first: number, index: number): number {
  if (index < OWN) return entrySize(index + 1);
  const entry = first + index - OWN;
  return entrySize((snapshot.nameStart[entry + 1] as number) - (snapshot.nameStart[entry] as number)); // entry is in range
}

/** Calls `visit` with the run of entries of each chunk; gives the number of chunks. */
function eachChunk(
  snapshot: Snapshot,
  node: SnapshotNode,
  visit?: (chunk: number, from: number, to: number) => boolean | undefined,
): number {
  const entries = node.count + OWN;
  let chunk = 0;
  let from = 0;
  let filled = 0;
  for (let i = 0; i < entries; i++) {
    const size = sizeOfEntry(snapshot, node.first, i);
    if (filled + size > DIRBLKSIZ) {
      if (visit?.(chunk, from, i) === false) return chunk + 1;
      chunk++;
      from = i;
      filled = 0;
    }
    filled += size;
  }
  visit?.(chunk, from, entries);
  return chunk + 1;
}

/** di_size of a directory: whole chunks. */
export function directorySize(snapshot: Snapshot, node: SnapshotNode): number {
  return eachChunk(snapshot, node) * DIRBLKSIZ;
}

export interface DirectoryWriting {
  readonly snapshot: Snapshot;
  readonly node: SnapshotNode;
  readonly records: FfsRecords;
  /** Of the directory and of its parent. */
  readonly inode: number;
  readonly parent: number;
  readonly inodeOf: Uint32Array;
}

/** Writes the part of a directory that starts at byte `offset`, a whole number of chunks, into zeros. */
export function writeDirectory(writing: DirectoryWriting, offset: number, target: Uint8Array): void {
  const firstChunk = offset / DIRBLKSIZ;
  const chunks = target.length / DIRBLKSIZ;
  eachChunk(writing.snapshot, writing.node, (chunk, from, to) => {
    if (chunk >= firstChunk + chunks) return false;
    if (chunk >= firstChunk) writeChunk(writing, from, to, target.subarray((chunk - firstChunk) * DIRBLKSIZ));
    return undefined;
  });
}

function writeChunk(writing: DirectoryWriting, from: number, to: number, target: Uint8Array): void {
  const { snapshot, node, records } = writing;
  const { f } = records.Dirent;
  const view = viewOf(target);
  let at = 0;
  for (let i = from; i < to; i++) {
    const size = sizeOfEntry(snapshot, node.first, i);
    // The last entry of a chunk takes what is left of it.
    const length = i === to - 1 ? DIRBLKSIZ - at : size;
    f.d_reclen.set(view, at, length);
    if (i < OWN) {
      f.d_ino.set(view, at, i === 0 ? writing.inode : writing.parent);
      f.d_type.set(view, at, DirentType.directory);
      f.d_namlen.set(view, at, i + 1);
      target.fill(0x2e, at + 8, at + 9 + i);
    } else {
      const entry = node.first + i - OWN;
      const child = snapshot.entryNode[entry] as number; // entry is in range
      const name = entryName(snapshot, entry);
      f.d_ino.set(view, at, writing.inodeOf[child] as number);
      f.d_type.set(view, at, DirentType[(snapshot.nodes[child] as SnapshotNode).kind]);
      f.d_namlen.set(view, at, name.length);
      target.set(name, at + 8);
    }
    at += length;
  }
}
