// Reads a superblock: geometry, features, identity. Everything that later code divides or allocates by is checked here.
// Specification: Linux Documentation/filesystems/ext4/super.rst; ext4_check_geometry and its neighbours in fs/ext4/super.c.

import { crc32c } from "../../../src/bytes/crc.ts";
import { flagNames } from "../../../src/bytes/flags.ts";
import { decodeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { FsynthError } from "../../../src/error.ts";
import type { ImageBytes } from "../../../src/image/volume.ts";
import { type FeatureName, type FeatureSet, type FeatureWord, featureBits } from "../disk/features.ts";
import { GOOD_OLD_INODE_SIZE, ReservedInode } from "../disk/inode.ts";
import { CHECKSUM_CRC32C, EXT_MAGIC, SUPERBLOCK_OFFSET, Superblock } from "../disk/superblock.ts";
import { hex, type Report } from "./fault.ts";

/** A superblock in the terms of the code that reads on. Counts are of blocks unless their names say otherwise. */
export interface Super {
  /** The 1024 bytes, and a view of them for {@link Superblock}. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly features: FeatureSet;
  /** All features that are on, bits without a name among them. */
  readonly featureNames: readonly string[];
  readonly revision: number;
  /** Bytes. */
  readonly blockSize: number;
  /** Blocks of a cluster; 1 without bigalloc. */
  readonly clusterBlocks: number;
  readonly blocks: number;
  /** s_first_data_block. */
  readonly firstBlock: number;
  readonly blocksPerGroup: number;
  readonly groups: number;
  /** How many inodes. */
  readonly inodes: number;
  readonly inodesPerGroup: number;
  /** Bytes. */
  readonly inodeSize: number;
  /** The first inode that is not reserved. */
  readonly firstInode: number;
  /** Blocks of one group's inode table. */
  readonly tableBlocks: number;
  /** Bytes. */
  readonly descriptorSize: number;
  readonly descriptorBlocks: number;
  readonly reservedDescriptorBlocks: number;
  /** Groups that sparse_super2 gives a backup; 0 stands for none. */
  readonly backupGroups: readonly number[];
  /** metadata_csum is on. */
  readonly checksums: boolean;
  readonly checksumSeed: number;
  readonly uuid: Uint8Array;
  readonly label: string;
  /** Inode of the internal journal, 0 for none. */
  readonly journalInode: number;
  /** The journal has to be replayed first. */
  readonly needsRecovery: boolean;
}

/** Incompatible features that the reader takes into account. */
const READS: ReadonlySet<FeatureName> = new Set<FeatureName>([
  "filetype",
  "needs_recovery",
  "meta_bg",
  "extent",
  "64bit",
  "mmp",
  "flex_bg",
  "ea_inode",
  "metadata_csum_seed",
  "large_dir",
  "inline_data",
  "encrypt",
  "casefold",
]);

/** Whether the superblock's magic stands where an ext image has it. */
export function hasMagic(image: ImageBytes): boolean {
  if (image.size < SUPERBLOCK_OFFSET + Superblock.size) return false;
  const bytes = new Uint8Array(Superblock.size);
  image.readAt(SUPERBLOCK_OFFSET, bytes);
  return Superblock.f.s_magic.get(viewOf(bytes), 0) === EXT_MAGIC;
}

/**
 * Reads the superblock at byte `offset`. Undefined when what was reported leaves nothing to go on with.
 *
 * Throws `unsupported` for incompatible features that the reader lacks.
 */
export function readSuperblock(image: ImageBytes, report: Report, offset = SUPERBLOCK_OFFSET): Super | undefined {
  if (image.size < offset + Superblock.size) {
    report({
      code: "superblock-missing",
      place: "superblock",
      found: `the image has ${image.size} bytes`,
      expected: `at least ${offset + Superblock.size}`,
      where: { record: "superblock", offset },
    });
    return undefined;
  }
  const bytes = new Uint8Array(Superblock.size);
  image.readAt(offset, bytes);
  return parseSuperblock(bytes, image.size, offset, report);
}

function parseSuperblock(bytes: Uint8Array, imageSize: number, offset: number, report: Report): Super | undefined {
  const view = viewOf(bytes);
  const f = Superblock.f;
  let usable = true;
  const wrong = (field: keyof typeof f, found: string, expected: string, code = "superblock-field"): void => {
    usable = false;
    report({
      code,
      place: "superblock",
      found,
      expected,
      where: { record: `superblock.${field}`, offset: offset + f[field].offset },
    });
  };

  const magic = f.s_magic.get(view, 0);
  if (magic !== EXT_MAGIC) {
    wrong("s_magic", `s_magic is ${hex(magic, 2)}`, hex(EXT_MAGIC, 2), "superblock-magic");
    return undefined;
  }
  const revision = f.s_rev_level.get(view, 0);
  // Revision 0 should have none, but Linux goes by them all the same.
  const words = {
    compat: f.s_feature_compat.get(view, 0),
    incompat: f.s_feature_incompat.get(view, 0),
    ro_compat: f.s_feature_ro_compat.get(view, 0),
  };
  const features = featuresOf(words);
  const checksums = features.has("metadata_csum");
  if (checksums) {
    const type = f.s_checksum_type.get(view, 0);
    if (type !== CHECKSUM_CRC32C) wrong("s_checksum_type", `s_checksum_type is ${type}`, `${CHECKSUM_CRC32C} (CRC-32C)`);
    const stored = f.s_checksum.get(view, 0);
    const sum = crc32c(0xffff_ffff, bytes, 0, f.s_checksum.offset);
    if (stored !== sum) {
      report({
        code: "superblock-checksum",
        place: "superblock",
        found: `its checksum is ${hex(stored)}`,
        expected: hex(sum),
        where: { record: "superblock.s_checksum", offset: offset + f.s_checksum.offset },
      });
    }
  }
  // What cannot be understood is refused before its numbers are.
  refuseFeatures(words.incompat, features);

  const logBlock = f.s_log_block_size.get(view, 0);
  if (logBlock > 6) {
    wrong("s_log_block_size", `blocks of 1024 shifted by ${logBlock}`, "a shift of 0 to 6 (64 KiB)");
    return undefined;
  }
  const blockSize = 1024 << logBlock;
  let clusterBlocks = 1;
  if (features.has("bigalloc")) {
    const logCluster = f.s_log_cluster_size.get(view, 0);
    if (logCluster < logBlock || logCluster > 20) {
      wrong("s_log_cluster_size", `clusters of 1024 shifted by ${logCluster}`, `a shift of ${logBlock} to 20`);
      return undefined;
    }
    clusterBlocks = 2 ** (logCluster - logBlock);
  }
  const wide = features.has("64bit");
  const blocks = f.s_blocks_count.get(view, 0) + (wide ? f.s_blocks_count_hi.get(view, 0) * 2 ** 32 : 0);
  const firstBlock = f.s_first_data_block.get(view, 0);
  const expectedFirst = blockSize === 1024 && clusterBlocks === 1 ? 1 : 0;
  if (firstBlock !== expectedFirst) wrong("s_first_data_block", `s_first_data_block is ${firstBlock}`, String(expectedFirst));
  const clustersPerGroup = f.s_clusters_per_group.get(view, 0);
  const blocksPerGroup = f.s_blocks_per_group.get(view, 0);
  const groupClusters = clusterBlocks > 1 ? clustersPerGroup : blocksPerGroup;
  if (blocksPerGroup < 8 || groupClusters > blockSize * 8 || blocksPerGroup !== groupClusters * clusterBlocks) {
    wrong(
      "s_blocks_per_group",
      `${blocksPerGroup} blocks and ${clustersPerGroup} clusters per group`,
      `8 to ${blockSize * 8 * clusterBlocks} blocks, ${clusterBlocks} to a cluster`,
    );
    return undefined;
  }
  if (blocks <= firstBlock || blocks * blockSize > imageSize) {
    wrong(
      "s_blocks_count",
      `${blocks} blocks of ${blockSize} (${blocks * blockSize} bytes)`,
      `more than ${firstBlock} blocks, and no more than the image's ${imageSize} bytes`,
      "image-size",
    );
    return undefined;
  }
  const groups = Math.ceil((blocks - firstBlock) / blocksPerGroup);

  const inodeSize = revision === 0 ? GOOD_OLD_INODE_SIZE : f.s_inode_size.get(view, 0);
  if (inodeSize < GOOD_OLD_INODE_SIZE || inodeSize > blockSize || (inodeSize & (inodeSize - 1)) !== 0) {
    wrong("s_inode_size", `inodes of ${inodeSize} bytes`, `a power of two from ${GOOD_OLD_INODE_SIZE} to ${blockSize}`);
    return undefined;
  }
  const inodesPerGroup = f.s_inodes_per_group.get(view, 0);
  if (inodesPerGroup < blockSize / inodeSize || inodesPerGroup > blockSize * 8) {
    wrong("s_inodes_per_group", `${inodesPerGroup} inodes per group`, `${blockSize / inodeSize} to ${blockSize * 8}`);
    return undefined;
  }
  const inodes = f.s_inodes_count.get(view, 0);
  if (inodes !== inodesPerGroup * groups) {
    wrong("s_inodes_count", `${inodes} inodes`, `${inodesPerGroup * groups} (${inodesPerGroup} in each of ${groups} groups)`);
  }
  const firstInode = revision === 0 ? ReservedInode.firstFree : f.s_first_ino.get(view, 0);
  if (firstInode < ReservedInode.firstFree || firstInode > Math.max(inodes, ReservedInode.firstFree)) {
    wrong("s_first_ino", `s_first_ino is ${firstInode}`, `${ReservedInode.firstFree} to ${inodes}`);
  }
  const descriptorSize = wide ? f.s_desc_size.get(view, 0) : 32;
  if (descriptorSize < (wide ? 64 : 32) || descriptorSize > 1024 || (descriptorSize & (descriptorSize - 1)) !== 0) {
    wrong("s_desc_size", `descriptors of ${descriptorSize} bytes`, "a power of two from 64 to 1024");
    return undefined;
  }
  if (!usable && inodes > inodesPerGroup * groups) return undefined;

  const uuid = f.s_uuid.get(view, 0);
  return {
    bytes,
    view,
    features,
    featureNames: featureNamesOf(words),
    revision,
    blockSize,
    clusterBlocks,
    blocks,
    firstBlock,
    blocksPerGroup,
    groups,
    inodes,
    inodesPerGroup,
    inodeSize,
    firstInode,
    tableBlocks: Math.ceil((inodesPerGroup * inodeSize) / blockSize),
    descriptorSize,
    descriptorBlocks: Math.ceil(groups / (blockSize / descriptorSize)),
    reservedDescriptorBlocks: features.has("resize_inode") ? f.s_reserved_gdt_blocks.get(view, 0) : 0,
    backupGroups: f.s_backup_bgs.get(view, 0),
    checksums,
    checksumSeed: features.has("metadata_csum_seed") ? f.s_checksum_seed.get(view, 0) : crc32c(0xffff_ffff, uuid),
    uuid,
    label: textOf(f.s_volume_name.get(view, 0)),
    journalInode: features.has("has_journal") ? f.s_journal_inum.get(view, 0) : 0,
    needsRecovery: features.has("needs_recovery"),
  };
}

/** Text up to the first NUL. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeName(end < 0 ? bytes : bytes.subarray(0, end));
}

type Words = Readonly<Record<FeatureWord, number>>;
const WORDS = ["compat", "incompat", "ro_compat"] as const;
const BITS = { compat: featureBits("compat"), incompat: featureBits("incompat"), ro_compat: featureBits("ro_compat") };

function featuresOf(words: Words): FeatureSet {
  const set = new Set<FeatureName>();
  for (const word of WORDS) {
    for (const [name, bit] of Object.entries(BITS[word])) {
      if ((words[word] & bit) !== 0) set.add(name as FeatureName); // the table's own names
    }
  }
  return set;
}

function featureNamesOf(words: Words): string[] {
  return WORDS.flatMap((word) =>
    flagNames(BITS[word], words[word]).map((name) => (name.startsWith("0x") ? `${word}:${name}` : name)),
  );
}

function refuseFeatures(incompat: number, features: FeatureSet): void {
  const lacking = flagNames(BITS.incompat, incompat).filter((name) => !READS.has(name as FeatureName)); // names that are none are not in the set either
  if (lacking.length === 0) return;
  const told = lacking.map((name) => {
    const bit = (BITS.incompat as Readonly<Record<string, number>>)[name];
    return bit === undefined ? name : `${name} (${hex(bit)})`;
  });
  const what = features.has("journal_dev")
    ? "this is an external journal, not a file system"
    : `this image needs the incompatible feature${lacking.length > 1 ? "s" : ""} ${told.join(", ")}, which fsynth does not read`;
  throw new FsynthError("unsupported", `ext: ${what}`, {
    format: "ext",
    record: "superblock.s_feature_incompat",
    offset: SUPERBLOCK_OFFSET + Superblock.f.s_feature_incompat.offset,
  });
}
