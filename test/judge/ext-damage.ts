// Damage done to ext images on purpose: every field of every record, one at a time, with and without the checksum made right
// again. What e2fsck says of it is what a check should say.

import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { Dirent, DirentTail, DxCountLimit, DxEntry, DxRootInfo, DxTail } from "../../formats/ext/disk/dirent.ts";
import { EXTENT_ENTRY_SIZE, Extent, ExtentHeader, ExtentIndex } from "../../formats/ext/disk/extent.ts";
import { GroupDescriptor } from "../../formats/ext/disk/group.ts";
import { I_BLOCK, Inode, InodeFlags } from "../../formats/ext/disk/inode.ts";
import { JournalSuperblock } from "../../formats/ext/disk/journal.ts";
import { Superblock } from "../../formats/ext/disk/superblock.ts";
import { XATTR_MAGIC, XattrEntry, XattrHeader } from "../../formats/ext/disk/xattr.ts";
import { directoryPieces, indexEntries, walkPiece } from "../../formats/ext/read/directory.ts";
import { refuse } from "../../formats/ext/read/fault.ts";
import { blockArea, type InodeRecord } from "../../formats/ext/read/inodes.ts";
import { readMapping, walkMapping } from "../../formats/ext/read/mapping.ts";
import { type Opened, openRecords } from "../../formats/ext/read/opened.ts";
import { xattrBlockChecksum } from "../../formats/ext/read/xattrs.ts";
import { crc32c } from "../../src/bytes/crc.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { FsynthError } from "../../src/error.ts";
import type { ImageBytes } from "../../src/image/volume.ts";
import { e2fsck } from "./e2fsck.ts";

/** A field in an image. */
export interface Site {
  /** Such as `superblock`, `group`, `inode`, `extent`. */
  readonly record: string;
  /** Such as `group 2` or `inode 12 (/a)`. */
  readonly place: string;
  readonly field: string;
  /** Bytes. */
  readonly offset: number;
  readonly size: number;
  /** Makes the checksums right again that go over the field. */
  readonly seal?: (bytes: Uint8Array) => void;
}

/** One change. */
export interface Damage {
  readonly site: Site;
  /** What was done: `zero`, `ones`, `plus 1`, `bit 13`. */
  readonly how: string;
  readonly sealed: boolean;
  /** The bytes that change, by offset. */
  readonly patch: readonly (readonly [offset: number, before: number, after: number])[];
}

