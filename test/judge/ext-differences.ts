// Where the check of ext images and e2fsck -fn are of different minds about an image that was damaged, and why.

import type { Damage } from "./ext-damage.ts";

interface Difference {
  /** Who complains while the other is silent. */
  readonly who: "check" | "e2fsck";
  /** Codes, all of what check says is among. */
  readonly codes?: readonly string[];
  readonly record?: string;
  readonly field?: RegExp;
  readonly why: string;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    who: "e2fsck",
    record: "superblock",
    field: /^s_[mw]time(_hi)?$/,
    why: "e2fsck compares with the clock; check reads none, so that an image has one result on every day",
  },
  {
    who: "check",
    codes: ["backup-superblock", "backup-descriptor"],
    why: "e2fsck -n does not look at copies; a repair starts from them",
  },
  {
    who: "check",
    codes: ["orphan-list"],
    why: "e2fsck -n leaves the list of orphans alone; Linux follows it when it mounts",
  },
  {
    who: "check",
    codes: ["xattr-order"],
    why: "e2fsck does not look at the order of entries; Linux stops searching at the first that is later",
  },
  {
    who: "check",
    codes: ["xattr-value-hash"],
    why: "e2fsck trusts the checksum of a value in an inode of its own; Linux verifies it when it reads the value",
  },
  {
    who: "check",
    codes: ["extent-depth"],
    why: "e2fsck goes by the depth of the root alone, even of an empty one; Linux refuses a node that says another one",
  },
  {
    who: "check",
    codes: ["journal-superblock"],
    record: "journal",
    field: /^s_(first|maxlen)$/,
    why: "e2fsck does not look at the start of the log nor at a log that is too short; Linux refuses to load such a journal",
  },
  {
    who: "check",
    codes: ["journal-error"],
    why: "e2fsck -n keeps a noted error to itself; Linux takes it over into the superblock",
  },
  {
    who: "check",
    codes: ["journal-inode"],
    why: "e2fsck goes on with the copy of the journal's inode in the superblock, takes sizes as 32 signed bits and holes as filled; Linux refuses to load",
  },
  {
    who: "check",
    codes: ["inode-field", "xattr-block"],
    record: "inode",
    why: "e2fsck looks at these fields when a name leads to the inode, and none leads to one that holds an xattr's value",
  },
  {
    who: "check",
    codes: ["xattr-value-inode"],
    record: "inode",
    field: /^i_size/,
    why: "e2fsck 1.47.0 does not compare the size of a value with that of its inode; later versions do",
  },
  {
    who: "check",
    codes: ["bad-block"],
    record: "inode",
    why: "e2fsck does not mind bad blocks in the part of an inode table that was never used",
  },
  {
    who: "check",
    codes: ["inode-flags"],
    record: "inode",
    field: /^i_flags$/,
    why: "e2fsck 1.47.0 lets EA_INODE pass on what is no file; later versions do not",
  },
];

/** Why this disagreement is known; undefined for one that is not. */
export function whyDifferent({ site }: Damage, who: "check" | "e2fsck", codes: readonly string[]): string | undefined {
  return DIFFERENCES.find(
    (one) =>
      one.who === who &&
      (one.codes === undefined || codes.every((code) => one.codes?.includes(code))) &&
      (one.record === undefined || one.record === site.record) &&
      (one.field === undefined || one.field.test(site.field)),
  )?.why;
}
