// Reads extended attributes: in the inode's tail, in a block, and values in inodes of their own.
// Specification: Linux Documentation/filesystems/ext4/attributes.rst; check_xattrs in fs/ext4/xattr.c.

import { crc32c } from "../../../src/bytes/crc.ts";
import { decodeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { FsynthError } from "../../../src/error.ts";
import { GOOD_OLD_INODE_SIZE, InodeFlags } from "../disk/inode.ts";
import { XATTR_INDEX_SYSTEM, XATTR_MAGIC, XATTR_PREFIXES, XattrEntry, XattrHeader } from "../disk/xattr.ts";
import { aclFromDisk } from "./acl.ts";
import { mappedContent } from "./content.ts";
import type { Disk } from "./disk.ts";
import { hex, type Report } from "./fault.ts";
import type { InodeRecord, Inodes } from "./inodes.ts";
import { readMapping } from "./mapping.ts";

/** An attribute as the disk keeps it. */
export interface StoredXattr {
  /** e_name_index. */
  readonly index: number;
  /** Without its prefix. */
  readonly name: Uint8Array;
  /** Bytes; empty when the value lies in an inode of its own. */
  readonly value: Uint8Array;
  /** Bytes of the value, wherever it is. */
  readonly size: number;
  /** The inode that holds the value, 0 for none. */
  readonly valueInode: number;
  readonly hash: number;
  /** Of the entry: bytes from the start of the image. */
  readonly offset: number;
  readonly inBody: boolean;
}

/** Most bytes of a value in an inode of its own (EXT4_XATTR_SIZE_MAX). */
const VALUE_MAX = 2 ** 24;
/** e_name_index of the contexts of encryption, which Linux shows to nobody. */
const ENCRYPTION = 9;
/** e_name_index of GNU/Hurd's. */
const HURD = 10;

const pad = (length: number): number => (length + 3) & ~3;
const isData = ({ index, name }: StoredXattr): boolean => index === XATTR_INDEX_SYSTEM && decodeName(name) === "data";

/** The attributes that Linux shows of an inode, by full names. */
export function readXattrs(inodes: Inodes, inode: InodeRecord, report: Report): Map<string, Uint8Array> {
  const { disk } = inodes;
  const found = new Map<string, Uint8Array>();
  for (const xattr of storedXattrs(disk, inode, report)) {
    const wrong = (what: string, expected: string): void =>
      report({
        code: "xattr-entry",
        place: `inode ${inode.number}`,
        found: what,
        expected,
        where: { record: "xattrs", index: inode.number, offset: xattr.offset },
      });
    if (isData(xattr) || xattr.index === ENCRYPTION) continue;
    const name = fullName(xattr);
    if (name === undefined) {
      wrong(`an xattr with name index ${xattr.index}`, "an index that is known");
      continue;
    }
    if (found.has(name)) wrong(`the xattr ${name} stands twice`, "every name once");
    let value = xattr.valueInode === 0 ? xattr.value : readLargeValue(inodes, inode, xattr, report);
    if (!value) continue;
    verifyHash(inode, xattr, report);
    if (xattr.index === 2 || xattr.index === 3) {
      const acl = aclFromDisk(value);
      if (typeof acl === "string") {
        wrong(`the xattr ${name} is ${acl}`, "a POSIX ACL of version 1");
        continue;
      }
      value = acl;
    }
    found.set(name, value);
  }
  return found;
}

/** The value of system.data, where data in the inode goes on; empty when there is none. */
export function inlineData(inode: InodeRecord, report: Report): Uint8Array {
  for (const xattr of bodyXattrs(inode, report)) if (isData(xattr)) return xattr.value;
  return new Uint8Array(0);
}

/** Whether an xattr of the inode is the context of its encryption. */
export function isEncryptionContext({ index, name }: StoredXattr): boolean {
  return index === ENCRYPTION && decodeName(name) === "c";
}

function fullName({ index, name }: StoredXattr): string | undefined {
  const text = decodeName(name);
  if (index === HURD) return `gnu.${text}`;
  const prefix = XATTR_PREFIXES.find((one) => one.index === index);
  return prefix && (prefix.whole ? prefix.prefix : prefix.prefix + text);
}

/** All attributes of an inode: those in its tail, then those of its block. */
export function storedXattrs(disk: Disk, inode: InodeRecord, report: Report): StoredXattr[] {
  const stored = bodyXattrs(inode, report);
  if (inode.fileAcl !== 0) stored.push(...blockXattrs(disk, inode, report));
  return stored;
}

function bodyXattrs(inode: InodeRecord, report: Report): StoredXattr[] {
  const { bytes, extraSize, offset } = inode;
  const start = GOOD_OLD_INODE_SIZE + extraSize;
  if (extraSize === 0 || start + 8 > bytes.length) return [];
  if (viewOf(bytes).getUint32(start, true) !== XATTR_MAGIC) return [];
  return entries(inode, bytes, start + 4, start + 4, bytes.length, offset, true, report);
}

/** The attributes in the block of an inode, which other inodes may share. */
export function blockXattrs(disk: Disk, inode: InodeRecord, report: Report): StoredXattr[] {
  const { fileAcl } = inode;
  const { superblock: sb } = disk;
  const at = fileAcl * sb.blockSize;
  const wrong = (code: string, found: string, expected: string, offset: number): void =>
    report({ code, place: `inode ${inode.number}`, found, expected, where: { record: "xattrs", index: inode.number, offset } });
  if (!disk.holds(fileAcl, 1)) {
    wrong("xattr-block", `its xattrs are at block ${fileAcl}`, `${Math.max(1, sb.firstBlock)} to ${sb.blocks - 1}`, inode.offset);
    return [];
  }
  const bytes = disk.block(fileAcl);
  const view = viewOf(bytes);
  const h = XattrHeader.f;
  const magic = h.h_magic.get(view, 0);
  const blocks = h.h_blocks.get(view, 0);
  if (magic !== XATTR_MAGIC || blocks !== 1) {
    wrong("xattr-block", `its xattr block starts with ${hex(magic)} and ${blocks} blocks`, `${hex(XATTR_MAGIC)} and 1`, at);
    return [];
  }
  if (sb.checksums) {
    const stored = h.h_checksum.get(view, 0);
    const sum = xattrBlockChecksum(sb.checksumSeed, fileAcl, bytes);
    if (stored !== sum)
      wrong("xattr-checksum", `the checksum of its xattr block is ${hex(stored)}`, hex(sum), at + h.h_checksum.offset);
  }
  return entries(inode, bytes, XattrHeader.size, 0, bytes.length, at, false, report);
}

/** What h_checksum of an xattr block at `block` has to be. */
export function xattrBlockChecksum(seed: number, block: number, bytes: Uint8Array): number {
  const { offset } = XattrHeader.f.h_checksum;
  const number = new Uint8Array(8);
  viewOf(number).setUint32(0, block % 2 ** 32, true);
  viewOf(number).setUint32(4, Math.floor(block / 2 ** 32), true);
  const sum = crc32c(crc32c(seed, number), bytes, 0, offset);
  return crc32c(crc32c(sum, new Uint8Array(4)), bytes, offset + 4);
}

/** Entries from byte `at` of `bytes`; offsets of values count from `base`. The first that cannot be ends the list. */
function entries(
  inode: InodeRecord,
  bytes: Uint8Array,
  from: number,
  base: number,
  end: number,
  offset: number,
  inBody: boolean,
  report: Report,
): StoredXattr[] {
  const view = viewOf(bytes);
  const f = XattrEntry.f;
  const found: StoredXattr[] = [];
  const wrong = (at: number, what: string, expected: string): void =>
    report({
      code: "xattr-entry",
      place: `inode ${inode.number}`,
      found: what,
      expected,
      where: { record: "xattrs", index: inode.number, offset: offset + at },
    });
  const ranges: { at: number; from: number; to: number }[] = [];
  let at = from;
  for (;;) {
    if (at + 4 > end) {
      wrong(at, "the list of xattrs runs to the end of its room", "an empty entry that ends it");
      break;
    }
    if (view.getUint32(at, true) === 0) break;
    const nameLength = bytes[at] as number; // at is before `end`
    const next = at + XattrEntry.size + pad(nameLength);
    if (next > end) {
      wrong(at, `an xattr with a name of ${nameLength} bytes`, `room for it; ${end - at} bytes are left`);
      break;
    }
    const size = f.e_value_size.get(view, at);
    const valueInode = f.e_value_inum.get(view, at);
    const start = base + f.e_value_offs.get(view, at);
    let value = new Uint8Array(0);
    if (valueInode === 0 && size > 0) {
      if (start + size > end) {
        wrong(at, `the value of an xattr takes bytes ${start} to ${start + size}`, `bytes up to ${end}`);
        break;
      }
      value = bytes.slice(start, start + size);
      ranges.push({ at, from: start, to: start + size });
    }
    const name = bytes.slice(at + XattrEntry.size, at + XattrEntry.size + nameLength);
    const hash = f.e_hash.get(view, at);
    found.push({ index: bytes[at + 1] as number, name, value, size, valueInode, hash, offset: offset + at, inBody });
    at = next;
  }
  for (const range of ranges) {
    if (range.from < at)
      wrong(range.at, `the value of an xattr starts at byte ${range.from}`, `behind the names, which end at ${at}`);
  }
  return found;
}

/** The value that lies in an inode of its own; undefined when it cannot. */
function readLargeValue(inodes: Inodes, inode: InodeRecord, xattr: StoredXattr, report: Report): Uint8Array | undefined {
  const { disk } = inodes;
  const { valueInode, size, offset } = xattr;
  const wrong = (what: string, expected: string): void =>
    report({
      code: "xattr-value-inode",
      place: `inode ${inode.number}`,
      found: what,
      expected,
      where: { record: "xattrs", index: inode.number, offset },
    });
  if (!disk.superblock.features.has("ea_inode")) {
    wrong(`an xattr's value lies in inode ${valueInode}`, "the feature ea_inode");
    return undefined;
  }
  const holder = inodes.read(valueInode, report);
  if (!holder) return undefined;
  if ((holder.flags & InodeFlags.EA_INODE) === 0 || holder.kind !== "file" || holder.size !== size || size > VALUE_MAX) {
    wrong(
      `an xattr's value of ${size} bytes lies in inode ${valueInode}, a ${holder.kind ?? "free inode"} of ${holder.size} bytes`,
      `a value inode of that size, at most ${VALUE_MAX}`,
    );
    return undefined;
  }
  const { runs } = readMapping(disk, holder, report);
  const value = new Uint8Array(size);
  const pending = mappedContent(disk, runs, size, false).read(0, value);
  if (pending) throw new FsynthError("corrupt", "bug in fsynth: content of an image is read synchronously");
  // The hash stands where other inodes have their atime.
  const stored = holder.atime.sec >>> 0;
  const hash = crc32c(disk.superblock.checksumSeed, value);
  if (stored !== hash) wrong(`the hash of the value in inode ${valueInode} is ${hex(hash)}`, hex(stored));
  return value;
}

/** e_hash goes over the name and the value's words; 0 stands for none. Linux took the name's bytes as signed for a while. */
function verifyHash(inode: InodeRecord, xattr: StoredXattr, report: Report): void {
  if (xattr.hash === 0 || xattr.valueInode !== 0) return;
  const unsigned = entryHash(xattr, false);
  if (xattr.hash === unsigned || xattr.hash === entryHash(xattr, true)) return;
  report({
    code: "xattr-hash",
    place: `inode ${inode.number}`,
    found: `the hash of an xattr is ${hex(xattr.hash)}`,
    expected: hex(unsigned),
    where: { record: "xattrs", index: inode.number, offset: xattr.offset },
  });
}

/** Hash of an entry whose value lies beside it. */
export function entryHash({ name, value }: StoredXattr, signed: boolean): number {
  let hash = 0;
  for (const byte of name) hash = (hash << 5) ^ (hash >>> 27) ^ (signed ? (byte << 24) >> 24 : byte);
  for (let i = 0; i < value.length; i += 4) {
    // Bytes behind the value are padded with zeros.
    const word = (value[i] as number) | ((value[i + 1] ?? 0) << 8) | ((value[i + 2] ?? 0) << 16) | ((value[i + 3] ?? 0) << 24);
    hash = (hash << 16) ^ (hash >>> 16) ^ word;
  }
  return hash >>> 0;
}
