// What a file system of these features can hold, checked over the whole tree before anything is planned.

import { denseIndirectBlocks, indirectReach } from "../../src/image/indirect.ts";
import type { Violations } from "../../src/image/loss.ts";
import type { Warning } from "../../src/image/plan.ts";
import type { Time } from "../../src/tree/node.ts";
import { pathOf, type Snapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { MAJOR_MAX, MINOR_MAX } from "./devices.ts";
import type { FeatureSet } from "./disk/features.ts";
import { pointersPerBlock } from "./indirect.ts";
import type { ExtProfile } from "./profiles.ts";
import { fitsTime, looksWrapped, timeRange } from "./times.ts";

/** Most subdirectories whose count the links of a directory can show (EXT4_LINK_MAX, two of them being `.` and its name). */
const LINKS_SHOWN = 65000;

export interface Bounds {
  /** Bytes. */
  readonly fileSize: number;
  /** Bytes. */
  readonly symlink: number;
  readonly links: number;
  /** Undefined: no bound. */
  readonly subdirectories: number | undefined;
  /** Inodes have room for times beyond 32 bits. */
  readonly longTimes: boolean;
}

export function boundsOf(profile: ExtProfile, features: FeatureSet, blockSize: number, inodeSize: number): Bounds {
  return {
    fileSize: features.has("large_file") ? mappedFileSize(features, blockSize) : 2 ** 31 - 1,
    symlink: Math.min(4095, blockSize - 1),
    links: profile.linkMax,
    subdirectories: features.has("dir_nlink") ? undefined : profile.linkMax - 2,
    longTimes: inodeSize > 128,
  };
}

/** What mapping and the count of 512-byte sectors in i_blocks allow; the kernel seeks no further (ext4_max_bitmap_size). */
function mappedFileSize(features: FeatureSet, blockSize: number): number {
  if (features.has("extent")) return (2 ** 32 - 1) * blockSize;
  const sectors = features.has("huge_file") ? 2 ** 48 - 1 : 2 ** 32 - 1;
  const countable = Math.floor(sectors / (blockSize / 512));
  // The largest dense file whose data and indirect blocks together can be counted.
  let low = 0;
  let high = Math.min(indirectReach(pointersPerBlock(blockSize)), countable);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (middle + denseIndirectBlocks(middle, pointersPerBlock(blockSize)) <= countable) low = middle;
    else high = middle - 1;
  }
  return low * blockSize;
}

/** Reports everything that does not fit. Gives warnings for what fits but looks odd to others. */
export function checkLimits(snapshot: Snapshot, bounds: Bounds, makesLostFound: boolean, violations: Violations): Warning[] {
  let wrapped = 0;
  let firstWrapped = "";
  // The time last found good: in most trees neighbours share one.
  let good: Time | undefined;
  snapshot.nodes.forEach((node, index) => {
    const path = (): string => pathOf(snapshot, index);
    const { mtime } = node;
    if (mtime !== good || mtime !== node.atime || mtime !== node.ctime || mtime !== node.btime) {
      const times = timesOf(node, bounds.longTimes);
      const odd = bounds.longTimes && times.some(([, time]) => looksWrapped(time));
      if (checkTimes(times, snapshot.time, bounds.longTimes, path, violations) && !odd) good = mtime;
      if (odd && wrapped++ === 0) firstWrapped = path();
    }
    const { content, target } = node;
    if (content && content.size > bounds.fileSize) {
      violations.refuse(path(), `has ${content.size} bytes; ${bounds.fileSize} is the most of a file here`);
    }
    if (target && target.length > bounds.symlink) {
      violations.refuse(path(), `the target has ${target.length} bytes; ${bounds.symlink} is the most of a symlink here`);
    }
    if (node.kind === "directory") {
      if (bounds.subdirectories !== undefined && node.subdirectories > bounds.subdirectories) {
        violations.refuse(
          path(),
          `has ${node.subdirectories} subdirectories; ${bounds.subdirectories} is the most here (feature dir_nlink lifts it)`,
        );
      }
    } else if (node.links > bounds.links) {
      violations.refuse(path(), `has ${node.links} hard links; ${bounds.links} is the most here`);
    }
    if (node.major > MAJOR_MAX || node.minor > MINOR_MAX) {
      violations.refuse(path(), `device ${node.major}:${node.minor}; ${MAJOR_MAX}:${MINOR_MAX} is the most here`);
    }
  });
  if (makesLostFound && bounds.longTimes && looksWrapped(snapshot.time) && wrapped++ === 0) firstWrapped = "/lost+found";
  if (wrapped === 0) return [];
  return [
    {
      code: "time-looks-wrapped",
      message: `${wrapped} nodes have times from 2310-04-04 to 2378-04-22, which are right but e2fsck 1.47 takes for an old kernel's bug; the first at ${firstWrapped}`,
    },
  ];
}

/** The times of a node that an inode keeps, by name; one of them where all are the same, as most sources have it. */
function timesOf(node: SnapshotNode, long: boolean): readonly (readonly [name: string, time: Time])[] {
  const { mtime, atime, ctime, btime } = node;
  if (mtime === atime && mtime === ctime && mtime === btime) return [["mtime", mtime]];
  // A 128-byte inode has no field for the birth time: leaving it out is no loss.
  const kept = [
    ["mtime", mtime],
    ["atime", atime],
    ["ctime", ctime],
  ] as const;
  return long ? [...kept, ["btime", btime]] : kept;
}

/** Whether an inode can hold the times; a loss is told. */
function checkTimes(
  times: ReturnType<typeof timesOf>,
  own: Time,
  long: boolean,
  path: () => string,
  violations: Violations,
): boolean {
  for (const [name, time] of times) {
    // Nobody asked for the image's own time in particular; where it does not fit, fields hold 0.
    if (time !== own && !fitsTime(time, long)) {
      violations.lose(
        "times",
        "times",
        path(),
        `${name} is ${time.sec} seconds after 1970; times here reach from ${timeRange(long)}`,
      );
      return false;
    }
  }
  return true;
}

/** i_links_count of a directory: `.`, its name and the `..` of each subdirectory; 1 when there are too many to count. */
export function directoryLinks(subdirectories: number): number {
  return subdirectories + 2 > LINKS_SHOWN ? 1 : subdirectories + 2;
}
