// What `fsynth inspect` shows of an FFS image: the superblock in words, the groups, and what takes the space.

import { flagNames } from "../../../src/bytes/flags.ts";
import { escapeName } from "../../../src/bytes/names.ts";
import type { Field } from "../../../src/bytes/struct.ts";
import type { Inspection } from "../../../src/image/volume.ts";
import { FS_ISCLEAN, FsFlags } from "../disk/superblock.ts";
import type { Nodes } from "./nodes.ts";
import { profileOf } from "./profile.ts";
import { groupRange, textOf } from "./superblock.ts";
import { type UsageIndex, usageOf } from "./usage.ts";

export function inspectVolume(nodes: Nodes, index: UsageIndex): Inspection {
  const { superblock: sb } = nodes.disk;
  const bytesByUse = new Map<string, number>();
  for (const { use, length } of usageOf(nodes, index)) bytesByUse.set(use, (bytesByUse.get(use) ?? 0) + length);
  return {
    format: profileOf(sb),
    size: sb.size * sb.fragmentSize,
    facts: factsOf(nodes),
    features: [`UFS${sb.version}`, `${sb.order}-endian`, ...flagNames(FsFlags, sb.flags)],
    groups: Array.from({ length: sb.groups }, (_, group) => {
      const [from, to] = groupRange(sb, group);
      const { counts, initialised } = nodes.header(group);
      // Every header has four counts.
      return {
        group,
        firstFragment: from,
        fragments: to - from,
        freeBlocks: counts[1] as number,
        freeFragments: counts[3] as number,
        freeInodes: counts[2] as number,
        directories: counts[0] as number,
        initialisedInodes: initialised,
      };
    }),
    space: [...bytesByUse].map(([use, bytes]) => ({ use, bytes })).sort((a, b) => b.bytes - a.bytes || (a.use < b.use ? -1 : 1)),
    fragmentation: index.fragmentation,
  };
}

function factsOf(nodes: Nodes): Inspection["facts"] {
  const { superblock: sb } = nodes.disk;
  const { f } = sb.records.Superblock;
  const get = (field: Field): number => field.get(sb.view, 0);
  const [directories, blocks, inodes, fragments] = sb.totals as readonly [number, number, number, number]; // as many are read
  const time = new Date(sb.time * 1000);
  return {
    label: escapeName(sb.label),
    id: idText(sb.id),
    "last mounted on": escapeName(textOf(f.fs_fsmnt.get(sb.view, 0))),
    state: get(f.fs_clean) === FS_ISCLEAN ? "clean" : "not clean",
    superblock: sb.place,
    "block size": sb.blockSize,
    "fragment size": sb.fragmentSize,
    fragments: sb.size,
    "data fragments": sb.old ? get(f.fs_old_dsize) : get(f.fs_dsize),
    groups: sb.groups,
    "fragments per group": sb.fpg,
    "inodes per group": sb.ipg,
    inodes: sb.ipg * sb.groups,
    directories,
    "free blocks": blocks,
    "free fragments": fragments,
    "free inodes": inodes,
    "kept free (percent)": get(f.fs_minfree),
    optimization: get(f.fs_optim) === 0 ? "time" : "space",
    "cluster sums": sb.clusterSums,
    "longest symlink in an inode": sb.maxSymlink - 1,
    "last write": Number.isNaN(time.getTime()) ? `second ${sb.time}` : time.toISOString().replace(".000Z", "Z"),
  };
}

/** fs_id as 16 hexadecimal digits. */
export function idText(id: readonly number[]): string {
  return id.map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
}
