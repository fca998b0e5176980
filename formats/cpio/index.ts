// cpio archives in the newc form, which Linux unpacks as initramfs.

import type { Format } from "../../src/image/format.ts";
import { FIELD_MAX, PATH_MAX, TARGET_MAX } from "./limits.ts";
import { checkCpio, openCpio, recognisesCpio } from "./open.ts";
import { cpioOptions } from "./options.ts";
import { planCpio } from "./plan.ts";
import { cpioRecords } from "./records.ts";

export { type CpioPart, cpioOptions, type Part } from "./options.ts";

/** The format behind `buildCpio`. */
export const cpio: Format<typeof cpioOptions> = {
  name: "cpio",
  profiles: [
    {
      name: "cpio",
      summary: "cpio in the newc form (initramfs), or crc with --checksum.",
      capabilities: {
        "largest file": FIELD_MAX,
        "longest name": 255,
        "longest path": PATH_MAX - 1,
        "longest symlink": TARGET_MAX,
        "hard links of a file": "no limit",
        "subdirectories of a directory": "no limit",
        times: "1970-01-01 to 2106-02-07, seconds, mtime only",
        xattrs: false,
        "POSIX ACLs": false,
        devices: "32-bit major and minor",
        holes: "stored as zeros",
        "hard links": true,
        journal: false,
        checksums: "of the data of files, with --checksum",
      },
    },
  ],
  options: cpioOptions,
  plan: planCpio,
  recognises: recognisesCpio,
  open: openCpio,
  check: checkCpio,
  records: cpioRecords,
};
