// Where every member lies. Parents before children, byte order within a directory, every directory followed by all it
// holds; the first name of a file carries its data. Flat arrays, so that a million members stay cheap.

import { decodeName } from "../../../src/bytes/names.ts";
import type { Violations } from "../../../src/image/loss.ts";
import { MAX_BYTES_REGION } from "../../../src/image/region.ts";
import { entryName, type Snapshot } from "../../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../../src/tree/snapshot-node.ts";
import { MAX_EXTENSION } from "../limits.ts";
import { BLOCK } from "../records.ts";
import { dataSize, headSize, type Member, recordsSize } from "./member.ts";
import type { TarBuildValues } from "./options.ts";
import { type SparseFile, sparseFile } from "./sparse.ts";

/** Stands for the root's entry, which no directory holds. */
const ROOT_ENTRY = -1;

const SLASH = 0x2f;
const ROOT_PATH = Uint8Array.of(0x2e, SLASH);

/** Filled as members are added. */
export class Layout {
  /** How many members there are. */
  count = 0;
  /** Offset of each member's first header, then that of the end. */
  readonly start: Float64Array;
  /** Bytes in front of each member's data. */
  readonly head: Float64Array;
  /** Members at which a run of headers starts; behind the last member of one stands the data of a file, or nothing. */
  readonly runs: number[] = [0];

  /** The entry that a member is the name of, and the node of the directory that holds it. */
  readonly #entry: Int32Array;
  readonly #directory: Uint32Array;
  /** By node, for files of several names: the member that is their first. */
  readonly #first = new Map<number, number>();
  /** By node. */
  readonly #sparse = new Map<number, SparseFile>();
  readonly #snapshot: Snapshot;
  readonly #allTimes: boolean;
  #at = 0;
  #runStart = 0;

  constructor(snapshot: Snapshot, options: TarBuildValues, violations: Violations) {
    // The entries, the root and the end.
    const room = snapshot.entries + 2;
    this.start = new Float64Array(room);
    this.head = new Float64Array(room);
    this.#entry = new Int32Array(room);
    this.#directory = new Uint32Array(room);
    this.#snapshot = snapshot;
    this.#allTimes = options.times === "all";
    if (options.rootEntry) this.#add(ROOT_ENTRY, 0, violations);
    const { nodes, entryNode } = snapshot;
    // The directories that are open, each with the next of its entries.
    const open: { readonly directory: number; next: number; readonly end: number }[] = [];
    const enter = (directory: number): void => {
      const { first, count } = nodes[directory] as SnapshotNode; // indices come from the snapshot itself
      open.push({ directory, next: first, end: first + count });
    };
    enter(0);
    for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
      if (at.next === at.end) {
        open.pop();
        continue;
      }
      const entry = at.next++;
      const index = entryNode[entry] as number;
      const { kind } = nodes[index] as SnapshotNode;
      // Refused, or left out and told of, by then.
      if (kind === "socket") continue;
      this.#add(entry, at.directory, violations);
      if (kind === "directory") enter(index);
    }
    this.start[this.count] = this.#at;
  }

  /** Where the data of the last member ends, filled up to a block. */
  get end(): number {
    return this.#at;
  }

  member(index: number): Member {
    const entry = this.#entry[index] as number; // members are below count
    const node = this.#nodeIndex(entry);
    const first = this.#first.get(node);
    const link = first !== undefined && first !== index;
    return {
      node: this.#snapshot.nodes[node] as SnapshotNode,
      path: this.#path(entry, this.#directory[index] as number),
      linkTo: link ? this.#path(this.#entry[first] as number, this.#directory[first] as number) : undefined,
      sparse: this.#sparse.get(node),
      allTimes: this.#allTimes,
    };
  }

  /** Where the data of a member starts. */
  data(index: number): number {
    return (this.start[index] as number) + (this.head[index] as number);
  }

  /** Bytes of data of a member, without what fills up the last block. */
  dataSize(index: number): number {
    const node = this.#nodeIndex(this.#entry[index] as number); // members are below count
    const { content } = this.#snapshot.nodes[node] as SnapshotNode;
    if (!content || (this.#first.get(node) ?? index) !== index) return 0;
    return this.#sparse.get(node)?.stored ?? content.size;
  }

  #nodeIndex(entry: number): number {
    return entry === ROOT_ENTRY ? 0 : (this.#snapshot.entryNode[entry] as number);
  }

  #path(entry: number, directory: number): Uint8Array {
    if (entry === ROOT_ENTRY) return ROOT_PATH;
    const { nodes } = this.#snapshot;
    const slash = nodes[this.#nodeIndex(entry)]?.kind === "directory" ? 1 : 0;
    let length = entryName(this.#snapshot, entry).length + slash;
    for (let holder = directory; holder !== 0; ) {
      const { entry: own, parent } = nodes[holder] as SnapshotNode; // a directory on the way up
      length += entryName(this.#snapshot, own).length + 1;
      holder = parent;
    }
    const path = new Uint8Array(length);
    let at = length;
    if (slash) path[--at] = SLASH;
    let name = entryName(this.#snapshot, entry);
    for (let holder = directory; ; ) {
      at -= name.length;
      path.set(name, at);
      if (holder === 0) return path;
      path[--at] = SLASH;
      const { entry: own, parent } = nodes[holder] as SnapshotNode; // a directory on the way up
      name = entryName(this.#snapshot, own);
      holder = parent;
    }
  }

  #add(entry: number, directory: number, violations: Violations): void {
    const index = this.count++;
    this.#entry[index] = entry;
    this.#directory[index] = directory;
    const node = this.#nodeIndex(entry);
    const { kind, links, content } = this.#snapshot.nodes[node] as SnapshotNode;
    if (kind !== "directory" && links > 1 && !this.#first.has(node)) this.#first.set(node, index);
    if (content?.extents && !this.#sparse.has(node)) {
      const sparse = sparseFile(content);
      if (sparse) this.#sparse.set(node, sparse);
    }
    const member = this.member(index);
    const head = headSize(member);
    if (head > MAX_EXTENSION && recordsSize(member) > MAX_EXTENSION) {
      const path = decodeName(member.path).replace(/^\.?\/?/, "/");
      violations.refuse(path, `needs ${recordsSize(member)} bytes of pax records; ${MAX_EXTENSION} is the most that is read`);
    }
    // A run is made in one piece of memory, if it is not larger by itself.
    if (this.#at + head - this.#runStart > MAX_BYTES_REGION && this.runs.at(-1) !== index) this.#cut(index, this.#at);
    this.start[index] = this.#at;
    this.head[index] = head;
    const size = dataSize(member);
    const data = this.#at + head;
    this.#at = data + Math.ceil(size / BLOCK) * BLOCK;
    if (size > 0) this.#cut(index + 1, data + size);
  }

  #cut(member: number, at: number): void {
    this.runs.push(member);
    this.#runStart = at;
  }
}
