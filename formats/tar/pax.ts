// Extended headers of pax: records `LENGTH KEY=VALUE\n`, LENGTH being decimal and counting the whole record. Values are
// bytes, whatever `hdrcharset` says.
//
// POSIX.1-2017, pax, "pax Extended Header"; GNU.sparse.*: GNU tar manual, "Storing Sparse Files"; SCHILY.*: star(5);
// LIBARCHIVE.*: libarchive's tar(5).

import { decodeName } from "../../src/bytes/names.ts";
import type { Time } from "../../src/tree/node.ts";
import { readDecimal } from "./number.ts";

/** Throws a `corrupt` error about the entry at hand; `offset` is the byte it speaks of. */
export type Fail = (sentence: string, offset?: number) => never;

/** The records of one or several extended headers; a later one of the same key replaces the earlier. */
export interface PaxRecords {
  readonly values: Map<string, Uint8Array>;
  /** GNU's sparse format 0.0 repeats two keys, pair by pair: `offset, numbytes, offset, …` in the order found. */
  readonly sparsePairs: number[];
}

export function emptyRecords(): PaxRecords {
  return { values: new Map(), sparsePairs: [] };
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;

/** Adds the records of `payload`, which starts at byte `base` of the archive. */
export function parsePax(payload: Uint8Array, base: number, into: PaxRecords, fail: Fail): void {
  for (let at = 0; at < payload.length; ) {
    // Some writers fill the rest of the payload with NULs.
    if (payload[at] === 0 && payload.subarray(at).every((byte) => byte === 0)) return;
    let length = 0;
    let i = at;
    for (; i < payload.length && i < at + 16; i++) {
      const digit = (payload[i] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    if (i === at || payload[i] !== SPACE) {
      fail("a pax record does not start with its length in decimal and a space", base + at);
    }
    const end = at + length;
    if (end > payload.length || end <= i + 1) {
      fail(`a pax record claims ${length} bytes; ${payload.length - at} are left in its header`, base + at);
    }
    if (payload[end - 1] !== NEWLINE) fail(`a pax record of ${length} bytes does not end in a newline`, base + at);
    const equals = payload.indexOf(EQUALS, i + 1);
    if (equals < 0 || equals >= end || equals === i + 1) fail("a pax record has no KEY=VALUE", base + at);
    addRecord(into, decodeName(payload.subarray(i + 1, equals)), payload.subarray(equals + 1, end - 1), base + at, fail);
    at = end;
  }
}

function addRecord(into: PaxRecords, key: string, value: Uint8Array, offset: number, fail: Fail): void {
  if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") {
    const number = readDecimal(value);
    const inTurn = (into.sparsePairs.length % 2 === 0) === (key === "GNU.sparse.offset");
    if (!Number.isSafeInteger(number) || !inTurn) {
      fail(`${key} is "${decodeName(value)}"; expected decimal numbers, an offset and its numbytes in turn`, offset);
    }
    into.sparsePairs.push(number);
    return;
  }
  into.values.set(key, value);
}

/**
 * A time as pax writes it, decimal seconds with any number of decimals; undefined when it is none. What is finer than a
 * nanosecond is rounded down (toward −∞).
 */
export function parsePaxTime(bytes: Uint8Array): Time | undefined {
  const match = /^(-?)(\d{1,16})(?:\.(\d*))?$/.exec(decodeName(bytes));
  if (!match) return undefined;
  const whole = Number(match[2]);
  const decimals = match[3] ?? "";
  if (!Number.isSafeInteger(whole)) return undefined;
  const nsec = Number(decimals.slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return { sec: whole, nsec };
  const finer = /[1-9]/.test(decimals.slice(9)) ? 1 : 0;
  const below = nsec + finer;
  return below === 0 ? { sec: whole === 0 ? 0 : -whole, nsec: 0 } : { sec: -whole - 1, nsec: 1_000_000_000 - below };
}

/** Keys that say nothing about the tree: names of owners (numbers decide), and what the maker's own disk looked like. */
const TOLD_OTHERWISE = new Set([
  "uname",
  "gname",
  "comment",
  "charset",
  "hdrcharset",
  "SCHILY.dev",
  "SCHILY.ino",
  "SCHILY.nlink",
  "SCHILY.filetype",
  "SCHILY.volhdr",
  "SCHILY.archtype",
  "SCHILY.release",
  "SCHILY.tarfiletype",
]);

const UNDERSTOOD = new Set([
  "path",
  "linkpath",
  "size",
  "uid",
  "gid",
  "mtime",
  "atime",
  "ctime",
  "LIBARCHIVE.creationtime",
  "SCHILY.devmajor",
  "SCHILY.devminor",
  "SCHILY.realsize",
  "SCHILY.acl.access",
  "SCHILY.acl.default",
  "RHT.security.selinux",
]);

/** Whether a key is used, or is known to carry nothing for the tree. */
export function knownKey(key: string): boolean {
  return (
    UNDERSTOOD.has(key) ||
    TOLD_OTHERWISE.has(key) ||
    key.startsWith("SCHILY.xattr.") ||
    key.startsWith("LIBARCHIVE.xattr.") ||
    key.startsWith("GNU.sparse.")
  );
}
