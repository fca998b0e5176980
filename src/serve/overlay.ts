// Copy-on-write in memory: what clients wrote lies over a disk that stays as it is. Blocks are kept where they were written;
// blocks of zeros take no room of their own.

import { BLOCK, type Disk, joined, NoSpace, type Run, type WritableDisk } from "./disk.ts";
import { LARGEST_PAYLOAD } from "./protocol.ts";
import { Slabs } from "./slabs.ts";

/** Blocks that one entry of the map stands for. */
const PER_CHUNK = 1024;

/** A block that was not written. */
const BASE = -1;
/** A block of zeros that nobody stored. */
const ZERO = -2;
/** A block of zeros for which there is room. */
const SOLID = -3;

/** What an entry of the map costs besides the blocks themselves, bytes. */
const CHUNK_COST = PER_CHUNK * 4 + 128;
/** What one costs that is nothing but zeros, bytes: they all share one list. */
const ZERO_COST = 64;

const allZero = new Int32Array(PER_CHUNK).fill(ZERO);

/** A disk over another one. */
export class Overlay implements WritableDisk {
  readonly size: number;
  /** By chunk: of each block its place in memory, or what it is instead. */
  readonly #chunks = new Map<number, Int32Array>();
  readonly #slabs = new Slabs();
  #used = 0;
  /** What writes take that are still coming in. */
  #held = 0;

  /** `limit`: how many bytes of memory it may take. */
  constructor(
    readonly base: Disk,
    readonly limit: number,
  ) {
    this.size = base.size;
  }

  /** Bytes of memory in use. */
  get used(): number {
    return this.#used;
  }

  read(offset: number, target: Uint8Array): void | Promise<void> {
    const end = offset + target.length;
    const pending: Promise<void>[] = [];
    for (const { from, to, state } of this.#stretches(offset, end)) {
      const done = state === BASE ? this.base.read(from, target.subarray(from - offset, to - offset)) : undefined;
      if (done) pending.push(done);
    }
    // What is written while the base is waited for lies over it, too.
    if (pending.length > 0) return Promise.all(pending).then(() => this.#cover(offset, target));
    this.#cover(offset, target);
  }

  hold(bytes: number): void {
    // What is there may be written over even when the limit is reached.
    if (bytes > 0 && this.#used + this.#held + bytes > this.limit + LARGEST_PAYLOAD) throw this.#noSpace();
    this.#held += bytes;
  }

  async write(offset: number, parts: readonly Uint8Array[]): Promise<void> {
    const end = offset + parts.reduce((sum, { length }) => sum + length, 0);
    const edges = await this.#edges(offset, end);
    // From here on nothing waits, so that others see all of it or nothing.
    this.#demand(offset, end);
    let at = offset;
    for (const part of parts) {
      for (let done = 0; done < part.length; ) {
        const block = Math.floor(at / BLOCK);
        const count = Math.min((block + 1) * BLOCK - at, part.length - done);
        this.#own(block, edges.get(block)).set(part.subarray(done, done + count), at % BLOCK);
        done += count;
        at += count;
      }
    }
  }

  async zero(offset: number, length: number, solid: boolean): Promise<void> {
    const end = offset + length;
    const edges = await this.#edges(offset, end);
    if (solid) this.#demand(offset, end);
    for (let at = offset; at < end; ) {
      const block = Math.floor(at / BLOCK);
      const chunk = Math.floor(block / PER_CHUNK);
      const chunkEnd = Math.min((chunk + 1) * PER_CHUNK * BLOCK, this.size);
      if (!solid && at === chunk * PER_CHUNK * BLOCK && end >= chunkEnd) {
        this.#zeroChunk(chunk);
        at = chunkEnd;
        continue;
      }
      const stop = Math.min((block + 1) * BLOCK, end);
      if (stop - at === this.#lengthOf(block)) this.#zeroBlock(block, solid ? SOLID : ZERO);
      else if (solid || this.#state(block) !== ZERO)
        this.#own(block, edges.get(block)).fill(0, at % BLOCK, (at % BLOCK) + stop - at);
      at = stop;
    }
  }

  runs(from: number, to: number): Iterable<Run> {
    return joined(this.#runs(from, to));
  }

  *#runs(from: number, to: number): Generator<Run> {
    for (const { from: start, to: end, state } of this.#stretches(from, to)) {
      if (state !== BASE) {
        yield { offset: start, length: end - start, hole: state === ZERO };
        continue;
      }
      let at = start;
      for (const run of this.base.runs(start, end)) {
        yield run;
        at = run.offset + run.length;
      }
      if (at < end) return;
    }
  }

  /** The blocks of a range; neighbours that were not written, or are zeros, together. */
  *#stretches(from: number, to: number): Generator<{ readonly from: number; readonly to: number; readonly state: number }> {
    for (let at = from; at < to; ) {
      const first = Math.floor(at / BLOCK);
      const states = this.#chunks.get(Math.floor(first / PER_CHUNK));
      const chunkEnd = (Math.floor(first / PER_CHUNK) + 1) * PER_CHUNK;
      const last = Math.min(chunkEnd, Math.ceil(to / BLOCK));
      const state = states ? (states[first % PER_CHUNK] as number) : BASE; // a list has a place for each block
      let next = states && states !== allZero ? first + 1 : last;
      while (next < last && states?.[next % PER_CHUNK] === state) next++;
      const end = Math.min(next * BLOCK, to);
      yield { from: at, to: end, state };
      at = end;
    }
  }

  /** Puts what was written over the bytes of the base. */
  #cover(offset: number, target: Uint8Array): void {
    const end = offset + target.length;
    for (const { from, to, state } of this.#stretches(offset, end)) {
      if (state === BASE) continue;
      const part = target.subarray(from - offset, to - offset);
      if (state === ZERO || state === SOLID) part.fill(0);
      else part.set(this.#slabs.memory(state).subarray(from % BLOCK, (from % BLOCK) + part.length));
    }
  }

  #lengthOf(block: number): number {
    return Math.min(BLOCK, this.size - block * BLOCK);
  }

  #state(block: number): number {
    return this.#chunks.get(Math.floor(block / PER_CHUNK))?.[block % PER_CHUNK] ?? BASE;
  }

  /** What the base holds in the first and the last block of a range, where only a part of them is to be written. */
  async #edges(offset: number, end: number): Promise<ReadonlyMap<number, Uint8Array>> {
    const edges = new Map<number, Uint8Array>();
    if (offset === end) return edges;
    for (const block of new Set([Math.floor(offset / BLOCK), Math.floor((end - 1) / BLOCK)])) {
      const start = block * BLOCK;
      const length = this.#lengthOf(block);
      if ((offset <= start && end >= start + length) || this.#state(block) !== BASE) continue;
      const before = new Uint8Array(length);
      const pending = this.base.read(start, before);
      if (pending) await pending;
      edges.set(block, before);
    }
    return edges;
  }

  /** Throws {@link NoSpace} unless there is room for every block of a range. */
  #demand(offset: number, end: number): void {
    let bytes = 0;
    const last = Math.ceil(end / BLOCK);
    for (let block = Math.floor(offset / BLOCK); block < last; ) {
      const chunk = Math.floor(block / PER_CHUNK);
      const states = this.#chunks.get(chunk);
      const stop = Math.min((chunk + 1) * PER_CHUNK, last);
      if (states === undefined) bytes += CHUNK_COST;
      else if (states === allZero) bytes += CHUNK_COST - ZERO_COST;
      for (; block < stop; block++) {
        const state = states?.[block % PER_CHUNK] ?? BASE;
        if (state === BASE || state === ZERO) bytes += BLOCK;
      }
    }
    if (this.#used + bytes > this.limit) throw this.#noSpace();
  }

  /** The memory of a block that is to be written, holding what it held; `before`: what the base held, where that was read. */
  #own(block: number, before: Uint8Array | undefined): Uint8Array {
    const state = this.#state(block);
    if (state >= 0) return this.#slabs.memory(state);
    const states = this.#listOf(block);
    if (state !== SOLID) this.#charge(BLOCK);
    const place = this.#slabs.take();
    states[block % PER_CHUNK] = place;
    const memory = this.#slabs.memory(place);
    memory.fill(0);
    if (state === BASE && before) memory.set(before);
    return memory;
  }

