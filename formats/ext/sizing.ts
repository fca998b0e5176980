// How many blocks: the exact `fit`, and the layout for any size from there on.
//
// Placing is quick, so `fit` is found by placing for real: starting below the answer, each try tells how many blocks it
// would have taken, until one takes no more than it was given. One detail keeps `fit+N` honest: just above a whole number
// of groups a further group begins and takes its metadata out of the same blocks. If the tree fits right below such a step,
// but not right above it, `fit` is the size above, so that every larger size works as well.

import { assert, FsynthError } from "../../src/error.ts";
import { blocksFor, type InodesSpec, type SizeSpec } from "../../src/image/size.ts";
import { JOURNAL_MIN_BLOCKS } from "./disk/journal.ts";
import {
  type Frame,
  type Geometry,
  hasSuperblock,
  metadataEnd,
  needsMetaGroups,
  placeMetadata,
  type Shape,
  shapeFor,
} from "./geometry.ts";
import { Placement, type Placer } from "./placement.ts";

/** What has to be placed, whatever the size. */
export interface Demand {
  readonly format: string;
  /** Inodes in use, the reserved ones included. */
  readonly inodes: number;
  /** Data blocks, mapping trees not counted: a lower bound. */
  readonly blocks: number;
  readonly owners: number;
  /** Places everything, with a journal of so many blocks. */
  place(placer: Placer, journalBlocks: number): void;
}

export interface SizeRequest {
  readonly size: SizeSpec;
  readonly inodes: InodesSpec;
  /** Percent. */
  readonly reserved: number;
  /** Bytes; undefined: by the size of the file system. */
  readonly journalSize: number | undefined;
}

export interface Layout {
  readonly geometry: Geometry;
  readonly placement: Placement;
  readonly journalBlocks: number;
  /** s_r_blocks_count. */
  readonly reservedBlocks: number;
}

/** Blocks of a journal by the blocks of its file system, as mke2fs chooses (ext2fs_default_journal_size). */
export function defaultJournal(blocks: number): number {
  const steps: readonly (readonly [below: number, journal: number])[] = [
    [2 ** 15, 1024],
    [2 ** 18, 4096],
    [2 ** 19, 8192],
    [2 ** 22, 16384],
    [2 ** 23, 32768],
    [2 ** 24, 65536],
    [2 ** 25, 131072],
  ];
  return steps.find(([below]) => blocks < below)?.[1] ?? 262144;
}

/** Fewest bytes for an inode, as mke2fs has it: below, tables would take most of what they are for. */
const LEAST_RATIO = 1024;

/** Most blocks of a journal that the tools take. */
const JOURNAL_MAX_BLOCKS = 10_240_000;

/** Finds the layout. Throws `usage` when the size or the inodes asked for are too few. */
export function layOut(frame: Frame, demand: Demand, request: SizeRequest): Layout {
  return new Sizing(frame, demand, request).solve();
}

interface Attempt extends Layout {
  /** Blocks that this layout takes; it holds when they are no more than it was given. */
  readonly need: number;
}

class Sizing {
  /** The placement of a try that failed: the next one takes its room. */
  #spare: Placement | undefined;

  constructor(
    readonly frame: Frame,
    readonly demand: Demand,
    readonly request: SizeRequest,
  ) {
    const { inodes } = request;
    if (inodes.base === "ratio" && inodes.bytes < Math.max(LEAST_RATIO, 2 * frame.inodeSize)) {
      throw new FsynthError(
        "usage",
        `${demand.format}: an inode for ${inodes.bytes} bytes; expected at least ${Math.max(LEAST_RATIO, 2 * frame.inodeSize)} bytes for each`,
        {
          format: demand.format,
          option: "inodes",
        },
      );
    }
    if (inodes.base === "absolute" && inodes.count < demand.inodes) {
      throw new FsynthError("usage", `${demand.format}: ${inodes.count} inodes are too few; this tree needs ${demand.inodes}`, {
        format: demand.format,
        option: "inodes",
      });
    }
  }

