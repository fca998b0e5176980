// The frozen, normalised, sorted tree that formats plan from. Entries lie in flat arrays: one run of entries per
// directory, sorted by bytes, and one arena of names, so that a million entries stay cheap.

import { compareBytes, decodeName, encodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { Names, Numbers } from "./columns.ts";
import { excludeFilter, type PathFilter } from "./exclude.ts";
import { type DirectoryNode, imageTime, type Node, type Time, type Xattrs } from "./node.ts";
import { FourTimes, Run, SettledNode, Sharing, type SnapshotNode, type Xattr } from "./snapshot-node.ts";
import type { Tree } from "./tree.ts";

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

class Taking {
  readonly #nodes: SettledNode[] = [];
  readonly #indexOf = new Map<Node, number>();
  readonly #entryNode = new Numbers();
  readonly #nameStart = new Numbers();
  readonly #names = new Names();
  #newest: Time | undefined;
  /** Nodes that carry the image's own time, which is known in the end. */
  readonly #untimed: SettledNode[] = [];
  readonly #sharing = new Sharing();
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
      const first = this.#entryNode.count;
      const below: [number, DirectoryNode, string][] = [];
      const { names, nodes } = this.#sortedEntries(directory, path);
      for (let i = 0; i < names.length; i++) {
        const name = names[i] as string; // i is in range
        const child = nodes[i] as Node;
        let at = this.#indexOf.get(child);
        if (at === undefined) {
          at = this.#add(child, this.#entryNode.count, index);
          if (child.kind === "directory") below.push([at, child, this.#excluded ? `${path}/${name}` : ""]);
        } else {
          if (child.kind === "directory") {
            throw new FsynthError("source", `directory ${quoteName(name)} stands in two places of the tree`, {
              path: `${path}/${name}`,
            });
          }
          (this.#nodes[at] as SettledNode).links++; // added before
        }
        this.#nameStart.push(this.#names.length);
        this.#names.push(name);
        this.#entryNode.push(at);
      }
      const run = this.#nodes[index]?.held as Run; // a directory, on `open` since it was added
      run.first = first;
      run.count = this.#entryNode.count - first;
      run.subdirectories = below.length;
      for (let i = below.length - 1; i >= 0; i--) open.push(below[i] as [number, DirectoryNode, string]);
    }
    // An object of its own, which tells nodes that carry the image's time from those that happen to have the same.
    const time = { ...(this.options.mtime ?? this.options.clampMtime ?? this.#newest ?? { sec: 0, nsec: 0 }) };
    const own = this.#clamped(time);
    const put = (given: Time): Time => (given === imageTime ? own : given);
    for (const node of this.#untimed) {
      const { times } = node;
      if (!(times instanceof FourTimes)) node.times = put(times);
      else node.times = new FourTimes(put(times.atime), put(times.mtime), put(times.ctime), put(times.btime));
    }
    this.#nameStart.push(this.#names.length);
    return {
      nodes: this.#nodes,
      entries: this.#entryNode.count,
      entryNode: this.#entryNode.all(),
      nameStart: this.#nameStart.all(),
      names: this.#names.all(),
      time,
    };
  }

  /** Adds the node that entry `entry` of directory `parent` names first. */
  #add(node: Node, entry: number, parent: number): number {
    const { owner, mapUid, mapGid } = this.options;
    const { kind, atime, mtime, ctime, btime } = node;
    const index = this.#nodes.length;
    const xattrs = node.xattrs ? this.#xattrs(node.xattrs) : NO_XATTRS;
    const uid = owner ? owner.uid : (mapUid?.get(node.uid) ?? node.uid);
    const gid = owner ? owner.gid : (mapGid?.get(node.gid) ?? node.gid);
    const shared = this.#sharing.of(kind, node.mode, uid, gid, xattrs);
    const times =
      atime === mtime && ctime === mtime && btime === mtime
        ? this.#settled(mtime)
        : new FourTimes(this.#settled(atime), this.#settled(mtime), this.#settled(ctime), this.#settled(btime));
    const made = new SettledNode(shared, times, entry, parent, heldBy(node));
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

  /** What a directory holds and is not excluded, by the bytes of the names. */
  #sortedEntries({ children }: DirectoryNode, path: string): { readonly names: string[]; readonly nodes: Node[] } {
    const names: string[] = [];
    const nodes: Node[] = [];
    const excluded = this.#excluded;
    // Without characters from U+D800 on, the order of UTF-16 units is the order of the bytes.
    let comparable = true;
    let inOrder = true;
    let previous = "";
    children.forEach((node, name) => {
      if (excluded?.(`${path}/${name}`)) return;
      comparable &&= !/[\ud800-\uffff]/.test(name);
      inOrder &&= previous < name;
      previous = name;
      names.push(name);
      nodes.push(node);
    });
    // Most archives and all folders come in order: then nothing is looked up again.
    if (comparable && inOrder) return { names, nodes };
    const sorted = comparable ? names.sort() : sortedByBytes(names);
    return { names: sorted, nodes: sorted.map((name) => children.get(name) as Node) }; // each is one of its keys
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

/** What only a node of its kind has. */
function heldBy(node: Node): SettledNode["held"] {
  switch (node.kind) {
    case "file":
      return node.content;
    case "directory":
      return new Run();
    case "symlink":
      return encodeName(node.target);
    case "character-device":
    case "block-device":
      return { major: node.major, minor: node.minor };
    default:
      return undefined;
  }
}

function sortedByBytes(names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, bytes: encodeName(name) }))
    .sort((a, b) => compareBytes(a.bytes, b.bytes))
    .map(({ name }) => name);
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
