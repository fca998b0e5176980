// Copies of the superblock and of the descriptors: what a repair would start from.

import { crc32c } from "../../../src/bytes/crc.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { GroupDescriptor } from "../disk/group.ts";
import { Superblock } from "../disk/superblock.ts";
import { hex } from "../read/fault.ts";
import { firstBlockOf, fixedRuns, keepsSuperblock } from "../read/layout.ts";
import type { State } from "./state.ts";

const f = Superblock.f;

/** Bits that Linux sets in the primary superblock alone while it is mounted. */
const LAZY = {
  s_feature_compat: 0x8, // ext_attr
  s_feature_incompat: 0x4 | 0x40, // needs_recovery, extent
  s_feature_ro_compat: 0x2 | 0x20 | 0x1_0000, // large_file, dir_nlink, orphan_present
} as const;

/** Fields that change only together with all copies. */
const SAME = [
  "s_inodes_count",
  "s_blocks_count",
  "s_blocks_count_hi",
  "s_first_data_block",
  "s_log_block_size",
  "s_log_cluster_size",
  "s_blocks_per_group",
  "s_clusters_per_group",
  "s_inodes_per_group",
  "s_magic",
  "s_rev_level",
  "s_inode_size",
  "s_desc_size",
] as const;

export function checkBackups(state: State): void {
  const { sb, disk } = state;
  for (let group = 1; group < sb.groups; group++) {
    if (!keepsSuperblock(sb, group)) continue;
    const bytes = disk.block(firstBlockOf(sb, group)).subarray(0, Superblock.size);
    checkCopy(state, group, bytes);
    checkDescriptors(state, group);
  }
}

function checkCopy({ sb, findings }: State, group: number, bytes: Uint8Array): void {
  const tell = findings.at(`superblock copy in group ${group}`);
  const view = viewOf(bytes);
  for (const field of SAME) {
    const mine = f[field].get(view, 0);
    const primary = f[field].get(sb.view, 0);
    if (mine !== primary) tell("backup-superblock", `${field} is ${mine}`, String(primary));
  }
  for (const [field, ignored] of Object.entries(LAZY)) {
    const name = field as keyof typeof LAZY; // its own keys
    const mine = (f[name].get(view, 0) & ~ignored) >>> 0;
    const primary = (f[name].get(sb.view, 0) & ~ignored) >>> 0;
    if (mine !== primary) tell("backup-superblock", `${field} is ${hex(mine)}`, hex(primary));
  }
  if (f.s_uuid.get(view, 0).some((byte, i) => byte !== sb.uuid[i])) {
    tell("backup-superblock", "another UUID", "that of the superblock");
  }
  if (!sb.checksums) return;
  const stored = f.s_checksum.get(view, 0);
  const sum = crc32c(0xffff_ffff, bytes, 0, f.s_checksum.offset);
  if (stored !== sum) tell("backup-superblock", `its checksum is ${hex(stored)}`, hex(sum));
}

/** Counts and flags of copies are as old as the image; places are not. */
function checkDescriptors({ sb, disk, descriptors, findings }: State, group: number): void {
  const perBlock = sb.blockSize / sb.descriptorSize;
  const g = GroupDescriptor.f;
  for (const { block, count, use, index } of fixedRuns(sb, group)) {
    if (use !== "descriptors") continue;
    for (let i = 0; i < count; i++) {
      const copy = viewOf(disk.block(block + i));
      const first = (index + i) * perBlock;
      for (let at = 0; at < perBlock && first + at < sb.groups; at++) {
        const primary = viewOf(descriptors.bytes(first + at).bytes);
        const fields = [g.bg_block_bitmap, g.bg_inode_bitmap, g.bg_inode_table];
        const wide = sb.descriptorSize >= 64 ? [g.bg_block_bitmap_hi, g.bg_inode_bitmap_hi, g.bg_inode_table_hi] : [];
        const differs = [...fields, ...wide].some((field) => field.get(copy, at * sb.descriptorSize) !== field.get(primary, 0));
        if (differs) {
          findings.add(
            "backup-descriptor",
            `descriptors copy in group ${group}`,
            `the parts of group ${first + at} lie elsewhere`,
            "where the descriptor itself says",
          );
        }
      }
    }
  }
}
