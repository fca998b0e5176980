// Finds and reads the superblock, whoever wrote it, and refuses what kernels refuse.
// Specification: NetBSD sys/ufs/ffs/fs.h and ffs_vfsops.c (ffs_superblock_validate, ffs_mountfs, ffs_oldfscompat_read).

import { decodeName } from "../../../src/bytes/names.ts";
import { type ByteOrder, viewOf } from "../../../src/bytes/struct.ts";
import { FsynthError } from "../../../src/error.ts";
import { hex } from "../../../src/image/fault.ts";
import type { ImageBytes } from "../../../src/image/volume.ts";
import { CG_SIZE } from "../disk/cylinder.ts";
import { type FfsRecords, ffsRecords } from "../disk/records.ts";
import { FS_44INODEFMT, FS_FLAGS_UPDATED, MAXFRAG, Magic, SBLOCK_PLACES, SBLOCK_UFS2, SBLOCKSIZE } from "../disk/superblock.ts";
import type { Report } from "./fault.ts";

/** What a superblock says, its fields of either version under one name. Numbers of fragments unless said otherwise. */
export interface Super {
  readonly records: FfsRecords;
  readonly order: ByteOrder;
  readonly version: 1 | 2;
  readonly magic: number;
  /** UFS1 without the newer fields. */
  readonly old: boolean;
  /** Byte offset where it was found. */
  readonly place: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes. */
  readonly blockSize: number;
  readonly fragmentSize: number;
  readonly frag: number;
  readonly size: number;
  readonly groups: number;
  readonly fpg: number;
  readonly ipg: number;
  readonly sblkno: number;
  readonly cblkno: number;
  readonly iblkno: number;
  readonly dblkno: number;
  /** The rotation of old file systems: groups start later by so much. */
  readonly cgoffset: number;
  readonly cgmask: number;
  readonly csaddr: number;
  /** Bytes of the summary area, and of a header. */
  readonly cssize: number;
  readonly cgsize: number;
  readonly inodeSize: number;
  readonly inodesPerBlock: number;
  readonly pointerSize: 4 | 8;
  readonly pointers: number;
  readonly maxSymlink: number;
  readonly clusterSums: number;
  readonly flags: number;
  readonly label: string;
  /** Seconds. */
  readonly time: number;
  /** Directories, free blocks, free inodes, free fragments. */
  readonly totals: readonly number[];
  readonly id: readonly number[];
  /** Bytes of a directory's chunk. */
  readonly chunk: number;
}

interface Found {
  readonly place: number;
  readonly order: ByteOrder;
  readonly bytes: Uint8Array;
}

/** The superblock's place and byte order, told by its magic number and, where it says so, its place. */
export function findSuperblock(image: ImageBytes): Found | undefined {
  for (const place of SBLOCK_PLACES) {
    const found = superblockAt(image, place);
    if (found) return found;
  }
  return undefined;
}

function superblockAt(image: ImageBytes, place: number): Found | undefined {
  const { size } = ffsRecords("little").Superblock;
  if (place + size > image.size) return undefined;
  const bytes = new Uint8Array(size);
  image.readAt(place, bytes);
  const view = viewOf(bytes);
  for (const order of ["little", "big"] as const) {
    const { f } = ffsRecords(order).Superblock;
    const magic = f.fs_magic.get(view, 0);
    const updated = (f.fs_old_flags.get(view, 0) & FS_FLAGS_UPDATED) !== 0;
    const known = magic === Magic.ufs1 || magic === Magic.ufs2 || magic === Magic.ufs2ea;
    // With blocks of 64 KiB the first copy of UFS1 lies where UFS2 has its superblock.
    if (!known || (magic === Magic.ufs1 && place === SBLOCK_UFS2)) continue;
    if ((magic !== Magic.ufs1 || updated) && f.fs_sblockloc.get(view, 0) !== place) continue;
    return { place, order, bytes };
  }
  return undefined;
}

export function hasMagic(image: ImageBytes): boolean {
  return findSuperblock(image) !== undefined;
}

/** Reads the superblock. Undefined when what was reported leaves nothing to go on with. Throws `unsupported` for what no kernel of today mounts either. */
export function readSuperblock(image: ImageBytes, report: Report): Super | undefined {
  const found = findSuperblock(image);
  if (!found) {
    report({
      code: "superblock-magic",
      place: "superblock",
      found: "no magic number of FFS",
      expected: `${hex(Magic.ufs1)}, ${hex(Magic.ufs2)} or ${hex(Magic.ufs2ea)} at byte ${SBLOCK_PLACES.join(", ")}`,
      where: { record: "fs.fs_magic" },
    });
    return undefined;
  }
  const sb = superOf(found, image);
  return validate(sb, image, report) ? sb : undefined;
}

