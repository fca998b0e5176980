// Writing tar: the format without what reads it, so that a bundle of a page that only builds leaves the readers out.

import type { Format } from "../../src/image/format.ts";
import { MAX_FILE } from "./limits.ts";
import { planTar } from "./plan.ts";
import { tarOptions } from "./write/options.ts";

/** The part of the format that `build…` takes. */
export const tarWriter: Format<typeof tarOptions> = {
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
};
