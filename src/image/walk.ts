// All nodes of an image from the root down, each once however many names it has.

import type { Kind } from "../tree/node.ts";
import type { VolumeEntry } from "./volume.ts";

/** What a walk needs of a reader. */
export interface Walkable<N> {
  inode(id: number): N;
  children(id: number): readonly VolumeEntry[];
}

/** A node by its first name. */
export interface Walked<N> {
  readonly inode: N;
  /** The directory that it was found in; of the root itself. */
  readonly parent: number;
  readonly name: string;
}

/** Directories before what they hold; within one by inode number, which is how inodes lie on the disk. */
export function* walkNodes<N extends { readonly kind: Kind }>(nodes: Walkable<N>, root: number): Generator<Walked<N>> {
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
