// Bitmaps, least significant bit first, as ext and FFS keep them.

/** Sets bits `from` (inclusive) to `to` (exclusive). */
export function setBits(map: Uint8Array, from: number, to: number): void {
  let bit = from;
  while (bit < to && (bit & 7) !== 0) setBit(map, bit++);
  const whole = to - ((to - bit) & 7);
  if (whole > bit) map.fill(0xff, bit / 8, whole / 8);
  for (bit = Math.max(bit, whole); bit < to; bit++) setBit(map, bit);
}

export function setBit(map: Uint8Array, bit: number): void {
  const index = Math.floor(bit / 8);
  map[index] = (map[index] as number) | (1 << (bit % 8));
}

export function testBit(map: Uint8Array, bit: number): boolean {
  return ((map[Math.floor(bit / 8)] ?? 0) & (1 << (bit % 8))) !== 0;
}
