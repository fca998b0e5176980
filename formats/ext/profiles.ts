// The profiles: ext2, ext3, ext4 and their kin as data. One planner serves them all.

import type { FeatureName } from "./disk/features.ts";

export interface ExtProfile {
  readonly name: string;
  readonly summary: string;
  readonly features: readonly FeatureName[];
  /** Most names of a file: EXT2_LINK_MAX of the kernel's ext2 (and of ext3), EXT4_LINK_MAX of ext4. */
  readonly linkMax: number;
  /** Whose encoding of device numbers i_block holds. */
  readonly deviceNumbers: "linux" | "netbsd";
  /** s_default_mount_opts asks for user xattrs and ACLs, as mke2fs does. */
  readonly defaultMountOptions: boolean;
}

const EXT2: readonly FeatureName[] = ["ext_attr", "resize_inode", "dir_index", "filetype", "sparse_super", "large_file"];
const EXT4: readonly FeatureName[] = [
  "ext_attr",
  "resize_inode",
  "dir_index",
  "filetype",
  "extent",
  "64bit",
  "flex_bg",
  "sparse_super",
  "large_file",
  "huge_file",
  "dir_nlink",
  "extra_isize",
  "metadata_csum",
];

export const profiles: readonly ExtProfile[] = [
  {
    name: "ext2",
    summary: "Linux ext2 with indexed directories; mounts everywhere, no journal.",
    features: EXT2,
    linkMax: 32000,
    deviceNumbers: "linux",
    defaultMountOptions: true,
  },
  {
    name: "ext3",
    summary: "ext2 with an internal journal.",
    features: ["has_journal", ...EXT2],
    linkMax: 32000,
    deviceNumbers: "linux",
    defaultMountOptions: true,
  },
  {
    name: "ext4",
    summary: "ext4 as mke2fs makes it: extents, checksums, 64bit, flex_bg, a journal.",
    features: ["has_journal", ...EXT4],
    linkMax: 65000,
    deviceNumbers: "linux",
    defaultMountOptions: true,
  },
  {
    name: "ext4-nojournal",
    summary: "ext4 without a journal, for images that are read only or thrown away.",
    features: EXT4,
    linkMax: 65000,
    deviceNumbers: "linux",
    defaultMountOptions: true,
  },
  {
    name: "ext2-netbsd",
    summary: "Revision 1 without any feature, which NetBSD reads and writes; its device numbers.",
    features: [],
    linkMax: 32000,
    deviceNumbers: "netbsd",
    defaultMountOptions: false,
  },
];
