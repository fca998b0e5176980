// What the parts of a check share.

import type { Descriptors } from "../read/descriptors.ts";
import type { Disk } from "../read/disk.ts";
import type { Inodes } from "../read/inodes.ts";
import type { Super } from "../read/superblock.ts";
import { BlockMap, Claims } from "./block-map.ts";
import type { Findings } from "./findings.ts";
import { InodeTable } from "./inode-table.ts";

/** How many times over an image is gone through at most. */
const FOLD = 8;
/** GNU/Hurd as creator: several fields of inodes mean something else. */
const HURD = 1;

/** A directory's block, 0 for a hole. */
export interface DirectoryBlocks {
  readonly runs: readonly { readonly logical: number; readonly physical: number; readonly count: number }[];
  /** Blocks up to the last one that is mapped. */
  readonly length: number;
}

/** A value inode, by who leads to it. */
export interface ValueInode {
  references: number;
  /** Whether it says that it is one. */
  flagged: boolean;
}

export class State {
  /** Fixed parts of the groups, by block. */
  readonly metadata = new BlockMap();
  /** By cluster. */
  readonly claims: Claims;
  readonly table: InodeTable;
  readonly directories: number[] = [];
  /** What `..` of a directory says. */
  readonly dotdot = new Map<number, number>();
  /** Encryption policies of encrypted inodes: those that are equal have equal texts. */
  readonly policies = new Map<number, string>();
  readonly values = new Map<number, ValueInode>();
  /** Inodes with the IMAGIC flag: AFS keeps its own links of them. */
  readonly imagic = new Set<number>();
  /** Xattr blocks: how many inodes refer to each, and what each says and charges. */
  readonly xattrBlocks = new Map<number, { references: number; readonly stated: number; readonly charged: number }>();
  /** Groups whose inode table cannot be read. */
  readonly unreadable = new Set<number>();
  #visited = 0;
  largeFiles = false;
  largeDirectories = false;
  readonly hurd: boolean;
  /** Descriptors have checksums, so their flags and unused counts have a meaning. */
  readonly groupChecksums: boolean;

  constructor(
    readonly sb: Super,
    readonly disk: Disk,
    readonly descriptors: Descriptors,
    readonly inodes: Inodes,
    readonly findings: Findings,
  ) {
    this.table = new InodeTable(sb);
    this.claims = new Claims(sb.features.has("shared_blocks") ? Number.POSITIVE_INFINITY : FOLD * sb.blocks);
    this.hurd = sb.view.getUint32(0x48, true) === HURD;
    this.groupChecksums = sb.checksums || sb.features.has("uninit_bg");
  }

  /** Starts another walk over all maps. */
  startWalk(): void {
    this.#visited = 0;
  }

  /**
   * Whether one more block of a map, or of a directory, may be looked at. All maps together have at most all blocks: many more
   * means that they share blocks, which is told, and would take forever.
   */
  mayVisit(): boolean {
    return this.#visited++ < FOLD * this.sb.blocks;
  }

  clusterOf(block: number): number {
    return Math.floor(block / this.sb.clusterBlocks);
  }

  /** Whether blocks can belong to a file: within the image, and not block 0. */
  holds(block: number): boolean {
    return block >= this.sb.firstBlock && block < this.sb.blocks;
  }

  /** Sentence part for {@link holds}. */
  range(): string {
    return `blocks ${Math.max(1, this.sb.firstBlock)} to ${this.sb.blocks - 1}`;
  }
}
