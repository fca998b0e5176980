// The options of FFS beside those of every format.

import {
  choice,
  inodesOption,
  integer,
  type Option,
  type OptionTable,
  type OptionValues,
  refuse,
  sizeOption,
  text,
  toggle,
} from "../../src/image/options.ts";

/** `--superblock`: a place in bytes. */
const superblock: Option<number | string, 8192 | 65536 | undefined> = {
  help: "Where the superblock lies, in bytes: UFS2 has it at 65536, or at 8192 as NetBSD's makefs places it; UFS1 always at 8192.",
  metavar: "65536|8192",
  default: undefined,
  defaultText: "65536 for UFS2, 8192 for UFS1",
  accept(input) {
    const place = Number(input);
    return place === 8192 || place === 65536 ? place : refuse("65536 or 8192");
  },
};

/** `--fs-id`: what sets this file system apart. */
const fsId: Option<string, string | undefined> = {
  help: "fs_id as 16 hexadecimal digits; the generations of the inodes come from it.",
  metavar: "HEX",
  default: undefined,
  defaultText: "derived from the tree",
  accept: (input) => (/^[0-9a-f]{16}$/i.test(input) ? input.toLowerCase() : refuse("16 hexadecimal digits")),
};

/** The options of FFS. */
export const ffsOptions = {
  size: sizeOption,
  inodes: inodesOption,
  density: integer(
    undefined,
    { min: 1, max: 2 ** 40, units: true },
    "BYTES",
    "One inode for every so many bytes of the image; another spelling of --inodes 1/BYTES.",
    "as --inodes says",
  ),
  blockSize: integer(
    16384,
    { min: 4096, max: 65536, units: true, powerOfTwo: true },
    "BYTES",
    "Block size, at most 8 fragments; Linux mounts fragments of up to 4096 bytes.",
  ),
  fragmentSize: integer(
    2048,
    { min: 512, max: 65536, units: true, powerOfTwo: true },
    "BYTES",
    "Fragment size, from an eighth of a block to a block.",
  ),
  minfree: integer(
    5,
    { min: 0, max: 99 },
    "PERCENT",
    "Space that only root may use, as a share of the data blocks; the size fit leaves it free.",
  ),
  optimization: choice(["time", "space"], "time", "What the kernel optimizes allocation for."),
  label: text(32, "LABEL", "Volume name, at most 32 bytes."),
  byteOrder: choice(["little", "big"], "little", "Byte order of everything on the disk."),
  superblock,
  fsId,
  netbsdDev: toggle(
    false,
    "Adds the device nodes that small NetBSD systems need to /dev (console, null, tty, ld0a, …), where the tree has none of that name.",
  ),
} satisfies OptionTable;

export type FfsOptions = OptionValues<typeof ffsOptions>;
