// What is served: bytes that can be read anywhere, and written where there is an overlay.

import type { Plan } from "../image/plan.ts";
import { RangeReader } from "../sinks/range.ts";

/** A run of a disk. */
export interface Run {
  /** Bytes from its start. */
  readonly offset: number;
  readonly length: number;
  /** It reads as zeros, and nobody stored them. */
  readonly hole: boolean;
}

/** A disk that can be read. */
export interface Disk {
  /** Bytes. */
  readonly size: number;
  /** Fills `target` from `offset`; the range lies within the disk. At once where it can. Throws what reading the sources throws. */
  read(offset: number, target: Uint8Array): void | Promise<void>;
  /** The range in runs, ascending and without gaps; fewer than that where telling all of them would take long, but at least one. */
  runs(from: number, to: number): Iterable<Run>;
}

/** One that can also be written. */
export interface WritableDisk extends Disk {
  /** Accounts for `bytes` of memory that a write takes while it comes in, or gives them back. Throws {@link NoSpace}. */
  hold(bytes: number): void;
  /** Writes `parts`, one behind the other: all of it or, where it throws {@link NoSpace}, nothing. */
  write(offset: number, parts: readonly Uint8Array[]): Promise<void>;
  /**
   * Makes zeros; with `solid` there is room for what may be written there later, and it is no hole. Throws {@link NoSpace};
   * then some of them may be made.
   */
  zero(offset: number, length: number, solid: boolean): Promise<void>;
}

/** What an overlay may hold is used up. */
export class NoSpace extends Error {}

/** Holes are told in whole blocks of this size, bytes: what clients and their file systems count in. */
export const BLOCK = 4096;

/** How many regions of a plan are looked at for one answer. */
const EFFORT = 32_768;

/** Who knows more of what is zeros than a plan does. */
interface Zeros {
  runs(from: number, to: number): Iterable<Run>;
}

/** The disk of a plan. */
export class PlanDisk implements Disk {
  readonly size: number;
  readonly #reader: RangeReader;
  /** Of a stored image, whose plan knows nothing of what is in it. */
  readonly #zeros: Zeros | undefined;

  constructor(plan: Plan & { readonly zeros?: Zeros | undefined }) {
    this.size = plan.size;
    this.#zeros = plan.zeros;
    this.#reader = new RangeReader(plan);
  }

  read(offset: number, target: Uint8Array): void | Promise<void> {
    return this.#reader.readInto(offset, target);
  }

  runs(from: number, to: number): Iterable<Run> {
    return joined(this.#zeros?.runs(from, to) ?? this.#regions(from, to));
  }

  *#regions(from: number, to: number): Generator<Run> {
    let at = from;
    let left = EFFORT;
    for (const region of this.#reader.plan.regions(from)) {
      const end = Math.min(region.offset + region.length, to);
      if (region.kind === "hole") {
        // The end of the disk needs not be a multiple of the block.
        const holeFrom = Math.min(end, Math.max(at, Math.ceil(region.offset / BLOCK) * BLOCK));
        const holeTo = end === region.offset + region.length && end < this.size ? Math.floor(end / BLOCK) * BLOCK : end;
        if (holeTo > holeFrom) {
          if (holeFrom > at) yield { offset: at, length: holeFrom - at, hole: false };
          yield { offset: holeFrom, length: holeTo - holeFrom, hole: true };
          at = holeTo;
        }
      }
      if (end > at) yield { offset: at, length: end - at, hole: false };
      at = end;
      if (at >= to || --left === 0) return;
    }
  }
}

/** Neighbours of one kind as one run. */
export function* joined(runs: Iterable<Run>): Generator<Run> {
  let last: Run | undefined;
  for (const run of runs) {
    if (last && last.hole === run.hole && last.offset + last.length === run.offset) {
      last = { ...last, length: last.length + run.length };
      continue;
    }
    if (last) yield last;
    last = run;
  }
  if (last) yield last;
}
