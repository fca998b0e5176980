// Link counts, inodes that nothing leads to, and the values of xattrs.

import { Superblock } from "../disk/superblock.ts";
import { unreported } from "./findings.ts";
import { has, rawInode } from "./raw-inode.ts";
import type { State } from "./state.ts";
import { checkValueInode } from "./xattr-value.ts";

/** Most links that a count is kept for; directories with more say 1. */
const LINK_MAX = 65000;

export function checkLinks(state: State): void {
  const { sb, table, findings, values } = state;
  const f = Superblock.f;
  const own = [f.s_prj_quota_inum.get(sb.view, 0), f.s_orphan_file_inum.get(sb.view, 0)];
  for (let number = 2; number <= sb.inodes; number++) {
    if (!table.inUse(number)) continue;
    if ((number > 2 && number < sb.firstInode) || own.includes(number) || state.imagic.has(number)) continue;
    const tell = findings.atInode(number);
    const links = table.links.get(number);
    let counted = table.counted.get(number);
    const value = values.get(number);
    if (value && value.references > 0) {
      counted = 1;
      checkValueInode(state, number, value.references);
    } else if (value?.flagged && counted === 0) {
      tell("xattr-value-inode", "said to hold an xattr's value, which no xattr leads to", "one that does");
    }
    if (counted === 0) {
      tell("inode-unattached", "in use, and no name leads to it", "a name");
      continue;
    }
    if (table.isDirectory(number) && counted > LINK_MAX) {
      if (!sb.features.has("dir_nlink")) tell("inode-links", `${counted} links of a directory`, "the feature dir_nlink");
      counted = 1;
    }
    if (links === counted) continue;
    // A directory that had too many links to count keeps saying 1 when they are fewer.
    if (table.isDirectory(number) && links === 1 && counted > 1 && hasIndex(state, number)) continue;
    tell("inode-links", `i_links_count is ${links}`, String(counted));
  }
}

function hasIndex({ inodes, sb }: State, number: number): boolean {
  const record = inodes.read(number, unreported);
  return record !== undefined && has(rawInode(sb, record), "INDEX");
}
