// BSD's Fast File System: UFS1 and UFS2, in both byte orders, as one format with several profiles.

import type { Format } from "../../src/image/format.ts";
import { checkFfs } from "./check/check.ts";
import { boundsOf, LINKS_MAX, TARGET_MAX } from "./limits.ts";
import { ffsOptions } from "./options.ts";
import { planFfs } from "./plan.ts";
import { profiles } from "./profiles.ts";
import { openFfs } from "./read/reader.ts";
import { ffsRecordsOf } from "./read/records.ts";
import { hasMagic } from "./read/superblock.ts";

export { ffsOptions } from "./options.ts";

/** The format behind `buildFfs`. */
export const ffs: Format<typeof ffsOptions> = {
  name: "ffs",
  profiles: profiles.map((profile) => ({
    name: profile.name,
    summary: profile.summary,
    capabilities: {
      "largest file": boundsOf(profile, ffsOptions.blockSize.default).fileSize,
      "longest name": 255,
      "longest symlink": TARGET_MAX,
      "hard links of a file": LINKS_MAX,
      "subdirectories of a directory": LINKS_MAX - 2,
      times: profile.version === 1 ? "1901-12-13 to 2038-01-19, nanoseconds" : "all, nanoseconds, birth times",
      xattrs: profile.extendedAttributes ? "user.* and system.*" : false,
      "POSIX ACLs": false,
      devices: "NetBSD's encoding: major up to 4095, minor up to 1048575",
      holes: true,
      "hard links": true,
      journal: false,
      checksums: false,
    },
  })),
  options: ffsOptions,
  plan: planFfs,
  recognises: hasMagic,
  open: openFfs,
  check: checkFfs,
  records: ffsRecordsOf,
};
