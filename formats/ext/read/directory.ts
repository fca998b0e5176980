// Reads directories: linear blocks, and those of an htree, whose index nodes look like blocks without entries.
// Specification: Linux Documentation/filesystems/ext4/directory.rst; __ext4_check_dir_entry and dirblock checksums in fs/ext4.

import { crc32c } from "../../../src/bytes/crc.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import {
  Dirent,
  DirentTail,
  DX_NODE_ENTRIES,
  DX_ROOT_ENTRIES,
  DxCountLimit,
  DxEntry,
  DxRootInfo,
  DxTail,
  direntSize,
  TAIL_FILE_TYPE,
} from "../disk/dirent.ts";
import { I_BLOCK, InodeFlags } from "../disk/inode.ts";
import type { Disk } from "./disk.ts";
import { hex, type Report } from "./fault.ts";
import { blockArea, type InodeRecord } from "./inodes.ts";
import { readMapping } from "./mapping.ts";
import { inlineData } from "./xattrs.ts";

/** A piece of a directory that entries lie in: a block, or a part of an inode. */
export interface DirectoryPiece {
  readonly bytes: Uint8Array;
  /** Bytes from the start of the image; of a value in the xattrs, of the inode. */
  readonly offset: number;
  /** The block's number within the directory; -1 within an inode. */
  readonly block: number;
  /** Where entries start and end in `bytes`. */
  readonly from: number;
  readonly to: number;
}

/** Called for every entry in use. `at` is where it stands in the piece; the name is `bytes[at + 8 .. at + 8 + length)`. */
export type EntryVisitor = (inode: number, length: number, type: number, at: number, piece: DirectoryPiece) => void;

/** Blocks of a directory are read so many bytes at a time. */
const WINDOW = 256 * 1024;

/** Calls `visit` for every entry of a directory, `.` and `..` among them where they are stored, in the order of the disk. */
export function walkDirectory(disk: Disk, inode: InodeRecord, visit: EntryVisitor, report: Report): void {
  for (const piece of directoryPieces(disk, inode, report)) walkPiece(disk, inode, piece, visit, report);
}

/** The parent that a directory in its inode names; undefined for others, which have `..`. */
export function inlineParent(inode: InodeRecord): number | undefined {
  return (inode.flags & InodeFlags.INLINE_DATA) !== 0 ? viewOf(blockArea(inode)).getUint32(0, true) : undefined;
}

/** The pieces of a directory. Checksums of blocks are verified. */
export function* directoryPieces(disk: Disk, inode: InodeRecord, report: Report): Generator<DirectoryPiece> {
  if ((inode.flags & InodeFlags.INLINE_DATA) !== 0) {
    // Four bytes for the parent, then entries; the rest of them in the xattr system.data.
    const bytes = blockArea(inode);
    yield { bytes, offset: inode.offset + I_BLOCK, block: -1, from: 4, to: bytes.length };
    const more = inlineData(inode, report);
    if (more.length > 0) yield { bytes: more, offset: inode.offset, block: -1, from: 0, to: more.length };
    return;
  }
  const { blockSize } = disk.superblock;
  const { runs } = readMapping(disk, inode, report);
  const blocks = Math.ceil(inode.size / blockSize);
  if (inode.size % blockSize !== 0 || blocks === 0) {
    wrong(inode, report, inode.offset, "directory-size", `the directory has ${inode.size} bytes`, `whole blocks of ${blockSize}`);
  }
  let next = 0;
  for (const { logical, physical, count, written } of runs) {
    if (logical >= blocks) break;
    if (logical > next || !written) {
      wrong(
        inode,
        report,
        inode.offset,
        "directory-hole",
        `block ${written ? next : logical} of the directory is a hole`,
        "entries",
      );
    }
    const end = Math.min(count, blocks - logical);
    for (let done = 0; written && done < end; ) {
      const part = Math.min(end - done, Math.max(1, WINDOW / blockSize));
      const window = new Uint8Array(part * blockSize);
      disk.readAt((physical + done) * blockSize, window);
      for (let i = 0; i < part; i++) {
        const bytes = window.subarray(i * blockSize, (i + 1) * blockSize);
        yield blockPiece(disk, inode, bytes, (physical + done + i) * blockSize, logical + done + i, report);
      }
      done += part;
    }
    next = logical + count;
  }
  if (next < blocks) {
    wrong(inode, report, inode.offset, "directory-hole", `block ${next} of the directory is a hole`, "entries");
  }
}

