// Copy-on-write in memory: what clients wrote lies over a disk that stays as it is. Blocks are kept where they were written;
// blocks of zeros take no room of their own.

import { BLOCK, type Disk, joined, NoSpace, type Run, type WritableDisk } from "./disk.ts";

/** Blocks that one entry of the map stands for. */
const PER_CHUNK = 1024;

/** Blocks of memory taken at once. */
const PER_SLAB = 64;

/** A block that was not written. */
const BASE = -1;
/** A block of zeros. */
const ZERO = -2;

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
  readonly #slabs: Uint8Array[] = [];
  readonly #free: number[] = [];
  #used = 0;

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

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = offset, end = offset + bytes.length; at < end; ) {
      const block = Math.floor(at / BLOCK);
      const stop = Math.min((block + 1) * BLOCK, end);
      const room = (await this.#copied(block, stop - at < this.#lengthOf(block))).subarray(at % BLOCK);
      room.set(bytes.subarray(at - offset, stop - offset));
      at = stop;
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    for (let at = offset, end = offset + length; at < end; ) {
      const block = Math.floor(at / BLOCK);
      const chunk = Math.floor(block / PER_CHUNK);
      const chunkEnd = Math.min((chunk + 1) * PER_CHUNK * BLOCK, this.size);
      if (at === chunk * PER_CHUNK * BLOCK && end >= chunkEnd) {
        this.#zeroChunk(chunk);
        at = chunkEnd;
        continue;
      }
      const stop = Math.min((block + 1) * BLOCK, end);
      if (stop - at === this.#lengthOf(block)) this.#zeroBlock(block);
      else if (this.#state(block) !== ZERO) (await this.#copied(block, true)).fill(0, at % BLOCK, (at % BLOCK) + stop - at);
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
      if (state === ZERO) part.fill(0);
      else part.set(this.#memory(state).subarray(from % BLOCK, (from % BLOCK) + part.length));
    }
  }

  #lengthOf(block: number): number {
    return Math.min(BLOCK, this.size - block * BLOCK);
  }

  #state(block: number): number {
    return this.#chunks.get(Math.floor(block / PER_CHUNK))?.[block % PER_CHUNK] ?? BASE;
  }

  /** The memory of a block that is to be written; with what it held before, where `keep`. */
  async #copied(block: number, keep: boolean): Promise<Uint8Array> {
    let before: Uint8Array | undefined;
    if (keep && this.#state(block) === BASE) {
      before = new Uint8Array(this.#lengthOf(block));
      const pending = this.base.read(block * BLOCK, before);
      if (pending) await pending;
    }
    // Another client may have written it meanwhile; from here on nothing waits.
    const state = this.#state(block);
    if (state >= 0) return this.#memory(state);
    const states = this.#listOf(block);
    const place = this.#take();
    states[block % PER_CHUNK] = place;
    const memory = this.#memory(place);
    memory.fill(0);
    if (state === BASE && before) memory.set(before);
    return memory;
  }

  #zeroBlock(block: number): void {
    const state = this.#state(block);
    if (state === ZERO) return;
    this.#listOf(block)[block % PER_CHUNK] = ZERO;
    if (state >= 0) this.#give(state);
  }

  #zeroChunk(chunk: number): void {
    const before = this.#chunks.get(chunk);
    if (before === allZero) return;
    if (before === undefined) this.#charge(ZERO_COST);
    else {
      for (const state of before) if (state >= 0) this.#give(state);
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

  #memory(place: number): Uint8Array {
    const start = (place % PER_SLAB) * BLOCK;
    return (this.#slabs[Math.floor(place / PER_SLAB)] as Uint8Array).subarray(start, start + BLOCK); // places lie in slabs
  }

  #take(): number {
    this.#charge(BLOCK);
    if (this.#free.length === 0) {
      const first = this.#slabs.length * PER_SLAB;
      this.#slabs.push(new Uint8Array(PER_SLAB * BLOCK));
      for (let i = PER_SLAB - 1; i >= 0; i--) this.#free.push(first + i);
    }
    return this.#free.pop() as number; // filled above
  }

  #give(place: number): void {
    this.#free.push(place);
    this.#used -= BLOCK;
  }

  #charge(bytes: number): void {
    if (this.#used + bytes > this.limit) throw new NoSpace(`the overlay holds its ${this.limit} bytes`);
    this.#used += bytes;
  }
}
