// The headers of cpio members. newc and crc: Linux Documentation/driver-api/early-userspace/buffer-format.rst. odc: POSIX.1-2001,
// pax, "cpio Interchange Format". Old binary: cpio(5) of FreeBSD.

import { be16, le16, raw, struct } from "../../../src/bytes/struct.ts";
import { Hex8, halvesBe, halvesLe, octal } from "./text.ts";

/** Magic of newc; of crc, whose headers also carry a sum of the data; of odc. */
export const MAGIC = { newc: "070701", crc: "070702", odc: "070707" } as const;

/** Magic of the old binary form, a word. */
export const BINARY_MAGIC = 0o070707;

/** Name of the member that ends an archive. */
export const TRAILER = "TRAILER!!!";

/** newc and crc. Behind it the name with a NUL, then the data; both end at multiples of 4 from the start of the archive. */
export const newc = struct("cpio_newc_header", 110, {
  c_magic: [0, raw(6)],
  c_ino: [6, Hex8],
  c_mode: [14, Hex8],
  c_uid: [22, Hex8],
  c_gid: [30, Hex8],
  c_nlink: [38, Hex8],
  c_mtime: [46, Hex8],
  c_filesize: [54, Hex8],
  c_maj: [62, Hex8],
  c_min: [70, Hex8],
  c_rmaj: [78, Hex8],
  c_rmin: [86, Hex8],
  c_namesize: [94, Hex8],
  c_chksum: [102, Hex8],
});

/** odc. Behind it the name with a NUL and the data, without padding. */
export const odc = struct("cpio_odc_header", 76, {
  c_magic: [0, raw(6)],
  c_dev: [6, octal(6)],
  c_ino: [12, octal(6)],
  c_mode: [18, octal(6)],
  c_uid: [24, octal(6)],
  c_gid: [30, octal(6)],
  c_nlink: [36, octal(6)],
  c_rdev: [42, octal(6)],
  c_mtime: [48, octal(11)],
  c_namesize: [59, octal(6)],
  c_filesize: [65, octal(11)],
});

/** The old binary form of machines of either byte order. Name and data end at even offsets. */
export const binaryLe = struct("header_old_cpio", 26, {
  c_magic: [0, le16],
  c_dev: [2, le16],
  c_ino: [4, le16],
  c_mode: [6, le16],
  c_uid: [8, le16],
  c_gid: [10, le16],
  c_nlink: [12, le16],
  c_rdev: [14, le16],
  c_mtime: [16, halvesLe],
  c_namesize: [20, le16],
  c_filesize: [22, halvesLe],
});

export const binaryBe = struct("header_old_cpio", 26, {
  c_magic: [0, be16],
  c_dev: [2, be16],
  c_ino: [4, be16],
  c_mode: [6, be16],
  c_uid: [8, be16],
  c_gid: [10, be16],
  c_nlink: [12, be16],
  c_rdev: [14, be16],
  c_mtime: [16, halvesBe],
  c_namesize: [20, be16],
  c_filesize: [22, halvesBe],
});
