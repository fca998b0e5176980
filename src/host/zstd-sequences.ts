// The sequences of a zstd block: copies of literals and of what was decoded before (RFC 8878, sections 3.1.1.3.2 and 3.1.1.4).

import { buildSingle, buildTable, emptyTable, type FseTable, readTable } from "./zstd-fse.ts";
import { bitsAt, startOf } from "./zstd-huffman.ts";

function times(count: number, value: number): number[] {
  return Array.from({ length: count }, () => value);
}

// Section 3.1.1.3.2.1.1: how many further bits follow each code. What a code starts at is where the one before it ends.
const LITERAL_BITS = Uint8Array.of(...times(16, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
const MATCH_BITS = Uint8Array.of(...times(32, 0), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
const LITERAL_BASE = starts(LITERAL_BITS, 0);
const MATCH_BASE = starts(MATCH_BITS, 3);

function starts(bits: Uint8Array, first: number): Int32Array {
  const base = new Int32Array(bits.length);
  let start = first;
  bits.forEach((width, i) => {
    base[i] = start;
    start += 2 ** width;
  });
  return base;
}

interface Code {
  readonly maxLog: number;
  readonly maxSymbol: number;
  readonly standard: FseTable;
}

function code(maxLog: number, maxSymbol: number, log: number, counts: readonly number[]): Code {
  const standard = emptyTable();
  buildTable(standard, counts, counts.length, log);
  return { maxLog, maxSymbol, standard };
}

// Section 3.1.1.3.2.2: the distributions that a block need not write.
const LITERAL_CODE = code(9, 35, 6, [4, 3, ...times(11, 2), 1, 1, 1, ...times(9, 2), 3, 2, ...times(5, 1), ...times(4, -1)]);
const OFFSET_CODE = code(8, 31, 5, [...times(6, 1), 2, 2, 2, ...times(15, 1), ...times(5, -1)]);
const MATCH_CODE = code(9, 52, 6, [1, 4, 3, ...times(6, 2), ...times(37, 1), ...times(7, -1)]);

/** Offsets from this code on lie beyond the largest window. */
const MAX_OFFSET_CODE = 27;

/** Copies up to this length are made byte by byte: a call costs more. */
const SHORT = 48;

/** So many bits are in the four bytes at any bit. */
const WORD = 25;

/** The state of sequences that goes from block to block. */
export class Sequences {
  readonly #own = [emptyTable(), emptyTable(), emptyTable()] as const;
  /** Tables of the last block: literal lengths, offsets, match lengths. */
  readonly #tables: [FseTable | undefined, FseTable | undefined, FseTable | undefined] = [undefined, undefined, undefined];
  /** The last three offsets. */
  #first = 1;
  #second = 4;
  #third = 8;

  /**
   * Executes the sequences section in bytes `[at, end)` of a block: writes to `out` from `to` on, at most to `limit`.
   * `produced` bytes of the frame were decoded before. Gives the position behind the last byte, or why it cannot be.
   */
  execute(
    view: DataView,
    at: number,
    end: number,
    literals: Uint8Array,
    literalCount: number,
    out: Uint8Array,
    to: number,
    limit: number,
    produced: number,
    window: number,
  ): number | string {
    if (at >= end) return "it has no sequences section";
    let count = view.getUint8(at++);
    if (count === 255) {
      count = view.getUint16(at, true) + 0x7f00;
      at += 2;
    } else if (count >= 128) count = ((count - 128) << 8) + view.getUint8(at++);
    if (count === 0) {
      if (at !== end) return "bytes follow its sequences";
      if (to + literalCount > limit) return "it holds more than a block may";
      copyLiterals(literals, 0, literalCount, out, to);
      return to + literalCount;
    }
    const modes = view.getUint8(at++);
    if ((modes & 3) !== 0) return "reserved bits of its sequences are set";
    at = this.#readTable(0, modes >>> 6, LITERAL_CODE, view, at, end);
    if (at >= 0) at = this.#readTable(1, (modes >>> 4) & 3, OFFSET_CODE, view, at, end);
    if (at >= 0) at = this.#readTable(2, (modes >>> 2) & 3, MATCH_CODE, view, at, end);
    const [literalTable, offsetTable, matchTable] = this.#tables;
    if (at < 0 || !literalTable || !offsetTable || !matchTable) return "a table of its sequences breaks the rules";
    return this.#run(
      literalTable,
      offsetTable,
      matchTable,
      view,
      at,
      end,
      count,
      literals,
      literalCount,
      out,
      to,
      limit,
      produced,
      window,
    );
  }

  #readTable(which: 0 | 1 | 2, mode: number, code: Code, view: DataView, at: number, end: number): number {
    const own = this.#own[which];
    if (mode === 0) this.#tables[which] = code.standard;
    else if (mode === 1) {
      const symbol = view.getUint8(at);
      if (at >= end || symbol > code.maxSymbol) return -1;
      buildSingle(own, symbol);
      this.#tables[which] = own;
      return at + 1;
    } else if (mode === 2) {
      this.#tables[which] = own;
      return readTable(own, view, at, end, code.maxLog, code.maxSymbol);
    }
    return at;
  }

  #run(
    literalTable: FseTable,
    offsetTable: FseTable,
    matchTable: FseTable,
    view: DataView,
    from: number,
    end: number,
    count: number,
    literals: Uint8Array,
    literalCount: number,
    out: Uint8Array,
    to: number,
    limit: number,
    produced: number,
    window: number,
  ): number | string {
    const start = from * 8;
    let bit = startOf(view, from, end) - literalTable.log - offsetTable.log - matchTable.log;
    if (bit < start) return "its sequences are cut";
    let literalState = bitsAt(view, bit + offsetTable.log + matchTable.log, literalTable.log);
    let offsetState = bitsAt(view, bit + matchTable.log, offsetTable.log);
    let matchState = bitsAt(view, bit, matchTable.log);
    let first = this.#first;
    let second = this.#second;
    let third = this.#third;
    let taken = 0;
    let at = to;
    // Looked up once: the calls that copy could change them, as far as the compiler knows.
    const { symbol: offsetSymbols, bits: offsetWidths, base: offsetBases } = offsetTable;
    const { symbol: matchSymbols, bits: matchWidths, base: matchBases } = matchTable;
    const { symbol: literalSymbols, bits: literalWidths, base: literalBases } = literalTable;
    for (let i = 0; ; ) {
      // States and codes come out of tables that were checked, hence the casts.
      const offsetCode = offsetSymbols[offsetState] as number;
      const matchCode = matchSymbols[matchState] as number;
      const literalCode = literalSymbols[literalState] as number;
      if (offsetCode > MAX_OFFSET_CODE) return "an offset is beyond any window";
      const matchBits = MATCH_BITS[matchCode] as number;
      const literalBits = LITERAL_BITS[literalCode] as number;
      bit -= offsetCode + matchBits + literalBits;
      if (bit < start) return "its sequences are cut";
      let literal = LITERAL_BASE[literalCode] as number;
      let match = MATCH_BASE[matchCode] as number;
      let value = 1 << offsetCode;
      if (offsetCode + matchBits + literalBits <= WORD) {
        const word = view.getUint32(bit >>> 3, true) >>> (bit & 7);
        literal += word & ((1 << literalBits) - 1);
        match += (word >>> literalBits) & ((1 << matchBits) - 1);
        value += (word >>> (literalBits + matchBits)) & (value - 1);
      } else {
        const rest = bit + literalBits + matchBits;
        literal += bitsAt(view, bit, literalBits);
        match += bitsAt(view, bit + literalBits, matchBits);
        value +=
          offsetCode <= WORD
            ? bitsAt(view, rest, offsetCode)
            : bitsAt(view, rest, 16) + bitsAt(view, rest + 16, offsetCode - 16) * 65_536;
      }

      // Section 3.1.1.5: the three smallest values name earlier offsets.
      let offset: number;
      if (value > 3) {
        offset = value - 3;
        third = second;
        second = first;
        first = offset;
      } else {
        const which = literal === 0 ? value : value - 1;
        if (which === 0) offset = first;
        else {
          offset = which === 1 ? second : which === 2 ? third : first - 1;
          if (which > 1) third = second;
          second = first;
          first = offset;
        }
      }

      if (taken + literal > literalCount) return "its sequences take more literals than there are";
      if (at + literal + match > limit) return "it holds more than a block may";
      copyLiterals(literals, taken, literal, out, at);
      taken += literal;
      at += literal;
      if (offset < 1 || offset > produced + at - to || offset > window) return "an offset leads in front of the window";
      let source = at - offset;
      if (match > SHORT && offset >= match) {
        out.copyWithin(at, source, source + match);
        at += match;
      } else for (const stop = at + match; at < stop; ) out[at++] = out[source++] as number; // within the output so far

      if (++i === count) break;
      const literalWidth = literalWidths[literalState] as number;
      const matchWidth = matchWidths[matchState] as number;
      const offsetWidth = offsetWidths[offsetState] as number;
      const width = literalWidth + matchWidth + offsetWidth;
      bit -= width;
      if (bit < start) return "its sequences are cut";
      literalState = literalBases[literalState] as number;
      matchState = matchBases[matchState] as number;
      offsetState = offsetBases[offsetState] as number;
      if (width <= WORD) {
        const word = view.getUint32(bit >>> 3, true) >>> (bit & 7);
        offsetState += word & ((1 << offsetWidth) - 1);
        matchState += (word >>> offsetWidth) & ((1 << matchWidth) - 1);
        literalState += (word >>> (offsetWidth + matchWidth)) & ((1 << literalWidth) - 1);
      } else {
        offsetState += bitsAt(view, bit, offsetWidth);
        matchState += bitsAt(view, bit + offsetWidth, matchWidth);
        literalState += bitsAt(view, bit + offsetWidth + matchWidth, literalWidth);
      }
    }
    if (bit !== start) return "bits of its sequences are left over";
    this.#first = first;
    this.#second = second;
    this.#third = third;
    const left = literalCount - taken;
    if (at + left > limit) return "it holds more than a block may";
    copyLiterals(literals, taken, left, out, at);
    return at + left;
  }
}

function copyLiterals(literals: Uint8Array, from: number, count: number, out: Uint8Array, to: number): void {
  if (count > SHORT) out.set(literals.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) out[to + i] = literals[from + i] as number; // counted before
}
