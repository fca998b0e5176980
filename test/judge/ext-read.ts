// What an ext image of ours can give back of a tree.

import type { Content, Extent } from "../../src/tree/content.ts";
import type { Snapshot } from "../../src/tree/snapshot.ts";
import { takeSnapshot } from "../../src/tree/snapshot.ts";
import type { Tree } from "../../src/tree/tree.ts";

/** The snapshot of `tree` as an image of these sizes holds it: holes in whole blocks; small inodes have seconds and no birth time. */
export function asExtHolds(tree: Tree, blockSize: number, inodeSize: number): Snapshot {
  const snapshot = takeSnapshot(tree);
  const nodes = snapshot.nodes.map((node) => {
    const content = node.content && inBlocks(node.content, blockSize);
    if (inodeSize > 128) return { ...node, content };
    const seconds = <T extends { readonly sec: number }>({ sec }: T): { sec: number; nsec: number } => ({ sec, nsec: 0 });
    const mtime = seconds(node.mtime);
    return { ...node, content, mtime, btime: mtime, atime: seconds(node.atime), ctime: seconds(node.ctime) };
  });
  return { ...snapshot, nodes };
}

function inBlocks(content: Content, blockSize: number): Content {
  if (!content.extents) return content;
  const extents: { offset: number; length: number }[] = [];
  for (const { offset, length } of content.extents as readonly Extent[]) {
    if (length === 0) continue;
    const from = Math.floor(offset / blockSize) * blockSize;
    const to = Math.min(content.size, Math.ceil((offset + length) / blockSize) * blockSize);
    const last = extents.at(-1);
    if (last && from <= last.offset + last.length) last.length = to - last.offset;
    else extents.push({ offset: from, length: to - from });
  }
  return { size: content.size, extents, read: (offset, target) => content.read(offset, target) };
}
