// The records of tar: one header of 512 bytes whose tail differs between dialects.
//
// ustar: POSIX.1-1988, today section "ustar Interchange Format" of the pax utility in POSIX.1-2017
// (https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html). GNU: "Basic Tar Format" of the GNU tar manual
// (https://www.gnu.org/software/tar/manual/html_node/Standard.html). star: the star(5) manual page.

import { raw, struct } from "../../src/bytes/struct.ts";

/** Everything in a tar comes in blocks of this many bytes. */
export const BLOCK = 512;

/** What all dialects share, with the fields that ustar added behind `linkname`. */
export const ustar = struct("posix_header", BLOCK, {
  name: [0, raw(100)],
  mode: [100, raw(8)],
  uid: [108, raw(8)],
  gid: [116, raw(8)],
  size: [124, raw(12)],
  mtime: [136, raw(12)],
  chksum: [148, raw(8)],
  typeflag: [156, raw(1)],
  linkname: [157, raw(100)],
  magic: [257, raw(6)],
  version: [263, raw(2)],
  uname: [265, raw(32)],
  gname: [297, raw(32)],
  devmajor: [329, raw(8)],
  devminor: [337, raw(8)],
  prefix: [345, raw(155)],
});

/** Where old GNU tar has what POSIX gave to `prefix`. `sp` is four pairs of offset and numbytes, 12 bytes each number. */
export const oldgnu = struct("oldgnu_header", BLOCK, {
  atime: [345, raw(12)],
  ctime: [357, raw(12)],
  offset: [369, raw(12)],
  longnames: [381, raw(4)],
  sp: [386, raw(96)],
  isextended: [482, raw(1)],
  realsize: [483, raw(12)],
});

/** The blocks that carry on the sparse map of an old GNU header: 21 pairs. */
export const sparseExtension = struct("sparse_header", BLOCK, {
  sp: [0, raw(504)],
  isextended: [504, raw(1)],
});

/** star's tail: a shorter prefix, two times, and a mark at the end. */
export const star = struct("star_header", BLOCK, {
  prefix: [345, raw(131)],
  atime: [476, raw(12)],
  ctime: [488, raw(12)],
  trailer: [508, raw(4)],
});

/** Values of `typeflag`. */
export const TYPE = {
  /** Also a NUL in archives from before POSIX. */
  file: "0",
  link: "1",
  symlink: "2",
  characterDevice: "3",
  blockDevice: "4",
  directory: "5",
  fifo: "6",
  contiguous: "7",
  paxGlobal: "g",
  paxFile: "x",
  /** Solaris wrote `X` for `x` before the standard was finished. */
  paxSolaris: "X",
  gnuLongName: "L",
  gnuLongLink: "K",
  gnuSparse: "S",
  /** A directory of an incremental dump; its content is the list of its names. */
  gnuDumpDirectory: "D",
  gnuVolumeLabel: "V",
  gnuMultiVolume: "M",
  gnuOldLongNames: "N",
} as const;
