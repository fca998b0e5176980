// Entries of a tar archive, laid over a tree.

import { decodeName, quoteName } from "../../src/bytes/names.ts";
import { FsynthError } from "../../src/error.ts";
import { type Content, emptyContent, sparseContent } from "../../src/tree/content.ts";
import { excludeFilter, type PathFilter } from "../../src/tree/exclude.ts";
import { checkXattrName } from "../../src/tree/metadata.ts";
import type { Node } from "../../src/tree/node.ts";
import { splitPath } from "../../src/tree/path.ts";
import { type OverlayRules, Tree } from "../../src/tree/tree.ts";
import { aclXattr } from "./acl.ts";
import type { TarEntry } from "./entry.ts";

export interface LayerOptions {
  /** As {@link OverlayRules} has it. */
  readonly replaceSymlinks?: boolean | undefined;
  /** Globs of what stays out. */
  readonly exclude?: readonly string[] | undefined;
}

/** Lays entries over a tree, in the order of the archive. */
export class TarLayer {
  readonly #tree: Tree;
  readonly #label: string;
  readonly #rules: OverlayRules;
  readonly #excluded: PathFilter | undefined;
  /** What is excluded, since a hard link that is not may lead to it. */
  readonly #hidden = new Tree();
  /** The xattrs of nodes whose ACLs name someone without a number; a directory that merges hands them on. */
  readonly #named: { readonly entry: TarEntry; readonly xattrs: Map<string, Uint8Array> }[] = [];
  /** Whether a directory, or one above it, is excluded. */
  readonly #excludedDirectories = new Map<string, boolean>();

  constructor(tree: Tree, label: string, options: LayerOptions) {
    this.#tree = tree;
    this.#label = label;
    this.#rules = { replaceSymlinks: options.replaceSymlinks === true };
    this.#excluded = options.exclude?.length ? excludeFilter(options.exclude) : undefined;
  }