function blockPiece(
  disk: Disk,
  inode: InodeRecord,
  bytes: Uint8Array,
  offset: number,
  block: number,
  report: Report,
): DirectoryPiece {
  const whole = { bytes, offset, block, from: 0, to: bytes.length };
  if (!disk.superblock.checksums) return whole;
  const entries = indexEntries(bytes, inode, block);
  if (entries !== undefined) {
    verifyIndex(inode, bytes, entries, offset, report);
    return whole;
  }
  const view = viewOf(bytes);
  const at = bytes.length - DirentTail.size;
  const f = DirentTail.f;
  const isTail =
    f.det_reserved_zero1.get(view, at) === 0 &&
    f.det_rec_len.get(view, at) === DirentTail.size &&
    f.det_reserved_zero2.get(view, at) === 0 &&
    f.det_reserved_ft.get(view, at) === TAIL_FILE_TYPE;
  if (!isTail) {
    wrong(inode, report, offset + at, "directory-checksum", `block ${block} of the directory ends without a checksum`, "one");
    return whole;
  }
  const stored = f.det_checksum.get(view, at);
  const sum = crc32c(inode.checksumSeed, bytes, 0, at);
  if (stored !== sum) {
    const found = `the checksum of block ${block} of the directory is ${hex(stored)}`;
    wrong(inode, report, offset + at + f.det_checksum.offset, "directory-checksum", found, hex(sum));
  }
  return { ...whole, to: at };
}

/** Where the entries of an index node start; undefined when the block is no node. */
export function indexEntries(bytes: Uint8Array, inode: InodeRecord, block: number): number | undefined {
  if ((inode.flags & InodeFlags.INDEX) === 0) return undefined;
  const view = viewOf(bytes);
  const f = Dirent.f;
  const length = recordLength(f.rec_len.get(view, 0), bytes.length);
  if (block !== 0) return f.inode.get(view, 0) === 0 && length === bytes.length ? DX_NODE_ENTRIES : undefined;
  if (length !== 12 || recordLength(f.rec_len.get(view, 12), bytes.length) !== bytes.length - 12) return undefined;
  return DxRootInfo.f.info_length.get(view, 24) === DxRootInfo.size ? DX_ROOT_ENTRIES : undefined;
}

function verifyIndex(inode: InodeRecord, bytes: Uint8Array, entries: number, offset: number, report: Report): void {
  const view = viewOf(bytes);
  const limit = DxCountLimit.f.limit.get(view, entries);
  const count = DxCountLimit.f.count.get(view, entries);
  const tail = entries + limit * DxEntry.size;
  if (count < 1 || count > limit || tail + DxTail.size > bytes.length) {
    const most = Math.floor((bytes.length - entries - DxTail.size) / DxEntry.size);
    wrong(inode, report, offset + entries, "index-count", `an index node has ${count} of ${limit} entries`, `1 to ${most}`);
    return;
  }
  // The tail takes part with its reserved word, and zeros for the checksum.
  let sum = crc32c(inode.checksumSeed, bytes, 0, entries + count * DxEntry.size);
  sum = crc32c(crc32c(sum, bytes, tail, tail + 4), new Uint8Array(4));
  const stored = DxTail.f.dt_checksum.get(view, tail);
  if (stored !== sum) {
    const at = offset + tail + DxTail.f.dt_checksum.offset;
    wrong(inode, report, at, "index-checksum", `the checksum of an index node is ${hex(stored)}`, hex(sum));
  }
}

/** A record length as it is meant: with blocks of 64 KiB the largest does not fit 16 bits. */
export function recordLength(stored: number, blockSize: number): number {
  return blockSize === 65536 && (stored === 65535 || stored === 0) ? blockSize : stored;
}

/** Calls `visit` for the entries of one piece. The first entry that cannot be ends the walk: nothing tells where the next one is. */
export function walkPiece(disk: Disk, inode: InodeRecord, piece: DirectoryPiece, visit: EntryVisitor, report: Report): void {
  const { bytes, from, to } = piece;
  const view = viewOf(bytes);
  const { inodes } = disk.superblock;
  const small = bytes.length < 65536;
  // Read without the table: this loop runs for every name of an image.
  for (let at = from; at < to; ) {
    const left = to - at;
    const stored = left >= 8 ? view.getUint16(at + 4, true) : 0;
    const length = small ? stored : recordLength(stored, bytes.length);
    const nameLength = left >= 8 ? (bytes[at + 6] as number) : 0;
    if (length < 8 || length % 4 !== 0 || length > left || length < 8 + nameLength) {
      const found = `an entry of ${length} bytes with a name of ${nameLength}, ${left} before the end`;
      wrong(inode, report, piece.offset + at, "directory-entry", found, `${direntSize(nameLength)} to ${left} bytes, in fours`);
      return;
    }
    const number = view.getUint32(at, true);
    if (number !== 0) {
      if (nameLength === 0 || number > inodes) {
        const found = `an entry with a name of ${nameLength} bytes leads to inode ${number}`;
        wrong(inode, report, piece.offset + at, "directory-entry", found, `a name, and an inode of 1 to ${inodes}`);
      } else visit(number, nameLength, bytes[at + 7] as number, at, piece);
    }
    at += length;
  }
}

function wrong(inode: InodeRecord, report: Report, offset: number, code: string, found: string, expected: string): void {
  const { number } = inode;
  report({ code, place: `inode ${number}`, found, expected, where: { record: "directory", index: number, offset } });
}
