// Inodes with a fixed meaning: bad blocks, the root, quotas, boot loader, resize, journal and orphan file.
// Specification: Linux Documentation/filesystems/ext4/special_inodes.rst.

import { Inode, ReservedInode } from "../disk/inode.ts";
import { Superblock } from "../disk/superblock.ts";
import { checkBlocks } from "./blocks.ts";
import type { Tell } from "./findings.ts";
import { checkIndirect } from "./indirect.ts";
import { IN_USE_ODD } from "./inode-table.ts";
import { MapSink } from "./map-sink.ts";
import { isQuota } from "./quota.ts";
import { has, isDirectoryMode, isFileMode, pointer, type Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

const BOOT_LOADER = 5;
const f = Superblock.f;
const i = Inode.f;

/** Checks an inode that has a fixed meaning. `done` where nothing else is to be said of it. */
export function checkReserved(state: State, inode: Raw, tell: Tell): "done" | "ordinary" {
  const { sb, table } = state;
  const { number, mode } = inode;
  if (number === ReservedInode.root) {
    if (!isDirectoryMode(mode)) tell("root", `i_mode of the root is 0${mode.toString(8)}`, "a directory");
    return "ordinary";
  }
  if (number === ReservedInode.badBlocks) {
    table.kind.set(number, IN_USE_ODD);
    checkBadBlocks(state, inode, tell);
    return "done";
  }
  if (number === ReservedInode.journal) {
    return special(state, inode, tell, f.s_journal_inum.get(sb.view, 0) === number, "journal");
  }
  if (isQuota(state, number)) {
    const inUse = [f.s_usr_quota_inum, f.s_grp_quota_inum, f.s_prj_quota_inum].some((field) => field.get(sb.view, 0) === number);
    return special(state, inode, tell, sb.features.has("quota") && inUse, "quota file");
  }
  if (number === f.s_orphan_file_inum.get(sb.view, 0)) {
    return special(state, inode, tell, sb.features.has("orphan_file"), "orphan file");
  }
  if (number >= sb.firstInode) return "ordinary";
  table.kind.set(number, IN_USE_ODD);
  const wrong =
    number === BOOT_LOADER
      ? isDirectoryMode(mode)
      : number === ReservedInode.resize
        ? mode !== 0 && !isFileMode(mode)
        : mode !== 0;
  if (wrong) tell("inode-reserved", `i_mode of a reserved inode is 0${mode.toString(8)}`, "0");
  checkBlocks(state, inode, tell, 0);
  return "done";
}

/** An inode of its own that a feature brings: a regular file with it, empty without. */
function special(state: State, inode: Raw, tell: Tell, inUse: boolean, what: string): "done" | "ordinary" {
  state.table.kind.set(inode.number, IN_USE_ODD);
  if (inUse) {
    if (!isFileMode(inode.mode)) tell("inode-reserved", `i_mode of the ${what} is 0${inode.mode.toString(8)}`, "a regular file");
    checkBlocks(state, inode, tell, 0);
    return "done";
  }
  if (inode.links > 0 || i.i_blocks.get(inode.view, 0) !== 0 || pointer(inode, 0) !== 0) {
    tell("inode-reserved", `the inode for the ${what} is in use`, "an empty one without the feature");
  }
  return "ordinary";
}

/** Blocks that nobody shall use. */
function checkBadBlocks(state: State, inode: Raw, tell: Tell): void {
  const metadata = [i.i_mode, i.i_uid, i.i_gid, i.i_links_count, i.i_file_acl].some((field) => field.get(inode.view, 0) !== 0);
  if (metadata || has(inode, "INLINE_DATA")) {
    tell("inode-reserved", "the inode of bad blocks has metadata", "a map and nothing else");
  }
  let told = 0;
  const claim = (first: number, count: number): void => {
    for (let at = first; at < first + count; at++) {
      if (!state.metadata.has(at * state.sb.clusterBlocks)) state.claims.claim(at);
      else if (told++ === 0)
        tell("bad-block", `block ${at * state.sb.clusterBlocks}, a part of a group, is said to be bad`, "a sound one");
    }
  };
  // Its map is that of a file, whatever its mode.
  const file = { ...inode, mode: 0x8000 };
  checkIndirect(state, file, new MapSink(state, file, claim, () => {}, tell));
}
