// The nodes of a tree: plain data, knowing neither the sources nor the formats.

import type { Content } from "./content.ts";

/** A point in time: whole seconds since 1970-01-01 UTC (negative before), and 0 to 999,999,999 nanoseconds. */
export interface Time {
  readonly sec: number;
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
  gid: number;
  atime: Time;
  mtime: Time;
  ctime: Time;
  /** Birth time. */
  btime: Time;
  xattrs: Xattrs | undefined;
}

export interface FileNode extends Metadata {
  readonly kind: "file";
  content: Content;
}

export interface DirectoryNode extends Metadata {
  readonly kind: "directory";
  readonly children: Map<string, Node>;
}

export interface SymlinkNode extends Metadata {
  readonly kind: "symlink";
  /** The target as written, in lossless spelling. */
  target: string;
}

export interface DeviceNode extends Metadata {
  readonly kind: "character-device" | "block-device";
  /** 12 bits on Linux; formats state what they hold. */
  major: number;
  /** 20 bits on Linux. */
  minor: number;
}

export interface SpecialNode extends Metadata {
  readonly kind: "fifo" | "socket";
}

/** A node of a tree. A hard link is the same node under two names. */
export type Node = FileNode | DirectoryNode | SymlinkNode | DeviceNode | SpecialNode;

export type Kind = Node["kind"];
