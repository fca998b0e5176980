// Reads inodes.
// Specification: Linux Documentation/filesystems/ext4/inodes.rst; ext4_iget in fs/ext4/inode.c.

import { crc32c, crc32cLe32 } from "../../../src/bytes/crc.ts";
import { type Field, viewOf } from "../../../src/bytes/struct.ts";
import type { Kind, Time } from "../../../src/tree/node.ts";
import { FileType, GOOD_OLD_INODE_SIZE, I_BLOCK, I_BLOCK_SIZE, Inode, InodeFlags } from "../disk/inode.ts";
import type { Descriptors } from "./descriptors.ts";
import type { Disk } from "./disk.ts";
import { hex, type Report } from "./fault.ts";
import type { Super } from "./superblock.ts";

/** Kinds by the upper four bits of i_mode. */
const KINDS: readonly (Kind | undefined)[] = Array.from(
  { length: 16 },
  (_, type) => (Object.keys(FileType) as Kind[]).find((kind) => FileType[kind] >> 12 === type), // the table's own names
);

/** What an inode's bytes are taken from. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** An inode, taken apart. */
export class InodeRecord {
  readonly number: number;
  /** Bytes from the start of the image. */
  readonly offset: number;
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
  /** i_extra_isize; 0 in inodes of 128 bytes, and where it cannot be. */
  readonly extraSize: number;
  /** Start value of the checksums of its blocks. */
  readonly checksumSeed: number;
  readonly #piece: Piece;
  readonly #at: number;
  readonly #length: number;

  /** Takes the inode at byte `at` of `piece` apart. */
  constructor(sb: Super, number: number, offset: number, piece: Piece, at: number) {
    const { view } = piece;
    const f = Inode.f;
    this.#piece = piece;
    this.#at = at;
    this.#length = sb.inodeSize;
    this.number = number;
    this.offset = offset;
    this.mode = f.i_mode.get(view, at);
    this.kind = KINDS[this.mode >> 12];
    this.flags = f.i_flags.get(view, at);
    this.generation = f.i_generation.get(view, at);
    const extra = sb.inodeSize > GOOD_OLD_INODE_SIZE && this.mode !== 0 ? f.i_extra_isize.get(view, at) : 0;
    this.extraSize = extra > sb.inodeSize - GOOD_OLD_INODE_SIZE || extra % 4 !== 0 ? 0 : extra;
    const end = GOOD_OLD_INODE_SIZE + this.extraSize;
    const low = (field: Field, more: Field): number => field.get(view, at) + more.get(view, at) * 0x1_0000;
    this.uid = low(f.i_uid, f.l_i_uid_high);
    this.gid = low(f.i_gid, f.l_i_gid_high);
    // The upper half of a directory's size counts under large_dir only; elsewhere it was an ACL's block once.
    const sizeHigh = this.kind === "file" || sb.features.has("large_dir") ? f.i_size_high.get(view, at) : 0;
    this.size = f.i_size.get(view, at) + sizeHigh * 2 ** 32;
    this.links = f.i_links_count.get(view, at);
    const huge = sb.features.has("huge_file");
    const sectors = f.i_blocks.get(view, at) + (huge ? f.l_i_blocks_hi.get(view, at) * 2 ** 32 : 0);
    this.allocated = sectors * (huge && (this.flags & InodeFlags.HUGE_FILE) !== 0 ? sb.blockSize : 512);
    this.fileAcl = f.i_file_acl.get(view, at) + (sb.features.has("64bit") ? f.l_i_file_acl_high.get(view, at) * 2 ** 32 : 0);
    this.dtime = f.i_dtime.get(view, at);
    const time = (base: Field, more: Field): Time => timeOf(base.get(view, at), more.offset + 4 <= end ? more.get(view, at) : 0);
    // Times are often one and the same: then one object is enough.
    const mtime = time(f.i_mtime, f.i_mtime_extra);
    const shared = (other: Time): Time => (other.sec === mtime.sec && other.nsec === mtime.nsec ? mtime : other);
    this.mtime = mtime;
    this.atime = shared(time(f.i_atime, f.i_atime_extra));
    this.ctime = shared(time(f.i_ctime, f.i_ctime_extra));
    this.btime = f.i_crtime.offset + 4 <= end ? shared(time(f.i_crtime, f.i_crtime_extra)) : undefined;
    this.project = f.i_projid.offset + 4 <= end ? f.i_projid.get(view, at) : 0;
    this.checksumSeed = crc32cLe32(crc32cLe32(sb.checksumSeed, number), this.generation);
  }

