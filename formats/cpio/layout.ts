// Where every member lies: offsets, sizes of names, inode numbers. Flat arrays, so that a million members stay cheap.

import { decodeName } from "../../src/bytes/names.ts";
import type { Violations } from "../../src/image/loss.ts";
import { MAX_BYTES_REGION } from "../../src/image/region.ts";
import { wider } from "../../src/image/segments.ts";
import { entryName, type Snapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { newc, TRAILER } from "./disk/headers.ts";
import { PATH_MAX } from "./limits.ts";
import { ROOT_ENTRY, walkMembers } from "./members.ts";
import type { CpioOptions } from "./options.ts";

/** Name and NUL of the last member. */
export const TRAILER_NAME_SIZE = TRAILER.length + 1;

export function align4(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}

/** Grows as members are added. */
export class Layout {
  /** How many members there are, the trailer not counted. */
  count = 0;
  /** Offset of each header from the start of the image, then that of the trailer. */
  start: Float64Array<ArrayBuffer>;
  /** Bytes of the name with its NUL, and zeros behind it. */
  nameSize: Uint16Array<ArrayBuffer>;
  /** The entry that a member is the name of, {@link ROOT_ENTRY} for the root, and the node of the directory that holds it. */
  entry: Int32Array<ArrayBuffer>;
  directory: Uint32Array<ArrayBuffer>;
  /** 1 where the data of a file comes with this name. */
  carries: Uint8Array<ArrayBuffer>;
  /** By node: its inode number. */
  readonly inode: Uint32Array;
  inodes = 0;
  /** Members at which a region of headers starts; behind the last member of one stands the data of a file, or nothing. */
  readonly runs: number[] = [0];
  /** Members that are a directory's second. They show one link, or libarchive takes them for hard links of the first to itself. */
  readonly repeats: Set<number> = new Set();
  /** How many files could not be put at a multiple of `align`. */
  missed = 0;

  readonly #snapshot: Snapshot;
  /** By node, directories only: bytes of the path. */
  readonly #pathLength: Uint32Array;
  readonly #align: number;
  readonly #withRoot: boolean;
  #at: number;
  #runStart: number;

  constructor(snapshot: Snapshot, options: CpioOptions, from: number, violations: Violations) {
    // The entries, the root and the trailer; directories that come a second time are more.
    const room = snapshot.entries + 2;
    this.start = new Float64Array(room);
    this.nameSize = new Uint16Array(room);
    this.entry = new Int32Array(room);
    this.directory = new Uint32Array(room);
    this.carries = new Uint8Array(room);
    this.#snapshot = snapshot;
    this.#align = options.align;
    this.#withRoot = options.rootEntry;
    this.#at = from;
    this.#runStart = from;
    this.inode = new Uint32Array(snapshot.nodes.length);
    this.#pathLength = new Uint32Array(snapshot.nodes.length);
    // GNU cpio counts from 0. Linux takes all members of inode 0 with several links for one file, hence 1.
    let next = options.like === "gnu" ? 0 : 1;
    walkMembers(snapshot, options, {
      onNode: (node) => {
        this.inode[node] = next++;
        this.inodes++;
      },
      onMember: (entry, directory, carries) => this.#add(entry, directory, carries, violations),
    });
    this.#reserve();
    this.start[this.count] = this.#at;
  }

  /** End of the trailer. */
  get end(): number {
    return align4((this.start[this.count] as number) + newc.size + TRAILER_NAME_SIZE);
  }

  /** The node of a member. */
  node(member: number): SnapshotNode {
    return this.#snapshot.nodes[this.nodeIndex(member)] as SnapshotNode;
  }

  nodeIndex(member: number): number {
    const entry = this.entry[member] as number; // members are below count
    return entry === ROOT_ENTRY ? 0 : (this.#snapshot.entryNode[entry] as number);
  }

  /** Where the data of a member starts. */
  data(member: number): number {
    return align4((this.start[member] as number) + newc.size + (this.nameSize[member] as number));
  }

  /** Bytes of data behind a member's name. */
  dataSize(member: number): number {
    return this.#dataSize(this.node(member), this.carries[member] === 1);
  }

  /** The path of a member as it is written, without the NUL. */
  path(member: number): Uint8Array {
    return this.#path(this.entry[member] as number, this.directory[member] as number);
  }

  #dataSize(node: SnapshotNode, carries: boolean): number {
    if (node.kind === "symlink") return node.target?.length ?? 0;
    return carries ? (node.content?.size ?? 0) : 0;
  }

  #path(entry: number, directory: number): Uint8Array {
    const path = new Uint8Array(this.#lengthOf(entry, directory));
    if (entry === ROOT_ENTRY) {
      path[0] = 0x2e;
      return path;
    }
    let name = entryName(this.#snapshot, entry);
    let at = path.length;
    for (let holder = directory; ; ) {
      at -= name.length;
      path.set(name, at);
      if (holder === 0) break;
      path[--at] = 0x2f;
      const { entry: own, parent } = this.#snapshot.nodes[holder] as SnapshotNode; // a directory on the way up
      name = entryName(this.#snapshot, own);
      holder = parent;
    }
    // The prefix of a name that would be the trailer's.
    if (at === 2) path.set([0x2e, 0x2f]);
    return path;
  }

  #lengthOf(entry: number, directory: number): number {
    if (entry === ROOT_ENTRY) return 1;
    const name = (this.#snapshot.nameStart[entry + 1] as number) - (this.#snapshot.nameStart[entry] as number);
    if (directory !== 0) return (this.#pathLength[directory] as number) + 1 + name;
    // A file of the trailer's name would end the archive: it is called ./TRAILER!!! instead.
    return name === TRAILER.length && decodeName(entryName(this.#snapshot, entry)) === TRAILER ? name + 2 : name;
  }

  #add(entry: number, directory: number, carries: boolean, violations: Violations): void {
    const length = this.#lengthOf(entry, directory);
    const index = entry === ROOT_ENTRY ? 0 : (this.#snapshot.entryNode[entry] as number);
    const node = this.#snapshot.nodes[index] as SnapshotNode;
    // Behind a name, TRAILER!!! needs no prefix.
    if (node.kind === "directory" && index !== 0)
      this.#pathLength[index] = directory === 0 ? entryName(this.#snapshot, entry).length : length;
    if (length + 1 > PATH_MAX) {
      violations.refuse(
        `/${decodeName(this.#path(entry, directory))}`,
        `its path has ${length} bytes; ${PATH_MAX - 1} is the most here, longer ones are skipped by Linux`,
      );
      return;
    }
    const size = node.kind === "file" ? this.#dataSize(node, carries) : 0;
    const padding = size > 0 && this.#align > 4 ? this.#alignmentPadding(length + 1, directory) : 0;
    this.#push(entry, directory, carries, length + 1 + padding, node);
  }

  /** How many zeros bring the data of a file with a name of `nameSize` bytes to its place. */
  #alignmentPadding(nameSize: number, directory: number): number {
    const wanted = (at: number): number => {
      const data = align4(at + newc.size + nameSize);
      return Math.ceil(data / this.#align) * this.#align - data;
    };
    const padding = wanted(this.#at);
    const room = (size: number): number => Math.floor((PATH_MAX - size) / 4) * 4;
    if (padding <= room(nameSize)) return padding;
    // More zeros than names may have. Its directory may come a second time: that changes nothing, and its name takes some.
    const holder = this.#snapshot.nodes[directory] as SnapshotNode; // a directory of the tree
    const own = directory === 0 ? ROOT_ENTRY : holder.entry;
    if (directory !== 0 || this.#withRoot) {
      const least = this.#lengthOf(own, holder.parent) + 1;
      const behind = wanted(align4(this.#at + newc.size + least));
      const share = Math.min(behind, room(nameSize));
      if (behind - share <= room(least)) {
        this.repeats.add(this.count);
        this.#push(own, holder.parent, false, least + behind - share, holder);
        return share;
      }
    }
    this.missed++;
    return 0;
  }

  #push(entry: number, directory: number, carries: boolean, nameSize: number, node: SnapshotNode): void {
    this.#reserve();
    const member = this.count++;
    this.start[member] = this.#at;
    this.nameSize[member] = nameSize;
    this.entry[member] = entry;
    this.directory[member] = directory;
    this.carries[member] = carries ? 1 : 0;
    const data = align4(this.#at + newc.size + nameSize);
    const size = this.#dataSize(node, carries);
    this.#at = align4(data + size);
    if (node.kind === "file" && size > 0) this.#cut(data + size);
    // The next member takes at most its header, a name and a target.
    else if (this.#at + newc.size + 2 * PATH_MAX + 8 - this.#runStart > MAX_BYTES_REGION) this.#cut(this.#at);
  }

  #cut(at: number): void {
    this.runs.push(this.count);
    this.#runStart = at;
  }

  #reserve(): void {
    if (this.count + 1 < this.entry.length) return;
    const length = this.entry.length * 2;
    this.start = wider(this.start, new Float64Array(length));
    this.nameSize = wider(this.nameSize, new Uint16Array(length));
    this.entry = wider(this.entry, new Int32Array(length));
    this.directory = wider(this.directory, new Uint32Array(length));
    this.carries = wider(this.carries, new Uint8Array(length));
  }
}
