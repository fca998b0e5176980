// What a file system of a profile can hold, checked over the whole tree before anything is planned.

import { decodeName } from "../../src/bytes/names.ts";
import { denseIndirectBlocks, indirectReach } from "../../src/image/indirect.ts";
import type { Violations } from "../../src/image/loss.ts";
import { pathOf, type Snapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode, Xattr } from "../../src/tree/snapshot-node.ts";
import { MAJOR_MAX, MINOR_MAX } from "./devices.ts";
import { EXT_BLOCKS } from "./disk/dinode.ts";
import { isAcl, namespaceOf } from "./extattrs.ts";
import type { FfsProfile } from "./profiles.ts";
import { fitsTime } from "./times.ts";

/** Most links of an inode (LINK_MAX of NetBSD): di_nlink is a signed number of 16 bits. */
export const LINKS_MAX = 32767;
/** Longest target of a symlink: MAXPATHLEN with the NUL. */
export const TARGET_MAX = 1023;

export interface Bounds {
  readonly profile: FfsProfile;
  /** Bytes. */
  readonly fileSize: number;
  /** Bytes of extended attributes of one inode. */
  readonly attributes: number;
}

export function boundsOf(profile: FfsProfile, blockSize: number): Bounds {
  return {
    profile,
    fileSize: profile.version === 1 ? fileSize1(blockSize) : reachOf(blockSize, 8),
    attributes: profile.extendedAttributes ? EXT_BLOCKS * blockSize : 0,
  };
}

/** fs_maxfilesize: all that the inode and its three trees of pointers reach, less one byte. */
function reachOf(blockSize: number, pointerSize: number): number {
  return Math.min(indirectReach(blockSize / pointerSize) * blockSize - 1, Number.MAX_SAFE_INTEGER);
}

/** Besides the reach, UFS1 counts sectors in 32 bits, and kernels count blocks of a file in 31. */
function fileSize1(blockSize: number): number {
  const countable = Math.floor((2 ** 32 - 1) / (blockSize / 512));
  let low = 0;
  let high = countable;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (middle + denseIndirectBlocks(middle, blockSize / 4) <= countable) low = middle;
    else high = middle - 1;
  }
  return Math.min(reachOf(blockSize, 4), 2 ** 31 * blockSize - 1, low * blockSize);
}

/** Reports everything that does not fit. */
export function checkLimits(snapshot: Snapshot, bounds: Bounds, violations: Violations): void {
  snapshot.nodes.forEach((node, index) => {
    const path = (): string => pathOf(snapshot, index);
    checkTimes(node, snapshot, bounds, path, violations);
    checkXattrs(node, bounds, path, violations);
    const { content, target } = node;
    if (content && content.size > bounds.fileSize) {
      violations.refuse(path(), `has ${content.size} bytes; ${bounds.fileSize} is the most of a file here`);
    }
    if (target && target.length > TARGET_MAX) {
      violations.refuse(path(), `the target has ${target.length} bytes; ${TARGET_MAX} is the most of a symlink here`);
    }
    if (node.kind === "directory") {
      if (node.subdirectories + 2 > LINKS_MAX) {
        violations.refuse(path(), `has ${node.subdirectories} subdirectories; ${LINKS_MAX - 2} is the most here`);
      }
    } else if (node.links > LINKS_MAX) {
      violations.refuse(path(), `has ${node.links} hard links; ${LINKS_MAX} is the most here`);
    }
    if (node.major > MAJOR_MAX || node.minor > MINOR_MAX) {
      violations.refuse(path(), `device ${node.major}:${node.minor}; ${MAJOR_MAX}:${MINOR_MAX} is the most here`);
    }
  });
}

function checkTimes(node: SnapshotNode, snapshot: Snapshot, bounds: Bounds, path: () => string, violations: Violations): void {
  // UFS1 has no field for the birth time: leaving it out is no loss.
  for (const which of ["mtime", "atime", "ctime"] as const) {
    const time = node[which];
    // Nobody asked for the image's own time in particular; where it does not fit, fields hold their bound.
    if (time === snapshot.time || fitsTime(time, bounds.profile.version)) continue;
    violations.lose(
      "times",
      "times",
      path(),
      `${which} is ${time.sec} seconds after 1970; times here reach from 1901-12-13 to 2038-01-19 (ffs2 holds more)`,
    );
    return;
  }
}

/** Whether the profile stores an xattr as it is. */
export function holdsXattr(profile: FfsProfile, xattr: Xattr): boolean {
  return profile.extendedAttributes && namespaceOf(xattr) !== undefined && !isAcl(xattr);
}

function checkXattrs(node: SnapshotNode, bounds: Bounds, path: () => string, violations: Violations): void {
  const { xattrs } = node;
  if (xattrs.length === 0) return;
  const { profile } = bounds;
  const lost = xattrs.filter((xattr) => !holdsXattr(profile, xattr)).map(({ name }) => decodeName(name));
  if (lost.length === 0) return;
  const kept = profile.extendedAttributes
    ? "only user.* and system.* other than ACLs are kept here"
    : "there are none here (ffs2ea has them)";
  violations.lose("xattrs", "sets of xattrs", path(), `xattrs (${lost.join(", ")}); ${kept}`);
}
