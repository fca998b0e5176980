// Reads inodes.
// Specification: Linux Documentation/filesystems/ext4/inodes.rst; ext4_iget in fs/ext4/inode.c.

import { crc32c, crc32cLe32 } from "../../../src/bytes/crc.ts";
import { type Field, viewOf } from "../../../src/bytes/struct.ts";
import type { Kind, Time } from "../../../src/tree/node.ts";
import { FileType, GOOD_OLD_INODE_SIZE, I_BLOCK, I_BLOCK_SIZE, Inode, InodeFlags } from "../disk/inode.ts";
import type { Descriptors } from "./descriptors.ts";
import type { Disk } from "./disk.ts";
import { hex, type Report } from "./fault.ts";

/** An inode, taken apart. */
export interface InodeRecord {
  readonly number: number;
  /** Bytes from the start of the image. */
  readonly offset: number;
  /** All of it; nobody changes them. */
  readonly bytes: Uint8Array;
  /** All 16 bits. */
  readonly mode: number;
  /** Undefined for a type that no file has, and for an inode that is not in use. */
  readonly kind: Kind | undefined;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  readonly links: number;
  /** Bytes that i_blocks counts. */
  readonly allocated: number;
  readonly flags: number;
  readonly generation: number;
  /** Block of the xattrs, 0 for none. */
  readonly fileAcl: number;
  readonly dtime: number;
  readonly atime: Time;
  readonly mtime: Time;
  readonly ctime: Time;
  readonly btime: Time | undefined;
  readonly project: number;
  /** i_extra_isize; 0 in inodes of 128 bytes. */
  readonly extraSize: number;
  /** Start value of the checksums of its blocks. */
  readonly checksumSeed: number;
}

const KIND_OF: Readonly<Record<number, Kind>> = Object.fromEntries(
  Object.entries(FileType).map(([kind, type]) => [type, kind as Kind]), // the table's own names
);

/** i_block of an inode. */
export function blockArea(inode: InodeRecord): Uint8Array {
  return inode.bytes.subarray(I_BLOCK, I_BLOCK + I_BLOCK_SIZE);
}

/** The inode tables are read in pieces of so many bytes; a few stay at hand. */
const PIECE = 64 * 1024;
const PIECES = 32;

/** The inodes of an image. */
export class Inodes {
  /** By piece of the image; the first was used longest ago. */
  readonly #pieces = new Map<number, Uint8Array>();
  readonly #scratch: Uint8Array;

  constructor(
    readonly disk: Disk,
    readonly descriptors: Descriptors,
  ) {
    this.#scratch = new Uint8Array(disk.superblock.inodeSize);
  }

  /** Where inode `number` lies: bytes from the start of the image. Undefined, reported, for a number that is none. */
  locate(number: number, report: Report): number | undefined {
    const { superblock: sb } = this.disk;
    if (!Number.isInteger(number) || number < 1 || number > sb.inodes) {
      report({
        code: "inode-number",
        place: `inode ${number}`,
        found: `there is no inode ${number}`,
        expected: `1 to ${sb.inodes}`,
        where: { record: "inode", index: number },
      });
      return undefined;
    }
    const group = Math.floor((number - 1) / sb.inodesPerGroup);
    const { inodeTable } = this.descriptors.at(group, report);
    const offset = inodeTable * sb.blockSize + ((number - 1) % sb.inodesPerGroup) * sb.inodeSize;
    // A table behind the end is reported with its group.
    return offset + sb.inodeSize <= sb.blocks * sb.blockSize ? offset : undefined;
  }

  /** Inode `number` whatever it is, unused ones too. Its checksum is verified, unless it is all zeros. */
  read(number: number, report: Report): InodeRecord | undefined {
    const offset = this.locate(number, report);
    if (offset === undefined) return undefined;
    const bytes = this.#bytes(offset);
    const inode = this.#parse(number, offset, bytes, report);
    if (this.disk.superblock.checksums) this.#verify(inode, report);
    return inode;
  }

