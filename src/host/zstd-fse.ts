// Finite state entropy, the coding of zstd's sequences and Huffman weights (RFC 8878, section 4.1).

/** What a table of `log` bits decodes: for each state its symbol, how many bits to read, and what to add them to for the next state. */
export interface FseTable {
  log: number;
  readonly symbol: Uint8Array;
  readonly bits: Uint8Array;
  readonly base: Uint16Array;
}

/** Largest table: literal and match lengths have 9 bits. */
const MAX_LOG = 9;

export function emptyTable(): FseTable {
  const size = 2 ** MAX_LOG;
  return { log: 0, symbol: new Uint8Array(size), bits: new Uint8Array(size), base: new Uint16Array(size) };
}

/** The highest set bit of a number above 0. */
export function highBit(value: number): number {
  return 31 - Math.clz32(value);
}

const next = new Uint16Array(256);

/** Fills `table` from `counts`, -1 standing for "less than one" (section 4.1.1). */
export function buildTable(table: FseTable, counts: Int16Array | readonly number[], symbols: number, log: number): boolean {
  const size = 1 << log;
  const { symbol, bits, base } = table;
  table.log = log;
  let high = size - 1;
  for (let s = 0; s < symbols; s++) {
    const count = counts[s] as number; // below `symbols`
    if (count === -1) symbol[high--] = s;
    next[s] = count === -1 ? 1 : count;
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  for (let s = 0; s < symbols; s++) {
    const count = counts[s] as number;
    for (let i = 0; i < count; i++) {
      symbol[at] = s;
      do at = (at + step) & (size - 1);
      while (at > high);
    }
  }
  if (at !== 0) return false;
  for (let i = 0; i < size; i++) {
    const s = symbol[i] as number; // every state was given one
    const state = next[s] as number;
    next[s] = state + 1;
    const width = log - highBit(state);
    bits[i] = width;
    base[i] = (state << width) - size;
  }
  return true;
}

/** A table of one symbol that takes no bits. */
export function buildSingle(table: FseTable, symbol: number): void {
  table.log = 0;
  table.symbol[0] = symbol;
  table.bits[0] = 0;
  table.base[0] = 0;
}

const counts = new Int16Array(256);

/**
 * Reads the description of a table (section 4.1.1) that starts at byte `at` and fills `table`; gives the byte behind it,
 * -1 when it breaks the rules. `view` holds at least four bytes behind `end`.
 */
export function readTable(table: FseTable, view: DataView, at: number, end: number, maxLog: number, maxSymbol: number): number {
  const stop = end * 8;
  let bit = at * 8;
  const peek = (): number => view.getUint32(bit >>> 3, true) >>> (bit & 7);
  if (bit + 4 > stop) return -1;
  const log = (peek() & 15) + 5;
  bit += 4;
  if (log > maxLog) return -1;
  let remaining = (1 << log) + 1;
  let threshold = 1 << log;
  let width = log + 1;
  let symbol = 0;
  while (remaining > 1) {
    if (symbol > maxSymbol || bit > stop) return -1;
    const short = 2 * threshold - 1 - remaining;
    const word = peek();
    let value = word & (threshold - 1);
    if (value < short) bit += width - 1;
    else {
      value = word & (2 * threshold - 1);
      if (value >= threshold) value -= short;
      bit += width;
    }
    const count = value - 1;
    remaining -= count === -1 ? 1 : count;
    if (remaining < 1) return -1;
    counts[symbol++] = count;
    if (count === 0) {
      for (let more = 3; more === 3; ) {
        if (bit > stop) return -1;
        more = peek() & 3;
        bit += 2;
        if (symbol + more > maxSymbol + 1) return -1;
        for (let i = 0; i < more; i++) counts[symbol++] = 0;
      }
    }
    while (remaining < threshold) {
      width--;
      threshold >>= 1;
    }
  }
  if (bit > stop || !buildTable(table, counts, symbol, log)) return -1;
  return (bit + 7) >>> 3;
}