export function memoryImage(bytes: Uint8Array): ImageBytes {
  return {
    size: bytes.length,
    readAt(offset, target) {
      if (offset + target.length > bytes.length) throw new RangeError(`byte ${offset + target.length} of ${bytes.length}`);
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

type Fields = Readonly<Record<string, { readonly offset: number; readonly size: number }>>;

/** Every field of the records of an image. */
export class Sites {
  readonly sites: Site[] = [];
  readonly opened: Opened;
  readonly checksums: boolean;

  constructor(readonly bytes: Uint8Array) {
    const opened = openRecords(memoryImage(bytes), refuse);
    if (!opened) throw new Error("the image does not open");
    this.opened = opened;
    const { superblock: sb } = opened;
    this.checksums = sb.checksums;
    this.#fields("superblock", "superblock", Superblock.f, 1024, sealSuperblock(sb.checksums));
    for (let group = 0; group < sb.groups; group++) this.#group(group);
    this.#inodes();
    this.#journal();
  }

  #fields(record: string, place: string, fields: Fields, at: number, seal?: Site["seal"]): void {
    for (const [field, { offset, size }] of Object.entries(fields)) {
      const site = { record, place, field, offset: at + offset, size };
      this.sites.push(seal ? { ...site, seal } : site);
    }
  }

  #group(group: number): void {
    const { superblock: sb, descriptors } = this.opened;
    const { offset, blockBitmap, inodeBitmap } = descriptors.at(group, refuse);
    const fields = Object.fromEntries(
      Object.entries(GroupDescriptor.f).filter(([, field]) => field.offset + field.size <= sb.descriptorSize),
    );
    const seal = this.#sealGroup(group);
    this.#fields("group", `group ${group}`, fields, offset, seal);
    const bits = (what: "block" | "inode", block: number, perGroup: number): void => {
      const ends = [0, 1, Math.floor(perGroup / 16), Math.ceil(perGroup / 8) - 1, Math.ceil(perGroup / 8), sb.blockSize - 1];
      for (const at of new Set(ends.filter((byte) => byte < sb.blockSize))) {
        this.sites.push({
          record: `${what} bitmap`,
          place: `group ${group}`,
          field: `byte ${at}`,
          offset: block * sb.blockSize + at,
          size: 1,
          seal: this.#sealBitmap(group, what),
        });
      }
    };
    bits("block", blockBitmap, sb.blocksPerGroup / sb.clusterBlocks);
    bits("inode", inodeBitmap, sb.inodesPerGroup);
  }

  #sealGroup(group: number): (bytes: Uint8Array) => void {
    return (bytes) => {
      const opened = openRecords(memoryImage(bytes), refuse);
      if (!opened) return;
      const { bytes: descriptor, offset } = opened.descriptors.bytes(group);
      const sum = opened.descriptors.checksum(group, descriptor);
      if (sum !== undefined) GroupDescriptor.f.bg_checksum.set(viewOf(bytes), offset, sum);
    };
  }

  #sealBitmap(group: number, what: "block" | "inode"): (bytes: Uint8Array) => void {
    return (bytes) => {
      const { superblock: sb, descriptors } = this.opened;
      const { offset, blockBitmap, inodeBitmap } = descriptors.at(group, refuse);
      const block = what === "block" ? blockBitmap : inodeBitmap;
      const length = Math.floor((what === "block" ? sb.blocksPerGroup / sb.clusterBlocks : sb.inodesPerGroup) / 8);
      if (sb.checksums) {
        const from = block * sb.blockSize;
        const sum = crc32c(sb.checksumSeed, bytes, from, from + length);
        const f = GroupDescriptor.f;
        const view = viewOf(bytes);
        (what === "block" ? f.bg_block_bitmap_csum_lo : f.bg_inode_bitmap_csum_lo).set(view, offset, sum & 0xffff);
        if (sb.descriptorSize >= 64) {
          (what === "block" ? f.bg_block_bitmap_csum_hi : f.bg_inode_bitmap_csum_hi).set(view, offset, sum >>> 16);
        }
      }
      this.#sealGroup(group)(bytes);
    };
  }

  /** Reserved inodes, some that are free, and of those in use a few of each sort. */
  #inodes(): void {
    const { superblock: sb, inodes } = this.opened;
    const seen = new Map<string, number>();
    for (let number = 1; number <= sb.inodes; number++) {
      const inode = inodes.read(number, refuse);
      if (!inode) continue;
      const inUse = inode.links > 0;
      const sort = number < sb.firstInode ? `reserved ${number}` : inUse ? this.#sortOf(inode) : "free";
      const count = (seen.get(sort) ?? 0) + 1;
      seen.set(sort, count);
      if (count > 2) continue;
      this.#inode(inode, sort);
    }
  }

  #sortOf(inode: InodeRecord): string {
    const area = viewOf(blockArea(inode));
    const depth = (inode.flags & InodeFlags.EXTENTS) !== 0 ? ExtentHeader.f.eh_depth.get(area, 0) : -1;
    const long = inode.size >= 60;
    const indirect = area.getUint32(48, true) !== 0;
    return [inode.kind, inode.flags & ~InodeFlags.EXTENTS, depth, long, indirect, inode.fileAcl !== 0, inode.links > 1].join(" ");
  }

  #inode(inode: InodeRecord, sort: string): void {
    const { superblock: sb } = this.opened;
    const { number, offset } = inode;
    const seal = (bytes: Uint8Array): void => {
      if (!sb.checksums) return;
      const again = openRecords(memoryImage(bytes), () => {})?.inodes.read(number, () => {});
      if (!again) return;
      const { sum, bytes: width } = again.checksums();
      Inode.f.l_i_checksum_lo.set(viewOf(bytes), offset, sum & 0xffff);
      if (width === 4) Inode.f.i_checksum_hi.set(viewOf(bytes), offset, sum >>> 16);
    };
    const place = `inode ${number} (${sort})`;
    const fields = Object.fromEntries(
      Object.entries(Inode.f).filter(([name, field]) => name !== "i_block" && field.offset + field.size <= sb.inodeSize),
    );
    this.#fields("inode", place, fields, offset, seal);
    for (let i = 0; i < 15; i++) {
      this.sites.push({ record: "inode", place, field: `i_block[${i}]`, offset: offset + I_BLOCK + i * 4, size: 4, seal });
    }
    if (inode.links === 0) return;
    const isMapped = inode.kind === "directory" || inode.kind === "file" || (inode.kind === "symlink" && inode.size >= 60);
    if (isMapped && (inode.flags & InodeFlags.INLINE_DATA) === 0) this.#map(inode, place, offset, seal);
    if (inode.kind === "directory") this.#directory(inode, place, seal);
    this.#xattrs(inode, place, seal);
  }

  #map(inode: InodeRecord, place: string, offset: number, seal: (bytes: Uint8Array) => void): void {
    const { superblock: sb, disk } = this.opened;
    const tree: [block: number, level: number][] = [];
    walkMapping(disk, inode, { run() {}, tree: (block, level) => void tree.push([block, level]) }, refuse);
    if ((inode.flags & InodeFlags.EXTENTS) === 0) {
      for (const [block] of tree.slice(0, 4)) {
        const view = viewOf(disk.block(block));
        const used = Array.from({ length: sb.blockSize / 4 }, (_, i) => i).filter((i) => view.getUint32(i * 4, true) !== 0);
        for (const i of new Set([0, used[0], used.at(-1), sb.blockSize / 4 - 1].filter((slot) => slot !== undefined))) {
          this.sites.push({ record: "indirect", place, field: `pointer ${i}`, offset: block * sb.blockSize + i * 4, size: 4 });
        }
      }
      return;
    }
    this.#extentNode(blockArea(inode), offset + I_BLOCK, place, seal);
    for (const [block] of tree.slice(0, 3)) {
      const at = block * sb.blockSize;
      this.#extentNode(disk.block(block), at, place, (bytes) => {
        if (!sb.checksums) return;
        const end = at + (ExtentHeader.f.eh_max.get(viewOf(bytes), at) + 1) * EXTENT_ENTRY_SIZE;
        if (end + 4 > at + sb.blockSize) return;
        viewOf(bytes).setUint32(end, crc32c(inode.checksumSeed, bytes, at, end), true);
      });
    }
  }

  #extentNode(node: Uint8Array, at: number, place: string, seal: (bytes: Uint8Array) => void): void {
    const view = viewOf(node);
    const f = ExtentHeader.f;
    this.#fields("extent header", place, f, at, seal);
    const entries = f.eh_entries.get(view, 0);
    const table = f.eh_depth.get(view, 0) === 0 ? Extent : ExtentIndex;
    for (const i of new Set([0, 1, entries - 1].filter((entry) => entry >= 0 && entry < entries))) {
      this.#fields(table === Extent ? "extent" : "extent index", place, table.f, at + (i + 1) * EXTENT_ENTRY_SIZE, seal);
    }
  }

  #directory(inode: InodeRecord, place: string, sealInode: (bytes: Uint8Array) => void): void {
    const { superblock: sb, disk } = this.opened;
    let pieces = 0;
    for (const piece of directoryPieces(disk, inode, refuse)) {
      if (++pieces > 4) break;
      const inline = piece.block < 0;
      if (inline && piece.from === 0) break; // its place in the xattrs is not told
      const index = inline ? undefined : indexEntries(piece.bytes, inode, piece.block);
      const seal = inline ? sealInode : this.#sealDirectory(inode, piece.offset, index);
      const where = `${place}, block ${piece.block}`;
      let count = 0;
      walkPiece(
        disk,
        inode,
        piece,
        (_, length, __, at) => {
          if (count++ > 3) return;
          this.#fields("entry", where, Dirent.f, piece.offset + at, seal);
          this.#fields(
            "entry",
            where,
            { name: { offset: 8, size: 1 }, "name's end": { offset: 8 + length, size: 1 } },
            piece.offset + at,
            seal,
          );
        },
        refuse,
      );
      if (index !== undefined) {
        if (piece.block === 0) this.#fields("index root", where, DxRootInfo.f, piece.offset + 24, seal);
        const from = piece.offset + index;
        this.#fields("index count", where, DxCountLimit.f, from, seal);
        this.#fields("index entry", where, { block: DxEntry.f.block }, from, seal);
        const entries = DxCountLimit.f.count.get(viewOf(piece.bytes), index);
        for (const i of new Set([1, entries - 1].filter((entry) => entry > 0 && entry < entries))) {
          this.#fields("index entry", where, DxEntry.f, from + i * DxEntry.size, seal);
        }
        const limit = DxCountLimit.f.limit.get(viewOf(piece.bytes), index);
        if (sb.checksums) this.#fields("index tail", where, DxTail.f, from + limit * DxEntry.size, seal);
      } else if (sb.checksums && !inline) {
        this.#fields("entry tail", where, DirentTail.f, piece.offset + sb.blockSize - DirentTail.size, seal);
      }
    }
  }

  #sealDirectory(inode: InodeRecord, at: number, index: number | undefined): (bytes: Uint8Array) => void {
    const { superblock: sb } = this.opened;
    return (bytes) => {
      if (!sb.checksums) return;
      const view = viewOf(bytes);
      if (index === undefined) {
        const end = at + sb.blockSize - DirentTail.size;
        DirentTail.f.det_checksum.set(view, end, crc32c(inode.checksumSeed, bytes, at, end));
        return;
      }
      const { count, limit } = DxCountLimit.f;
      const tail = at + index + limit.get(view, at + index) * DxEntry.size;
      if (tail + DxTail.size > at + sb.blockSize) return;
      const end = Math.min(at + sb.blockSize, at + index + count.get(view, at + index) * DxEntry.size);
      let sum = crc32c(inode.checksumSeed, bytes, at, end);
      sum = crc32c(crc32c(sum, bytes, tail, tail + 4), new Uint8Array(4));
      DxTail.f.dt_checksum.set(view, tail, sum);
    };
  }

  #xattrs(inode: InodeRecord, place: string, sealInode: (bytes: Uint8Array) => void): void {
    const { superblock: sb, disk } = this.opened;
    const body = 128 + inode.extraSize;
    if (body + 8 < sb.inodeSize && viewOf(inode.bytes).getUint32(body, true) === XATTR_MAGIC) {
      this.sites.push({ record: "xattrs", place, field: "magic", offset: inode.offset + body, size: 4, seal: sealInode });
      this.#entries(inode.bytes, body + 4, inode.offset, place, sealInode);
    }
    if (inode.fileAcl === 0) return;
    const at = inode.fileAcl * sb.blockSize;
    const seal = (bytes: Uint8Array): void => {
      if (!sb.checksums) return;
      const sum = xattrBlockChecksum(sb.checksumSeed, inode.fileAcl, bytes.subarray(at, at + sb.blockSize));
      XattrHeader.f.h_checksum.set(viewOf(bytes), at, sum);
    };
    this.#fields("xattr header", place, XattrHeader.f, at, seal);
    this.#entries(disk.block(inode.fileAcl), XattrHeader.size, at, place, seal);
  }

  #entries(area: Uint8Array, from: number, offset: number, place: string, seal: (bytes: Uint8Array) => void): void {
    const view = viewOf(area);
    for (let at = from; at + 16 < area.length && view.getUint32(at, true) !== 0; ) {
      const length = (16 + (area[at] as number) + 3) & ~3;
      this.#fields("xattr entry", place, XattrEntry.f, offset + at, seal);
      this.#fields("xattr entry", place, { name: { offset: 16, size: 1 } }, offset + at, seal);
      at += length;
    }
  }

  #journal(): void {
    const { superblock: sb, disk, inodes } = this.opened;
    const inode = sb.journalInode === 0 ? undefined : inodes.read(sb.journalInode, refuse);
    const block = inode && readMapping(disk, inode, refuse).runs[0]?.physical;
    if (block !== undefined) this.#fields("journal", "journal", JournalSuperblock.f, block * sb.blockSize);
  }
}

