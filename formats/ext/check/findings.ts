// What a check has found, in the order of finding; paths are added in the end.

import type { Problem } from "../../../src/image/volume.ts";
import type { Report } from "../read/fault.ts";

/** Told of one thing that is wrong, by who knows its place. */
export type Tell = (code: string, found: string, expected: string) => void;

/** An image can be so broken that listing everything helps nobody: of each code, what comes after is counted. */
const MOST = 1000;

/** For walks that follow what was reported before. */
export const silent: Tell = () => {};
/** The same for what the reading code reports. */
export const unreported: Report = () => {};

export class Findings {
  readonly #problems: (Problem & { readonly inode: number })[] = [];
  /** How many of each code. */
  readonly #counts = new Map<string, number>();

  /** `inode` is the one that the place speaks of; 0 for other places. */
  add(code: string, place: string, found: string, expected: string, inode = 0): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count <= MOST) this.#problems.push({ code, place, found, expected, inode });
  }

  /** For the image as a whole, a group, or another place that is no inode. */
  at(place: string): Tell {
    return (code, found, expected) => this.add(code, place, found, expected);
  }

  atInode(number: number): Tell {
    return (code, found, expected) => this.add(code, `inode ${number}`, found, expected, number);
  }

  /** Takes what the reading code reports. */
  readonly report: Report = ({ code, place, found, expected, where }) => {
    const { record, index = 0 } = where;
    const isInode = record === "inode" || record === "directory" || record === "xattrs";
    this.add(code, place, found, expected, isInode ? index : 0);
  };

  get inodes(): number[] {
    return [...new Set(this.#problems.flatMap(({ inode }) => (inode === 0 ? [] : [inode])))];
  }

  /** All of it; `pathOf` gives the path of an inode, where it has one. */
  problems(pathOf: (inode: number) => string | undefined): Problem[] {
    const told = this.#problems.map(({ inode, ...problem }): Problem => {
      const path = inode === 0 ? undefined : pathOf(inode);
      return path === undefined ? problem : { ...problem, place: `${problem.place} (${path})` };
    });
    for (const [code, count] of this.#counts) {
      if (count > MOST)
        told.push({ code: "too-many", place: "image", found: `${count - MOST} more of ${code}`, expected: `at most ${MOST}` });
    }
    return told;
  }
}
