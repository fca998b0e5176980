// The frozen, normalised, sorted tree that formats plan from. Entries lie in flat arrays: one run of entries per
// directory, sorted by bytes, and one arena of names, so that a million entries stay cheap.

import { compareBytes, decodeName, encodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Content } from "./content.ts";
import { excludeFilter, type PathFilter } from "./exclude.ts";
import { type DirectoryNode, imageTime, type Kind, type Node, type Time, type Xattrs } from "./node.ts";
import type { Tree } from "./tree.ts";

/** An extended attribute. */
export interface Xattr {
  /** Full name, encoded. */
  readonly name: Uint8Array;
  /** As it is stored; ACLs in the encoding of Linux. */
  readonly value: Uint8Array;
}

/** One inode's worth of the tree. All kinds have one shape, so that hot loops over nodes see one hidden class. */
export interface SnapshotNode {
  /** What it is. */
  readonly kind: Kind;
  /** 12 bits. */
  readonly mode: number;
  /** 32 bits, mapped. */
  readonly uid: number;
  /** 32 bits, mapped. */
  readonly gid: number;
  /** When it was last read, clamped. */
  readonly atime: Time;
  /** When its content last changed, clamped. */
  readonly mtime: Time;
  /** When its metadata last changed, clamped. */
  readonly ctime: Time;
  /** When it was made, clamped. */
  readonly btime: Time;
  /** Sorted by the bytes of the name. */
  readonly xattrs: readonly Xattr[];
  /** The first entry that names this node, -1 for the root. */
  readonly entry: number;
  /** Index of the directory that holds that entry; the root is its own parent. */
  readonly parent: number;
  /** How many entries name it. */
  links: number;
  /** Files only. */
  readonly content: Content | undefined;
  /** Symlinks only: the target's bytes. */
  readonly target: Uint8Array | undefined;
  /** Devices only; else 0. */
  readonly major: number;
  /** Devices only; else 0. */
  readonly minor: number;
  /** Directories only: the first of their run of entries. */
  first: number;
  /** Directories only: how many entries that run has. */
  count: number;
  /** Directories only: how many of those are directories. */
  subdirectories: number;
}

/** A tree that is frozen, normalised and sorted: what formats plan from. */
export interface Snapshot {
  /** `nodes[0]` is the root. A directory's entries come one behind the other, then its subdirectories in order, depth first. */
  readonly nodes: readonly SnapshotNode[];
  /** How many entries there are. Entry `e` has the name `names.subarray(nameStart[e], nameStart[e + 1])`. */
  readonly entries: number;
  /** The index among `nodes` that each entry leads to. */
  readonly entryNode: Uint32Array;
  /** Where the name of each entry starts in `names`, and where the last one ends. */
  readonly nameStart: Uint32Array;
  /** The names of all entries, one behind the other, encoded. */
  readonly names: Uint8Array;
  /** The image's own time; nodes that were given none carry this very object. */
  readonly time: Time;
}

/** What normalisation does to every node. */
export interface SnapshotOptions {
  /** Sets every time. */
  readonly mtime?: Time | undefined;
  /** Lowers later times, of all four kinds. */
  readonly clampMtime?: Time | undefined;
  /** Gives everything one owner. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Replaces user ids; `owner` overrides it. */
  readonly mapUid?: ReadonlyMap<number, number> | undefined;
  /** Replaces group ids; `owner` overrides it. */
  readonly mapGid?: ReadonlyMap<number, number> | undefined;
  /** Globs of what stays out (exclude.ts). */
  readonly exclude?: readonly string[] | undefined;
}

const NO_XATTRS: readonly Xattr[] = Object.freeze([]);

export function isLater(a: Time, b: Time): boolean {
  return a.sec > b.sec || (a.sec === b.sec && a.nsec > b.nsec);
}

/** Takes the snapshot. Throws `source` for a directory that stands in two places and for a bad name. */
export function takeSnapshot(tree: Tree, options: SnapshotOptions = {}): Snapshot {
  return new Taking(tree, options).take();
}

/** A node in the making: it gains links, and directories their run of entries. */
type Draft = { -readonly [K in keyof SnapshotNode]: SnapshotNode[K] };

class Taking {
  readonly #nodes: Draft[] = [];
  readonly #indexOf = new Map<Node, number>();
  #entryNode = new Uint32Array(1024);
  #nameStart = new Uint32Array(1024);
  #names = new Uint8Array(16 * 1024);
  #entries = 0;
  #nameEnd = 0;
  #newest: Time | undefined;
  /** Nodes that carry the image's own time, which is known in the end. */
  readonly #untimed: Draft[] = [];
  readonly #excluded: PathFilter | undefined;
  readonly #sorted = new Map<Xattrs, readonly Xattr[]>();

  constructor(
    readonly tree: Tree,
    readonly options: SnapshotOptions,
  ) {
    this.#excluded = options.exclude?.length ? excludeFilter(options.exclude) : undefined;
  }

