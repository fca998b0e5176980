// Differing bytes of two images, with the records and fields that they belong to.

import { firstDifference, firstSame } from "../bytes/difference.ts";
import { FsynthError } from "../error.ts";
import { Turns } from "../host/turn.ts";
import type { Progress } from "../image/image.ts";
import type { ImageBytes, Owned, UsedRun, Volume } from "../image/volume.ts";

/** An image's bytes, and what they mean. */
export interface MeantBytes {
  readonly bytes: ImageBytes;
  readonly volume: Volume;
}

/** A range of differing bytes, all of which belong to one record, field or content. */
export interface ByteRange {
  /** Its first differing byte, counted from the start of the images. */
  readonly offset: number;
  /** Bytes, to its last differing one. */
  readonly length: number;
  /** How many of them differ. */
  readonly differing: number;
  /** What it belongs to in the first image, such as `group 3, inode 412, i_mtime`. */
  readonly what: string;
  /** What it belongs to in the second, where that is something else. */
  readonly elsewhere: string | undefined;
  /** The first bytes of the range in the first image, 16 at most. */
  readonly a: Uint8Array;
  /** The same of the second image. */
  readonly b: Uint8Array;
}

/** The bytes in which two images differ. */
export interface ByteDifferences {
  /** Bytes of either image. What one has more is not compared. */
  readonly sizes: readonly [a: number, b: number];
  /** How many bytes of the part that both have differ. */
  readonly differing: number;
  /** The first ranges, ascending. */
  readonly ranges: readonly ByteRange[];
  /** How many differing bytes the ranges hold. */
  readonly shown: number;
  /** All differing bytes by what they are used for in the first image, most first. */
  readonly uses: readonly { readonly use: string; readonly bytes: number }[];
}

/** How many ranges are told of when nothing else is said. */
export const RANGES = 20;

/** Bytes read at once. */
const WINDOW = 1 << 20;
/** Bytes of a range that are shown. */
const SAMPLE = 16;
/** Differing bytes of one bitmap that lie nearer than this are one range. */
const NEAR = 4096;

/**
 * Compares two images byte for byte, in bounded memory. All of what both have is read.
 *
 * Throws what reading throws. An owner that a damaged image does not tell is `unknown`, with the reason.
 */
export async function diffBytes(
  a: MeantBytes,
  b: MeantBytes,
  options: { readonly ranges?: number | undefined; readonly onProgress?: ((progress: Progress) => void) | undefined } = {},
): Promise<ByteDifferences> {
  const total = Math.min(a.bytes.size, b.bytes.size);
  const ranges = new Ranges(a, b, options.ranges ?? RANGES, total);
  const uses = new Uses(a.volume);
  let differing = 0;
  const left = new Uint8Array(Math.min(WINDOW, total));
  const right = new Uint8Array(left.length);
  const turns = new Turns();
  for (let at = 0; at < total; at += WINDOW) {
    const length = Math.min(WINDOW, total - at);
    a.bytes.readAt(at, left.subarray(0, length));
    b.bytes.readAt(at, right.subarray(0, length));
    for (let from = firstDifference(left, right, 0, length); from < length; ) {
      const to = firstSame(left, right, from, length);
      differing += to - from;
      ranges.add(at + from, at + to);
      uses.add(at + from, at + to);
      from = firstDifference(left, right, to, length);
    }
    if (!turns.due()) continue;
    options.onProgress?.({ done: at + length, total });
    await turns.take();
  }
  return { sizes: [a.bytes.size, b.bytes.size], differing, ...ranges.finish(), uses: uses.finish() };
}

interface OpenRange {
  readonly offset: number;
  end: number;
  /** Up to where bytes belong to the same. */
  until: number;
  differing: number;
  what: string;
  /** Of owners of single bytes: the words that a neighbour must share to be joined. */
  readonly family: string | undefined;
}

/** Gathers the first ranges. */
class Ranges {
  readonly #all: OpenRange[] = [];
  #full = false;

  constructor(
    readonly a: MeantBytes,
    readonly b: MeantBytes,
    readonly limit: number,
    readonly total: number,
  ) {}

