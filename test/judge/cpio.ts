// cpio archives before GNU cpio and bsdtar: both unpack them as root, and what they leave on the disk is read back.

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromDirectory } from "../../src/sources/directory.ts";
import { compareTreesFully, type Difference } from "../../src/tree/compare.ts";
import type { Node, SymlinkNode, Time } from "../../src/tree/node.ts";
import { type Snapshot, takeSnapshot } from "../../src/tree/snapshot.ts";
import { plainNode, type SnapshotNode } from "../../src/tree/snapshot-node.ts";
import type { Tree } from "../../src/tree/tree.ts";
import type { TreeLimits } from "../arbitrary/tree.ts";
import { need, needRoot, run } from "./need.ts";

/** What newc holds, and an unpacker on Linux can make; files small enough to be written out two hundred times. */
export const cpioLimits: TreeLimits = {
  blockSize: 1024,
  xattrBytes: 0,
  maxTarget: 4095,
  maxMajor: 0xfff,
  maxMinor: 0xfffff,
  minTime: 0,
  maxTime: 2 ** 32 - 1,
  maxFile: 1 << 20,
  maxCrowd: 20,
};

/** The trees of a cpio archive: whole seconds, one time, no holes, no xattrs. */
export function asCpioHolds(snapshot: Snapshot, timeless: (node: SnapshotNode) => boolean = () => false): Snapshot {
  const nodes = snapshot.nodes.map((node): SnapshotNode => {
    const mtime: Time = { sec: timeless(node) ? 0 : node.mtime.sec, nsec: 0 };
    const { content } = node;
    const dense = content && { size: content.size, read: content.read.bind(content) };
    return { ...plainNode(node), mtime, atime: mtime, ctime: mtime, btime: mtime, xattrs: [], content: dense };
  });
  return { ...snapshot, nodes };
}

export type Unpacker = "cpio" | "bsdtar";

/** Whether both are here, and files of other owners and device nodes can be made. */
export function needUnpackers(): boolean {
  return need("cpio", "bsdtar") && needRoot();
}

/** Unpacks `archive` and compares; what is known of an unpacker is taken into account (notes in the code). May change `tree`. */
export async function unpackedDifferences(archive: Uint8Array, tree: Tree, by: Unpacker): Promise<(Difference | string)[]> {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-cpio-"));
  try {
    const root = join(folder, "root");
    const file = join(folder, "archive.cpio");
    mkdirSync(root);
    writeFileSync(file, archive);
    const { status, stdout, stderr } =
      by === "cpio"
        ? run("cpio", ["--extract", "--make-directories", "--preserve-modification-time", "--quiet", "-F", file], { cwd: root })
        : run("bsdtar", ["-xPpf", file, "--numeric-owner"], { cwd: root });
    const said = Buffer.concat([stdout, stderr]).toString();
    if (status !== 0 || said !== "") return [`${by}: exit status ${status}, ${said}`];
    // GNU cpio does not know linked symlinks, leaves the times of directories and symlinks, and all of the directory that it
    // unpacks to; libarchive makes a file of a
    // socket and leaves the time of the directory that it unpacks to. Linux has no modes of symlinks.
    if (by === "cpio") {
      unlinkSymlinks(tree);
      const { mode, uid, gid } = statSync(root);
      Object.assign(tree.root, { mode: mode & 0o7777, uid, gid });
    } else socketsAsFiles(tree);
    const timeless = (node: SnapshotNode): boolean =>
      by === "cpio" ? node.kind === "directory" || node.kind === "symlink" : node.entry < 0;
    for (const [, node] of tree.entries()) if (node.kind === "symlink") node.mode = 0o777;
    const found = takeSnapshot(fromDirectory(root, { xattrs: "none" }));
    return await compareTreesFully(asCpioHolds(found, timeless), asCpioHolds(takeSnapshot(tree), timeless));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function unlinkSymlinks(tree: Tree): void {
  const seen = new Set<Node>();
  for (const [path, node] of tree.entries()) {
    if (node.kind !== "symlink") continue;
    if (seen.has(node)) replace(tree, path, { ...node } satisfies SymlinkNode);
    seen.add(node);
  }
}

function socketsAsFiles(tree: Tree): void {
  const files = new Map<Node, Node>();
  const empty = { size: 0, read: () => {} };
  for (const [path, node] of tree.entries()) {
    if (node.kind !== "socket") continue;
    const file = files.get(node) ?? { ...node, kind: "file", content: empty };
    files.set(node, file);
    replace(tree, path, file);
  }
}

/** Puts `node` where another is, without following symlinks on the way: the path is one of the tree's own. */
function replace(tree: Tree, path: string, node: Node): void {
  const names = path.slice(1).split("/");
  const name = names.pop() as string; // a path has a name
  let at: Node = tree.root;
  for (const step of names) at = (at as typeof tree.root).children.get(step) as Node; // walked before
  (at as typeof tree.root).children.set(name, node);
}
