// Which inodes quota files have. What is in them is not compared.

import { Superblock } from "../disk/superblock.ts";
import type { State } from "./state.ts";

/** Numbers that quota files have, used or not. */
export function isQuota({ sb }: State, number: number): boolean {
  return number === 3 || number === 4 || (number !== 0 && number === Superblock.f.s_prj_quota_inum.get(sb.view, 0));
}
