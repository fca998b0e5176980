// What newc can hold, checked over the whole tree before anything is planned.

import { decodeName } from "../../src/bytes/names.ts";
import type { Violations } from "../../src/image/loss.ts";
import type { KeptTimes } from "../../src/image/volume.ts";
import type { Time } from "../../src/tree/node.ts";
import { pathOf, type Snapshot } from "../../src/tree/snapshot.ts";

/** Eight hexadecimal digits. */
export const FIELD_MAX = 0xffff_ffff;

/** Linux's PATH_MAX, with the NUL at the end: unpackers skip members with longer names without a word. */
export const PATH_MAX = 4096;

/** Longest target: symlink(2) takes PATH_MAX with the NUL. */
export const TARGET_MAX = PATH_MAX - 1;

/** c_mtime is all there is. */
export const cpioTimes: KeptTimes = { atime: false, ctime: false, btime: false, nanoseconds: false };

/** The nearest time that the field holds. */
export function nearestSeconds(time: Time): number {
  return Math.min(Math.max(time.sec, 0), FIELD_MAX);
}

/** Reports the nodes that do not fit; the root only when it has an entry. */
export function checkNodes(snapshot: Snapshot, withRoot: boolean, violations: Violations): void {
  snapshot.nodes.forEach((node, index) => {
    if (index === 0 && !withRoot) return;
    const path = (): string => pathOf(snapshot, index);
    const { mtime, xattrs, content, target } = node;
    if (mtime.sec < 0 || mtime.sec > FIELD_MAX) {
      violations.lose(
        "times",
        "times",
        path(),
        `mtime is ${mtime.sec} seconds after 1970; times here reach from 1970-01-01 to 2106-02-07`,
      );
    }
    if (xattrs.length > 0) {
      const names = xattrs.map(({ name }) => decodeName(name)).join(", ");
      violations.lose("xattrs", "sets of xattrs", path(), `xattrs (${names}); there are none here`);
    }
    if (content && content.size > FIELD_MAX) {
      violations.refuse(path(), `has ${content.size} bytes; ${FIELD_MAX} is the most of a file here`);
    }
    if (target && target.length > TARGET_MAX) {
      violations.refuse(path(), `the target has ${target.length} bytes; ${TARGET_MAX} is the most of a symlink here`);
    }
  });
}
