// Entries of a tar archive, laid over a tree.

import type { TarEntry } from "../../formats/tar/entry.ts";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { type Content, emptyContent, sparseContent } from "../tree/content.ts";
import { excludeFilter, type PathFilter } from "../tree/exclude.ts";
import { checkXattrName } from "../tree/metadata.ts";
import type { Node } from "../tree/node.ts";
import { splitPath } from "../tree/path.ts";
import { type OverlayRules, Tree } from "../tree/tree.ts";

export interface LayerOptions extends OverlayRules {
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
      else tree.put(entry.path, nodeOf(entry, contentOf), this.#rules);
    } catch (error) {
      if (!(error instanceof FsynthError) || error.where.offset !== undefined) throw error;
      throw new FsynthError(
        error.code,
        `${this.#label}: entry at byte ${entry.offset}: ${error.message}`,
        { ...error.where, path: entry.path, format: "tar", offset: entry.offset },
        { cause: error },
      );
    }
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