/** A superblock's fields, not validated. */
export function superOf({ place, order, bytes }: Found, image: ImageBytes): Super {
  const records = ffsRecords(order);
  const { f } = records.Superblock;
  const view = viewOf(bytes);
  const magic = f.fs_magic.get(view, 0);
  const version = magic === Magic.ufs1 ? 1 : 2;
  const old = version === 1 && (f.fs_old_flags.get(view, 0) & FS_FLAGS_UPDATED) === 0;
  const blockSize = f.fs_bsize.get(view, 0);
  const inodeSize = version === 1 ? 128 : 256;
  const pointerSize = version === 1 ? 4 : 8;
  return {
    records,
    order,
    version,
    magic,
    old,
    place,
    bytes,
    view,
    blockSize,
    fragmentSize: f.fs_fsize.get(view, 0),
    frag: f.fs_frag.get(view, 0),
    size: old ? f.fs_old_size.get(view, 0) : f.fs_size.get(view, 0),
    groups: f.fs_ncg.get(view, 0),
    fpg: f.fs_fpg.get(view, 0),
    ipg: f.fs_ipg.get(view, 0),
    sblkno: f.fs_sblkno.get(view, 0),
    cblkno: f.fs_cblkno.get(view, 0),
    iblkno: f.fs_iblkno.get(view, 0),
    dblkno: f.fs_dblkno.get(view, 0),
    cgoffset: version === 1 ? f.fs_old_cgoffset.get(view, 0) : 0,
    cgmask: version === 1 ? f.fs_old_cgmask.get(view, 0) : -1,
    csaddr: old ? f.fs_old_csaddr.get(view, 0) : f.fs_csaddr.get(view, 0),
    cssize: f.fs_cssize.get(view, 0),
    cgsize: f.fs_cgsize.get(view, 0),
    inodeSize,
    inodesPerBlock: blockSize / inodeSize,
    pointerSize,
    pointers: blockSize / pointerSize,
    maxSymlink: f.fs_maxsymlinklen.get(view, 0),
    clusterSums: Math.max(0, f.fs_contigsumsize.get(view, 0)),
    // Before FS_FLAGS_UPDATED the flags were one byte elsewhere.
    flags: old ? f.fs_old_flags.get(view, 0) : f.fs_flags.get(view, 0),
    label: old ? "" : textOf(f.fs_volname.get(view, 0)),
    time: old ? f.fs_old_time.get(view, 0) : f.fs_time.get(view, 0),
    totals: old ? f.fs_old_cstotal.get(view, 0) : f.fs_cstotal.get(view, 0).slice(0, 4),
    id: f.fs_id.get(view, 0),
    chunk: isApple(image) ? 1024 : 512,
  };
}

/** Bytes up to the first NUL, as text. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeName(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Apple's UFS has a label at byte 7168, and larger chunks (NetBSD sys/ufs/ufs/dinode.h, struct appleufslabel). */
function isApple(image: ImageBytes): boolean {
  const magic = new Uint8Array(4);
  if (image.size < 8192) return false;
  image.readAt(7168, magic);
  return String.fromCharCode(...magic) === "LABL";
}

function isPowerOfTwo(number: number): boolean {
  return number > 0 && Number.isInteger(Math.log2(number));
}

