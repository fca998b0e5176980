// Which nodes have blocks that their inode maps.

import type { Node, Nodes } from "./nodes.ts";

/** Whether di_db holds block pointers: not a device's number or a short target. */
export function isMapped(nodes: Nodes, inode: Node): boolean {
  if (inode.kind === "symlink") return !nodes.isShortSymlink(inode);
  return inode.kind === "file" || inode.kind === "directory";
}
