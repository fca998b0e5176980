// Members of cpio archives, laid over a tree.

import { quoteName } from "../../src/bytes/names.ts";
import { FsynthError } from "../../src/error.ts";
import type { Warning } from "../../src/image/plan.ts";
import { type Content, emptyContent } from "../../src/tree/content.ts";
import { excludeFilter, type PathFilter } from "../../src/tree/exclude.ts";
import type { FileNode, Node } from "../../src/tree/node.ts";
import { splitPath } from "../../src/tree/path.ts";
import type { OverlayRules, Tree } from "../../src/tree/tree.ts";
import type { CpioMember } from "./member.ts";

export interface CpioLayerOptions extends OverlayRules {
  /** Globs of what stays out. */
  readonly exclude?: readonly string[] | undefined;
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/** Lays members over a tree, in the order of the archive. */
export class CpioLayer {
  readonly #tree: Tree;
  readonly #label: string;
  readonly #options: CpioLayerOptions;
  readonly #excluded: PathFilter | undefined;
  /** Nodes of several names, by what tells them apart, and which of them had data. */
  readonly #linked = new Map<string, { readonly node: Node; data: number }>();

  constructor(tree: Tree, label: string, options: CpioLayerOptions) {
    this.#tree = tree;
    this.#label = label;
    this.#options = options;
    this.#excluded = options.exclude?.length ? excludeFilter(options.exclude) : undefined;
  }

  /** Adds one member; `contentOf` gives the bytes of a file. Errors name the member and its offset. */
  add(member: CpioMember, contentOf: (member: CpioMember) => Content): void {
    try {
      const node = this.#node(member, contentOf);
      if (this.#excluded && isExcluded(this.#excluded, member.path)) return;
      this.#tree.put(member.path, node, { replaceSymlinks: this.#options.replaceSymlinks === true });
    } catch (error) {
      if (!(error instanceof FsynthError) || error.where.offset !== undefined) throw error;
      throw new FsynthError(
        error.code,
        `${this.#label}: member at byte ${member.offset}: ${error.message}`,
        { ...error.where, path: member.path, format: "cpio", offset: member.offset },
        { cause: error },
      );
    }
  }

  /** An archive has ended: the inode numbers of the next one mean other files. */
  endArchive(): void {
    this.#linked.clear();
  }

  #node(member: CpioMember, contentOf: (member: CpioMember) => Content): Node {
    const linked = member.links > 1 && member.kind !== "directory" ? this.#linked.get(member.identity) : undefined;
    if (linked === undefined) {
      const node = nodeOf(member, contentOf);
      if (member.links > 1 && node.kind !== "directory") this.#linked.set(member.identity, { node, data: member.size });
      return node;
    }
    // Linux makes a symlink of its own of each; when their targets differ they are none of one another.
    if (linked.node.kind === "symlink" && linked.node.target !== member.target) return nodeOf(member, contentOf);
    if (linked.node.kind === "file" && member.size > 0) this.#fill(linked.node, linked, member, contentOf);
    return linked.node;
  }

  /** The data of a file may come with any of its names; where it comes with several, the last one counts, as for Linux. */
  #fill(node: FileNode, linked: { data: number }, member: CpioMember, contentOf: (member: CpioMember) => Content): void {
    if (linked.data > 0 && linked.data !== member.size) {
      this.#options.onWarning?.({
        code: "cpio-link-data",
        message: `${this.#label}: ${quoteName(member.path)} (member at byte ${member.offset}) is a hard link of a file that had ${linked.data} bytes, and brings ${member.size}; these are taken`,
      });
    }
    linked.data = member.size;
    node.content = contentOf(member);
  }
}

function isExcluded(excluded: PathFilter, path: string): boolean {
  let at = "";
  return splitPath(path).some((name) => excluded((at = `${at}/${name}`)));
}

function nodeOf(member: CpioMember, contentOf: (member: CpioMember) => Content): Node {
  const { mode, uid, gid } = member;
  const time = { sec: member.mtime, nsec: 0 };
  const metadata = { mode, uid, gid, atime: time, mtime: time, ctime: time, btime: time, xattrs: undefined };
  switch (member.kind) {
    case "directory":
      return { kind: "directory", ...metadata, children: new Map() };
    case "symlink":
      return { kind: "symlink", ...metadata, target: member.target };
    case "character-device":
    case "block-device":
      return { kind: member.kind, ...metadata, major: member.major, minor: member.minor };
    case "fifo":
    case "socket":
      return { kind: member.kind, ...metadata };
    default:
      return { kind: "file", ...metadata, content: member.size === 0 ? emptyContent : contentOf(member) };
  }
}
