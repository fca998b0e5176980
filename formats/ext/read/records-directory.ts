// The records of directories: entries, the checksum's tail, and the nodes of an htree.

import { viewOf } from "../../../src/bytes/struct.ts";
import { type ImageRecord, recordAt, spellName } from "../../../src/image/records.ts";
import { Dirent, DirentTail, DX_ROOT_ENTRIES, DxCountLimit, DxEntry, DxRootInfo, DxTail } from "../disk/dirent.ts";
import { type DirectoryPiece, directoryPieces, indexEntries, inlineParent, recordLength } from "./directory.ts";
import { refuse } from "./fault.ts";
import type { InodeRecord } from "./inodes.ts";
import type { Opened } from "./opened.ts";

/** Everything in a directory, piece by piece. `named` gives the path of an inode behind a space, or nothing. */
export function* directoryRecords({ disk, superblock }: Opened, inode: InodeRecord, named: (number: number) => string) {
  const parent = inlineParent(inode);
  if (parent !== undefined) yield { offset: inode.offset, what: `parent ${parent}${named(parent)}`, depth: 1, fields: {} };
  for (const piece of directoryPieces(disk, inode, refuse)) {
    const { bytes, offset, block } = piece;
    const what = block < 0 ? "directory in the inode" : `directory block ${block}`;
    yield { offset, what, depth: 1, fields: {} };
    const entries = block < 0 ? undefined : indexEntries(bytes, inode, block);
    if (entries !== undefined) yield* indexNode(piece, entries, superblock.checksums);
    else yield* linear(piece, piece.from, piece.to);
  }
}

function entry({ bytes, offset }: DirectoryPiece, at: number): ImageRecord {
  const length = bytes[at + 6] as number; // the piece was checked
  const name = bytes.subarray(at + 8, at + 8 + length);
  return recordAt(Dirent, viewOf(bytes), at, { offset: offset + at, what: spellName(name), depth: 2 });
}

function* linear(piece: DirectoryPiece, from: number, to: number): Generator<ImageRecord> {
  const view = viewOf(piece.bytes);
  for (let at = from; at + Dirent.size <= to; ) {
    yield entry(piece, at);
    const length = recordLength(Dirent.f.rec_len.get(view, at), piece.bytes.length);
    if (length < Dirent.size) return;
    at += length;
  }
  if (to < piece.bytes.length) yield recordAt(DirentTail, view, to, { offset: piece.offset + to, what: "tail", depth: 2 });
}

function* indexNode(piece: DirectoryPiece, entries: number, checksums: boolean): Generator<ImageRecord> {
  const { bytes, offset } = piece;
  const view = viewOf(bytes);
  const place = (at: number, what: string) => ({ offset: offset + at, what, depth: 2 });
  yield entry(piece, 0);
  if (entries === DX_ROOT_ENTRIES) {
    yield entry(piece, 12);
    yield recordAt(DxRootInfo, view, entries - DxRootInfo.size, place(entries - DxRootInfo.size, "root of the index"));
  }
  yield recordAt(DxCountLimit, view, entries, place(entries, "index"));
  const { count, limit } = DxCountLimit.f;
  // Without checksums nobody has looked at the count yet.
  const used = Math.min(count.get(view, entries), Math.floor((bytes.length - entries) / DxEntry.size));
  for (let i = 0; i < used; i++) {
    const at = entries + i * DxEntry.size;
    const record = recordAt(DxEntry, view, at, place(at, `entry ${i}`));
    // The first entry keeps limit and count where the others have their hash.
    yield i === 0 ? { ...record, fields: { block: DxEntry.f.block.get(view, at) } } : record;
  }
  const tail = entries + limit.get(view, entries) * DxEntry.size;
  if (checksums && tail + DxTail.size <= bytes.length) yield recordAt(DxTail, view, tail, place(tail, "tail"));
}
