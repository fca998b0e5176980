// What a tar archive holds: one entry.

import type { Extent } from "../../src/tree/content.ts";
import type { Time, Xattrs } from "../../src/tree/node.ts";
import type { IdOf } from "./acl.ts";

export type TarKind = "file" | "directory" | "symlink" | "link" | "character-device" | "block-device" | "fifo";

/** A POSIX ACL that names someone without a number: only who knows the tree's users can encode it. */
export interface NamedAcl {
  readonly which: "access" | "default";
  readonly text: string;
  /** The numbers that the entry itself tells: root's and its own owner's. */
  readonly idOf: IdOf;
}

/** One entry, all its headers taken together. Offsets are in bytes from the start of the (uncompressed) archive. */
export interface TarEntry {
  readonly kind: TarKind;
  /** As written, in lossless spelling: `./` and a leading or trailing slash are still there. */
  readonly path: string;
  /** Target of a symlink or hard link. */
  readonly linkPath: string;
  /** 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Time;
  /** Those that the archive does not give are the mtime. */
  readonly atime: Time;
  readonly ctime: Time;
  readonly btime: Time;
  /** Devices only. */
  readonly major: number;
  readonly minor: number;
  readonly xattrs: Xattrs | undefined;
  /** ACLs that are not among `xattrs`. */
  readonly namedAcls: readonly NamedAcl[];
  /** Size of the file in bytes, its holes included. */
  readonly size: number;
  /** Where its data lies in the file, when it is stored sparse; the sum is `stored`. */
  readonly extents: readonly Extent[] | undefined;
  /** Where its first header starts. */
  readonly offset: number;
  /** Where its stored bytes start. */
  readonly data: number;
  /** How many bytes of content the archive stores. */
  readonly stored: number;
}
