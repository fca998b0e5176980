// ext2, ext3 and ext4 as one format with several profiles.

import type { Format } from "../../src/image/format.ts";
import { checkExt } from "./check/check.ts";
import { boundsOf } from "./limits.ts";
import { extOptions } from "./options.ts";
import { planExt } from "./plan.ts";
import { profiles } from "./profiles.ts";
import { openExt } from "./read/reader.ts";
import { extRecords } from "./read/records.ts";
import { hasMagic } from "./read/superblock.ts";

export { extOptions } from "./options.ts";

/** The format behind `buildExt2`, `buildExt3`, `buildExt4` and the profiles `ext4-nojournal` and `ext2-netbsd`. */
export const ext: Format<typeof extOptions> = {
  name: "ext",
  profiles: profiles.map((profile) => {
    const features = new Set(profile.features);
    const bounds = boundsOf(profile, features, extOptions.blockSize.default, extOptions.inodeSize.default);
    return {
      name: profile.name,
      summary: profile.summary,
      capabilities: {
        "largest file": bounds.fileSize,
        "longest name": 255,
        "longest symlink": bounds.symlink,
        "hard links of a file": bounds.links,
        "subdirectories of a directory": bounds.subdirectories ?? "no limit",
        times: "1901-12-13 to 2446-05-10, nanoseconds, birth times (inodes of 128 bytes: to 2038, seconds)",
        xattrs: features.has("ext_attr"),
        "POSIX ACLs": features.has("ext_attr"),
        devices: profile.deviceNumbers,
        holes: true,
        "hard links": true,
        journal: features.has("has_journal"),
        checksums: features.has("metadata_csum"),
      },
    };
  }),
  options: extOptions,
  plan: planExt,
  recognises: hasMagic,
  open: openExt,
  check: checkExt,
  records: extRecords,
};
