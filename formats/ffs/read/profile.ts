// The profile that fits an image best: UFS1, UFS2, UFS2 with extended attributes.

import { Magic } from "../disk/superblock.ts";
import type { Super } from "./superblock.ts";

export function profileOf({ magic }: Super): "ffs1" | "ffs2" | "ffs2ea" {
  return magic === Magic.ufs1 ? "ffs1" : magic === Magic.ufs2 ? "ffs2" : "ffs2ea";
}