  #zeroBlock(block: number, to: typeof ZERO | typeof SOLID): void {
    const state = this.#state(block);
    if (state === to) return;
    const states = this.#listOf(block);
    if (to === SOLID && state < 0) this.#charge(BLOCK);
    states[block % PER_CHUNK] = to;
    if (state >= 0) this.#slabs.give(state);
    if (to === ZERO && (state >= 0 || state === SOLID)) this.#used -= BLOCK;
  }

  #zeroChunk(chunk: number): void {
    const before = this.#chunks.get(chunk);
    if (before === allZero) return;
    if (before === undefined) this.#charge(ZERO_COST);
    else {
      for (const state of before) {
        if (state >= 0) this.#slabs.give(state);
        if (state >= 0 || state === SOLID) this.#used -= BLOCK;
      }
      this.#used -= CHUNK_COST - ZERO_COST;
    }
    this.#chunks.set(chunk, allZero);
  }

  /** The list of a block's chunk, its own. */
  #listOf(block: number): Int32Array {
    const chunk = Math.floor(block / PER_CHUNK);
    const before = this.#chunks.get(chunk);
    if (before !== undefined && before !== allZero) return before;
    this.#charge(before ? CHUNK_COST - ZERO_COST : CHUNK_COST);
    const states = new Int32Array(PER_CHUNK).fill(before ? ZERO : BASE);
    this.#chunks.set(chunk, states);
    return states;
  }

  #noSpace(): NoSpace {
    return new NoSpace(`the overlay holds its ${this.limit} bytes`);
  }

  #charge(bytes: number): void {
    if (this.#used + bytes > this.limit) throw this.#noSpace();
    this.#used += bytes;
  }
}
