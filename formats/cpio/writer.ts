// Writing cpio: the format without what reads it, so that a bundle of a page that only builds leaves the readers out.

import type { Format } from "../../src/image/format.ts";
import { FIELD_MAX, PATH_MAX, TARGET_MAX } from "./limits.ts";
import { cpioOptions } from "./options.ts";
import { planCpio } from "./plan.ts";

/** The part of the format that `build…` takes. */
export const cpioWriter: Format<typeof cpioOptions> = {
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
};
