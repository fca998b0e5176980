// tar archives before GNU tar and bsdtar: both unpack them as root, and what they leave on the disk is read back.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromDirectory } from "../../src/sources/directory.ts";
import { compareTreesFully, type Difference } from "../../src/tree/compare.ts";
import type { Content, Extent } from "../../src/tree/content.ts";
import { type Snapshot, takeSnapshot } from "../../src/tree/snapshot.ts";
import { plainNode, type SnapshotNode } from "../../src/tree/snapshot-node.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { type Recipe, type RecipeEntry, type TreeLimits, treeOf } from "../arbitrary/tree.ts";
import { need, needRoot, run } from "./need.ts";

/** What tar holds, and an unpacker on Linux can make on any file system; files small enough to be written out two hundred times. */
export const tarLimits: TreeLimits = {
  blockSize: 1024,
  xattrBytes: 3500,
  maxTarget: 4095,
  maxMajor: 0xfff,
  maxMinor: 0xfffff,
  minTime: 1 - 2 ** 31,
  maxTime: 2 ** 34 - 2 ** 31 - 2,
  maxFile: 1 << 24,
  maxCrowd: 20,
};

/** The tree of a recipe without the sockets, which tar has none of. */
export function socketless(recipe: Recipe): Tree {
  const sockets = new Set(recipe.filter(({ kind }) => kind === "socket").map(({ path }) => path));
  for (const { path, to } of recipe) if (to !== undefined && sockets.has(to)) sockets.add(path);
  return treeOf(recipe.filter(({ path }: RecipeEntry) => !sockets.has(path)));
}

/** The trees of a tar archive: holes in blocks of 512 bytes. */
export function asTarHolds(snapshot: Snapshot): Snapshot {
  const nodes = snapshot.nodes.map(
    (node): SnapshotNode => (node.content ? { ...plainNode(node), content: inBlocks(node.content) } : node),
  );
  return { ...snapshot, nodes };
}

function inBlocks(content: Content): Content {
  if (!content.extents) return content;
  const extents: Extent[] = [];
  for (const { offset, length } of content.extents) {
    if (length === 0) continue;
    const start = Math.max(offset - (offset % 512), (extents.at(-1)?.offset ?? 0) + (extents.at(-1)?.length ?? 0));
    const end = Math.min(content.size, offset + length + 511 - ((offset + length + 511) % 512));
    if (end > start) extents.push({ offset: start, length: end - start });
  }
  return { size: content.size, extents, read: (offset, target) => content.read(offset, target) };
}

/** What is left on a disk: one time, holes wherever the file system likes. */
function asUnpacked(snapshot: Snapshot, change: (node: SnapshotNode) => Partial<SnapshotNode>): Snapshot {
  const nodes = snapshot.nodes.map((node): SnapshotNode => {
    const { content, mtime } = node;
    const dense = content && { size: content.size, read: content.read.bind(content) };
    const changed = { ...plainNode(node), content: dense, mtime, ...change(node) };
    return { ...changed, atime: changed.mtime, ctime: changed.mtime, btime: changed.mtime };
  });
  return { ...snapshot, nodes };
}

export type Unpacker = "tar" | "bsdtar";

/** Whether both are here, with getfattr to see what they did, and files of other owners and device nodes can be made. */
export function needUnpackers(): boolean {
  return need("tar", "bsdtar", "getfattr") && needRoot();
}

/**
 * Makes modes and ACLs agree, as they do on a disk: an access ACL decides the permission bits, and one of three entries is no
 * more than these.
 */
export function settleAcls(tree: Tree): Tree {
  for (const [, node] of [...tree.entries(), ["/", tree.root] as const]) {
    const acl = node.xattrs?.get("system.posix_acl_access");
    if (!acl) continue;
    const view = new DataView(acl.buffer, acl.byteOffset, acl.byteLength);
    const rows = Array.from({ length: (acl.length - 4) / 8 }, (_, i) => ({
      tag: view.getUint16(4 + i * 8, true),
      bits: view.getUint16(6 + i * 8, true),
    }));
    const bits = (tag: number): number => rows.find((row) => row.tag === tag)?.bits ?? 0;
    const group = rows.length > 3 ? 0x10 : 0x04;
    node.mode = (node.mode & 0o7000) | (bits(0x01) << 6) | (bits(group) << 3) | bits(0x20);
    if (rows.length === 3) node.xattrs = new Map([...(node.xattrs ?? [])].filter(([name]) => name !== "system.posix_acl_access"));
  }
  return tree;
}

/** Unpacks `archive` and compares; what is known of an unpacker is taken into account (notes in the code). */
export async function unpackedDifferences(archive: Uint8Array, tree: Tree, by: Unpacker): Promise<(Difference | string)[]> {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-untar-"));
  try {
    const root = join(folder, "root");
    const file = join(folder, "archive.tar");
    mkdirSync(root);
    writeFileSync(file, archive);
    const { status, stdout, stderr } =
      by === "tar"
        ? // Times before 1970 and after today, and keywords of others, are warned of.
          run("tar", ["-xpf", file, "--numeric-owner", "--xattrs", "--xattrs-include=*", "--warning=none"], { cwd: root })
        : run("bsdtar", ["-xPpf", file, "--numeric-owner", "--xattrs"], { cwd: root });
    const said = Buffer.concat([stdout, stderr]).toString();
    if (status !== 0 || said !== "") return [`${by}: exit status ${status}, ${said}`];
    for (const [, node] of tree.entries()) if (node.kind === "symlink") node.mode = 0o777;
    const found = takeSnapshot(fromDirectory(root, { xattrs: "getfattr" }));
    const seen = (node: SnapshotNode): Partial<SnapshotNode> => (by === "bsdtar" ? asBsdtarDoes(node) : {});
    return await compareTreesFully(asUnpacked(found, seen), asUnpacked(takeSnapshot(tree), seen));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * libarchive leaves the time of the directory that it unpacks to; it reads a fraction before 1970 as one behind the second;
 * it leaves out ACLs that come as xattrs, and does not know how `=` and `%` in names of xattrs are written.
 */
function asBsdtarDoes(node: SnapshotNode): Partial<SnapshotNode> {
  const { mtime } = node;
  const xattrs = node.xattrs.filter(({ name }) => !/[=%]|posix_acl/.test(Buffer.from(name).toString("latin1")));
  return { xattrs, mtime: node.entry < 0 || mtime.sec <= 0 ? { sec: 0, nsec: 0 } : mtime };
}
