// The nodes of a tree: plain data, knowing neither the sources nor the formats.

import type { Content } from "./content.ts";

/** A point in time: whole seconds since 1970-01-01 UTC (negative before), and 0 to 999,999,999 nanoseconds. */
export interface Time {
  /** Whole seconds since 1970-01-01 UTC. */
  readonly sec: number;
  /** 0 to 999,999,999; they are added, before 1970 too. */
  readonly nsec: number;
}

/**
 * Stands for "the image's own time" until the snapshot knows it: the `mtime` option, else `clampMtime`,
 * else the newest mtime of the tree. Nodes made without a time carry it.
 */
export const imageTime: Time = Object.freeze({ sec: 0, nsec: 0 });

/** Extended attributes: full names (`user.mime_type`, `security.capability`) and raw values. POSIX ACLs are in Linux's xattr encoding. */
export type Xattrs = ReadonlyMap<string, Uint8Array>;

/** What every node carries. */
export interface Metadata {
  /** Permission, set-id and sticky bits: 12 bits. */
  mode: number;
  /** 32 bits. */
  uid: number;
  /** 32 bits. */
  gid: number;
  /** When it was last read. */
  atime: Time;
  /** When its content last changed. */
  mtime: Time;
  /** When its metadata last changed. */
  ctime: Time;
  /** Birth time. */
  btime: Time;
  /** Undefined where there are none. */
  xattrs: Xattrs | undefined;
}

/** A regular file. */
export interface FileNode extends Metadata {
  /** Tells nodes apart. */
  readonly kind: "file";
  /** Its bytes and holes. */
  content: Content;
}

/** A directory. */
export interface DirectoryNode extends Metadata {
  /** Tells nodes apart. */
  readonly kind: "directory";
  /** Nodes by name, in lossless spelling; in no order that matters. */
  readonly children: Map<string, Node>;
}

/** A symbolic link. */
export interface SymlinkNode extends Metadata {
  /** Tells nodes apart. */
  readonly kind: "symlink";
  /** The target as written, in lossless spelling. */
  target: string;
}

/** A character or block device. */
export interface DeviceNode extends Metadata {
  /** Tells nodes apart. */
  readonly kind: "character-device" | "block-device";
  /** 12 bits on Linux; formats state what they hold. */
  major: number;
  /** 20 bits on Linux. */
  minor: number;
}

/** A fifo or a socket: nothing but metadata. */
export interface SpecialNode extends Metadata {
  /** Tells nodes apart. */
  readonly kind: "fifo" | "socket";
}

/** A node of a tree. A hard link is the same node under two names. */
export type Node = FileNode | DirectoryNode | SymlinkNode | DeviceNode | SpecialNode;

/** The kinds of nodes. */
export type Kind = Node["kind"];
