// A tree as a directory of the host. Nothing outside of it is written: everything is made anew, behind directories that are
// made anew and that nobody else may enter, and symlinks are the last to be made.

import { host } from "#host";
import { decodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Progress } from "../image/image.ts";
import type { Warning } from "../image/plan.ts";
import type { Kind } from "../tree/node.ts";
import { takeSnapshot } from "../tree/snapshot.ts";
import type { SnapshotNode } from "../tree/snapshot-node.ts";
import type { Tree } from "../tree/tree.ts";
import { FileWriter } from "./extract-files.ts";
import { makeSpecials, setXattrs } from "./extract-special.ts";
import { ExtractTarget } from "./extract-target.ts";

/** How a tree is extracted. */
export interface ExtractOptions {
  /** How xattrs are set: not (they are counted in a warning), or by the system's setfattr. Default `none`. */
  readonly xattrs?: "none" | "setfattr" | undefined;
  /** Called now and then, and once at the end; counts bytes of contents. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** What an extraction tells. */
export interface Extracted {
  /** The directory, symlinks resolved. */
  readonly path: string;
  /** Names made, the directory itself not counted. */
  readonly entries: number;
  /** Bytes of contents. */
  readonly bytes: number;
  /** What could not be kept: `xattrs`, `times`, `owners`, `set-id`, `devices`, `fifos`, `sockets`, one warning for each with a count. */
  readonly warnings: readonly Warning[];
}

/** The mode of directories until they are finished. */
const PRIVATE = 0o700;

/**
 * Extracts a tree into `directory`, which must be empty or not there yet.
 *
 * Owners, devices and set-id bits need root. What the runtime or the rights of the process cannot keep is left out and told in
 * `warnings`: xattrs (unless `xattrs: "setfattr"`), times below a microsecond, owners, devices, sockets. When it throws, what was
 * extracted until then is left, for its user alone to read.
 *
 * Throws `usage` for a directory that is not empty, `io` when the system fails, and what reading the contents throws.
 *
 * @example
 * ```ts
 * import { extractTree, fromImage } from "fsynth";
 * const { warnings } = await extractTree(await fromImage("root.ext4"), "unpacked");
 * ```
 */
export async function extractTree(tree: Tree, directory: string, options: ExtractOptions = {}): Promise<Extracted> {
  return await extractInto(new ExtractTarget(takeSnapshot(tree), makeRoot(directory)), options);
}

/** Makes the directory, or makes an empty one private; gives its path without symlinks. */
function makeRoot(directory: string): string {
  const stat = host.files.stat(directory);
  if (stat === undefined) host.files.makeDirectory(directory, PRIVATE);
  else if (stat.kind !== "directory") {
    throw new FsynthError("usage", `${quoteName(directory)} is a ${stat.kind}, expected an empty directory or nothing`, {
      path: directory,
    });
  } else {
    const [first] = host.files.readDirectory(directory);
    if (first !== undefined) {
      throw new FsynthError(
        "usage",
        `${quoteName(directory)} is not empty: found ${quoteName(first)}, expected an empty directory or nothing`,
        { path: directory },
      );
    }
  }
  const path = host.files.realPath(directory);
  host.files.setMode(path, PRIVATE);
  return path === "/" ? "" : path;
}

/** Makes everything in an order in which nothing made before is in the way. */
async function extractInto(target: ExtractTarget, options: ExtractOptions): Promise<Extracted> {
  const { nodes, entries } = target.snapshot;
  // Parents come before children.
  nodes.forEach(({ kind }, index) => {
    if (kind === "directory" && index > 0) host.files.makeDirectory(target.host(index), PRIVATE);
  });
  const files = new FileWriter(target, options.onProgress);
  await files.writeAll();
  const missing = makeSpecials(target);
  makeLinks(target, missing, (kind) => kind !== "symlink");
  nodes.forEach((node, index) => {
    if (!node.target) return;
    host.files.makeSymlink(decodeName(node.target), target.host(index));
    target.settle(index, node);
  });
  makeLinks(target, missing, (kind) => kind === "symlink");
  setXattrs(target, options.xattrs ?? "none", missing);
  // The innermost first: the time of a directory is that of its last change, and one that may not be entered hides all below it.
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index] as SnapshotNode; // index is in range
    if (node.kind === "directory") target.settle(index, node);
  }
  return { path: target.host(0), entries, bytes: files.bytes, warnings: target.warnings() };
}

/** Further names of nodes of such kinds. What was not made has none. */
function makeLinks(target: ExtractTarget, missing: ReadonlySet<number>, among: (kind: Kind) => boolean): void {
  const { nodes, entryNode } = target.snapshot;
  nodes.forEach((directory, holder) => {
    if (directory.kind !== "directory") return;
    for (let entry = directory.first; entry < directory.first + directory.count; entry++) {
      const index = entryNode[entry] as number; // entry is in range
      const node = nodes[index] as SnapshotNode;
      if (node.entry === entry || node.kind === "directory" || missing.has(index) || !among(node.kind)) continue;
      host.files.makeLink(target.host(index), target.hostOfEntry(holder, entry));
    }
  });
}
