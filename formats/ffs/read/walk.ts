// All nodes of an image from the root down, each once however many names it has.

import type { Node, Nodes } from "./nodes.ts";

/** A node by its first name. */
export interface Walked {
  readonly inode: Node;
  /** The directory that it was found in; of the root itself. */
  readonly parent: number;
  readonly name: string;
}

/** Directories before what they hold; within one by inode number, which is how inodes lie on the disk. */
export function* walkNodes(nodes: Nodes, root: number): Generator<Walked> {
  const seen = new Set<number>([root]);
  yield { inode: nodes.inode(root), parent: root, name: "" };
  const open = [root];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const { id, name } of nodes.children(at).toSorted((a, b) => a.id - b.id)) {
      if (seen.has(id)) continue;
      seen.add(id);
      const inode = nodes.inode(id);
      yield { inode, parent: at, name };
      if (inode.kind === "directory") open.push(id);
    }
  }
}

/** Whether di_db holds block pointers: not a device's number or a short target. */
export function isMapped(nodes: Nodes, inode: Node): boolean {
  if (inode.kind === "symlink") return !nodes.isShortSymlink(inode);
  return inode.kind === "file" || inode.kind === "directory";
}
