// One member on its way into the archive: which pax records it needs, and all that stands in front of its data.

import type { Kind, Time } from "../../../src/tree/node.ts";
import type { SnapshotNode } from "../../../src/tree/snapshot-node.ts";
import { formatTime } from "../../../src/tree/time.ts";
import { BLOCK, TYPE } from "../records.ts";
import { LINK_SIZE, splitPoint, type UstarHeader, writeHeader } from "./header.ts";
import { FIELD_MAX, LONG_FIELD_MAX } from "./number.ts";
import { type PaxRecord, type PaxText, paxSize, writePax } from "./pax.ts";
import { type SparseFile, writeMap } from "./sparse.ts";

/** A member as it is to be written. */
export interface Member {
  readonly node: SnapshotNode;
  /** A directory's ends with a slash. */
  readonly path: Uint8Array;
  /** The path of the file's first name, if this is a further one. */
  readonly linkTo: Uint8Array | undefined;
  readonly sparse: SparseFile | undefined;
  /** Whether times beside the mtime are written. */
  readonly allTimes: boolean;
}

const NOTHING = new Uint8Array(0);
const PAX_FOLDER = new TextEncoder().encode("PaxHeaders/");
const SPARSE_FOLDER = new TextEncoder().encode("GNUSparseFile.0/");
const NO_RECORDS: readonly PaxRecord[] = [];

const TYPES: Readonly<Record<Exclude<Kind, "socket">, UstarHeader["type"]>> = {
  file: TYPE.file,
  directory: TYPE.directory,
  symlink: TYPE.symlink,
  "character-device": TYPE.characterDevice,
  "block-device": TYPE.blockDevice,
  fifo: TYPE.fifo,
};

/** Bytes of data behind the headers. */
export function dataSize({ node, linkTo, sparse }: Member): number {
  return linkTo || !node.content ? 0 : sparse ? sparse.stored : node.content.size;
}

/** Bytes in front of the data: headers, pax records, the map of a sparse file. */
export function headSize(member: Member): number {
  const records = recordsOf(member);
  const extended = records.length > 0 ? BLOCK + roundUp(paxSize(records)) : 0;
  return extended + BLOCK + (member.sparse && !member.linkTo ? member.sparse.mapSize : 0);
}

/** Bytes of a member's pax records. */
export function recordsSize(member: Member): number {
  return paxSize(recordsOf(member));
}

/** Writes all that stands in front of the data; the bytes from `at` on are zeros. */
export function writeHead(target: Uint8Array, view: DataView, from: number, member: Member): void {
  const { node, path, linkTo, sparse } = member;
  const records = recordsOf(member);
  let at = from;
  if (records.length > 0) {
    const size = paxSize(records);
    const header = { type: TYPE.paxFile, link: NOTHING, mode: 0o644, uid: 0, gid: 0, mtime: 0, major: 0, minor: 0 } as const;
    writeHeader(target, view, at, { ...header, path: aside(PAX_FOLDER, path), size });
    writePax(target, at + BLOCK, records);
    at += BLOCK + roundUp(size);
  }
  const map = linkTo ? undefined : sparse;
  writeHeader(target, view, at, {
    type: linkTo ? TYPE.link : TYPES[node.kind as Exclude<Kind, "socket">], // sockets are no members
    // A reader that knows nothing of sparse files does not take this for the file itself.
    path: map ? aside(SPARSE_FOLDER, path) : path,
    link: linkTo ?? node.target ?? NOTHING,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    size: dataSize(member) + (map?.mapSize ?? 0),
    mtime: node.mtime.sec,
    major: node.major,
    minor: node.minor,
  });
  if (map && node.content) writeMap(target, at + BLOCK, node.content.size, map.extents);
}

/** A path for readers who do not know what they see: the last name of the member in another folder. */
function aside(folder: Uint8Array, path: Uint8Array): Uint8Array {
  const end = path.at(-1) === 0x2f ? path.length - 1 : path.length;
  const name = path.subarray(path.lastIndexOf(0x2f, end - 1) + 1, end);
  const all = new Uint8Array(Math.min(folder.length + name.length, 100));
  all.set(folder);
  all.set(name.subarray(0, all.length - folder.length), folder.length);
  return all;
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}

/** What the header cannot hold. */
function recordsOf(member: Member): readonly PaxRecord[] {
  const { node, path, linkTo, sparse, allTimes } = member;
  let records: PaxRecord[] | undefined;
  const add = (key: PaxText, value: PaxText): void => void (records ??= []).push([key, value]);
  const link = linkTo ?? node.target;
  const longPath = !(sparse && !linkTo) && splitPoint(path) < 0;
  const longLink = link !== undefined && link.length > LINK_SIZE;
  const sparsePath = sparse !== undefined && linkTo === undefined;
  if (((longPath || sparsePath) && !isAscii(path)) || (longLink && !isAscii(link))) {
    // Names are bytes. Without this they are UTF-8, which libarchive normalises (to NFC) and turns into the character set of
    // whoever reads it. GNU tar, which takes bytes anyway, says that it does not know the word.
    add("hdrcharset", "BINARY");
  }
  if (longPath) add("path", path);
  if (longLink) add("linkpath", link);
  if (node.uid > FIELD_MAX) add("uid", String(node.uid));
  if (node.gid > FIELD_MAX) add("gid", String(node.gid));
  // A further name carries nothing else of its own.
  if (linkTo) return records ?? NO_RECORDS;
  const size = dataSize(member) + (sparse?.mapSize ?? 0);
  if (size > LONG_FIELD_MAX) add("size", String(size));
  const { mtime } = node;
  if (mtime.nsec !== 0 || mtime.sec < 0 || mtime.sec > LONG_FIELD_MAX) add("mtime", formatTime(mtime));
  if (allTimes) {
    const other = (key: string, time: Time): void => {
      if (time.sec !== mtime.sec || time.nsec !== mtime.nsec) add(key, formatTime(time));
    };
    other("atime", node.atime);
    other("ctime", node.ctime);
    other("LIBARCHIVE.creationtime", node.btime);
  }
  if (node.major > FIELD_MAX) add("SCHILY.devmajor", String(node.major));
  if (node.minor > FIELD_MAX) add("SCHILY.devminor", String(node.minor));
  if (sparse && node.content) {
    add("GNU.sparse.major", "1");
    add("GNU.sparse.minor", "0");
    add("GNU.sparse.name", path);
    add("GNU.sparse.realsize", String(node.content.size));
  }
  for (const { name, value } of node.xattrs) add(xattrKey(name), value);
  return records ?? NO_RECORDS;
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}

const XATTR = new TextEncoder().encode("SCHILY.xattr.");

/** A key cannot hold `=`: GNU tar writes `%3D` for it, and `%25` for `%`. */
function xattrKey(name: Uint8Array): Uint8Array {
  const bytes: number[] = [...XATTR];
  for (const byte of name) {
    if (byte === 0x3d) bytes.push(0x25, 0x33, 0x44);
    else if (byte === 0x25) bytes.push(0x25, 0x32, 0x35);
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
