// What a cpio archive holds: one member.

import type { Kind } from "../../src/tree/node.ts";

export type CpioVariant = "newc" | "crc" | "odc" | "binary";

/** One member. Offsets are in bytes from the start of what was given to be read. */
export interface CpioMember {
  readonly variant: CpioVariant;
  readonly kind: Kind;
  /** As written, in lossless spelling: `./` and a leading slash are still there. */
  readonly path: string;
  /** 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly links: number;
  /** The same for all names of one file within an archive, and for no other; told apart by device, inode and kind. */
  readonly identity: string;
  /** Devices only. */
  readonly major: number;
  readonly minor: number;
  /** Symlinks only. */
  readonly target: string;
  /** Where its header starts. */
  readonly offset: number;
  /** Where its data starts, and how many bytes there are. */
  readonly data: number;
  readonly size: number;
}
