// The hashes that order an htree: the kernel's half MD4, TEA and the old one, over bytes taken as signed or unsigned. Written
// anew from the specification: a check that used the writer's hash would agree with it in every error.
// Specification: Linux fs/ext4/hash.c, Documentation/filesystems/ext4/directory.rst.

import { Superblock } from "../disk/superblock.ts";
import type { Super } from "../read/superblock.ts";

/** s_flags. */
const UNSIGNED = 0x2;
/** hash_version. */
export const HashVersion = { legacy: 0, halfMd4: 1, tea: 2, siphash: 6 } as const;
/** MD4's own start values, for a seed of zeros. */
const START = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];

/** Hash of a name, without the lowest bit. */
export type Hash = (name: Uint8Array) => number;

/** The hash of a version; undefined for those of casefolded names. */
export function hashOf(sb: Super, version: number): Hash | undefined {
  const { s_hash_seed, s_flags } = Superblock.f;
  const seed = s_hash_seed.get(sb.view, 0);
  const start = seed.some((word) => word !== 0) ? seed : START;
  const signed = (s_flags.get(sb.view, 0) & UNSIGNED) === 0;
  switch (version) {
    case HashVersion.legacy:
      return (name) => legacy(name, signed);
    case HashVersion.halfMd4:
      return (name) => halfMd4(name, start, signed);
    case HashVersion.tea:
      return (name) => tea(name, start, signed);
    default:
      return undefined;
  }
}

function characterOf(byte: number, signed: boolean): number {
  return signed ? (byte << 24) >> 24 : byte;
}

function legacy(name: Uint8Array, signed: boolean): number {
  let last = 0x12a3fe2d;
  let before = 0x37abe8f9;
  for (const byte of name) {
    let next = (before + (last ^ Math.imul(characterOf(byte, signed), 7152373))) >>> 0;
    if (next >= 0x8000_0000) next -= 0x7fff_ffff;
    before = last;
    last = next;
  }
  return ((last << 1) & ~1) >>> 0;
}

/** Four bytes a word, the first highest; behind the end stands what is left of the length, repeated. */
function wordsOf(name: Uint8Array, from: number, count: number, signed: boolean): Int32Array {
  const left = name.length - from;
  const padding = Math.imul(left | (left << 8), 0x10001);
  const words = new Int32Array(count).fill(padding);
  const used = Math.min(left, count * 4);
  for (let word = 0; word * 4 < used; word++) {
    let value = padding;
    for (let i = word * 4; i < Math.min(used, word * 4 + 4); i++) {
      value = (characterOf(name[from + i] as number, signed) + (value << 8)) | 0; // i is before the end
    }
    words[word] = value;
  }
  return words;
}

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

/** Per round: the constant, its function, the order of the words and the rotations. */
const ROUNDS = [
  { add: 0, mix: (b: number, c: number, d: number) => d ^ (b & (c ^ d)), order: [0, 1, 2, 3, 4, 5, 6, 7], by: [3, 7, 11, 19] },
  {
    add: 0x5a827999,
    mix: (b: number, c: number, d: number) => (b & c) + ((b ^ c) & d),
    order: [1, 3, 5, 7, 0, 2, 4, 6],
    by: [3, 5, 9, 13],
  },
  { add: 0x6ed9eba1, mix: (b: number, c: number, d: number) => b ^ c ^ d, order: [3, 7, 2, 6, 1, 5, 0, 4], by: [3, 9, 11, 15] },
] as const;

function halfMd4(name: Uint8Array, start: readonly number[], signed: boolean): number {
  let [a, b, c, d] = start.map((word) => word | 0) as [number, number, number, number];
  for (let from = 0; from < name.length; from += 32) {
    const words = wordsOf(name, from, 8, signed);
    const before = [a, b, c, d] as const;
    for (const { add, mix, order, by } of ROUNDS) {
      for (let i = 0; i < 8; i++) {
        const word = words[order[i] as number] as number; // both have eight
        const next = rotate((a + mix(b, c, d) + word + add) | 0, by[i & 3] as number);
        // The four values take turns.
        a = d;
        d = c;
        c = b;
        b = next;
      }
    }
    a = (a + before[0]) | 0;
    b = (b + before[1]) | 0;
    c = (c + before[2]) | 0;
    d = (d + before[3]) | 0;
  }
  return (b & ~1) >>> 0;
}

function tea(name: Uint8Array, start: readonly number[], signed: boolean): number {
  let [a, b] = start.map((word) => word | 0) as [number, number];
  for (let from = 0; from < name.length; from += 16) {
    const [k0, k1, k2, k3] = wordsOf(name, from, 4, signed) as unknown as [number, number, number, number];
    let x = a;
    let y = b;
    let sum = 0;
    for (let i = 0; i < 16; i++) {
      sum = (sum + 0x9e3779b9) | 0;
      x = (x + (((y << 4) + k0) ^ (y + sum) ^ ((y >>> 5) + k1))) | 0;
      y = (y + (((x << 4) + k2) ^ (x + sum) ^ ((x >>> 5) + k3))) | 0;
    }
    a = (a + x) | 0;
    b = (b + y) | 0;
  }
  return (a & ~1) >>> 0;
}
