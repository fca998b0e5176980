// Reads inodes of both versions into one form.
// Specification: NetBSD sys/ufs/ufs/dinode.h.

import { viewOf } from "../../../src/bytes/struct.ts";
import type { Kind, Time } from "../../../src/tree/node.ts";
import { DB_OFFSET, FileType, ROOT_INODE } from "../disk/dinode.ts";
import { inodeOffset } from "./cylinder.ts";
import type { Disk } from "./disk.ts";
import type { Report } from "./fault.ts";

export interface InodeRecord {
  readonly number: number;
  /** Byte offset in the image. */
  readonly offset: number;
  /** All 16 bits. */
  readonly mode: number;
  /** Undefined for kinds that nobody knows, and for unused inodes. */
  readonly kind: Kind | undefined;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** di_blocks: sectors of 512 bytes. */
  readonly sectors: number;
  readonly atime: Time;
  readonly mtime: Time;
  readonly ctime: Time;
  readonly btime: Time | undefined;
  readonly flags: number;
  readonly generation: number;
  /** di_db and di_ib as they are. */
  readonly area: Uint8Array;
  /** Block pointers: twelve direct ones and three roots. */
  readonly pointers: readonly number[];
  /** Bytes of extended attributes, and their blocks. */
  readonly extSize: number;
  readonly extPointers: readonly number[];
}

const KINDS = new Map<number, Kind>(Object.entries(FileType).map(([kind, bits]) => [bits, kind as Kind])); // its keys are kinds

export function inodeCount(disk: Disk): number {
  const { ipg, groups } = disk.superblock;
  return ipg * groups;
}

/** Reads inode `number`; undefined, and reported, when there is none of that number. */
export function readInode(disk: Disk, number: number, report: Report): InodeRecord | undefined {
  const { superblock: sb } = disk;
  if (number < ROOT_INODE || number >= inodeCount(disk)) {
    report({
      code: "inode-number",
      place: `inode ${number}`,
      found: `number ${number}`,
      expected: `${ROOT_INODE} to ${inodeCount(disk) - 1}`,
      where: { record: "inode", index: number },
    });
    return undefined;
  }
  const offset = inodeOffset(sb, number);
  const bytes = new Uint8Array(sb.inodeSize);
  disk.readAt(offset, bytes);
  return parseInode(disk, number, offset, bytes);
}

/** The inode in `bytes`, which are kept. */
export function parseInode({ superblock: sb }: Disk, number: number, offset: number, bytes: Uint8Array): InodeRecord {
  const view = viewOf(bytes);
  const at = DB_OFFSET[sb.version];
  const area = bytes.subarray(at, at + 15 * sb.pointerSize);
  if (sb.version === 1) {
    const { f } = sb.records.Dinode1;
    const mode = f.di_mode.get(view, 0);
    return {
      number,
      offset,
      mode,
      kind: KINDS.get(mode & 0xf000),
      links: f.di_nlink.get(view, 0),
      uid: f.di_uid.get(view, 0),
      gid: f.di_gid.get(view, 0),
      size: f.di_size.get(view, 0),
      sectors: f.di_blocks.get(view, 0),
      atime: timeOf(f.di_atime.get(view, 0), f.di_atimensec.get(view, 0)),
      mtime: timeOf(f.di_mtime.get(view, 0), f.di_mtimensec.get(view, 0)),
      ctime: timeOf(f.di_ctime.get(view, 0), f.di_ctimensec.get(view, 0)),
      btime: undefined,
      flags: f.di_flags.get(view, 0),
      generation: f.di_gen.get(view, 0),
      area,
      pointers: [...f.di_db.get(view, 0), ...f.di_ib.get(view, 0)],
      extSize: 0,
      extPointers: [],
    };
  }
  const { f } = sb.records.Dinode2;
  const mode = f.di_mode.get(view, 0);
  return {
    number,
    offset,
    mode,
    kind: KINDS.get(mode & 0xf000),
    links: f.di_nlink.get(view, 0),
    uid: f.di_uid.get(view, 0),
    gid: f.di_gid.get(view, 0),
    size: f.di_size.get(view, 0),
    sectors: f.di_blocks.get(view, 0),
    atime: timeOf(f.di_atime.get(view, 0), f.di_atimensec.get(view, 0)),
    mtime: timeOf(f.di_mtime.get(view, 0), f.di_mtimensec.get(view, 0)),
    ctime: timeOf(f.di_ctime.get(view, 0), f.di_ctimensec.get(view, 0)),
    btime: timeOf(f.di_birthtime.get(view, 0), f.di_birthnsec.get(view, 0)),
    flags: f.di_flags.get(view, 0),
    generation: f.di_gen.get(view, 0),
    area,
    pointers: [...f.di_db.get(view, 0), ...f.di_ib.get(view, 0)],
    extSize: f.di_extsize.get(view, 0),
    extPointers: f.di_extb.get(view, 0),
  };
}

/** Nanoseconds that are none, which old kernels left behind, count as 0; so do seconds that no number holds exactly. */
function timeOf(sec: number, nsec: number): Time {
  if (!Number.isSafeInteger(sec)) return { sec: 0, nsec: 0 };
  return { sec, nsec: nsec >= 0 && nsec < 1_000_000_000 ? nsec : 0 };
}
