// The profiles: UFS1, UFS2, and UFS2 with extended attributes, as data. One planner serves them all.

import { Magic } from "./disk/superblock.ts";

export interface FfsProfile {
  readonly name: string;
  readonly summary: string;
  readonly version: 1 | 2;
  readonly magic: number;
  readonly extendedAttributes: boolean;
}

export const profiles: readonly FfsProfile[] = [
  {
    name: "ffs1",
    summary: "BSD FFS with 32-bit addresses and times (UFS1); every BSD and Linux read it.",
    version: 1,
    magic: Magic.ufs1,
    extendedAttributes: false,
  },
  {
    name: "ffs2",
    summary: "BSD FFS with 64-bit addresses and times (UFS2); NetBSD, FreeBSD and Linux read it.",
    version: 2,
    magic: Magic.ufs2,
    extendedAttributes: false,
  },
  {
    name: "ffs2ea",
    summary: "UFS2 with extended attributes as NetBSD 10 and later have it; others do not read it.",
    version: 2,
    magic: Magic.ufs2ea,
    extendedAttributes: true,
  },
];
