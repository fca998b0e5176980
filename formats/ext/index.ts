/**
 * ext2, ext3 and ext4 as one format with several profiles. What is written and read follows Linux's Documentation/filesystems/ext4 and
 * fs/ext4, and what e2fsck demands (formats/ext/README.md).
 *
 * @example
 * ```ts
 * import { Tree, buildImage } from "fsynth";
 * import { ext, extOptions } from "fsynth/formats/ext";
 * console.log(ext.profiles.map(({ name }) => name), extOptions.blockSize.default);
 * await buildImage(ext, "ext2-netbsd", new Tree(), { blockSize: 1024 }).writeTo("netbsd.ext2");
 * ```
 *
 * @packageDocumentation
 */

import type { Format } from "../../src/image/format.ts";
import { checkExt } from "./check/check.ts";
import type { extOptions } from "./options.ts";
import { openExt } from "./read/reader.ts";
import { extRecords } from "./read/records.ts";
import { hasMagic } from "./read/superblock.ts";
import { extWriter } from "./writer.ts";

export { extOptions } from "./options.ts";

/** The format behind `buildExt2`, `buildExt3`, `buildExt4` and the profiles `ext4-nojournal` and `ext2-netbsd`. */
export const ext: Format<typeof extOptions> = {
  ...extWriter,
  recognises: hasMagic,
  open: openExt,
  check: checkExt,
  records: extRecords,
};
