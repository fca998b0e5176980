// Every record of an ext image, for people: superblocks, descriptors, maps, inodes, and what belongs to each inode.

import { flagNames } from "../../../src/bytes/flags.ts";
import { escapeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { bitRanges, type ImageRecord, paddedView, recordAt } from "../../../src/image/records.ts";
import { formatUuid } from "../../../src/image/seed.ts";
import type { ImageBytes } from "../../../src/image/volume.ts";
import { type FeatureWord, featureBits } from "../disk/features.ts";
import { GroupDescriptor, GroupFlags } from "../disk/group.ts";
import { SUPERBLOCK_OFFSET, Superblock } from "../disk/superblock.ts";
import { refuse } from "./fault.ts";
import { blocksOf, firstBlockOf, fixedRuns } from "./layout.ts";
import { Nodes } from "./nodes.ts";
import { type Opened, openRecords } from "./opened.ts";
import { InodeRecords } from "./records-inode.ts";
import { usageIndex } from "./usage.ts";

/** All records, groups first, then the inodes with what they lead to. Throws as opening does. */
export function* extRecords(image: ImageBytes): Generator<ImageRecord> {
  const opened = openRecords(image, refuse);
  if (!opened) throw new Error("bug in fsynth: an image that does not open is reported");
  const nodes = new Nodes(opened);
  const { pathOf } = usageIndex(nodes);
  const { superblock: sb } = opened;
  const primary = superblockRecord(sb.bytes, SUPERBLOCK_OFFSET, "superblock");
  yield primary;
  const described = new Map<number, ImageRecord>();
  for (let group = 0; group < sb.groups; group++) yield* groupRecords(opened, group, primary, described);
  const inodes = new InodeRecords(nodes, (number) => {
    const path = number === 2 ? "/" : pathOf(number);
    return path === undefined ? "" : ` ${escapeName(path)}`;
  });
  yield* inodes.all();
}

const feature = (word: FeatureWord) => (bits: number) => flagNames(featureBits(word), bits).join(",") || 0;
const uuid = (bytes: Uint8Array): string | number => (bytes.some((byte) => byte !== 0) ? formatUuid(bytes) : 0);

function superblockRecord(bytes: Uint8Array, offset: number, what: string, copyOf?: ImageRecord): ImageRecord {
  return recordAt(Superblock, viewOf(bytes), 0, {
    offset,
    what,
    copyOf,
    spelled: {
      s_feature_compat: feature("compat"),
      s_feature_incompat: feature("incompat"),
      s_feature_ro_compat: feature("ro_compat"),
      s_uuid: uuid,
      s_journal_uuid: uuid,
    },
  });
}

function* groupRecords(
  { superblock: sb, disk, descriptors }: Opened,
  group: number,
  primary: ImageRecord,
  described: Map<number, ImageRecord>,
): Generator<ImageRecord> {
  const place = group === 0 ? "" : ` copy in group ${group}`;
  for (const { block, count, use, index } of fixedRuns(sb, group)) {
    const offset = block * sb.blockSize;
    if (use === "superblock") {
      if (group > 0) yield superblockRecord(disk.block(block), offset, `superblock${place}`, primary);
    } else if (use === "descriptors") {
      const perBlock = sb.blockSize / sb.descriptorSize;
      for (let i = 0; i < count * perBlock && index * perBlock + i < sb.groups; i++) {
        const number = index * perBlock + i;
        const bytes = disk.block(block + Math.floor(i / perBlock));
        const what = `descriptor${place} of group ${number}`;
        const at = offset + i * sb.descriptorSize;
        const record = descriptorRecord(
          bytes,
          (i % perBlock) * sb.descriptorSize,
          sb.descriptorSize,
          at,
          what,
          described.get(number),
        );
        if (!described.has(number)) described.set(number, record);
        yield record;
      }
    } else yield { offset, what: `group ${group}, ${use.replace("-", " ")}`, fields: { blocks: count } };
  }
  const { blockBitmap, inodeBitmap, inodeTable } = descriptors.at(group, refuse);
  const [first, blocks] = [firstBlockOf(sb, group), blocksOf(sb, group)];
  const clusters = Math.ceil(blocks / sb.clusterBlocks);
  const map = (what: string, block: number, count: number, from: number): ImageRecord => {
    const bytes = disk.block(block);
    const behind = bitRanges(bytes, bytes.length * 8)
      .split(" ")
      .at(-1);
    const fields = { used: bitRanges(bytes, count, from), "last run of bits": behind as string };
    return { offset: block * sb.blockSize, what: `group ${group}, ${what}`, fields };
  };
  // Under bigalloc bits are clusters, which are numbered from 0.
  yield map("block bitmap", blockBitmap, clusters, sb.clusterBlocks > 1 ? first / sb.clusterBlocks : first);
  yield map("inode bitmap", inodeBitmap, sb.inodesPerGroup, group * sb.inodesPerGroup + 1);
  yield {
    offset: inodeTable * sb.blockSize,
    what: `group ${group}, inode table`,
    fields: { blocks: sb.tableBlocks, inodes: `${group * sb.inodesPerGroup + 1}..${(group + 1) * sb.inodesPerGroup}` },
  };
}

function descriptorRecord(
  bytes: Uint8Array,
  at: number,
  size: number,
  offset: number,
  what: string,
  copyOf: ImageRecord | undefined,
): ImageRecord {
  return recordAt(GroupDescriptor, paddedView(bytes, at, GroupDescriptor.size), 0, {
    offset,
    what,
    copyOf,
    length: size,
    spelled: { bg_flags: (flags) => flagNames(GroupFlags, flags).join(",") || 0 },
  });
}
