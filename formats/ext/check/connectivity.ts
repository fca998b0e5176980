// Whether every directory can be reached from the root, and `..` leads back the same way.

import type { State } from "./state.ts";

export function checkConnectivity(state: State): void {
  const { table, directories, dotdot, findings } = state;
  if (!table.isDirectory(2)) findings.add("root", "inode 2", "no directory in use", "the root directory", 2);
  // 1: on the way that is being followed; 2: known to lead to the root, or told.
  const known = new Map<number, 1 | 2>([[2, 2]]);
  for (const directory of directories) {
    const way: number[] = [];
    for (let at = directory; known.get(at) !== 2; ) {
      way.push(at);
      known.set(at, 1);
      const parent = table.parent.get(at);
      if (parent === 0) {
        findings.add("directory-unconnected", `inode ${at}`, "no name leads to the directory", "one", at);
        break;
      }
      if (known.get(parent) === 1) {
        findings.add(
          "directory-loop",
          `inode ${at}`,
          `the directory lies in ${parent}, which lies in it`,
          "a way to the root",
          at,
        );
        break;
      }
      at = parent;
    }
    for (const step of way) known.set(step, 2);
    const parent = table.parent.get(directory);
    const back = dotdot.get(directory) ?? 0;
    if (back !== parent) {
      findings.add(
        "directory-parent",
        `inode ${directory}`,
        `\`..\` leads to inode ${back}`,
        parent === 0 ? "a parent" : String(parent),
        directory,
      );
    }
  }
}
