// What a check knows of an image while it goes through it: which inodes there are, who claims which fragments.

import { setBits, testBit } from "../../../src/bytes/bitmap.ts";
import type { Kind } from "../../../src/tree/node.ts";
import type { Cylinder } from "../read/cylinder.ts";
import type { Disk } from "../read/disk.ts";
import type { Report } from "../read/fault.ts";
import { groupRange, groupStart } from "../read/superblock.ts";

/** An inode in use, as far as later passes need it. */
export interface Seen {
  readonly kind: Kind;
  readonly links: number;
  readonly flags: number;
  readonly offset: number;
}

export class Survey {
  /** Inodes in use. */
  readonly inodes = new Map<number, Seen>();
  /** Headers that could be read, by group. */
  readonly headers: (Cylinder | undefined)[] = [];
  /** Fragments in use of the groups that files lie in. */
  readonly #used = new Map<number, Uint8Array>();

  constructor(
    readonly disk: Disk,
    readonly report: Report,
  ) {}

  /** The map of the fragments that somebody claims in a group, its metadata to begin with. */
  used(group: number): Uint8Array {
    const known = this.#used.get(group);
    if (known) return known;
    const map = this.#metadata(group);
    this.#used.set(group, map);
    return map;
  }

  /** Whether files lie in a group. */
  touched(group: number): boolean {
    return this.#used.has(group);
  }

  /** {@link used} for a group that nobody asks for again; most groups of a large image hold nothing but metadata. */
  lastUsed(group: number): Uint8Array {
    const known = this.#used.get(group);
    this.#used.delete(group);
    return known ?? this.#metadata(group);
  }

  #metadata(group: number): Uint8Array {
    const { superblock: sb } = this.disk;
    const map = new Uint8Array(Math.ceil(sb.fpg / 8));
    const [from, to] = groupRange(sb, group);
    const claim = (first: number, end: number): void => {
      const start = Math.max(first, from);
      if (start < Math.min(end, to)) setBits(map, start - from, Math.min(end, to) - from);
    };
    const start = groupStart(sb, group);
    claim(group === 0 ? 0 : start + sb.sblkno, start + sb.dblkno);
    claim(sb.csaddr, sb.csaddr + Math.ceil(sb.cssize / sb.fragmentSize));
    return map;
  }

  /** Claims fragments of one group for an inode; those that are somebody's already are reported. */
  claimFor(inode: number, first: number, count: number, offset: number): void {
    const { superblock: sb } = this.disk;
    const group = Math.floor(first / sb.fpg);
    const map = this.used(group);
    const from = first - group * sb.fpg;
    for (let i = from; i < from + count; i++) {
      if (!testBit(map, i)) continue;
      this.report({
        code: "fragment-claimed-twice",
        place: `inode ${inode}`,
        found: `fragment ${group * sb.fpg + i} belongs to another one, too`,
        expected: "every fragment once",
        where: { record: "inode", index: inode, offset },
      });
      break;
    }
    setBits(map, from, from + count);
  }
}
