/**
 * cpio archives in the newc form, which Linux unpacks as initramfs: its Documentation/driver-api/early-userspace/buffer-format.rst
 * and init/initramfs.c (formats/cpio/README.md).
 *
 * @example
 * ```ts
 * import { Tree, buildImage } from "fsynth";
 * import { cpio } from "fsynth/formats/cpio";
 * const tree = new Tree().file("/init", "#!/bin/sh\n", { mode: 0o755 });
 * await buildImage(cpio, "cpio", tree, { checksum: true }).writeTo("initrd.cpio");
 * ```
 *
 * @packageDocumentation
 */

import type { Format } from "../../src/image/format.ts";
import { checkCpio, openCpio, recognisesCpio } from "./open.ts";
import type { cpioOptions } from "./options.ts";
import { cpioRecords } from "./records.ts";
import { cpioWriter } from "./writer.ts";

export { type CpioPart, cpioOptions, type Part } from "./options.ts";

/** The format behind `buildCpio`. */
export const cpio: Format<typeof cpioOptions> = {
  ...cpioWriter,
  recognises: recognisesCpio,
  open: openCpio,
  check: checkCpio,
  records: cpioRecords,
};
