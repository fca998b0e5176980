// cpio archives in the newc form, which Linux unpacks as initramfs.

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
