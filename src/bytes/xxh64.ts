// XXH64 with seed 0, the checksum of zstd frames. Where there is no WebAssembly (xxh64-wasm.ts), 64-bit numbers are pairs of 32-bit
// halves: BigInt is a hundred times slower.
//
// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, "XXH64 Algorithm Description".

import { type TakeStripes, wasmStripes } from "./xxh64-wasm.ts";

const STRIPE = 32;

/** The five primes, high and low halves. */
const P1 = [0x9e3779b1, 0x85ebca87] as const;
const P2 = [0xc2b2ae3d, 0x27d4eb4f] as const;
const P3 = [0x165667b1, 0x9e3779f9] as const;
const P4 = [0x85ebca77, 0xc2b2ae63] as const;
const P5 = [0x27d4eb2f, 0x165667c5] as const;

/** A hash that is fed piece by piece. */
export class Xxh64 {
  /** Four accumulators: high, low, high, low, … */
  readonly #lanes = new Int32Array([0, 0, P2[0] | 0, P2[1] | 0, 0, 0, 0, 0]);
  readonly #rest = new Uint8Array(STRIPE);
  readonly #restView = new DataView(this.#rest.buffer);
  #restLength = 0;
  #length = 0;

  readonly #take: TakeStripes;

  /** `take` is for tests: what takes the stripes. */
  constructor(take: TakeStripes = fastest()) {
    this.#take = take;
    // P1 + P2, P2, 0, 0 - P1.
    const sumLow = (P1[1] >>> 0) + (P2[1] >>> 0);
    this.#lanes[0] = (P1[0] + P2[0] + (sumLow > 0xffff_ffff ? 1 : 0)) | 0;
    this.#lanes[1] = sumLow | 0;
    this.#lanes[6] = ~P1[0] | 0;
    this.#lanes[7] = -P1[1] | 0;
  }

  update(bytes: Uint8Array): void {
    this.#length += bytes.length;
    let at = 0;
    if (this.#restLength > 0) {
      at = Math.min(STRIPE - this.#restLength, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#restLength);
      this.#restLength += at;
      if (this.#restLength < STRIPE) return;
      this.#take(this.#lanes, this.#rest, 0, STRIPE);
      this.#restLength = 0;
    }
    const whole = bytes.length - ((bytes.length - at) % STRIPE);
    if (whole > at) this.#take(this.#lanes, bytes, at, whole);
    this.#rest.set(bytes.subarray(whole));
    this.#restLength = bytes.length - whole;
  }

  /** The low 32 bits of the hash: what a zstd frame stores. */
  low32(): number {
    return Number(this.digest() & 0xffff_ffffn);
  }

  /** The hash of everything so far. */
  digest(): bigint {
    const mask = 0xffff_ffff_ffff_ffffn;
    const [p1, p2, p3, p4, p5] = [P1, P2, P3, P4, P5].map(([high, low]) => wide(high, low)) as [
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & mask;
    const round = (acc: bigint, lane: bigint): bigint => (rotate((acc + lane * p2) & mask, 31n) * p1) & mask;
    let hash = p5;
    if (this.#length >= STRIPE) {
      const lanes = [0, 2, 4, 6].map((i) => wide(this.#lanes[i] as number, this.#lanes[i + 1] as number)); // eight halves
      hash = [1n, 7n, 12n, 18n].reduce((sum, bits, i) => sum + rotate(lanes[i] as bigint, bits), 0n) & mask;
      for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * p1 + p4) & mask;
    }
    hash = (hash + BigInt(this.#length)) & mask;
    let at = 0;
    for (; at + 8 <= this.#restLength; at += 8) {
      hash = (rotate(hash ^ round(0n, this.#restView.getBigUint64(at, true)), 27n) * p1 + p4) & mask;
    }
    if (at + 4 <= this.#restLength) {
      hash = (rotate(hash ^ ((BigInt(this.#restView.getUint32(at, true)) * p1) & mask), 23n) * p2 + p3) & mask;
      at += 4;
    }
    for (; at < this.#restLength; at++) {
      hash = (rotate(hash ^ ((BigInt(this.#rest[at] as number) * p5) & mask), 11n) * p1) & mask; // at is below 32
    }
    hash = ((hash ^ (hash >> 33n)) * p2) & mask;
    hash = ((hash ^ (hash >> 29n)) * p3) & mask;
    return hash ^ (hash >> 32n);
  }
}

function wide(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

let chosen: TakeStripes | undefined;

function fastest(): TakeStripes {
  chosen ??= wasmStripes() ?? plainStripes;
  return chosen;
}

/** Takes the stripes in `[from, to)`: each lane becomes rotl(lane + input * P2, 31) * P1. */
export function plainStripes(lanes: Int32Array, bytes: Uint8Array, from: number, to: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let lane = 0; lane < 4; lane++) {
    let high = lanes[lane * 2] as number; // eight halves
    let low = lanes[lane * 2 + 1] as number;
    for (let at = from + lane * 8; at < to; at += STRIPE) {
      const inLow = view.getInt32(at, true);
      const inHigh = view.getInt32(at + 4, true);
      // + input * P2
      let a0 = inLow & 0xffff;
      let a1 = inLow >>> 16;
      let p00 = Math.imul(a0, 0xeb4f);
      let p01 = Math.imul(a0, 0x27d4);
      let p10 = Math.imul(a1, 0xeb4f);
      let middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
      const upper =
        (Math.imul(a1, 0x27d4) +
          (p01 >>> 16) +
          (p10 >>> 16) +
          (middle >>> 16) +
          Math.imul(inLow, P2[0]) +
          Math.imul(inHigh, P2[1])) |
        0;
      const sum = (low >>> 0) + (((middle << 16) | (p00 & 0xffff)) >>> 0);
      high = (high + upper + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      low = sum | 0;
      // rotate left by 31
      const turned = (high << 31) | (low >>> 1);
      low = (low << 31) | (high >>> 1);
      high = turned;
      // * P1
      a0 = low & 0xffff;
      a1 = low >>> 16;
      p00 = Math.imul(a0, 0xca87);
      p01 = Math.imul(a0, 0x85eb);
      p10 = Math.imul(a1, 0xca87);
      middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
      high =
        (Math.imul(a1, 0x85eb) + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16) + Math.imul(low, P1[0]) + Math.imul(high, P1[1])) |
        0;
      low = (middle << 16) | (p00 & 0xffff);
    }
    lanes[lane * 2] = high;
    lanes[lane * 2 + 1] = low;
  }
}
