// The digest of a whole tree, contents included.

import { toHex } from "../bytes/hex.ts";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { Canonical, writeMetadata } from "./canonical.ts";
import { dataOf } from "./content-data.ts";
import { pathOf, type Snapshot, type SnapshotOptions, takeSnapshot } from "./snapshot.ts";
import type { SnapshotNode } from "./snapshot-node.ts";
import type { Tree } from "./tree.ts";

/**
 * SHA-256 of everything that a tree is: names, kinds, metadata, hard links, contents and their holes. Lower-case hex.
 * Trees with the same digest give the same images.
 *
 * Reads all contents; throws what reading them throws.
 *
 * @example
 * ```ts
 * import { fromDirectory, treeDigest } from "fsynth";
 * console.log(await treeDigest(fromDirectory("rootfs"), { owner: { uid: 0, gid: 0 } }));
 * ```
 */
export async function treeDigest(tree: Tree, options: SnapshotOptions = {}): Promise<string> {
  const snapshot = takeSnapshot(tree, options);
  const out = new Canonical();
  out.text("fsynth tree 1");
  writeMetadata(out, snapshot);
  await writeContents(out, snapshot);
  return toHex(out.digest());
}

/** Adds the sizes and data of all contents, in the order of the snapshot. */
export async function writeContents(out: Canonical, snapshot: Snapshot): Promise<void> {
  for (let index = 0; index < snapshot.nodes.length; index++) {
    const { content } = snapshot.nodes[index] as SnapshotNode; // index is in range
    if (!content) continue;
    out.number(content.size);
    try {
      for await (const { bytes } of dataOf(content)) out.raw(bytes);
    } catch (cause) {
      if (!(cause instanceof FsynthError)) throw cause;
      const path = pathOf(snapshot, index);
      throw new FsynthError(cause.code, `${quoteName(path)}: ${cause.message}`, { ...cause.where, path }, { cause });
    }
  }
}
