// Group descriptors: where the parts of a group lie, that nothing lies on top of them, and what the flags claim.
// Specification: Linux Documentation/filesystems/ext4/group_descr.rst; checksums are verified when they are read.

import { GroupFlags } from "../disk/group.ts";
import { Superblock } from "../disk/superblock.ts";
import { blocksOf, firstBlockOf, fixedRuns } from "../read/layout.ts";
import type { State } from "./state.ts";

/** Checks all descriptors, and claims the fixed parts of the groups. */
export function checkDescriptors(state: State): void {
  const { sb, descriptors, findings } = state;
  for (let group = 0; group < sb.groups; group++) {
    for (const { block, count } of fixedRuns(sb, group)) {
      for (let i = 0; i < count && block + i < sb.blocks; i++) claimFixed(state, block + i);
    }
  }
  for (let group = 0; group < sb.groups; group++) {
    const tell = findings.at(`group ${group}`);
    const descriptor = descriptors.at(group, findings.report);
    const { blockBitmap, inodeBitmap, inodeTable, flags, unusedInodes, freeInodes } = descriptor;
    place(state, group, "inode table", inodeTable, sb.tableBlocks);
    place(state, group, "block bitmap", blockBitmap, 1);
    place(state, group, "inode bitmap", inodeBitmap, 1);
    const uninitialised = GroupFlags.BLOCK_UNINIT | GroupFlags.INODE_UNINIT;
    if (!state.groupChecksums && ((flags & uninitialised) !== 0 || unusedInodes !== 0)) {
      tell(
        "group-uninit",
        `flags 0x${flags.toString(16)} and ${unusedInodes} inodes that were never in use`,
        "none, since descriptors have no checksums",
      );
    }
    if (group === sb.groups - 1 && (flags & GroupFlags.BLOCK_UNINIT) !== 0) {
      tell("group-uninit", "the block bitmap of the last group is not initialised", "an initialised one");
    }
    if (state.groupChecksums && unusedInodes > Math.min(freeInodes, sb.inodesPerGroup)) {
      tell("group-unused-inodes", `${unusedInodes} inodes were never in use`, `at most the ${freeInodes} that are free`);
    }
  }
  const mmp = Superblock.f.s_mmp_block.get(sb.view, 0);
  if (sb.features.has("mmp") && mmp > sb.firstBlock && mmp < sb.blocks) state.claims.used.add(state.clusterOf(mmp));
}

function claimFixed(state: State, block: number): boolean {
  state.claims.used.add(state.clusterOf(block));
  return state.metadata.add(block);
}

function place(state: State, group: number, what: string, block: number, count: number): void {
  const { sb, disk, findings } = state;
  if (!disk.holds(block, count)) {
    // The descriptor's reader has told.
    if (what === "inode table") state.unreadable.add(group);
    return;
  }
  const first = firstBlockOf(sb, group);
  const end = first + blocksOf(sb, group);
  if (!sb.features.has("flex_bg") && (block < first || block + count > end)) {
    findings.add(
      "group-placement",
      `group ${group}`,
      `its ${what} is at block ${block}`,
      `${count} blocks within ${first} to ${end - 1}, without flex_bg`,
    );
  }
  let clash = -1;
  for (let i = 0; i < count; i++) if (!claimFixed(state, block + i) && clash < 0) clash = block + i;
  if (clash >= 0) {
    findings.add(
      "group-overlap",
      `group ${group}`,
      `block ${clash} of its ${what} is a part of a group already`,
      "blocks of its own",
    );
  }
}
