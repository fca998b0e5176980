// The profile that an image fits best.

import { Superblock } from "../disk/superblock.ts";
import type { Super } from "./superblock.ts";

/** What only ext4 has. */
const EXT4_ONLY = [
  "extent",
  "64bit",
  "flex_bg",
  "huge_file",
  "uninit_bg",
  "dir_nlink",
  "extra_isize",
  "metadata_csum",
  "bigalloc",
] as const;

/** A profile's name. `ext2-netbsd` is told from a plain ext2 by what fsynth leaves out of its superblock. */
export function profileOf(sb: Super): string {
  const journal = sb.features.has("has_journal");
  if (writtenByUs(sb) && Superblock.f.s_default_mount_opts.get(sb.view, 0) === 0) return "ext2-netbsd";
  if (EXT4_ONLY.some((name) => sb.features.has(name))) return journal ? "ext4" : "ext4-nojournal";
  return journal ? "ext3" : "ext2";
}

/** Whether the superblock is as fsynth leaves it and nobody has mounted the image since: other makers note when they wrote. */
export function writtenByUs(sb: Super): boolean {
  const f = Superblock.f;
  const zero = [f.s_mtime, f.s_wtime, f.s_mnt_count, f.s_kbytes_written, f.s_checkinterval, f.s_last_orphan];
  return (
    zero.every((field) => field.get(sb.view, 0) === 0) &&
    f.s_max_mnt_count.get(sb.view, 0) === 0xffff &&
    f.s_mkfs_time.get(sb.view, 0) === f.s_lastcheck.get(sb.view, 0)
  );
}
