// Which nodes have blocks that their inode maps.

import { InodeFlags } from "../disk/inode.ts";
import type { Node, Nodes } from "./nodes.ts";

/** Whether the inode's i_block is a map: not a device's number, a short target or the data itself. */
export function isMapped(nodes: Nodes, inode: Node): boolean {
  if ((inode.flags & InodeFlags.INLINE_DATA) !== 0) return false;
  if (inode.kind === "symlink") return !nodes.isFastSymlink(inode);
  return inode.kind === "file" || inode.kind === "directory";
}
