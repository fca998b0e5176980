// Everything that is known about one file system when its plan is complete. The writers of superblock, groups, inodes
// and blocks read it; nothing changes it.

import { crc32c, crc32cLe32 } from "../../src/bytes/crc.ts";
import type { Snapshot } from "../../src/tree/snapshot.ts";
import type { DirectoryStyle, Entries, LargeDirectory } from "./directory.ts";
import type { FeatureSet } from "./disk/features.ts";
import { ReservedInode } from "./disk/inode.ts";
import type { ExtProfile } from "./profiles.ts";
import type { Layout } from "./sizing.ts";
import type { XattrPlan } from "./xattrs.ts";

export interface FileSystem extends Layout {
  readonly profile: ExtProfile;
  readonly features: FeatureSet;
  readonly snapshot: Snapshot;
  readonly entries: Entries;
  readonly directoryStyle: DirectoryStyle;
  /** Directories of more than one block, by node. */
  readonly directories: ReadonlyMap<number, LargeDirectory>;
  readonly xattrs: XattrPlan;
  /** Files whose data lies in their inodes. */
  readonly inlined: ReadonlySet<number>;
  readonly inodes: InodeNumbers;
  readonly uuid: Uint8Array;
  readonly hashSeed: Uint8Array;
  readonly label: Uint8Array;
  readonly identity: Identity;
}

/** What sets the checksums and generations of this file system apart from those of others. */
export interface Identity {
  /** Start value of all checksums: CRC-32C of the UUID, or s_checksum_seed, which is the same at first. */
  readonly checksumSeed: number;
  /** metadata_csum is on. */
  readonly checksums: boolean;
  readonly generationSeed: number;
}

export function makeIdentity(features: FeatureSet, uuid: Uint8Array, hashSeed: Uint8Array): Identity {
  return {
    checksumSeed: crc32c(0xffff_ffff, uuid),
    checksums: features.has("metadata_csum"),
    generationSeed: crc32c(crc32c(0xffff_ffff, uuid), hashSeed),
  };
}

/** i_generation: what NFS tells inodes apart by. Reserved inodes and value inodes keep 0, as the tools make them. */
export function generationOf(fs: FileSystem, inode: number): number {
  if (inode < ReservedInode.firstFree && inode !== ReservedInode.root) return 0;
  if (inode >= fs.inodes.firstLarge) return 0;
  return crc32cLe32(fs.identity.generationSeed, inode);
}

/** Start value of the checksums of an inode and of its blocks. */
export function inodeChecksumSeed(fs: FileSystem, inode: number): number {
  return crc32cLe32(crc32cLe32(fs.identity.checksumSeed, inode), generationOf(fs, inode));
}

/** The same, undefined without metadata_csum. */
export function blockChecksumSeed(fs: FileSystem, inode: number): number | undefined {
  return fs.identity.checksums ? inodeChecksumSeed(fs, inode) : undefined;
}

/** Which inode is whose. Owners are the nodes by index, then lost+found, the journal, and the value inodes. */
export interface InodeNumbers {
  /** Of each node. */
  readonly ofNode: Uint32Array;
  /** Of the lost+found that is made; 0 when none is. */
  readonly lostFound: number;
  /** Of the first value inode; the others follow. */
  readonly firstLarge: number;
  /** The last one in use; all from 1 up to it are. */
  readonly last: number;
  /** Node by inode number; -1 for what is no node. */
  readonly nodeAt: Int32Array;
}

export function lostFoundOwner(snapshot: Snapshot): number {
  return snapshot.nodes.length;
}

export function journalOwner(snapshot: Snapshot): number {
  return snapshot.nodes.length + 1;
}

export function largeOwner(snapshot: Snapshot, large: number): number {
  return snapshot.nodes.length + 2 + large;
}

/** Numbers all inodes: the root 2, lost+found 11, then the nodes in the order of the snapshot, then the value inodes. */
export function numberInodes(snapshot: Snapshot, makeLostFound: boolean, ownLostFound: number, large: number): InodeNumbers {
  const count = snapshot.nodes.length;
  const ofNode = new Uint32Array(count);
  let next: number = ReservedInode.firstFree;
  if (makeLostFound) next++;
  ofNode[0] = ReservedInode.root;
  if (ownLostFound > 0) ofNode[ownLostFound] = next++;
  for (let node = 1; node < count; node++) if (node !== ownLostFound) ofNode[node] = next++;
  const firstLarge = next;
  const last = Math.max(ReservedInode.firstFree - 1, next + large - 1);
  const nodeAt = new Int32Array(last + 1).fill(-1);
  for (let node = 0; node < count; node++) nodeAt[ofNode[node] as number] = node; // node is in range
  return { ofNode, lostFound: makeLostFound ? ReservedInode.firstFree : 0, firstLarge, last, nodeAt };
}
