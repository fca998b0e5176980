// The records of inodes, and of all that an inode leads to: its map, its directory, its xattrs, its journal.

import { flagNames } from "../../../src/bytes/flags.ts";
import { decodeName, escapeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { isZero } from "../../../src/bytes/zero.ts";
import { type ImageRecord, paddedView, recordAt, spellBytes, ZeroRuns } from "../../../src/image/records.ts";
import { EXTENT_ENTRY_SIZE, Extent, ExtentHeader, ExtentIndex } from "../disk/extent.ts";
import { GOOD_OLD_INODE_SIZE, I_BLOCK, Inode, InodeFlags } from "../disk/inode.ts";
import { XATTR_MAGIC, XattrEntry, XattrHeader } from "../disk/xattr.ts";
import { refuse } from "./fault.ts";
import { blockArea, type InodeRecord } from "./inodes.ts";
import { isMapped } from "./mapped.ts";
import { readMapping, walkMapping } from "./mapping.ts";
import type { Node, Nodes } from "./nodes.ts";
import { directoryRecords } from "./records-directory.ts";
import { journalRecords } from "./records-journal.ts";
import { blockXattrs, type StoredXattr, storedXattrs } from "./xattrs.ts";

const octal = (mode: number): string | number => (mode === 0 ? 0 : `0${mode.toString(8)}`);

export class InodeRecords {
  /** Xattr blocks that were shown, and with which inode. */
  readonly #shown = new Map<number, number>();

  /** `named` gives the path of an inode behind a space, or nothing. */
  constructor(
    readonly nodes: Nodes,
    readonly named: (number: number) => string,
  ) {}

  /** All inodes by number; those that are all zeros in runs. */
  *all(): Generator<ImageRecord> {
    const { superblock: sb, inodes } = this.nodes.opened;
    const zeros = new ZeroRuns("inodes");
    for (let number = 1; number <= sb.inodes; number++) {
      const inode = inodes.read(number, refuse);
      if (!inode) continue;
      if (isZero(inode.bytes, 0, inode.bytes.length)) zeros.add(number, inode.offset);
      else {
        yield* zeros.end(number - 1);
        yield* this.#one(inode);
      }
    }
    yield* zeros.end(sb.inodes);
  }

  *#one(inode: InodeRecord): Generator<ImageRecord> {
    const { number, offset, bytes } = inode;
    yield recordAt(Inode, paddedView(bytes, 0, Inode.size), 0, {
      offset,
      what: `inode ${number}${this.named(number)}`,
      length: GOOD_OLD_INODE_SIZE + inode.extraSize + (bytes.length > GOOD_OLD_INODE_SIZE ? 2 : 0),
      spelled: {
        i_mode: octal,
        i_flags: (flags) => flagNames(InodeFlags, flags).join(",") || 0,
        i_block: () => undefined, // it is told by what it holds
      },
    });
    if (inode.links === 0 && number >= this.nodes.opened.superblock.firstInode) {
      // Deleted: what it led to may be somebody else's by now.
      yield { offset: offset + I_BLOCK, what: "i_block of a deleted inode", depth: 1, fields: { bytes: blockArea(inode) } };
      return;
    }
    yield* this.#map(inode);
    yield* this.#xattrs(inode);
    if (inode.kind === "directory") yield* directoryRecords(this.nodes.opened, inode, this.named);
    if (number === this.nodes.opened.superblock.journalInode) yield* journalRecords(this.nodes.opened, inode);
  }

  *#map(inode: InodeRecord): Generator<ImageRecord> {
    const area = blockArea(inode);
    const view = viewOf(area);
    const at = inode.offset + I_BLOCK;
    const told = (fields: ImageRecord["fields"]): ImageRecord => ({ offset: at, what: "i_block", depth: 1, fields });
    if (isZero(area, 0, area.length)) return;
    const { kind, flags } = inode;
    if ((flags & InodeFlags.INLINE_DATA) !== 0) yield told({ data: spellBytes(area) });
    else if ((flags & InodeFlags.EXTENTS) !== 0) yield* this.#extents(inode);
    else if (kind === "symlink" && !isMapped(this.nodes, inode as Node)) {
      yield told({ target: escapeName(decodeName(area.subarray(0, inode.size))) });
    } else if (kind === "character-device" || kind === "block-device") {
      yield told({ words: [view.getUint32(0, true), view.getUint32(4, true)] });
    } else {
      yield told({ pointers: Array.from({ length: 15 }, (_, i) => view.getUint32(4 * i, true)) });
      yield* this.#indirect(inode);
    }
  }

  *#extents(inode: InodeRecord): Generator<ImageRecord> {
    const { disk, superblock: sb } = this.nodes.opened;
    // Refuses what is no tree, so that its nodes can be shown.
    const { tree } = readMapping(disk, inode, refuse);
    yield* extentNode(blockArea(inode), inode.offset + I_BLOCK, "i_block", false);
    for (const block of tree) {
      yield* extentNode(disk.block(block), block * sb.blockSize, `extent block ${block}`, sb.checksums);
    }
  }

  *#indirect(inode: InodeRecord): Generator<ImageRecord> {
    const { disk, superblock: sb } = this.nodes.opened;
    const blocks: [number, number][] = [];
    const visitor = { run() {}, tree: (block: number, level: number) => void blocks.push([block, level]) };
    walkMapping(disk, inode, visitor, refuse);
    for (const [block, level] of blocks) {
      const view = viewOf(disk.block(block));
      const pointers = Array.from({ length: sb.blockSize / 4 }, (_, i) => view.getUint32(4 * i, true));
      yield { offset: block * sb.blockSize, what: `indirect block ${block} of level ${level}`, depth: 1, fields: { pointers } };
    }
  }

  *#xattrs(inode: InodeRecord): Generator<ImageRecord> {
    const { disk, superblock: sb } = this.nodes.opened;
    const all = storedXattrs(disk, inode, refuse);
    const inBody = all.filter((xattr) => xattr.inBody);
    const start = GOOD_OLD_INODE_SIZE + inode.extraSize;
    if (inBody.length > 0) {
      yield { offset: inode.offset + start, what: "xattrs in the inode", depth: 1, fields: { h_magic: XATTR_MAGIC } };
      for (const xattr of inBody) yield entryRecord(inode.bytes, xattr, inode.offset);
    }
    if (inode.fileAcl === 0) return;
    const offset = inode.fileAcl * sb.blockSize;
    const before = this.#shown.get(inode.fileAcl);
    if (before !== undefined) {
      yield { offset, what: `xattr block ${inode.fileAcl}, shared with inode ${before}`, depth: 1, fields: {} };
      return;
    }
    this.#shown.set(inode.fileAcl, inode.number);
    const bytes = disk.block(inode.fileAcl);
    yield recordAt(XattrHeader, viewOf(bytes), 0, { offset, what: `xattr block ${inode.fileAcl}`, depth: 1 });
    for (const xattr of blockXattrs(disk, inode, refuse)) yield entryRecord(bytes, xattr, offset);
  }
}