  /** Takes differing bytes, in ascending order. */
  add(from: number, to: number): void {
    for (let at = from; at < to && !this.#full; ) {
      const last = this.#all.at(-1);
      const range = last && at < last.until ? last : this.#next(at, last);
      if (!range) return;
      const end = Math.min(to, range.until);
      range.differing += end - at;
      range.end = end;
      at = end;
    }
  }

  /** The range that the byte at `at` starts or goes on; undefined when there are enough. */
  #next(at: number, last: OpenRange | undefined): OpenRange | undefined {
    const owned = ownerOf(this.a, at);
    const until = Math.min(Math.max(owned.offset + owned.length, at + 1), this.total);
    const family = owned.length === 1 ? familyOf(owned.what) : undefined;
    if (last && family !== undefined && last.family === family && at - last.end < NEAR) {
      last.until = until;
      last.what = `${last.what.split(" … ")[0]} … ${owned.what.slice(family.length)}`;
      return last;
    }
    if (this.#all.length === this.limit) {
      this.#full = true;
      return undefined;
    }
    const range = { offset: at, end: at, until, differing: 0, what: owned.what, family };
    this.#all.push(range);
    return range;
  }

  finish(): { readonly ranges: ByteRange[]; readonly shown: number } {
    const ranges = this.#all.map(({ offset, end, differing, what, family }) => {
      const length = end - offset;
      const other = ownerOf(this.b, offset).what;
      const same = family === undefined ? other === what : other.startsWith(family);
      const elsewhere = same ? undefined : other;
      const sample = Math.min(length, SAMPLE);
      return { offset, length, differing, what, elsewhere, a: read(this.a, offset, sample), b: read(this.b, offset, sample) };
    });
    return { ranges, shown: ranges.reduce((sum, { differing }) => sum + differing, 0) };
  }
}

/** `group 3, block bitmap, ` of `group 3, block bitmap, blocks 8 to 15`. */
function familyOf(what: string): string {
  return what.slice(0, what.lastIndexOf(", ") + 2);
}

function ownerOf({ volume, bytes }: MeantBytes, offset: number): Owned {
  try {
    return volume.locate(offset);
  } catch (error) {
    if (!(error instanceof FsynthError)) throw error;
    return { offset, length: bytes.size - offset, what: `unknown: ${error.message}` };
  }
}

function read({ bytes }: MeantBytes, offset: number, length: number): Uint8Array {
  const target = new Uint8Array(length);
  bytes.readAt(offset, target);
  return target;
}

/** Adds up differing bytes by use. What a damaged image does not tell is `unknown`. */
class Uses {
  readonly #bytes = new Map<string, number>();
  #runs: Iterator<UsedRun> | undefined;
  #run: UsedRun | undefined;

  constructor(readonly volume: Volume) {}

  /** Takes differing bytes, in ascending order. */
  add(from: number, to: number): void {
    for (let at = from; at < to; ) {
      this.#advance(at);
      const inRun = this.#run !== undefined && this.#run.offset <= at;
      const end = this.#run === undefined ? to : Math.min(to, inRun ? this.#run.offset + this.#run.length : this.#run.offset);
      const use = this.#run !== undefined && inRun ? this.#run.use : "unknown";
      this.#bytes.set(use, (this.#bytes.get(use) ?? 0) + end - at);
      at = end;
    }
  }

  /** To the run that ends behind `at`. Runs are not asked for before something differs. */
  #advance(at: number): void {
    try {
      this.#runs ??= this.volume.usage()[Symbol.iterator]();
      while (this.#run === undefined || this.#run.offset + this.#run.length <= at) {
        const { done, value } = this.#runs.next();
        if (done === true) {
          this.#run = undefined;
          this.#runs = [][Symbol.iterator]();
          return;
        }
        this.#run = value;
      }
    } catch (error) {
      if (!(error instanceof FsynthError)) throw error;
      this.#run = undefined;
      this.#runs = [][Symbol.iterator]();
    }
  }

  finish(): { readonly use: string; readonly bytes: number }[] {
    return [...this.#bytes].map(([use, bytes]) => ({ use, bytes })).sort((x, y) => y.bytes - x.bytes || (x.use < y.use ? -1 : 1));
  }
}
