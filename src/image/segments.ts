// Segments: runs of an image's units (blocks, fragments) that hold something of an owner, in columns: a million of them are
// a few arrays. Formats place by sweeps of their own, and try several sizes; a try that failed hands its room to the next.

import type { MappedRun } from "./ranges.ts";

/** The kind of segments that hold an owner's data. Formats number their further kinds from 1 on. */
export const DATA = 0;

/** Room for the few segments that are not the only one of an owner. */
const MORE = 64;

/** Segments in the order in which they were placed; those of one owner follow each other. */
export class Segments {
  /** Where each starts in the image. */
  start: Float64Array<ArrayBuffer>;
  count: Float64Array<ArrayBuffer>;
  /** Its first unit, among those that the owner has of its kind. */
  logical: Float64Array<ArrayBuffer>;
  ownerOf: Uint32Array<ArrayBuffer>;
  kind: Uint8Array<ArrayBuffer>;
  segments = 0;
  /** Per owner: its first segment, and one behind its last one. */
  readonly first: Uint32Array;
  readonly last: Uint32Array;

  /** `spare` is a try with as many owners that nobody looks at again. */
  constructor(owners: number, spare: Segments | undefined) {
    const room = owners + MORE;
    this.start = spare?.start ?? new Float64Array(room);
    this.count = spare?.count ?? new Float64Array(room);
    this.logical = spare?.logical ?? new Float64Array(room);
    this.ownerOf = spare?.ownerOf ?? new Uint32Array(room);
    this.kind = spare?.kind ?? new Uint8Array(room);
    this.first = spare?.first.fill(0) ?? new Uint32Array(owners);
    this.last = spare?.last.fill(0) ?? new Uint32Array(owners);
  }

  /** Adds one behind the last; gives its index. */
  protected add(kind: number, owner: number, logical: number, start: number, count: number): number {
    if (this.segments === this.start.length) this.grow();
    const i = this.segments++;
    this.start[i] = start;
    this.count[i] = count;
    this.logical[i] = logical;
    this.ownerOf[i] = owner;
    this.kind[i] = kind;
    return i;
  }

  protected grow(): void {
    this.start = wider(this.start, new Float64Array(this.start.length * 2));
    this.count = wider(this.count, new Float64Array(this.count.length * 2));
    this.logical = wider(this.logical, new Float64Array(this.logical.length * 2));
    this.ownerOf = wider(this.ownerOf, new Uint32Array(this.ownerOf.length * 2));
    this.kind = wider(this.kind, new Uint8Array(this.kind.length * 2));
  }

  /** Whether an owner has one segment, of data: what nearly all files have. */
  isPlain(owner: number): boolean {
    const first = this.first[owner] as number;
    return (this.last[owner] as number) === first + 1 && this.kind[first] === DATA;
  }

  /** The data runs of an owner. */
  runsOf(owner: number): MappedRun[] {
    const runs: MappedRun[] = [];
    for (let i = this.first[owner] as number; i < (this.last[owner] as number) && this.kind[i] === DATA; i++) {
      runs.push({ logical: this.logical[i] as number, physical: this.start[i] as number, count: this.count[i] as number });
    }
    return runs;
  }

  /** All units of an owner. */
  unitsOf(owner: number): number {
    let total = 0;
    for (let i = this.first[owner] as number; i < (this.last[owner] as number); i++) total += this.count[i] as number;
    return total;
  }

  /** Where unit `logical` of a kind lies, looked for among the segments from `from` to `to`. */
  protected locate(from: number, to: number, kind: number, logical: number): number {
    for (let i = from; i < to; i++) {
      if (this.kind[i] !== kind) continue;
      const offset = logical - (this.logical[i] as number);
      if (offset >= 0 && offset < (this.count[i] as number)) return (this.start[i] as number) + offset;
    }
    throw new Error(`bug in fsynth: unit ${logical} of kind ${kind} was never placed`);
  }
}

/** `larger` with what `array` holds. */
export function wider<T extends { set(from: T): void }>(array: T, larger: T): T {
  larger.set(array);
  return larger;
}
