// Temporary files that must not outlive the process: removed at exit and when a signal ends it.

import { unlinkSync } from "node:fs";

const paths = new Set<string>();
let armed = false;

function removeAll(): void {
  for (const path of paths) {
    try {
      unlinkSync(path);
    } catch {
      // Already gone, or its folder is: nothing left to remove.
    }
  }
  paths.clear();
}

/** Removes `path` when the process ends; the result takes that back. */
export function trackTemporary(path: string): () => void {
  if (!armed) {
    armed = true;
    process.on("exit", removeAll);
  }
  paths.add(path);
  return () => void paths.delete(path);
}
