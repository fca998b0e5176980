// ustar headers, as GNU tar writes them with --format=ustar --numeric-owner: names of owners are left out.

import { blockSum } from "../checksum.ts";
import { type TYPE, ustar } from "../records.ts";
import { FIELD_MAX, LONG_FIELD_MAX, writeOctal } from "./number.ts";

/** What a header says. Numbers beyond their fields stand there as the nearest that fits: a pax record says what they are. */
export interface UstarHeader {
  readonly type: (typeof TYPE)[keyof typeof TYPE];
  /** What does not fit is cut. */
  readonly path: Uint8Array;
  readonly link: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

const SLASH = 0x2f;
const NAME_SIZE = ustar.f.name.size;
const PREFIX_SIZE = ustar.f.prefix.size;

/** Longest target of a link. */
export const LINK_SIZE = ustar.f.linkname.size;

/**
 * Where a path is cut in two: at the last slash that leaves a prefix which fits, as GNU tar does. 0 when it needs no prefix, -1 when there is no such
 * place.
 */
export function splitPoint(path: Uint8Array): number {
  if (path.length <= NAME_SIZE) return 0;
  // A slash at the end belongs to the name.
  const from = Math.min(path.length - 2, PREFIX_SIZE);
  const slash = path.lastIndexOf(SLASH, from);
  return slash > 0 && path.length - slash - 1 <= NAME_SIZE ? slash : -1;
}

const MAGIC = new TextEncoder().encode("ustar\x0000");

/** Writes a header at `at`; the block holds zeros. `view` shows `target`. */
export function writeHeader(target: Uint8Array, view: DataView, at: number, header: UstarHeader): void {
  const { f } = ustar;
  const { path, link } = header;
  const split = splitPoint(path);
  if (split > 0) {
    target.set(path.subarray(0, split), at + f.prefix.offset);
    target.set(path.subarray(split + 1), at + f.name.offset);
  } else target.set(path.subarray(0, NAME_SIZE), at + f.name.offset);
  target.set(link.subarray(0, LINK_SIZE), at + f.linkname.offset);
  const number = (field: { readonly offset: number; readonly size: number }, value: number, most: number): void =>
    writeOctal(target, at + field.offset, field.size, Math.min(Math.max(value, 0), most));
  number(f.mode, header.mode, FIELD_MAX);
  number(f.uid, header.uid, FIELD_MAX);
  number(f.gid, header.gid, FIELD_MAX);
  number(f.size, header.size, LONG_FIELD_MAX);
  number(f.mtime, header.mtime, LONG_FIELD_MAX);
  number(f.devmajor, header.major, FIELD_MAX);
  number(f.devminor, header.minor, FIELD_MAX);
  target[at + f.typeflag.offset] = header.type.charCodeAt(0);
  // Magic and version stand side by side.
  target.set(MAGIC, at + f.magic.offset);
  target.fill(0x20, at + f.chksum.offset, at + f.chksum.offset + f.chksum.size);
  const sum = blockSum(view, at);
  // Six digits, a NUL, a space.
  writeOctal(target, at + f.chksum.offset, f.chksum.size - 1, sum);
}