  take(): Snapshot {
    const open: [index: number, directory: DirectoryNode, path: string][] = [
      [this.#add(this.tree.root, -1, 0), this.tree.root, ""],
    ];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [index, directory, path] = next;
      const first = this.#entries;
      const below: [number, DirectoryNode, string][] = [];
      for (const name of this.#sortedNames(directory, path)) {
        const child = directory.children.get(name) as Node; // `name` is one of its keys
        let at = this.#indexOf.get(child);
        if (at === undefined) {
          at = this.#add(child, this.#entries, index);
          if (child.kind === "directory") below.push([at, child, this.#excluded ? `${path}/${name}` : ""]);
        } else {
          if (child.kind === "directory") {
            throw new FsynthError("source", `directory ${quoteName(name)} stands in two places of the tree`, {
              path: `${path}/${name}`,
            });
          }
          (this.#nodes[at] as Draft).links++; // added before
        }
        this.#addEntry(name, at);
      }
      const node = this.#nodes[index] as Draft; // on `open` since it was added
      node.first = first;
      node.count = this.#entries - first;
      node.subdirectories = below.length;
      for (let i = below.length - 1; i >= 0; i--) open.push(below[i] as [number, DirectoryNode, string]);
    }
    // An object of its own, which tells nodes that carry the image's time from those that happen to have the same.
    const time = { ...(this.options.mtime ?? this.options.clampMtime ?? this.#newest ?? { sec: 0, nsec: 0 }) };
    for (const node of this.#untimed) {
      for (const which of ["atime", "mtime", "ctime", "btime"] as const)
        if (node[which] === imageTime) node[which] = this.#clamped(time);
    }
    return {
      nodes: this.#nodes,
      entries: this.#entries,
      entryNode: this.#entryNode.slice(0, this.#entries),
      nameStart: this.#nameStart.slice(0, this.#entries + 1),
      names: this.#names.slice(0, this.#nameEnd),
      time,
    };
  }

  /** Adds the node that entry `entry` of directory `parent` names first. */
  #add(node: Node, entry: number, parent: number): number {
    const { owner, mapUid, mapGid } = this.options;
    const { kind, atime, mtime, ctime, btime } = node;
    const index = this.#nodes.length;
    const device = kind === "character-device" || kind === "block-device";
    const made: Draft = {
      kind,
      mode: node.mode,
      uid: owner ? owner.uid : (mapUid?.get(node.uid) ?? node.uid),
      gid: owner ? owner.gid : (mapGid?.get(node.gid) ?? node.gid),
      atime: this.#settled(atime),
      mtime: this.#settled(mtime),
      ctime: this.#settled(ctime),
      btime: this.#settled(btime),
      xattrs: node.xattrs ? this.#xattrs(node.xattrs) : NO_XATTRS,
      entry,
      parent,
      links: 1,
      content: kind === "file" ? node.content : undefined,
      target: kind === "symlink" ? encodeName(node.target) : undefined,
      major: device ? node.major : 0,
      minor: device ? node.minor : 0,
      first: 0,
      count: 0,
      subdirectories: 0,
    };
    this.#nodes.push(made);
    this.#indexOf.set(node, index);
    if (atime === imageTime || mtime === imageTime || ctime === imageTime || btime === imageTime) this.#untimed.push(made);
    if (mtime !== imageTime && (this.#newest === undefined || isLater(mtime, this.#newest))) this.#newest = mtime;
    return index;
  }

  /** The time that a node gets; the image's own is put in later, unless one time is set for all. */
  #settled(given: Time): Time {
    return this.options.mtime ?? (given === imageTime ? given : this.#clamped(given));
  }

  #clamped(time: Time): Time {
    const { clampMtime } = this.options;
    return clampMtime && isLater(time, clampMtime) ? clampMtime : time;
  }

  #sortedNames(directory: DirectoryNode, path: string): string[] {
    let names = [...directory.children.keys()];
    const excluded = this.#excluded;
    if (excluded) names = names.filter((name) => !excluded(`${path}/${name}`));
    // Without characters from U+D800 on, the order of UTF-16 units is the order of the bytes.
    if (names.some((name) => /[\ud800-\uffff]/.test(name))) {
      return names
        .map((name) => ({ name, bytes: encodeName(name) }))
        .sort((a, b) => compareBytes(a.bytes, b.bytes))
        .map(({ name }) => name);
    }
    return names.sort();
  }

  #addEntry(name: string, node: number): void {
    if (this.#entries + 1 >= this.#entryNode.length) {
      this.#entryNode = grown(this.#entryNode);
      this.#nameStart = grown(this.#nameStart);
    }
    if (this.#nameEnd + name.length * 3 > this.#names.length) {
      const larger = new Uint8Array(Math.max(this.#names.length * 2, this.#nameEnd + name.length * 3));
      larger.set(this.#names);
      this.#names = larger;
    }
    this.#entryNode[this.#entries++] = node;
    let at = this.#nameEnd;
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      if (code >= 0x80) {
        const bytes = encodeName(name);
        this.#names.set(bytes, this.#nameEnd);
        at = this.#nameEnd + bytes.length;
        break;
      }
      this.#names[at++] = code;
    }
    this.#nameEnd = at;
    this.#nameStart[this.#entries] = at;
  }

  /** One array for all nodes that share a map: planners know by it what they have seen. */
  #xattrs(xattrs: Xattrs): readonly Xattr[] {
    let sorted = this.#sorted.get(xattrs);
    if (!sorted) {
      sorted = sortedXattrs(xattrs);
      this.#sorted.set(xattrs, sorted);
    }
    return sorted;
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}

function sortedXattrs(xattrs: Xattrs): Xattr[] {
  return [...xattrs].map(([name, value]) => ({ name: encodeName(name), value })).sort((a, b) => compareBytes(a.name, b.name));
}

/** The name of entry `entry`, encoded; a view into the snapshot. */
export function entryName(snapshot: Snapshot, entry: number): Uint8Array {
  return snapshot.names.subarray(snapshot.nameStart[entry], snapshot.nameStart[entry + 1]);
}

/** The path of a node by its first name, `/` for the root. */
export function pathOf(snapshot: Snapshot, index: number): string {
  const names: string[] = [];
  for (let at = index; at !== 0; ) {
    const node = snapshot.nodes[at] as SnapshotNode; // indices come from the snapshot itself
    names.push(decodeName(entryName(snapshot, node.entry)));
    at = node.parent;
  }
  return `/${names.reverse().join("/")}`;
}