function sealSuperblock(checksums: boolean): (bytes: Uint8Array) => void {
  return (bytes) => {
    const { s_checksum } = Superblock.f;
    if (checksums) s_checksum.set(viewOf(bytes), 1024, crc32c(0xffff_ffff, bytes, 1024, 1024 + s_checksum.offset));
  };
}

const WAYS = 4;

/**
 * One change of a site, chosen by `pick`, which gives a number below its argument: to zeros, to ones, one more, or one bit; with
 * the checksums as they were or made right again. Undefined when that changes nothing.
 */
export function damageOf(bytes: Uint8Array, site: Site, seal: boolean, pick: (below: number) => number): Damage | undefined {
  const { offset, size } = site;
  const before = bytes.slice(offset, offset + size);
  const bit = pick(size * 8);
  const way = pick(WAYS);
  const sealed = seal && site.seal !== undefined && pick(2) === 0;
  const [how, after] = (
    [
      ["zero", new Uint8Array(size)],
      ["ones", new Uint8Array(size).fill(0xff)],
      ["plus 1", before.map((byte, i) => (i === 0 ? byte + 1 : byte))],
      [`bit ${bit}`, before.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))],
    ] as const
  )[way] as readonly [string, Uint8Array]; // way is below four
  if (after.every((byte, i) => byte === before[i])) return undefined;
  const copy = bytes.slice();
  copy.set(after, offset);
  if (sealed) {
    try {
      site.seal?.(copy);
    } catch (error) {
      if (!(error instanceof FsynthError)) throw error;
      return undefined; // what it leads to cannot be read any more
    }
  }
  return { site, how, sealed, patch: differences(bytes, copy) };
}