/** Whether the rest of the image can be reached by this superblock; everything that is wrong is reported. */
function validate(sb: Super, image: ImageBytes, report: Report): boolean {
  const { f } = sb.records.Superblock;
  let usable = true;
  const expect = (field: keyof typeof f, holds: boolean, found: number, expected: string): void => {
    if (holds) return;
    usable = false;
    report({
      code: "superblock-field",
      place: "superblock",
      found: `${field} is ${found}`,
      expected,
      where: { record: `fs.${field}`, offset: sb.place + f[field].offset },
    });
  };
  const { blockSize, fragmentSize, frag, size, groups, fpg, ipg } = sb;
  expect(
    "fs_bsize",
    isPowerOfTwo(blockSize) && blockSize >= 4096 && blockSize <= 65536,
    blockSize,
    "a power of two from 4096 to 65536",
  );
  expect(
    "fs_fsize",
    isPowerOfTwo(fragmentSize) && fragmentSize >= 512 && fragmentSize <= blockSize,
    fragmentSize,
    `a power of two from 512 to ${blockSize}`,
  );
  expect("fs_frag", frag === blockSize / fragmentSize && frag <= MAXFRAG, frag, `fs_bsize / fs_fsize, at most ${MAXFRAG}`);
  if (!usable) return false;
  expect("fs_size", Number.isSafeInteger(size) && size > 0, size, "a positive number");
  expect("fs_ncg", groups > 0, groups, "at least 1");
  expect("fs_fpg", fpg >= frag && fpg % frag === 0, fpg, `a positive multiple of ${frag}`);
  expect("fs_ipg", ipg > 0 && ipg % sb.inodesPerBlock === 0, ipg, `a positive multiple of ${sb.inodesPerBlock}`);
  const inopb = f.fs_inopb.get(sb.view, 0);
  expect("fs_inopb", inopb === sb.inodesPerBlock, inopb, String(sb.inodesPerBlock));
  const nindir = f.fs_nindir.get(sb.view, 0);
  expect("fs_nindir", nindir === sb.pointers, nindir, String(sb.pointers));
  if (!usable) return false;
  const tables = (ipg / sb.inodesPerBlock) * frag;
  expect("fs_sblkno", sb.sblkno > 0 && sb.sblkno < sb.cblkno, sb.sblkno, `1 to ${sb.cblkno - 1}`);
  expect("fs_cblkno", sb.cblkno < sb.iblkno, sb.cblkno, `below ${sb.iblkno}`);
  expect("fs_iblkno", sb.iblkno < sb.dblkno, sb.iblkno, `below ${sb.dblkno}`);
  expect("fs_dblkno", sb.dblkno === sb.iblkno + tables && sb.dblkno <= fpg, sb.dblkno, `${sb.iblkno + tables}, at most ${fpg}`);
  expect(
    "fs_ncg",
    Math.ceil(size / fpg) === groups,
    groups,
    `${Math.ceil(size / fpg)} for ${size} fragments in groups of ${fpg}`,
  );
  expect("fs_cgsize", sb.cgsize >= CG_SIZE - 7 && sb.cgsize <= blockSize, sb.cgsize, `${CG_SIZE - 7} to ${blockSize}`);
  const summaries = groups * 16;
  expect(
    "fs_cssize",
    sb.cssize >= summaries && sb.cssize < summaries + blockSize,
    sb.cssize,
    `${summaries}, rounded up to fragments`,
  );
  const sbsize = f.fs_sbsize.get(sb.view, 0);
  expect("fs_sbsize", sbsize >= sb.bytes.length && sbsize <= SBLOCKSIZE, sbsize, `${sb.bytes.length} to ${SBLOCKSIZE}`);
  expect(
    "fs_csaddr",
    Number.isSafeInteger(sb.csaddr) && sb.csaddr > 0 && sb.csaddr + Math.ceil(sb.cssize / fragmentSize) <= size,
    sb.csaddr,
    `within 1 to ${size - 1}`,
  );
  if (!usable) return false;
  if (size * fragmentSize > image.size) {
    report({
      code: "image-size",
      place: "image",
      found: `${image.size} bytes`,
      expected: `${size * fragmentSize} for ${size} fragments of ${fragmentSize}`,
      where: { record: "fs.fs_size", offset: sb.place + f.fs_size.offset },
    });
    return false;
  }
  if (sb.old && f.fs_old_inodefmt.get(sb.view, 0) < FS_44INODEFMT) {
    throw new FsynthError("unsupported", "ffs: directories and inodes in the format of 4.2BSD (fs_inodefmt below 2)", {
      format: "ffs",
      record: "fs.fs_old_inodefmt",
      offset: sb.place + f.fs_old_inodefmt.offset,
    });
  }
  return true;
}

/** First fragment of a group, whence its parts are counted. */
export function groupStart(sb: Super, group: number): number {
  // Old file systems moved the parts of each group a little further.
  return group * sb.fpg + (sb.cgoffset === 0 ? 0 : sb.cgoffset * (group & ~sb.cgmask));
}

/** First fragment of a group, and one behind its last. */
export function groupRange(sb: Super, group: number): readonly [from: number, to: number] {
  return [group * sb.fpg, Math.min(sb.size, (group + 1) * sb.fpg)];
}
