// How many blocks: the exact `fit`, and the layout for any size from there on. Placing is quick, so `fit` is found by
// placing for real: starting below the answer, each try tells how many blocks it would have taken, until one takes no
// more than it was given. Where one block more begins a further cylinder group, whose metadata comes out of the same
// blocks, `fit` is raised above the step if the tree does not fit right there, so that every larger size works as well.

import { FsynthError } from "../../src/error.ts";
import { blocksFor, type InodesSpec, type SizeSpec } from "../../src/image/size.ts";
import { dataFrags, type Frame, type Geometry, groupStart, type Shape, shapeFor } from "./geometry.ts";
import { Placement, type Placer } from "./placement.ts";

/** What has to be placed, whatever the size. */
export interface Demand {
  readonly format: string;
  /** Inodes in use, the two at the start that never are included. */
  readonly inodes: number;
  /** Fragments of data, indirect blocks not counted: a lower bound. */
  readonly frags: number;
  readonly owners: number;
  place(placer: Placer): void;
}

export interface SizeRequest {
  readonly size: SizeSpec;
  readonly inodes: InodesSpec;
  /** Percent. */
  readonly minfree: number;
}

export interface Layout {
  readonly geometry: Geometry;
  readonly placement: Placement;
}

interface Attempt extends Layout {
  /** Blocks that this layout takes; it holds when they are no more than it was given. */
  readonly need: number;
}

/** Most inodes: their numbers are 32 bits, and counts of them signed. */
const MAX_INODES = 2 ** 31 - 1;

/** Finds the layout. Throws `usage` when the size or the inodes asked for are too few. */
export function layOut(frame: Frame, demand: Demand, request: SizeRequest): Layout {
  return new Sizing(frame, demand, request).solve();
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
    if (inodes.base === "absolute" && inodes.count < demand.inodes) {
      throw new FsynthError("usage", `${demand.format}: ${inodes.count} inodes are too few; this tree needs ${demand.inodes}`, {
        format: demand.format,
        option: "inodes",
      });
    }
  }

  solve(): Layout {
    const { demand, frame, request } = this;
    const fit = this.#fit();
    const fitBlocks = fit.geometry.size / frame.frag;
    const blocks = blocksFor(request.size, fitBlocks, frame.blockSize, demand.format);
    if (blocks === fitBlocks) return fit;
    this.#checkBlocks(blocks);
    const attempt = this.#attempt(blocks);
    if (attempt && attempt.need <= blocks) return attempt;
    const next = this.#search(blocks + 1).geometry.size / frame.frag;
    throw new FsynthError(
      "usage",
      `${demand.format}: no layout has exactly ${blocks} blocks; the next that has is ${next * frame.blockSize} bytes (${next} blocks)`,
      { format: demand.format, option: "size", needed: next * frame.blockSize },
    );
  }

  #fit(): Attempt {
    const { frag, iblkno, inodesPerBlock } = this.frame;
    const tables = Math.ceil(this.demand.inodes / inodesPerBlock);
    let found = this.#search(iblkno / frag + tables + Math.floor(this.demand.frags / frag));
    for (;;) {
      const step = this.#nextStep(found.geometry);
      if (step === undefined) return found;
      const above = this.#attempt(step);
      if (above && above.need <= step) return found;
      this.#spare = found.placement;
      found = this.#search(step);
    }
  }

  /** The first size with more groups, if it is near enough to matter. */
  #nextStep(geometry: Geometry): number | undefined {
    const { frag } = this.frame;
    const blocks = geometry.size / frag;
    // One group's metadata is all that a step takes: from there on sizes have grown by as much.
    const reach = blocks + geometry.dblkno / frag + 1;
    const more = (size: number): boolean => (this.#shape(size)?.groups ?? 0) > geometry.groups;
    if (!more(reach)) return undefined;
    let low = blocks;
    let high = reach;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (more(middle)) high = middle;
      else low = middle;
    }
    return high;
  }

  /** The first size from `from` on that holds. */
  #search(from: number): Attempt {
    let blocks = from;
    for (;;) {
      this.#checkBlocks(blocks);
      const attempt = this.#attempt(blocks);
      if (attempt && attempt.need <= blocks) return attempt;
      this.#spare = attempt?.placement;
      blocks = attempt ? attempt.need : blocks + 1;
    }
  }

  #shape(blocks: number): Shape | undefined {
    return shapeFor(this.frame, blocks * this.frame.frag, this.#inodes(blocks));
  }

  #attempt(blocks: number): Attempt | undefined {
    const { frame, demand } = this;
    const shape = this.#shape(blocks);
    if (!shape) return undefined;
    if (shape.ipg * shape.groups > MAX_INODES) {
      throw new FsynthError("unsupported", `${demand.format}: ${shape.ipg * shape.groups} inodes; ${MAX_INODES} is the most`, {
        format: demand.format,
        option: "inodes",
      });
    }
    const geometry = { ...shape, frame };
    const placement = new Placement(geometry, demand.owners, this.#spare);
    this.#spare = undefined;
    demand.place(placement);
    const metadata = geometry.size - dataFrags(geometry);
    const last = groupStart(geometry, geometry.groups - 1) + geometry.dblkno;
    const reserved = metadata + withReserve(placement.used, this.request.minfree);
    return { geometry, placement, need: Math.ceil(Math.max(placement.end, last, reserved) / frame.frag) };
  }

  #inodes(blocks: number): number {
    const { inodes } = this.request;
    if (inodes.base === "absolute") return inodes.count;
    if (inodes.base === "fit") return this.demand.inodes + inodes.plus;
    return Math.max(this.demand.inodes, Math.floor((blocks * this.frame.blockSize) / inodes.bytes));
  }

  #checkBlocks(blocks: number): void {
    const { frag, blockSize, version } = this.frame;
    const most = Math.floor((version === 1 ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER / blockSize) / frag);
    if (blocks > most) {
      throw new FsynthError(
        "unsupported",
        `${this.demand.format}: ${blocks} blocks of ${blockSize}; ${most} is the most${version === 1 ? " (ffs2 holds more)" : ""}`,
        { format: this.demand.format, option: "size" },
      );
    }
  }
}

/** The least number of data fragments that leaves `percent` of itself free beside `used` ones. */
function withReserve(used: number, percent: number): number {
  let frags = Math.max(used, Math.floor(used / (1 - percent / 100)) - 2);
  while (frags - Math.floor((frags * percent) / 100) < used) frags++;
  return frags;
}
