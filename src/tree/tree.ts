// The tree as its owner edits it. Building takes a snapshot (snapshot.ts) and leaves the tree editable.

import { checkText } from "../arguments.ts";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { type Content, toContent } from "./content.ts";
import {
  checkedInteger,
  checkedXattrValue,
  checkXattrName,
  type MetadataInput,
  type TimeInput,
  toMetadata,
  toTime,
} from "./metadata.ts";
import type { DirectoryNode, Metadata, Node, Xattrs } from "./node.ts";
import { type PathParts, splitParents } from "./path.ts";

/** How many symlinks one path may lead through, as in Linux (MAXSYMLINKS). */
const MAX_SYMLINKS = 40;

/** Rules for entries that meet entries. */
export interface OverlayRules {
  /**
   * A directory that is laid over a symlink to a directory replaces the symlink, as tar does. By default the symlink
   * stays and the directory merges with what it leads to, so that overlays on a merged /usr work.
   */
  readonly replaceSymlinks?: boolean;
}

/**
 * A file tree in memory: what goes into an image.
 *
 * Paths are absolute within the tree; a leading `/` or `./` may be left out. Missing parents are made (0755, 0:0, the
 * image's own time). A later entry replaces an earlier one; a directory that meets a directory merges with it. A parent
 * that is a symlink is followed inside the tree, as chroot would.
 *
 * Every method throws FsynthError `source` with the path for loops, dangling or non-directory parents, `..`, NUL and
 * names over 255 bytes, and `usage` for metadata out of range.
 *
 * @example
 * ```ts
 * import { Tree, buildExt4 } from "fsynth";
 * const tree = new Tree();
 * tree.file("/etc/motd", "hello\n", { mode: 0o644 });
 * tree.symlink("/etc/issue", "motd");
 * const image = buildExt4(tree, { label: "root" });
 * ```
 */
export class Tree {
  /** The root directory; its path is `/`. */
  readonly root: DirectoryNode;

  /** An empty tree: a root directory, 0755, 0:0. */
  constructor() {
    this.root = { kind: "directory", ...toMetadata("directory", "/"), children: new Map() };
  }

  /** Adds a regular file. `content` is text (as UTF-8), bytes (not copied) or any {@link Content}. */
  file(path: string, content: Content | Uint8Array | string, metadata?: MetadataInput): this {
    return this.put(path, { kind: "file", ...toMetadata("file", path, metadata), content: toContent(path, content) });
  }

  /** Adds a directory, or gives an existing one this metadata. */
  directory(path: string, metadata?: MetadataInput): this {
    return this.put(path, { kind: "directory", ...toMetadata("directory", path, metadata), children: new Map() });
  }

  /** Adds a symlink at `path` that reads `target`. The target is stored as it is: 1 to 4095 bytes without NUL. */
  symlink(path: string, target: string, metadata?: MetadataInput): this {
    return this.put(path, { kind: "symlink", ...toMetadata("symlink", path, metadata), target });
  }

  /** Gives what is at `existing` the further name `path`: a hard link. Throws `source` unless it is there and no directory. */
  link(path: string, existing: string): this {
    const node = this.lookup(existing);
    if (node === undefined || node.kind === "directory") {
      throw new FsynthError(
        "source",
        `hard link ${quoteName(path)} to ${quoteName(existing)}: ${node ? "that is a directory" : "nothing is there"}`,
        { path },
      );
    }
    return this.put(path, node);
  }

  /** Adds a device node: `c` a character device, `b` a block device. */
  device(path: string, type: "c" | "b" | "char" | "block", major: number, minor: number, metadata?: MetadataInput): this {
    if (!["c", "b", "char", "block"].includes(type)) {
      throw new FsynthError("usage", `${quoteName(path)}: device type is ${String(type)}, expected "c" or "b"`, { path });
    }
    const kind = type === "b" || type === "block" ? "block-device" : "character-device";
    checkedInteger(path, "major", major, 0xffff_ffff);
    checkedInteger(path, "minor", minor, 0xffff_ffff);
    return this.put(path, { kind, ...toMetadata(kind, path, metadata), major, minor });
  }

  /** Adds a fifo. */
  fifo(path: string, metadata?: MetadataInput): this {
    return this.put(path, { kind: "fifo", ...toMetadata("fifo", path, metadata) });
  }

  /** Adds a socket, which carries nothing but metadata. */
  socket(path: string, metadata?: MetadataInput): this {
    return this.put(path, { kind: "socket", ...toMetadata("socket", path, metadata) });
  }

  /** Removes what is at `path`, a directory with all it holds. Tells whether something was there. */
  remove(path: string): boolean {
    const { parents, name } = splitParents(path);
    if (name === undefined) {
      this.root.children.clear();
      return true;
    }
    const parent = this.#walk(parents, path, "find");
    return parent?.children.delete(name) ?? false;
  }

  /** Sets owner and group. Like the calls below it works on the node itself, a symlink included, and on all its names. */
  chown(path: string, uid: number, gid: number): this {
    const node = this.#existing(path);
    node.uid = checkedInteger(path, "uid", uid, 0xffff_ffff);
    node.gid = checkedInteger(path, "gid", gid, 0xffff_ffff);
    return this;
  }

  /** Sets the 12 mode bits. */
  chmod(path: string, mode: number): this {
    this.#existing(path).mode = checkedInteger(path, "mode", mode, 0o7777);
    return this;
  }

  /** Sets the given times and leaves the others. */
  utimes(path: string, times: { readonly [K in "atime" | "mtime" | "ctime" | "btime"]?: TimeInput }): this {
    const node = this.#existing(path);
    for (const which of ["atime", "mtime", "ctime", "btime"] as const) {
      const time = times[which];
      if (time !== undefined) node[which] = toTime(time);
    }
    return this;
  }