  /** All of it; nobody changes them. */
  get bytes(): Uint8Array {
    return this.#piece.bytes.subarray(this.#at, this.#at + this.#length);
  }

  /** i_extra_isize as it is stored. */
  get storedExtraSize(): number {
    return this.#length > GOOD_OLD_INODE_SIZE ? Inode.f.i_extra_isize.get(this.#piece.view, this.#at) : 0;
  }

  /** The checksum that is stored, and what it has to be: 16 bits, or 32 where the inode has room. */
  checksums(): { readonly stored: number; readonly sum: number; readonly bytes: 2 | 4 } {
    const { bytes, view } = this.#piece;
    const at = this.#at;
    const f = Inode.f;
    const low = f.l_i_checksum_lo.offset;
    const high = f.i_checksum_hi.offset;
    let sum = crc32c(this.checksumSeed, bytes, at, at + low);
    sum = crc32c(sum, ZEROS);
    const long = this.storedExtraSize >= 4;
    if (long) {
      sum = crc32c(sum, bytes, at + low + 2, at + high);
      sum = crc32c(sum, ZEROS);
      sum = crc32c(sum, bytes, at + high + 2, at + this.#length);
    } else sum = crc32c(sum, bytes, at + low + 2, at + this.#length);
    const stored = f.l_i_checksum_lo.get(view, at) + (long ? f.i_checksum_hi.get(view, at) * 0x1_0000 : 0);
    return { stored, sum: long ? sum : sum & 0xffff, bytes: long ? 4 : 2 };
  }
}

/** What a checksum's own field counts as. */
const ZEROS = new Uint8Array(2);

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
  readonly #pieces = new Map<number, Piece>();
  #lastIndex = -1;
  #last: Piece | undefined;
  #lastRead: InodeRecord | undefined;

  constructor(
    readonly disk: Disk,
    readonly descriptors: Descriptors,
  ) {}

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
    // What is asked of one inode is often asked in a row.
    if (this.#lastRead?.number === number) return this.#lastRead;
    const offset = this.locate(number, report);
    if (offset === undefined) return undefined;
    const index = Math.floor(offset / PIECE);
    const inode = new InodeRecord(this.disk.superblock, number, offset, this.#piece(index), offset - index * PIECE);
    this.#check(inode, report);
    this.#lastRead = inode;
    return inode;
  }

  #piece(index: number): Piece {
    if (this.#last && this.#lastIndex === index) return this.#last;
    let piece = this.#pieces.get(index);
    if (piece) this.#pieces.delete(index);
    else {
      const bytes = new Uint8Array(Math.min(PIECE, this.disk.size - index * PIECE));
      this.disk.readAt(index * PIECE, bytes);
      piece = { bytes, view: viewOf(bytes) };
      const oldest = this.#pieces.size >= PIECES ? this.#pieces.keys().next().value : undefined;
      if (oldest !== undefined) this.#pieces.delete(oldest);
    }
    this.#pieces.set(index, piece);
    this.#lastIndex = index;
    this.#last = piece;
    return piece;
  }

  #check(inode: InodeRecord, report: Report): void {
    const { superblock: sb } = this.disk;
    const { number, offset } = inode;
    const wrong = (code: string, field: Field, found: string, expected: string): void =>
      report({
        code,
        place: `inode ${number}`,
        found,
        expected,
        where: { record: "inode", index: number, offset: offset + field.offset },
      });
    if (inode.mode !== 0 && inode.storedExtraSize !== inode.extraSize) {
      const most = sb.inodeSize - GOOD_OLD_INODE_SIZE;
      wrong(
        "inode-extra-size",
        Inode.f.i_extra_isize,
        `i_extra_isize is ${inode.storedExtraSize}`,
        `a multiple of 4 up to ${most}`,
      );
    }
    if (!sb.checksums) return;
    const { stored, sum, bytes } = inode.checksums();
    if (stored === sum || (inode.mode === 0 && inode.links === 0 && inode.bytes.every((byte) => byte === 0))) return;
    wrong("inode-checksum", Inode.f.l_i_checksum_lo, `its checksum is ${hex(stored, bytes)}`, hex(sum, bytes));
  }
}

/** A time of 32 signed bits of seconds; the extra word has 2 more above, and nanoseconds. */
function timeOf(low: number, extra: number): Time {
  const sec = (low | 0) + (extra & 3) * 2 ** 32;
  const nsec = extra >>> 2;
  // 30 bits hold a little more than a second.
  return nsec < 1_000_000_000 ? { sec, nsec } : { sec: sec + 1, nsec: nsec - 1_000_000_000 };
}
