// Differences of two trees in the terms of those who compare them: what was removed, added and changed, and which fields are
// left alone.

import { checkKeys, checkWord } from "../arguments.ts";
import { compareNames } from "../bytes/names.ts";
import { type ContentPair, compareContents, compareTrees, type Difference } from "../tree/compare.ts";
import type { Time } from "../tree/node.ts";
import { type Snapshot, takeSnapshot } from "../tree/snapshot.ts";
import { plainNode, type SnapshotNode } from "../tree/snapshot-node.ts";
import type { Tree } from "../tree/tree.ts";

/** Fields that may be left alone. `xattrs` are all of a node's. */
export const FIELDS = [
  "mode",
  "owner",
  "mtime",
  "atime",
  "ctime",
  "btime",
  "size",
  "content",
  "holes",
  "target",
  "device",
  "hard-links",
  "xattrs",
] as const;

/** A field of nodes that {@link diffTrees} compares. */
export type Field = (typeof FIELDS)[number];

/** One thing in which two trees differ. */
export interface TreeDifference {
  /** In lossless spelling. */
  readonly path: string;
  /** `removed`: the second tree lacks the path. `added`: the first one does. What lies below is not listed. */
  readonly change: "removed" | "added" | "changed";
  /** `entry` where one was removed or added; `kind`, a {@link Field}, or `xattr "NAME"`. */
  readonly field: string;
  /** In words, in the first tree. `nothing` where there is none. */
  readonly a: string;
  /** The same of the second tree. */
  readonly b: string;
}

/** How two trees are compared. */
export interface DiffTreesOptions {
  /** Fields that are not compared. */
  readonly ignore?: readonly Field[] | undefined;
  /** Called while contents are read: bytes of all files whose contents are compared. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/**
 * Compares two trees, contents included, in the order of the bytes of the paths. Contents of one size are read to their first
 * differing byte; nothing is read where both have holes.
 *
 * Throws `usage` for an unknown field, and what reading contents throws.
 *
 * @example
 * ```ts
 * import { diffTrees, fromImage, fromTar } from "fsynth";
 * const changes = await diffTrees(await fromTar("rootfs.tar"), await fromImage("root.ext4"), { ignore: ["atime"] });
 * ```
 */
export async function diffTrees(a: Tree, b: Tree, options: DiffTreesOptions = {}): Promise<TreeDifference[]> {
  checkKeys("diffTrees", options, ["ignore", "onProgress"]);
  checkIgnored("diffTrees", options.ignore);
  return await diffSnapshots(takeSnapshot(a), takeSnapshot(b), options);
}

/** Throws `usage` unless all of `ignore` are fields; `call` names the function. */
export function checkIgnored(call: string, ignore: readonly Field[] = []): void {
  for (const field of ignore) checkWord(`${call}: ignore`, field, FIELDS);
}

/** {@link diffTrees} of snapshots. */
export async function diffSnapshots(a: Snapshot, b: Snapshot, options: DiffTreesOptions): Promise<TreeDifference[]> {
  const ignored = new Set<string>(options.ignore);
  const pairs: ContentPair[] = [];
  const differences = compareTrees(b, a, (pair) => pairs.push(pair));
  if (!ignored.has("content")) {
    const total = pairs.reduce((sum, { found }) => sum + found.size, 0);
    let done = 0;
    const contents = await compareContents(pairs, (bytes) => {
      done += bytes;
      options.onProgress?.({ done, total });
    });
    for (const difference of contents) differences.push(difference);
  }
  return differences
    .map(inTerms)
    .filter(({ field }) => !ignored.has(field.startsWith("xattr ") ? "xattrs" : field))
    .map((difference) => ({ difference, key: difference.path.replaceAll("/", "\0") }))
    .sort((x, y) => compareNames(x.key, y.key))
    .map(({ difference }) => difference);
}

function inTerms({ path, field, found, expected }: Difference): TreeDifference {
  const change = field !== "entry" ? "changed" : found === "nothing" ? "removed" : "added";
  return { path, change, field: field === "hard link" ? "hard-links" : field, a: expected, b: found };
}

/** A snapshot as an image tells it whose times are whole seconds, rounded down. */
export function inSeconds(snapshot: Snapshot): Snapshot {
  const floor = ({ sec }: Time): Time => ({ sec, nsec: 0 });
  const nodes = snapshot.nodes.map((node): SnapshotNode => {
    const { atime, mtime, ctime, btime } = node;
    return { ...plainNode(node), atime: floor(atime), mtime: floor(mtime), ctime: floor(ctime), btime: floor(btime) };
  });
  return { ...snapshot, nodes };
}
