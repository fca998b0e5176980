// Writing ext2, ext3 and ext4: the format without what reads it, so that a bundle of a page that only builds leaves the readers out.

import type { Format } from "../../src/image/format.ts";
import { boundsOf } from "./limits.ts";
import { extOptions } from "./options.ts";
import { planExt } from "./plan.ts";
import { profiles } from "./profiles.ts";

/** The part of the format that `build…` takes. */
export const extWriter: Format<typeof extOptions> = {
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
};
