// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) eight bytes a step, and CRC-16 (reflected 0xA001).
// Both are the raw registers of the kernel: the caller gives the start value, nothing is inverted at the end.

const T = makeTables();

function makeTables(): Uint32Array {
  const table = new Uint32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let c = i;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
    table[i] = c;
  }
  for (let i = 256; i < 2048; i++) {
    const before = table[i - 256] as number;
    table[i] = (before >>> 8) ^ (table[before & 0xff] as number);
  }
  return table;
}

/** CRC-32C of `bytes[from..to)`, continued from `crc` (`0xffffffff` to start as ext4 does). */
export function crc32c(crc: number, bytes: Uint8Array, from = 0, to = bytes.length): number {
  let c = crc | 0;
  let i = from;
  // Element reads below stay inside `bytes` and the table, hence the casts from `number | undefined`.
  for (const end = to - 7; i < end; i += 8) {
    c ^=
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    c =
      (T[1792 + (c & 0xff)] as number) ^
      (T[1536 + ((c >>> 8) & 0xff)] as number) ^
      (T[1280 + ((c >>> 16) & 0xff)] as number) ^
      (T[1024 + (c >>> 24)] as number) ^
      (T[768 + (bytes[i + 4] as number)] as number) ^
      (T[512 + (bytes[i + 5] as number)] as number) ^
      (T[256 + (bytes[i + 6] as number)] as number) ^
      (T[bytes[i + 7] as number] as number);
  }
  for (; i < to; i++) c = (c >>> 8) ^ (T[(c ^ (bytes[i] as number)) & 0xff] as number);
  return c >>> 0;
}

/** CRC-32C of the 32-bit little-endian `value`, continued from `crc`. */
export function crc32cLe32(crc: number, value: number): number {
  let c = crc | 0;
  for (let shift = 0; shift < 32; shift += 8) c = (c >>> 8) ^ (T[(c ^ (value >>> shift)) & 0xff] as number);
  return c >>> 0;
}

/** CRC-16 of `bytes[from..to)`, continued from `crc` (`0xffff` to start as ext4's group descriptors do). */
export function crc16(crc: number, bytes: Uint8Array, from = 0, to = bytes.length): number {
  let c = crc;
  for (let i = from; i < to; i++) {
    c ^= bytes[i] as number;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xa001 : c >>> 1;
  }
  return c;
}
