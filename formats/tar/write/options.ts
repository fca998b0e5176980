// The options of tar beside those of every format.

import { choice, integer, type OptionTable, type OptionValues, toggle } from "../../../src/image/options.ts";
import { BLOCK } from "../records.ts";

/** Most blocks of a record. */
export const MAX_BLOCKING = 32_768;

/** Bytes of an archive whose members end at `end`: two blocks of zeros are its end, and records are whole. */
export function archiveSize(end: number, blockingFactor: number): number {
  const record = blockingFactor * BLOCK;
  return Math.ceil((end + 2 * BLOCK) / record) * record;
}

/** The options of tar. */
export const tarOptions = {
  rootEntry: toggle(true, "Writes the root directory itself, as the entry `.` (in tar: `./`)."),
  blockingFactor: integer(
    20,
    { min: 1, max: MAX_BLOCKING },
    "N",
    "The archive is padded to a multiple of N blocks of 512 bytes, as by the option -b of tar.",
  ),
  times: choice(
    ["all", "mtime"],
    "all",
    "Which times are written where they are not the mtime: also atime, ctime and birth time, or none of these.",
  ),
} satisfies OptionTable;

export type TarBuildValues = OptionValues<typeof tarOptions>;