/** A node of an extent tree: header, entries, and the checksum behind them in blocks. */
function* extentNode(bytes: Uint8Array, offset: number, what: string, checksum: boolean): Generator<ImageRecord> {
  const view = viewOf(bytes);
  yield recordAt(ExtentHeader, view, 0, { offset, what, depth: 1 });
  const { eh_entries, eh_depth, eh_max } = ExtentHeader.f;
  const table = eh_depth.get(view, 0) === 0 ? Extent : ExtentIndex;
  for (let i = 0; i < eh_entries.get(view, 0); i++) {
    const at = (i + 1) * EXTENT_ENTRY_SIZE;
    yield recordAt(table, view, at, { offset: offset + at, what: `entry ${i}`, depth: 2 });
  }
  const end = (eh_max.get(view, 0) + 1) * EXTENT_ENTRY_SIZE;
  if (!checksum || end + 4 > bytes.length) return;
  yield { offset: offset + end, what: "ext4_extent_tail", depth: 2, fields: { et_checksum: view.getUint32(end, true) } };
}

/** An xattr: `bytes` start at byte `start` of the image. */
function entryRecord(bytes: Uint8Array, { name, value, offset }: StoredXattr, start: number): ImageRecord {
  const record = recordAt(XattrEntry, viewOf(bytes), offset - start, { offset, what: `xattr ${spellBytes(name)}`, depth: 2 });
  return { ...record, fields: { ...record.fields, value: spellBytes(value) } };
}
