/**
 * BSD's Fast File System: UFS1 and UFS2, in both byte orders, as one format with several profiles. What is written and read follows
 * NetBSD's sys/ufs/ffs/fs.h and sys/ufs/ufs, and what fsck_ffs demands (formats/ffs/README.md).
 *
 * @example
 * ```ts
 * import { Tree, buildImage } from "fsynth";
 * import { ffs } from "fsynth/formats/ffs";
 * const image = buildImage(ffs, "ffs1", new Tree().directory("/etc"), { byteOrder: "big" });
 * console.log(image.plan.summary);
 * ```
 *
 * @packageDocumentation
 */

import type { Format } from "../../src/image/format.ts";
import { checkFfs } from "./check/check.ts";
import type { ffsOptions } from "./options.ts";
import { openFfs } from "./read/reader.ts";
import { ffsRecordsOf } from "./read/records.ts";
import { hasMagic } from "./read/superblock.ts";
import { ffsWriter } from "./writer.ts";

export { ffsOptions } from "./options.ts";

/** The format behind `buildFfs`. */
export const ffs: Format<typeof ffsOptions> = {
  ...ffsWriter,
  recognises: hasMagic,
  open: openFfs,
  check: checkFfs,
  records: ffsRecordsOf,
};
