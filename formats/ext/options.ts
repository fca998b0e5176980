// The options of ext beside those of every format.

import {
  decimal,
  inodesOption,
  integer,
  type OptionTable,
  type OptionValues,
  sizeOption,
  text,
  toggle,
  uuid,
  words,
} from "../../src/image/options.ts";
import { writableFeatures } from "./disk/features.ts";
import { JOURNAL_MIN_BLOCKS } from "./disk/journal.ts";

/** The options of ext2, ext3 and ext4. */
export const extOptions = {
  size: sizeOption,
  inodes: inodesOption,
  blockSize: integer(
    4096,
    { min: 1024, max: 65536, units: true, powerOfTwo: true },
    "BYTES",
    "Block size; Linux mounts what is not above its page size.",
  ),
  inodeSize: integer(
    256,
    { min: 128, max: 32768, units: true, powerOfTwo: true },
    "BYTES",
    "Inode size, up to the block size; 128 has no nanoseconds and ends in 2038.",
  ),
  reserved: decimal(0, { min: 0, max: 50 }, "PERCENT", "Blocks that only root may use, as a share of all."),
  label: text(16, "LABEL", "Volume name, at most 16 bytes."),
  uuid: uuid("UUID of the file system."),
  hashSeed: uuid("Seed of the directory hashes."),
  journalSize: integer(
    undefined,
    { min: JOURNAL_MIN_BLOCKS * 1024, max: 2 ** 40, units: true },
    "BYTES",
    "Size of the journal, at least 1024 blocks.",
    "as mke2fs chooses by the size of the image",
  ),
  features: words("[^]NAME,…", `Adds features, or with ^ takes them out ("none": all): ${writableFeatures().join(", ")}.`),
  lostFound: toggle(true, "Makes /lost+found (0700, 0:0, inode 11, one block) unless the tree has its own."),
} satisfies OptionTable;

export type ExtOptions = OptionValues<typeof extOptions>;
