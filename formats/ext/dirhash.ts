// The hash that orders an htree: half MD4 over the name's bytes, taken as unsigned, from the seed of the superblock.
// Specification: Linux fs/ext4/hash.c, Documentation/filesystems/ext4/directory.rst ("Hash Tree Directories").

const K2 = 0x5a827999;
const K3 = 0x6ed9eba1;

/** The four words of a hash seed (s_hash_seed); all zero stands for MD4's own start values. */
export function seedWords(seed: Uint8Array): Uint32Array {
  const view = new DataView(seed.buffer, seed.byteOffset, 16);
  const words = Uint32Array.of(
    view.getUint32(0, true),
    view.getUint32(4, true),
    view.getUint32(8, true),
    view.getUint32(12, true),
  );
  return words.some((word) => word !== 0) ? words : Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
}

const input = new Int32Array(8);

/**
 * Major hash of the name `bytes[from..to)`: 32 bits, the lowest always 0 (an htree keeps its continuation mark there).
 */
export function halfMd4(bytes: Uint8Array, from: number, to: number, seed: Uint32Array): number {
  let a = (seed[0] as number) | 0; // seeds have four words
  let b = (seed[1] as number) | 0;
  let c = (seed[2] as number) | 0;
  let d = (seed[3] as number) | 0;
  for (let at = from; at < to; at += 32) {
    fill(bytes, at, to);
    const [x0, x1, x2, x3, x4, x5, x6, x7] = input as unknown as [number, number, number, number, number, number, number, number];
    const a0 = a;
    const b0 = b;
    const c0 = c;
    const d0 = d;
    a = f(a, b, c, d, x0, 3);
    d = f(d, a, b, c, x1, 7);
    c = f(c, d, a, b, x2, 11);
    b = f(b, c, d, a, x3, 19);
    a = f(a, b, c, d, x4, 3);
    d = f(d, a, b, c, x5, 7);
    c = f(c, d, a, b, x6, 11);
    b = f(b, c, d, a, x7, 19);
    a = g(a, b, c, d, x1, 3);
    d = g(d, a, b, c, x3, 5);
    c = g(c, d, a, b, x5, 9);
    b = g(b, c, d, a, x7, 13);
    a = g(a, b, c, d, x0, 3);
    d = g(d, a, b, c, x2, 5);
    c = g(c, d, a, b, x4, 9);
    b = g(b, c, d, a, x6, 13);
    a = h(a, b, c, d, x3, 3);
    d = h(d, a, b, c, x7, 9);
    c = h(c, d, a, b, x2, 11);
    b = h(b, c, d, a, x6, 15);
    a = h(a, b, c, d, x1, 3);
    d = h(d, a, b, c, x5, 9);
    c = h(c, d, a, b, x0, 11);
    b = h(b, c, d, a, x4, 15);
    a = (a + a0) | 0;
    b = (b + b0) | 0;
    c = (c + c0) | 0;
    d = (d + d0) | 0;
  }
  return (b & ~1) >>> 0;
}

/** Packs up to 32 bytes from `at` into eight words; what is left over reads as the remaining length, repeated. */
function fill(bytes: Uint8Array, at: number, to: number): void {
  const length = to - at;
  let pad = (length | (length << 8)) & 0xffff;
  pad |= pad << 16;
  const used = Math.min(length, 32);
  let word = pad;
  let k = 0;
  for (let i = 0; i < used; i++) {
    word = (bytes[at + i] as number) + (word << 8); // at + i is before `to`
    if ((i & 3) === 3) {
      input[k++] = word;
      word = pad;
    }
  }
  if (k < 8) input[k++] = word;
  while (k < 8) input[k++] = pad;
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

function f(a: number, b: number, c: number, d: number, x: number, by: number): number {
  return rotate((a + (d ^ (b & (c ^ d))) + x) | 0, by);
}

function g(a: number, b: number, c: number, d: number, x: number, by: number): number {
  return rotate((a + ((b & c) + ((b ^ c) & d)) + x + K2) | 0, by);
}

function h(a: number, b: number, c: number, d: number, x: number, by: number): number {
  return rotate((a + (b ^ c ^ d) + x + K3) | 0, by);
}
