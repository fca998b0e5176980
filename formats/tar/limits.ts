// What is read, and so what is written.

import type { Violations } from "../../src/image/loss.ts";
import { pathOf, type Snapshot } from "../../src/tree/snapshot.ts";

/** Longest extended header or long name: they are kept in memory. */
export const MAX_EXTENSION = 64 * 1024 * 1024;

/** Longest map of a sparse file; it is kept in memory, and a compressed one can claim any length. */
export const MAX_EXTENTS = 4_194_304;

/** Largest file. The format has no limit; offsets here are exact up to 2^53. */
export const MAX_FILE = 2 ** 52 - 1;

/** Reports the nodes that do not fit. */
export function checkNodes(snapshot: Snapshot, violations: Violations): void {
  snapshot.nodes.forEach(({ kind, content }, index) => {
    if (kind === "socket") {
      violations.lose("sockets", "sockets", pathOf(snapshot, index), "is a socket; there are none here");
    }
    if (!content) return;
    if (content.size > MAX_FILE) {
      violations.refuse(pathOf(snapshot, index), `has ${content.size} bytes; ${MAX_FILE} is the most of a file here`);
    }
    const runs = content.extents?.length ?? 0;
    if (runs >= MAX_EXTENTS) {
      violations.refuse(
        pathOf(snapshot, index),
        `has ${runs} runs of data; ${MAX_EXTENTS - 1} are the most of a sparse file here`,
      );
    }
  });
}