  /** Adds one entry; `contentOf` gives the bytes that the archive stores for it. Errors name the entry and its offset. */
  add(entry: TarEntry, contentOf: (entry: TarEntry) => Content): void {
    try {
      const tree = this.#excluded && this.#isExcluded(this.#excluded, entry.path) ? this.#hidden : this.#tree;
      if (entry.kind === "link") this.#link(tree, entry, contentOf);
      else {
        const node = nodeOf(entry, contentOf);
        if (entry.namedAcls.length > 0 && tree === this.#tree)
          this.#named.push({ entry, xattrs: (node.xattrs = new Map(node.xattrs)) });
        tree.put(entry.path, node, this.#rules);
      }
    } catch (error) {
      if (!(error instanceof FsynthError) || error.where.offset !== undefined) throw error;
      throw this.#placed(entry, error);
    }
  }

  /**
   * To be called behind the last entry: gives the ACLs that name someone the numbers that the tree's own /etc/passwd and
   * /etc/group have. A promise only where these must be waited for.
   */
  finish(): void | Promise<void> {
    if (this.#named.length === 0) return;
    const files = { user: textOf(this.#tree, "/etc/passwd"), group: textOf(this.#tree, "/etc/group") };
    if (files.user instanceof Uint8Array && files.group instanceof Uint8Array) this.#settle(files.user, files.group);
    else return Promise.all([files.user, files.group]).then(([user, group]) => this.#settle(user, group));
  }

  #settle(passwd: Uint8Array, groups: Uint8Array): void {
    const ids = { user: idsOf(passwd), group: idsOf(groups) };
    for (const { entry, xattrs } of this.#named) {
      for (const { which, text, idOf } of entry.namedAcls) {
        const fail = (sentence: string): never => {
          throw this.#placed(entry, new FsynthError("corrupt", sentence));
        };
        const result = aclXattr(which, text, (kind, name) => idOf(kind, name) ?? ids[kind].get(name), fail);
        if (result.missing !== undefined) {
          const sentence =
            `its ACL names the ${result.missing}, whose number neither the archive nor the tree's own /etc/passwd and /etc/group tell; ` +
            "bsdtar, and GNU tar with --xattrs --xattrs-include='*', write numbers";
          throw this.#placed(entry, new FsynthError("unsupported", sentence));
        }
        if (result.value) xattrs.set(`system.posix_acl_${which}`, result.value);
      }
    }
  }

  #placed(entry: TarEntry, error: FsynthError): FsynthError {
    return new FsynthError(
      error.code,
      `${this.#label}: entry ${quoteName(entry.path)} at byte ${entry.offset}: ${error.message}`,
      { ...error.where, path: entry.path, format: "tar", offset: entry.offset },
      { cause: error },
    );
  }

  #link(tree: Tree, entry: TarEntry, contentOf: (entry: TarEntry) => Content): void {
    const node = this.#tree.lookup(entry.linkPath) ?? (this.#excluded ? this.#hidden.lookup(entry.linkPath) : undefined);
    if (node === undefined || node.kind === "directory") {
      const found = node ? "that is a directory" : "nothing is there, in this archive before it or in what it is laid over";
      throw new FsynthError("source", `hard link ${quoteName(entry.path)} to ${quoteName(entry.linkPath)}: ${found}`);
    }
    // A link that carries content, as pax archives may: it is the file's content.
    if (entry.stored > 0 && node.kind === "file") node.content = storedContent(entry, entry.stored, contentOf);
    tree.put(entry.path, node, this.#rules);
  }

  #isExcluded(excluded: PathFilter, path: string): boolean {
    const names = splitPath(path);
    const name = names.pop();
    if (name === undefined) return false;
    let at = "";
    let hidden = false;
    for (const directory of names) {
      at = `${at}/${directory}`;
      const known = this.#excludedDirectories.get(at);
      hidden = known ?? (hidden || excluded(at));
      if (known === undefined) this.#excludedDirectories.set(at, hidden);
    }
    return hidden || excluded(`${at}/${name}`);
  }
}

/** The largest passwd or group file that is read. */
const MAX_IDS = 16 * 1024 * 1024;

/** The bytes of such a file; none where there is none. */
function textOf(tree: Tree, path: string): Uint8Array | Promise<Uint8Array> {
  const node = tree.lookup(path);
  if (node?.kind !== "file" || node.content.size > MAX_IDS) return new Uint8Array(0);
  const bytes = new Uint8Array(node.content.size);
  const pending = node.content.read(0, bytes);
  return pending ? pending.then(() => bytes) : bytes;
}

/** The numbers by name of a file in the form of passwd(5) and group(5), which agree in name and number. */
function idsOf(bytes: Uint8Array): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of decodeName(bytes).split("\n")) {
    const [name, , id] = line.split(":");
    if (name && id && /^\d{1,10}$/.test(id)) ids.set(name, Number(id));
  }
  return ids;
}

function nodeOf(entry: TarEntry, contentOf: (entry: TarEntry) => Content): Node {
  const { mode, uid, gid, atime, mtime, ctime, btime, xattrs } = entry;
  if (xattrs) for (const name of xattrs.keys()) checkXattrName(entry.path, name);
  switch (entry.kind) {
    case "directory":
      return { kind: "directory", mode, uid, gid, atime, mtime, ctime, btime, xattrs, children: new Map() };
    case "symlink":
      return { kind: "symlink", mode, uid, gid, atime, mtime, ctime, btime, xattrs, target: entry.linkPath };
    case "character-device":
    case "block-device": {
      const { kind, major, minor } = entry;
      return { kind, mode, uid, gid, atime, mtime, ctime, btime, xattrs, major, minor };
    }
    case "fifo":
      return { kind: "fifo", mode, uid, gid, atime, mtime, ctime, btime, xattrs };
    default: {
      const content = storedContent(entry, entry.size, contentOf);
      return { kind: "file", mode, uid, gid, atime, mtime, ctime, btime, xattrs, content };
    }
  }
}

function storedContent(entry: TarEntry, size: number, contentOf: (entry: TarEntry) => Content): Content {
  const stored = entry.stored === 0 ? emptyContent : contentOf(entry);
  return entry.extents ? sparseContent(size, entry.extents, stored) : stored;
}
