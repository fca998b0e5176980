// A directory of the host as a tree. Listing is synchronous and takes what lstat says; content stays where it is.

import { host } from "#host";
import { checkText } from "../arguments.ts";
import { compareNames, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { FileStat } from "../host/port.ts";
import type { Warning } from "../image/plan.ts";
import type { Content } from "../tree/content.ts";
import { excludeFilter } from "../tree/exclude.ts";
import type { Metadata, Node, Time, Xattrs } from "../tree/node.ts";
import { splitPath } from "../tree/path.ts";
import { Tree } from "../tree/tree.ts";
import { hostFileContentIn, isGone } from "./host-file.ts";
import { checkSourceOptions } from "./options.ts";
import { readXattrs } from "./xattrs.ts";

/** How a host directory is read. */
export interface DirectoryOptions {
  /** Globs of what stays out, relative to the directory; one without a slash matches names at any depth. */
  readonly exclude?: readonly string[] | undefined;
  /** `keep` (default): names of one file that lie in the directory are hard links. `copy`: each name is a file of its own. */
  readonly hardLinks?: "keep" | "copy" | undefined;
  /**
   * `none`: xattrs are left out. `getfattr`: they are read with the system's tool of this name. Not given: they are left
   * out, and a warning says so.
   */
  readonly xattrs?: "none" | "getfattr" | undefined;
  /** A directory laid over a symlink replaces it, instead of merging with the directory that it leads to. Default false. */
  readonly replaceSymlinks?: boolean | undefined;
  /** Called for what the user should know. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** From this size on, a file that is mostly unallocated earns a hint. */
const LARGE = 64 * 2 ** 20;

/**
 * The tree of a host directory: names as bytes, kinds, modes, owners, mtimes (also as atime, ctime and birth time), hard
 * links, devices, fifos and sockets. Files are read when an image is written, and refused if they changed since.
 *
 * Throws `source` when `path` is no directory or changes while it is listed, `io` when the system fails.
 *
 * @example
 * ```ts
 * import { buildExt4, fromDirectory } from "fsynth";
 * const image = buildExt4(fromDirectory("rootfs", { exclude: [".git"] }));
 * ```
 */
export function fromDirectory(path: string, options: DirectoryOptions = {}): Tree {
  const tree = new Tree();
  addDirectory(tree, path, options);
  return tree;
}

/**
 * Lays a host directory over `tree`, root on root. Otherwise as {@link fromDirectory}.
 *
 * @example
 * ```ts
 * import { addDirectory, fromTar } from "fsynth";
 * const tree = await fromTar("rootfs.tar");
 * addDirectory(tree, "examples/hello");
 * ```
 */
export function addDirectory(tree: Tree, path: string, options: DirectoryOptions = {}): void {
  checkText("the path of a directory", path);
  checkSourceOptions("a directory source", options);
  const rules = { replaceSymlinks: options.replaceSymlinks === true };
  const excluded = options.exclude?.length ? excludeFilter(options.exclude) : undefined;
  const root = rootOf(path);
  const xattrs = options.xattrs === "getfattr" ? readXattrs(path) : undefined;
  const making = new Making(xattrs, options.hardLinks !== "copy");

  tree.put("/", making.node(path, "", "/", root), rules);
  const open: string[] = [""];
  for (let below = open.pop(); below !== undefined; below = open.pop()) {
    const directories: string[] = [];
    const folder = path + below;
    const parents = splitPath(below);
    for (const name of sorted(list(path, below))) {
      const inTree = `${below}/${name}`;
      if (excluded?.(inTree)) continue;
      const stat = host.files.lstat(`${folder}/${name}`);
      if (stat === undefined) throw gone(inTree, `${folder}/${name}`);
      tree.put(inTree, making.node(folder, name, inTree, stat), rules, { parents, name });
      if (stat.kind === "directory") directories.push(inTree);
    }
    while (directories.length > 0) open.push(directories.pop() as string); // not empty
  }

  if (options.xattrs === undefined) {
    options.onWarning?.({
      code: "xattrs-not-read",
      message: `the xattrs of ${quoteName(path)} were not read, if it has any; --xattrs getfattr reads them, --xattrs none says that none are wanted`,
    });
  }
  if (!host.exactTimes) {
    options.onWarning?.({
      code: "times-cut",
      message: `the times in ${quoteName(path)} were read to the millisecond, which is what ${host.name} tells; Node and Bun tell nanoseconds, and give other images`,
    });
  }
  if (making.sparse) {
    const { first, count } = making.sparse;
    const more = count > 1 ? ` (and ${count - 1} more)` : "";
    options.onWarning?.({
      code: "sparse-host-file",
      message: `host file ${quoteName(first)}${more} is large and mostly unallocated, and is taken as dense; --holes detect finds its holes`,
    });
  }
}

function rootOf(path: string): FileStat {
  const stat = host.files.stat(path);
  if (stat?.kind !== "directory") {
    throw new FsynthError(
      "source",
      `${quoteName(path)}: ${stat ? `found a ${stat.kind}` : "nothing is there"}, expected a directory`,
      {
        path,
      },
    );
  }
  return stat;
}

function list(path: string, below: string): string[] {
  try {
    return host.files.readDirectory(path + below);
  } catch (error) {
    if (isGone(error)) throw gone(below === "" ? "/" : below, path + below, error);
    throw error;
  }
}

function gone(inTree: string, path: string, cause?: unknown): FsynthError {
  return new FsynthError(
    "source",
    `${quoteName(path)} was listed and is gone; the directory must not change while it is read`,
    { path: inTree },
    { cause },
  );
}

/** By bytes. */
function sorted(names: string[]): string[] {
  // Without characters from U+D800 on, the order of UTF-16 units is the order of the bytes.
  return names.some((name) => /[\ud800-\uffff]/.test(name)) ? names.sort(compareNames) : names.sort();
}

/** Makes nodes of what lstat says, and remembers what spans several entries. */
class Making {
  readonly #linked = new Map<string, Node>();
  sparse: { first: string; count: number } | undefined;

  constructor(
    readonly xattrs: ReadonlyMap<string, Xattrs> | undefined,
    readonly keepLinks: boolean,
  ) {}

  /** The node of `name` in `folder`; the root has no name. */
  node(folder: string, name: string, inTree: string, stat: FileStat): Node {
    if (stat.nlink <= 1 || stat.kind === "directory" || !this.keepLinks) return this.#make(folder, name, inTree, stat);
    const key = `${stat.dev}:${stat.ino}`;
    const known = this.#linked.get(key);
    if (known) return known;
    const made = this.#make(folder, name, inTree, stat);
    this.#linked.set(key, made);
    return made;
  }

  #make(folder: string, name: string, inTree: string, stat: FileStat): Node {
    const time: Time = { sec: stat.mtimeSec, nsec: stat.mtimeNsec };
    const metadata: Metadata = {
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
      atime: time,
      mtime: time,
      ctime: time,
      btime: time,
      xattrs: this.xattrs?.get(inTree),
    };
    switch (stat.kind) {
      case "file":
        if (stat.size >= LARGE && stat.allocated < stat.size / 2) {
          this.sparse = { first: this.sparse?.first ?? `${folder}/${name}`, count: (this.sparse?.count ?? 0) + 1 };
        }
        return file(metadata, hostFileContentIn(folder, name, stat));
      case "directory":
        return { kind: "directory", ...metadata, children: new Map() };
      case "symlink":
        return { kind: "symlink", ...metadata, target: linkTarget(`${folder}/${name}`, inTree) };
      case "character-device":
      case "block-device":
        return { kind: stat.kind, ...metadata, major: stat.major, minor: stat.minor };
      case "fifo":
      case "socket":
        return { kind: stat.kind, ...metadata };
      case "unknown":
        throw new FsynthError(
          "source",
          `${quoteName(`${folder}/${name}`)} is of no kind that fsynth knows; expected a file, directory, symlink, device, fifo or socket`,
          { path: inTree },
        );
    }
  }
}

/** Written out: nearly all nodes are files, and a spread takes several times as long. */
function file({ mode, uid, gid, atime, mtime, ctime, btime, xattrs }: Metadata, content: Content): Node {
  return { kind: "file", mode, uid, gid, atime, mtime, ctime, btime, xattrs, content };
}

function linkTarget(path: string, inTree: string): string {
  try {
    return host.files.readLink(path);
  } catch (error) {
    if (isGone(error)) throw gone(inTree, path, error);
    throw error;
  }
}