  solve(): Layout {
    const { demand, frame, request } = this;
    const journal = this.#fitJournal();
    const fit = this.#fit(journal);
    const blocks = blocksFor(request.size, fit.geometry.blocks, frame.blockSize, demand.format);
    if (blocks === fit.geometry.blocks) return fit;
    this.#checkBlocks(blocks);
    // A larger file system gets a larger journal where there is room for it.
    const roomy = this.#journal(blocks);
    if (roomy !== journal) {
      const attempt = this.#attempt(blocks, roomy);
      if (attempt && attempt.need <= blocks) return attempt;
    }
    const attempt = this.#attempt(blocks, journal);
    if (attempt && attempt.need <= blocks) return attempt;
    const next = this.#search(blocks + 1, journal).geometry.blocks;
    throw new FsynthError(
      "usage",
      `${demand.format}: no layout has exactly ${blocks} blocks; the next that has is ${next * frame.blockSize} bytes (${next} blocks)`,
      { format: demand.format, option: "size", needed: next * frame.blockSize },
    );
  }

  #fit(journal: number): Attempt {
    const { firstBlock, inodesPerBlock } = this.frame;
    const tables = Math.ceil(this.demand.inodes / inodesPerBlock);
    let found = this.#search(firstBlock + 3 + this.demand.blocks + journal + tables, journal);
    for (;;) {
      const failing = this.#steps(found.geometry).find((step) => {
        const above = this.#attempt(step, journal);
        this.#spare = above?.placement;
        return !above || above.need > step;
      });
      if (failing === undefined) return found;
      this.#spare = found.placement;
      found = this.#search(failing, journal);
    }
  }

  /** The sizes above a layout's where metadata grows by more blocks than the size does: the next group, the next row of inodes. */
  #steps({ blocks, groups, inodesPerGroup }: Geometry): number[] {
    const { firstBlock, maxBlocksPerGroup, blockSize } = this.frame;
    const steps: number[] = [];
    const whole = Math.ceil((blocks - firstBlock) / maxBlocksPerGroup);
    // Groups made smaller for the inodes' sake grow with the size: no step there.
    if (groups === whole) steps.push(firstBlock + whole * maxBlocksPerGroup + 1);
    const { inodes } = this.request;
    if (inodes.base === "ratio") steps.push(Math.ceil(((inodesPerGroup * groups + 1) * inodes.bytes) / blockSize));
    return steps.filter((step) => step > blocks).sort((a, b) => a - b);
  }

  /** The first size from `from` on that holds. */
  #search(from: number, journal: number): Attempt {
    let blocks = from;
    for (;;) {
      this.#checkBlocks(blocks);
      const attempt = this.#attempt(blocks, journal);
      if (attempt && attempt.need <= blocks) return attempt;
      this.#spare = attempt?.placement;
      // No grid, or tables that find no room: a little larger, in steps that end soon however many groups there are.
      blocks = attempt ? attempt.need : blocks + Math.max(8, Math.ceil(blocks / 1024));
    }
  }

  #attempt(blocks: number, journal: number): Attempt | undefined {
    const { frame, demand } = this;
    const shape = shapeFor(frame, blocks, this.#inodes(blocks));
    if (!shape) return undefined;
    if (frame.features.has("resize_inode") && (needsMetaGroups(shape) || blocks >= 2 ** 32)) {
      // Groups made as small as this because the inodes want many of them: larger sizes have larger groups.
      if (shape.blocksPerGroup < frame.maxBlocksPerGroup) return undefined;
      throw new NeedsMetaGroups();
    }
    this.#checkShape(shape);
    const geometry = placeMetadata(frame, shape);
    if (!geometry) return undefined;
    const placement = new Placement(geometry, frame.features.has("extent"), demand.owners, this.#spare);
    this.#spare = undefined;
    demand.place(placement, journal);
    const reservedBlocks = Math.floor((blocks * this.request.reserved) / 100);
    let metadata = 0;
    for (let i = 0; i < geometry.runs; i++) metadata += geometry.runLength[i] as number; // i is in range
    const used = frame.firstBlock + metadata + placement.blocks;
    const need = Math.max(placement.end, metadataEnd(geometry), withReserve(used, this.request.reserved));
    return { geometry, placement, journalBlocks: journal, reservedBlocks, need };
  }

  #checkShape(shape: Shape): void {
    const { demand, frame } = this;
    const inodes = shape.inodesPerGroup * shape.groups;
    if (inodes > 2 ** 32 - 1) {
      throw new FsynthError("usage", `${demand.format}: ${inodes} inodes; ${2 ** 32 - 1} is the most`, {
        format: demand.format,
        option: "inodes",
      });
    }
    if (!frame.features.has("resize_inode")) return;
    // One block lists the copies of each reserved block.
    let backups = 0;
    for (let group = 1; group < shape.groups; group++) if (hasSuperblock(frame.features, group, shape.groups)) backups++;
    if (backups > frame.blockSize / 4) {
      throw new FsynthError(
        "usage",
        `${demand.format}: ${backups} groups with backups; resize_inode lists at most ${frame.blockSize / 4} in blocks of ${frame.blockSize}; add sparse_super or take resize_inode out with ^resize_inode`,
        { format: demand.format, option: "features" },
      );
    }
  }

  #inodes(blocks: number): number {
    const { inodes } = this.request;
    if (inodes.base === "absolute") return inodes.count;
    if (inodes.base === "fit") return this.demand.inodes + inodes.plus;
    return Math.max(this.demand.inodes, Math.floor((blocks * this.frame.blockSize) / inodes.bytes));
  }

  #fitJournal(): number {
    return this.#journal(this.demand.blocks);
  }

  #journal(blocks: number): number {
    const { demand, frame, request } = this;
    if (!frame.features.has("has_journal")) {
      if (request.journalSize !== undefined) {
        throw new FsynthError("usage", `${demand.format}: a journal size without a journal (feature has_journal)`, {
          format: demand.format,
          option: "journalSize",
        });
      }
      return 0;
    }
    if (request.journalSize === undefined) return defaultJournal(blocks);
    const size = Math.floor(request.journalSize / frame.blockSize);
    if (size < JOURNAL_MIN_BLOCKS || size > JOURNAL_MAX_BLOCKS) {
      throw new FsynthError(
        "usage",
        `${demand.format}: a journal of ${size} blocks of ${frame.blockSize}; expected ${JOURNAL_MIN_BLOCKS} to ${JOURNAL_MAX_BLOCKS} blocks`,
        { format: demand.format, option: "journalSize" },
      );
    }
    return size;
  }

  #checkBlocks(blocks: number): void {
    assert(Number.isSafeInteger(blocks), `${blocks} blocks`);
    const most = this.frame.features.has("64bit") ? 2 ** 48 : 2 ** 32 - 1;
    if (blocks > most) {
      throw new FsynthError(
        "unsupported",
        `${this.demand.format}: ${blocks} blocks of ${this.frame.blockSize}; ${most} is the most${most < 2 ** 32 ? " without the feature 64bit" : ""}`,
        { format: this.demand.format, option: "size" },
      );
    }
  }
}

/** The least number of blocks that leaves `percent` of itself free beside `used` ones. */
function withReserve(used: number, percent: number): number {
  let blocks = Math.floor(used / (1 - percent / 100)) - 2;
  while (blocks - Math.floor((blocks * percent) / 100) < used) blocks++;
  return blocks;
}

/** The descriptor table would outgrow its group: the file system needs meta_bg instead of resize_inode, as mke2fs decides. */
export class NeedsMetaGroups extends Error {}