  #bytes(offset: number): Uint8Array {
    const { inodeSize } = this.disk.superblock;
    const index = Math.floor(offset / PIECE);
    let piece = this.#pieces.get(index);
    if (piece) this.#pieces.delete(index);
    else {
      piece = new Uint8Array(Math.min(PIECE, this.disk.size - index * PIECE));
      this.disk.readAt(index * PIECE, piece);
      const oldest = this.#pieces.size >= PIECES ? this.#pieces.keys().next().value : undefined;
      if (oldest !== undefined) this.#pieces.delete(oldest);
    }
    this.#pieces.set(index, piece);
    return piece.subarray(offset - index * PIECE, offset - index * PIECE + inodeSize);
  }

  #parse(number: number, offset: number, bytes: Uint8Array, report: Report): InodeRecord {
    const { superblock: sb } = this.disk;
    const view = viewOf(bytes);
    const f = Inode.f;
    const mode = f.i_mode.get(view, 0);
    const flags = f.i_flags.get(view, 0);
    const generation = f.i_generation.get(view, 0);
    const kind = mode === 0 ? undefined : KIND_OF[mode & 0xf000];
    let extraSize = 0;
    if (sb.inodeSize > GOOD_OLD_INODE_SIZE && mode !== 0) {
      extraSize = f.i_extra_isize.get(view, 0);
      if (extraSize > sb.inodeSize - GOOD_OLD_INODE_SIZE || extraSize % 4 !== 0) {
        report({
          code: "inode-extra-size",
          place: `inode ${number}`,
          found: `i_extra_isize is ${extraSize}`,
          expected: `a multiple of 4 up to ${sb.inodeSize - GOOD_OLD_INODE_SIZE}`,
          where: { record: "inode", index: number, offset: offset + f.i_extra_isize.offset },
        });
        extraSize = 0;
      }
    }
    const has = (field: Field): boolean => field.offset + field.size <= GOOD_OLD_INODE_SIZE + extraSize;
    const time = (low: Field, extra: Field): Time => timeOf(low.get(view, 0), has(extra) ? extra.get(view, 0) : 0);
    const sectors = f.i_blocks.get(view, 0) + (sb.features.has("huge_file") ? f.l_i_blocks_hi.get(view, 0) * 2 ** 32 : 0);
    // The upper half of a directory's size counts under large_dir only; elsewhere it was an ACL's block once.
    const sizeHigh = kind === "file" || sb.features.has("large_dir") ? f.i_size_high.get(view, 0) : 0;
    return {
      number,
      offset,
      bytes,
      mode,
      kind,
      uid: f.i_uid.get(view, 0) + f.l_i_uid_high.get(view, 0) * 0x1_0000,
      gid: f.i_gid.get(view, 0) + f.l_i_gid_high.get(view, 0) * 0x1_0000,
      size: f.i_size.get(view, 0) + sizeHigh * 2 ** 32,
      links: f.i_links_count.get(view, 0),
      allocated: sectors * ((flags & InodeFlags.HUGE_FILE) !== 0 && sb.features.has("huge_file") ? sb.blockSize : 512),
      flags,
      generation,
      fileAcl: f.i_file_acl.get(view, 0) + (sb.features.has("64bit") ? f.l_i_file_acl_high.get(view, 0) * 2 ** 32 : 0),
      dtime: f.i_dtime.get(view, 0),
      atime: time(f.i_atime, f.i_atime_extra),
      mtime: time(f.i_mtime, f.i_mtime_extra),
      ctime: time(f.i_ctime, f.i_ctime_extra),
      btime: has(f.i_crtime) ? time(f.i_crtime, f.i_crtime_extra) : undefined,
      project: has(f.i_projid) ? f.i_projid.get(view, 0) : 0,
      extraSize,
      checksumSeed: crc32cLe32(crc32cLe32(sb.checksumSeed, number), generation),
    };
  }

  #verify(inode: InodeRecord, report: Report): void {
    const { bytes, offset, number } = inode;
    if (inode.mode === 0 && inode.links === 0 && bytes.every((byte) => byte === 0)) return;
    const f = Inode.f;
    const view = viewOf(bytes);
    const scratch = this.#scratch;
    scratch.set(bytes);
    scratch.fill(0, f.l_i_checksum_lo.offset, f.l_i_checksum_lo.offset + 2);
    const long = bytes.length > GOOD_OLD_INODE_SIZE && f.i_extra_isize.get(view, 0) >= 4;
    if (long) scratch.fill(0, f.i_checksum_hi.offset, f.i_checksum_hi.offset + 2);
    const stored = f.l_i_checksum_lo.get(view, 0) + (long ? f.i_checksum_hi.get(view, 0) * 0x1_0000 : 0);
    const full = crc32c(inode.checksumSeed, scratch);
    const sum = long ? full : full & 0xffff;
    if (sum === stored) return;
    report({
      code: "inode-checksum",
      place: `inode ${number}`,
      found: `its checksum is ${hex(stored, long ? 4 : 2)}`,
      expected: hex(sum, long ? 4 : 2),
      where: { record: "inode", index: number, offset: offset + f.l_i_checksum_lo.offset },
    });
  }
}

/** A time of 32 signed bits of seconds; the extra word has 2 more above, and nanoseconds. */
function timeOf(low: number, extra: number): Time {
  const sec = (low | 0) + (extra & 3) * 2 ** 32;
  const nsec = extra >>> 2;
  // 30 bits hold a little more than a second.
  return nsec < 1_000_000_000 ? { sec, nsec } : { sec: sec + 1, nsec: nsec - 1_000_000_000 };
}
