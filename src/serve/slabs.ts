// Memory of an overlay: blocks out of larger pieces, which are given back when none of their blocks is in use.

import { BLOCK } from "./disk.ts";

/** Blocks of memory taken at once. */
const PER_SLAB = 64;

interface Slab {
  readonly bytes: Uint8Array;
  /** Which of its blocks are not in use. */
  readonly free: number[];
}

/** Blocks by number. */
export class Slabs {
  readonly #slabs: (Slab | undefined)[] = [];
  /** Slabs with a block that is not in use. */
  readonly #roomy = new Set<number>();
  /** Numbers of slabs that were given back. */
  readonly #vacant: number[] = [];

  /** The memory of a block that was taken. */
  memory(place: number): Uint8Array {
    const start = (place % PER_SLAB) * BLOCK;
    return this.#of(Math.floor(place / PER_SLAB)).bytes.subarray(start, start + BLOCK);
  }

  /** A block; what it holds is left from before. */
  take(): number {
    const [roomy] = this.#roomy;
    const number = roomy ?? this.#make();
    const { free } = this.#of(number);
    const block = free.pop() as number; // a slab with room has one
    if (free.length === 0) this.#roomy.delete(number);
    return number * PER_SLAB + block;
  }

  give(place: number): void {
    const number = Math.floor(place / PER_SLAB);
    const { free } = this.#of(number);
    free.push(place % PER_SLAB);
    this.#roomy.add(number);
    if (free.length < PER_SLAB) return;
    this.#roomy.delete(number);
    this.#slabs[number] = undefined;
    this.#vacant.push(number);
  }

  #make(): number {
    const number = this.#vacant.pop() ?? this.#slabs.length;
    const free = Array.from({ length: PER_SLAB }, (_, i) => PER_SLAB - 1 - i);
    this.#slabs[number] = { bytes: new Uint8Array(PER_SLAB * BLOCK), free };
    this.#roomy.add(number);
    return number;
  }

  #of(number: number): Slab {
    return this.#slabs[number] as Slab; // callers hold a block of it
  }
}
