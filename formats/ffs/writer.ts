// Writing FFS: the format without what reads it, so that a bundle of a page that only builds leaves the readers out.

import type { Format } from "../../src/image/format.ts";
import { boundsOf, LINKS_MAX, TARGET_MAX } from "./limits.ts";
import { ffsOptions } from "./options.ts";
import { planFfs } from "./plan.ts";
import { profiles } from "./profiles.ts";

/** The part of the format that `build…` takes. */
export const ffsWriter: Format<typeof ffsOptions> = {
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
};