const STRIDE = 4096;

function differences(before: Uint8Array, after: Uint8Array): [number, number, number][] {
  const patch: [number, number, number][] = [];
  for (let from = 0; from < before.length; from += STRIDE) {
    const to = Math.min(from + STRIDE, before.length);
    if (Buffer.compare(before.subarray(from, to), after.subarray(from, to)) === 0) continue;
    for (let i = from; i < to; i++) if (before[i] !== after[i]) patch.push([i, before[i] as number, after[i] as number]);
  }
  return patch;
}

/** An image in a file and in memory, damaged and made whole again. */
export class Patient {
  readonly #file: number;

  constructor(
    readonly path: string,
    readonly bytes: Uint8Array,
  ) {
    writeFileSync(path, bytes);
    this.#file = openSync(path, "r+");
  }

  /** Runs `judge` on the damaged image. */
  with<T>({ patch }: Damage, judge: () => T): T {
    const put = (which: 1 | 2): void => {
      for (const entry of patch) {
        this.bytes[entry[0]] = entry[which];
        writeSync(this.#file, Uint8Array.of(entry[which]), 0, 1, entry[0]);
      }
    };
    put(2);
    try {
      return judge();
    } finally {
      put(1);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** What e2fsck proposes without calling it wrong: a tree that could be smaller. */
const PROPOSALS = /^Inode \d+ extent tree \(at level \d+\) could be (?:shorter|narrower)\. {2}(?:IGNORED|Optimize\? no)\.?$/;

/** What e2fsck says is wrong. */
export function complaintsOf(path: string): string[] {
  return e2fsck(path).filter((line) => !PROPOSALS.test(line));
}
