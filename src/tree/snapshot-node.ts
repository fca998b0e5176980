// The nodes of a snapshot, and how they are held. They are what the memory of a build goes to, a million of them at a time, so
// what many have in common is one object, and what only one kind has is behind one field.

import type { Content } from "./content.ts";
import type { Kind, Time } from "./node.ts";

/** An extended attribute. */
export interface Xattr {
  /** Full name, encoded. */
  readonly name: Uint8Array;
  /** As it is stored; ACLs in the encoding of Linux. */
  readonly value: Uint8Array;
}

/**
 * One inode's worth of the tree. All kinds have all properties, and one shape, so that hot loops over nodes see one hidden
 * class. They may be accessors: `{ ...node }` is no copy.
 */
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
  readonly links: number;
  /** Files only. */
  readonly content: Content | undefined;
  /** Symlinks only: the target's bytes. */
  readonly target: Uint8Array | undefined;
  /** Devices only; else 0. */
  readonly major: number;
  /** Devices only; else 0. */
  readonly minor: number;
  /** Directories only: the first of their run of entries. */
  readonly first: number;
  /** Directories only: how many entries that run has. */
  readonly count: number;
  /** Directories only: how many of those are directories. */
  readonly subdirectories: number;
}

/** What many nodes have in common. */
export interface Shared {
  readonly kind: Kind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: readonly Xattr[];
}

/** The times of a node that has not one for all four. */
export class FourTimes {
  constructor(
    readonly atime: Time,
    readonly mtime: Time,
    readonly ctime: Time,
    readonly btime: Time,
  ) {}
}

/** The entries of a directory. */
export class Run {
  first = 0;
  count = 0;
  subdirectories = 0;
}

/** The number of a device. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** A node of a snapshot. Its properties are those of its class: {@link plainNode} makes an object that holds them itself. */
export class SettledNode implements SnapshotNode {
  links = 1;

  /** `held`: the content of a file, the target of a symlink, the run of a directory, the number of a device. */
  constructor(
    readonly shared: Shared,
    public times: Time | FourTimes,
    readonly entry: number,
    readonly parent: number,
    readonly held: Content | Uint8Array | Run | DeviceNumber | undefined,
  ) {}

  get kind(): Kind {
    return this.shared.kind;
  }
  get mode(): number {
    return this.shared.mode;
  }
  get uid(): number {
    return this.shared.uid;
  }
  get gid(): number {
    return this.shared.gid;
  }
  get xattrs(): readonly Xattr[] {
    return this.shared.xattrs;
  }
  get atime(): Time {
    return this.times instanceof FourTimes ? this.times.atime : this.times;
  }
  get mtime(): Time {
    return this.times instanceof FourTimes ? this.times.mtime : this.times;
  }
  get ctime(): Time {
    return this.times instanceof FourTimes ? this.times.ctime : this.times;
  }
  get btime(): Time {
    return this.times instanceof FourTimes ? this.times.btime : this.times;
  }
  // What is held is of the class that goes with the kind.
  get content(): Content | undefined {
    return this.shared.kind === "file" ? (this.held as Content) : undefined;
  }
  get target(): Uint8Array | undefined {
    return this.shared.kind === "symlink" ? (this.held as Uint8Array) : undefined;
  }
  get major(): number {
    return this.#device?.major ?? 0;
  }
  get minor(): number {
    return this.#device?.minor ?? 0;
  }
  get first(): number {
    return this.held instanceof Run ? this.held.first : 0;
  }
  get count(): number {
    return this.held instanceof Run ? this.held.count : 0;
  }
  get subdirectories(): number {
    return this.held instanceof Run ? this.held.subdirectories : 0;
  }

  get #device(): DeviceNumber | undefined {
    const { kind } = this.shared;
    return kind === "character-device" || kind === "block-device" ? (this.held as DeviceNumber) : undefined;
  }
}

/** How many nodes of one kind and mode may differ in their owners before sharing is given up. */
const MOST = 8;

/** Finds what nodes have in common. */
export class Sharing {
  /** By mode, then by kind. */
  readonly #known = new Map<number, Map<Kind, Shared[]>>();
  #last: Shared = { kind: "socket", mode: -1, uid: 0, gid: 0, xattrs: [] };

  of(kind: Kind, mode: number, uid: number, gid: number, xattrs: readonly Xattr[]): Shared {
    const alike = (shared: Shared): boolean =>
      shared.kind === kind && shared.mode === mode && shared.uid === uid && shared.gid === gid && shared.xattrs === xattrs;
    if (!alike(this.#last)) {
      const known = this.#knownOf(kind, mode);
      const found = known.find(alike);
      this.#last = found ?? { kind, mode, uid, gid, xattrs };
      if (!found && known.length < MOST) known.push(this.#last);
    }
    return this.#last;
  }

  #knownOf(kind: Kind, mode: number): Shared[] {
    let kinds = this.#known.get(mode);
    if (!kinds) {
      kinds = new Map();
      this.#known.set(mode, kinds);
    }
    let known = kinds.get(kind);
    if (!known) {
      known = [];
      kinds.set(kind, known);
    }
    return known;
  }
}

/** A node as an object that holds all its properties itself, to be changed or spread. */
export function plainNode(node: SnapshotNode): { -readonly [K in keyof SnapshotNode]: SnapshotNode[K] } {
  return {
    kind: node.kind,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    atime: node.atime,
    mtime: node.mtime,
    ctime: node.ctime,
    btime: node.btime,
    xattrs: node.xattrs,
    entry: node.entry,
    parent: node.parent,
    links: node.links,
    content: node.content,
    target: node.target,
    major: node.major,
    minor: node.minor,
    first: node.first,
    count: node.count,
    subdirectories: node.subdirectories,
  };
}