  /** Sets one xattr by its full name; an empty value is an xattr of length 0. */
  setXattr(path: string, name: string, value: Uint8Array | string): this {
    const node = this.#existing(path);
    checkXattrName(path, name);
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : checkedXattrValue(path, name, value);
    node.xattrs = new Map(node.xattrs ?? []).set(name, bytes);
    return this;
  }

  /** Removes one xattr; tells whether it was there. */
  removeXattr(path: string, name: string): boolean {
    const node = this.#existing(path);
    if (!node.xattrs?.has(name)) return false;
    const rest: Map<string, Uint8Array> = new Map(node.xattrs);
    rest.delete(name);
    node.xattrs = rest.size > 0 ? (rest as Xattrs) : undefined;
    return true;
  }

  /** The node at `path`, parents' symlinks followed, the last name not. `undefined` when nothing is there. */
  lookup(path: string): Node | undefined {
    const { parents, name } = splitParents(path);
    if (name === undefined) return this.root;
    return this.#walk(parents, path, "find")?.children.get(name);
  }

  /** Every entry below the root: its path and node, parents before children, in no promised order. */
  *entries(): Generator<readonly [path: string, node: Node]> {
    const open: [string, DirectoryNode][] = [["", this.root]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const [name, node] of next[1].children) {
        const path = `${next[0]}/${name}`;
        yield [path, node];
        if (node.kind === "directory") open.push([path, node]);
      }
    }
  }

  /**
   * Adds a ready node under `path` by the overlay rules. For sources; a node put twice is a hard link. `parts` is the path taken
   * apart, for those who have it: a name that was cut out of a path would keep all of it in memory.
   */
  put(path: string, node: Node, rules: OverlayRules = {}, parts: PathParts = splitParents(path)): this {
    if (node.kind === "symlink") checkTarget(path, node.target);
    const { parents, name } = parts;
    if (name === undefined) {
      if (node.kind !== "directory") {
        throw new FsynthError("source", `the root of a tree is a directory; found a ${node.kind} at ${quoteName(path)}`, {
          path,
        });
      }
      merge(this.root, node);
      return this;
    }
    const parent = this.#walk(parents, path, "make") as DirectoryNode; // "make" finds or throws
    const old = parent.children.get(name);
    if (node.kind === "directory" && old !== undefined) {
      if (old.kind === "directory") {
        merge(old, node);
        return this;
      }
      if (old.kind === "symlink" && rules.replaceSymlinks !== true) {
        const aim = this.#walk([...parents, name], path, "find");
        if (aim !== undefined) {
          merge(aim, node);
          return this;
        }
      }
    }
    parent.children.set(name, node);
    return this;
  }

  #existing(path: string): Metadata {
    const node = this.lookup(path);
    if (node === undefined) throw new FsynthError("source", `${quoteName(path)}: nothing is there`, { path });
    return node;
  }

  /**
   * The directory that `names` lead to, symlinks followed inside the tree. `make` makes what is missing (but not behind
   * a symlink) and throws when there is no way; `find` then gives undefined, but still refuses loops.
   */
  #walk(names: readonly string[], path: string, how: "find" | "make"): DirectoryNode | undefined {
    // Nearly always all of them are there, and directories.
    let straight: Node | undefined = this.root;
    for (const name of names) {
      if (straight?.kind !== "directory") break;
      straight = straight.children.get(name);
    }
    if (straight?.kind === "directory") return straight;
    let stack: DirectoryNode[] = [];
    let at = this.root;
    const todo: string[] = names.toReversed();
    let links = 0;
    // How many names at the front of the way come out of a symlink's target: those are never made.
    let borrowed = 0;
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      const fromLink = borrowed > 0;
      if (fromLink) borrowed--;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = stack.pop() ?? this.root;
        continue;
      }
      let next = at.children.get(name);
      if (next === undefined) {
        if (how === "find") return undefined;
        if (fromLink) {
          throw new FsynthError(
            "source",
            `${quoteName(path)}: a parent is a dangling symlink (there is no ${quoteName(name)} where it leads)`,
            { path },
          );
        }
        next = { kind: "directory", ...toMetadata("directory", path), children: new Map() };
        at.children.set(name, next);
      }
      if (next.kind === "symlink") {
        if (++links > MAX_SYMLINKS) {
          throw new FsynthError(
            "source",
            `${quoteName(path)}: more than ${MAX_SYMLINKS} symlinks on the way, a loop at ${quoteName(name)}`,
            { path },
          );
        }
        if (next.target.startsWith("/")) {
          stack = [];
          at = this.root;
        }
        const parts = next.target.split("/").reverse();
        borrowed += parts.length;
        todo.push(...parts);
      } else if (next.kind === "directory") {
        stack.push(at);
        at = next;
      } else {
        if (how === "find") return undefined;
        throw new FsynthError(
          "source",
          `${quoteName(path)}: the parent ${quoteName(name)} is a ${next.kind}, expected a directory`,
          { path },
        );
      }
    }
    return at;
  }
}

function merge(into: DirectoryNode, from: DirectoryNode): void {
  into.mode = from.mode;
  into.uid = from.uid;
  into.gid = from.gid;
  into.atime = from.atime;
  into.mtime = from.mtime;
  into.ctime = from.ctime;
  into.btime = from.btime;
  into.xattrs = from.xattrs;
}

function checkTarget(path: string, target: string): void {
  checkText(`the target of ${quoteName(path)}`, target);
  if (target === "" || target.includes("\0")) {
    throw new FsynthError(
      "source",
      `symlink ${quoteName(path)}: a target is 1 to 4095 bytes without NUL; found ${quoteName(target)}`,
      { path },
    );
  }
}
