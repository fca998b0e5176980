// What `fsynth inspect` shows of an ext image: the superblock in words, the groups, and what takes the space.

import { escapeName } from "../../../src/bytes/names.ts";
import type { Field } from "../../../src/bytes/struct.ts";
import { formatUuid } from "../../../src/image/seed.ts";
import type { Inspection } from "../../../src/image/volume.ts";
import { STATE_VALID, Superblock } from "../disk/superblock.ts";
import { refuse } from "./fault.ts";
import { blocksOf, firstBlockOf } from "./layout.ts";
import type { Nodes } from "./nodes.ts";
import { profileOf } from "./profile.ts";
import { textOf } from "./superblock.ts";
import { type UsageIndex, usageOf } from "./usage.ts";

/** s_def_hash_version. */
const HASHES = ["legacy", "half_md4", "tea", "legacy unsigned", "half_md4 unsigned", "tea unsigned", "siphash"];

export function inspectVolume(nodes: Nodes, index: UsageIndex): Inspection {
  const { superblock: sb, descriptors } = nodes.opened;
  const bytesByUse = new Map<string, number>();
  for (const { use, length } of usageOf(nodes, index)) bytesByUse.set(use, (bytesByUse.get(use) ?? 0) + length);
  return {
    format: profileOf(sb),
    size: sb.blocks * sb.blockSize,
    facts: factsOf(nodes, index),
    features: sb.featureNames,
    groups: Array.from({ length: sb.groups }, (_, group) => {
      const { blockBitmap, inodeBitmap, inodeTable, freeBlocks, freeInodes, directories, flags } = descriptors.at(group, refuse);
      return {
        group,
        firstBlock: firstBlockOf(sb, group),
        blocks: blocksOf(sb, group),
        freeBlocks: freeBlocks * sb.clusterBlocks,
        freeInodes,
        directories,
        flags,
        blockBitmap,
        inodeBitmap,
        inodeTable,
      };
    }),
    space: [...bytesByUse].map(([use, bytes]) => ({ use, bytes })).sort((a, b) => b.bytes - a.bytes || (a.use < b.use ? -1 : 1)),
    fragmentation: index.fragmentation,
  };
}

function factsOf(nodes: Nodes, { uses }: UsageIndex): Inspection["facts"] {
  const { superblock: sb, replayed } = nodes.opened;
  const f = Superblock.f;
  const get = (field: Field): number => field.get(sb.view, 0);
  const wide = (low: Field, high: Field): number => get(low) + (sb.features.has("64bit") ? get(high) * 2 ** 32 : 0);
  const time = (low: Field, high: Field): string => {
    const sec = get(low) + get(high) * 2 ** 32;
    return sec === 0 ? "never" : new Date(sec * 1000).toISOString().replace(".000Z", "Z");
  };
  const journalBlocks = uses.reduce((sum, { use, count }) => sum + (use === "journal" ? count : 0), 0);
  return {
    label: escapeName(sb.label),
    uuid: formatUuid(sb.uuid),
    "last mounted on": escapeName(textOf(f.s_last_mounted.get(sb.view, 0))),
    state: stateOf(get(f.s_state), replayed),
    revision: sb.revision,
    "block size": sb.blockSize,
    ...(sb.clusterBlocks > 1 && { "cluster size": sb.clusterBlocks * sb.blockSize }),
    blocks: sb.blocks,
    "free blocks": wide(f.s_free_blocks_count, f.s_free_blocks_hi),
    "reserved blocks": wide(f.s_r_blocks_count, f.s_r_blocks_count_hi),
    "first block": sb.firstBlock,
    "blocks per group": sb.blocksPerGroup,
    groups: sb.groups,
    "descriptor size": sb.descriptorSize,
    "reserved descriptor blocks": sb.reservedDescriptorBlocks,
    "inode size": sb.inodeSize,
    inodes: sb.inodes,
    "free inodes": get(f.s_free_inodes_count),
    "inodes per group": sb.inodesPerGroup,
    "first inode": sb.firstInode,
    "journal blocks": journalBlocks,
    "directory hash": HASHES[get(f.s_def_hash_version)] ?? `number ${get(f.s_def_hash_version)}`,
    "hash seed": formatUuid(sb.bytes.subarray(f.s_hash_seed.offset, f.s_hash_seed.offset + 16)),
    created: time(f.s_mkfs_time, f.s_mkfs_time_hi),
    "last mount": time(f.s_mtime, f.s_mtime_hi),
    "last write": time(f.s_wtime, f.s_wtime_hi),
    "last check": time(f.s_lastcheck, f.s_lastcheck_hi),
    "mount count": get(f.s_mnt_count),
  };
}

function stateOf(state: number, replayed: number | undefined): string {
  const words = [(state & STATE_VALID) !== 0 ? "clean" : "not clean"];
  if ((state & 2) !== 0) words.push("with errors");
  if ((state & 4) !== 0) words.push("orphans being recovered");
  if (replayed !== undefined) words.push(`journal replayed in memory (${replayed} blocks)`);
  return words.join(", ");
}
