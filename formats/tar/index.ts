// tar archives: pax where ustar does not suffice.

import type { Format } from "../../src/image/format.ts";
import { MAX_FILE } from "./limits.ts";
import { checkTar, openTar, recognisesTar } from "./open.ts";
import { planTar } from "./plan.ts";
import { tarRecords } from "./shown.ts";
import { tarOptions } from "./write/options.ts";

export { tarOptions } from "./write/options.ts";

/** The format behind `buildTar`. */
export const tar: Format<typeof tarOptions> = {
  name: "tar",
  profiles: [
    {
      name: "tar",
      summary: "tar: ustar headers, and pax records for what they cannot hold.",
      capabilities: {
        "largest file": MAX_FILE,
        "longest name": 255,
        "longest path": "no limit",
        "longest symlink": "no limit",
        "hard links of a file": "no limit",
        "subdirectories of a directory": "no limit",
        times: "any, nanoseconds",
        xattrs: true,
        "POSIX ACLs": true,
        devices: "32-bit major and minor",
        sockets: false,
        holes: "kept, in blocks of 512 bytes",
        "hard links": true,
        journal: false,
        checksums: "of headers",
      },
    },
  ],
  options: tarOptions,
  plan: planTar,
  recognises: recognisesTar,
  open: openTar,
  check: checkTar,
  records: tarRecords,
};
