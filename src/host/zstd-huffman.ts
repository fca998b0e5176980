// The Huffman coding of zstd's literals (RFC 8878, section 4.2).

import { emptyTable, highBit, readTable } from "./zstd-fse.ts";

const MAX_BITS = 11;

/** A decoding table: for each `bits` bits the symbol in the upper byte and its length in the lower. */
export interface HuffmanTable {
  bits: number;
  readonly entries: Uint16Array;
}

export function emptyHuffman(): HuffmanTable {
  return { bits: 0, entries: new Uint16Array(2 ** MAX_BITS) };
}

const weights = new Uint8Array(256);
const weightTable = emptyTable();

/** Reads the description of a tree (section 4.2.1) from byte `at`; gives the byte behind it, -1 when it breaks the rules. */
export function readHuffman(table: HuffmanTable, view: DataView, at: number, end: number): number {
  if (at >= end) return -1;
  const head = view.getUint8(at);
  let next: number;
  let count: number;
  if (head >= 128) {
    count = head - 127;
    next = at + 1 + ((count + 1) >> 1);
    if (next > end) return -1;
    for (let i = 0; i < count; i++) {
      const byte = view.getUint8(at + 1 + (i >> 1));
      weights[i] = i % 2 === 0 ? byte >> 4 : byte & 15;
    }
  } else {
    next = at + 1 + head;
    if (next > end) return -1;
    const stream = readTable(weightTable, view, at + 1, next, 6, MAX_BITS + 1);
    count = stream < 0 ? -1 : readWeights(view, stream, next);
    if (count < 0) return -1;
  }
  return buildHuffman(table, count) ? next : -1;
}

/** Two states take turns until the bits run out (section 4.2.1.2). */
function readWeights(view: DataView, from: number, to: number): number {
  let bit = startOf(view, from, to);
  const start = from * 8;
  const { log, symbol, bits, base } = weightTable;
  if (bit < start + 2 * log) return -1;
  let a = bitsAt(view, (bit -= log), log);
  let b = bitsAt(view, (bit -= log), log);
  for (let count = 0; count < 254; ) {
    // States come out of the table and are in it.
    weights[count++] = symbol[a] as number;
    const width = bits[a] as number;
    if (bit - width < start) {
      weights[count++] = symbol[b] as number;
      return count;
    }
    a = (base[a] as number) + bitsAt(view, (bit -= width), width);
    const swap = a;
    a = b;
    b = swap;
  }
  return -1;
}

function buildHuffman(table: HuffmanTable, given: number): boolean {
  let sum = 0;
  for (let i = 0; i < given; i++) {
    const weight = weights[i] as number; // given is at most 255
    if (weight > MAX_BITS) return false;
    sum += weight === 0 ? 0 : 1 << (weight - 1);
  }
  if (sum === 0) return false;
  const bits = highBit(sum) + 1;
  const left = (1 << bits) - sum;
  // The last weight is not written: it makes the sum a power of two.
  if (bits > MAX_BITS || (left & (left - 1)) !== 0) return false;
  weights[given] = highBit(left) + 1;
  table.bits = bits;
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    for (let symbol = 0; symbol <= given; symbol++) {
      if (weights[symbol] !== weight) continue;
      const span = 1 << (weight - 1);
      table.entries.fill((symbol << 8) | (bits + 1 - weight), at, at + span);
      at += span;
    }
  }
  return true;
}

/** Decodes the stream in bytes `[from, to)` to exactly `count` literals; tells whether it was one. */
export function readLiterals(
  table: HuffmanTable,
  view: DataView,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
  count: number,
): boolean {
  const start = from * 8;
  let bit = startOf(view, from, to);
  if (bit < start) return false;
  const { bits, entries } = table;
  const mask = (1 << bits) - 1;
  const end = at + count;
  let i = at;
  // Two symbols of at most 11 bits and a shift of at most 7 fit in 32 bits.
  for (const safe = start + 32; i + 1 < end && bit >= safe; ) {
    const low = bit - 2 * MAX_BITS;
    const word = view.getUint32(low >>> 3, true) >>> (low & 7);
    const first = entries[(word >>> (2 * MAX_BITS - bits)) & mask] as number; // masked
    const used = first & 0xff;
    const second = entries[(word >>> (2 * MAX_BITS - bits - used)) & mask] as number;
    out[i] = first >>> 8;
    out[i + 1] = second >>> 8;
    i += 2;
    bit -= used + (second & 0xff);
  }
  for (; i < end; i++) {
    const low = bit - bits;
    // In front of the stream stand zeros.
    const index = low >= start ? bitsAt(view, low, bits) : bit > start ? bitsAt(view, start, bit - start) << (start - low) : 0;
    const entry = entries[index & mask] as number; // masked
    out[i] = entry >>> 8;
    bit -= entry & 0xff;
    if (bit < start) return false;
  }
  return bit === start;
}

/** The bit behind the last one of a stream that is read backwards: the highest set bit of its last byte marks it. -1 when there is none. */
export function startOf(view: DataView, from: number, to: number): number {
  if (to <= from) return -1;
  const last = view.getUint8(to - 1);
  return last === 0 ? -1 : (to - 1) * 8 + highBit(last);
}

/** `width` bits (at most 25) from bit `bit` on. */
export function bitsAt(view: DataView, bit: number, width: number): number {
  return (view.getUint32(bit >>> 3, true) >>> (bit & 7)) & ((1 << width) - 1);
}
