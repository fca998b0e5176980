// Everything that is known about one file system when its plan is complete. The writers of superblock, groups, inodes
// and blocks read it; nothing changes it.

import { crc32cLe32 } from "../../src/bytes/crc.ts";
import type { Snapshot } from "../../src/tree/snapshot.ts";
import { ROOT_INODE } from "./disk/dinode.ts";
import type { FfsRecords } from "./disk/records.ts";
import type { FfsProfile } from "./profiles.ts";
import type { Layout } from "./sizing.ts";

export interface FileSystem extends Layout {
  readonly profile: FfsProfile;
  readonly records: FfsRecords;
  readonly snapshot: Snapshot;
  /** Bytes of each directory, by node. */
  readonly directories: ReadonlyMap<number, number>;
  /** Areas of extended attributes. Owners are the nodes by index, then these in order. */
  readonly attributes: ReadonlyMap<number, Attributes>;
  readonly inodes: InodeNumbers;
  readonly minfree: number;
  readonly optimization: "time" | "space";
  readonly label: Uint8Array;
  /** fs_id. */
  readonly id: readonly [number, number];
  readonly generationSeed: number;
}

/** The extended attributes of a node. */
export interface Attributes {
  readonly owner: number;
  readonly area: Uint8Array;
}

/** Which inode is whose. */
export interface InodeNumbers {
  /** Of each node. */
  readonly ofNode: Uint32Array;
  /** The last one in use; all from 2 up to it are. */
  readonly last: number;
}

/** The root 2, the other nodes in the order of the snapshot behind it: so an inode's node is its number less 2. */
export function numberInodes(snapshot: Snapshot): InodeNumbers {
  const count = snapshot.nodes.length;
  const ofNode = new Uint32Array(count);
  for (let node = 0; node < count; node++) ofNode[node] = ROOT_INODE + node;
  return { ofNode, last: ROOT_INODE + count - 1 };
}

/** di_gen: what NFS tells inodes apart by. 31 bits and never 0, which stands for "none yet". */
export function generationOf(fs: FileSystem, inode: number): number {
  return crc32cLe32(fs.generationSeed, inode) & 0x7fff_ffff || 1;
}

/** Inodes in use in a group, numbers 0 and 1 counted; they are its first ones. */
export function usedInodes(fs: FileSystem, group: number): number {
  const { ipg } = fs.geometry;
  return Math.max(0, Math.min(ipg, fs.inodes.last + 1 - group * ipg));
}
