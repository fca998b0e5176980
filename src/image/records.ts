// The records of an image as they stand on the disk, for people. Formats give them; record-text.ts makes lines of them.

import { toHex } from "../bytes/hex.ts";
import { decodeName, escapeName } from "../bytes/names.ts";
import { isZero } from "../bytes/zero.ts";

/** A field's value: numbers and bytes as they are, or in words. */
export type RecordValue = number | string | Uint8Array | readonly number[];

/** The fields of a record by their names in the specification, in the order of the disk. */
export type RecordFields = Readonly<Record<string, RecordValue>>;

/** One record of an image. */
export interface ImageRecord {
  /** Bytes from the start of the image. */
  readonly offset: number;
  /** Such as `group 0, inode 12 /etc`. */
  readonly what: string;
  /** The name of its table; undefined for what is no record: maps, runs of zeros. */
  readonly table?: string | undefined;
  /** What it holds. */
  readonly fields: RecordFields;
  /** 1 and more for what lies in, or belongs to, the record before it. Default 0. */
  readonly depth?: number;
  /** The record that this one repeats; only what differs from it is shown. */
  readonly copyOf?: ImageRecord | undefined;
}

/** A record table, as far as it names fields and their values. */
export interface RecordTable {
  readonly name: string;
  readonly f: Readonly<Record<string, { readonly offset: number; readonly size: number }>>;
  dump(view: DataView, at: number): Record<string, RecordValue>;
}

export interface RecordPlace {
  readonly offset: number;
  readonly what: string;
  readonly depth?: number;
  readonly copyOf?: ImageRecord | undefined;
  /** Only fields that end before this byte of the record are there. */
  readonly length?: number;
  /** Values in words, by field; undefined leaves the field to another record. */
  readonly spelled?: Readonly<Record<string, (value: number & Uint8Array & readonly number[]) => RecordValue | undefined>>;
}

/** The record of `table` at byte `at` of `view`. */
export function recordAt(table: RecordTable, view: DataView, at: number, place: RecordPlace): ImageRecord {
  const { spelled = {}, length = Number.POSITIVE_INFINITY, ...rest } = place;
  const fields: Record<string, RecordValue> = {};
  const known = Object.entries(table.f).filter(([, { offset, size }]) => offset + size <= length);
  const values = table.dump(view, at);
  for (const [name] of known) {
    const value = values[name] as RecordValue; // the table gives every field
    const spell = spelled[name];
    const shown = spell ? spell(value as number & Uint8Array & readonly number[]) : value; // a field's own type
    if (shown !== undefined) fields[name] = shown;
  }
  return { ...rest, table: table.name, fields };
}

/** A view that holds `size` bytes from `at` on, zeros where `bytes` end before. */
export function paddedView(bytes: Uint8Array, at: number, size: number): DataView {
  const padded = new Uint8Array(size);
  padded.set(bytes.subarray(at, at + size));
  return new DataView(padded.buffer);
}

/** The set bits of a map as ranges: `0..12 15`. Bit 0 is number `first`, the first `count` bits are looked at. */
export function bitRanges(map: Uint8Array, count: number, first = 0): string {
  const ranges: string[] = [];
  let start = -1;
  for (let bit = 0; bit <= count; bit++) {
    const set = bit < count && ((map[bit >> 3] as number) & (1 << (bit & 7))) !== 0; // bit is in range
    if (set && start < 0) start = bit;
    if (set || start < 0) continue;
    ranges.push(bit - start === 1 ? String(first + start) : `${first + start}..${first + bit - 1}`);
    start = -1;
  }
  return ranges.join(" ") || "none";
}

/** Records that are all zeros, told in runs of their numbers. */
export class ZeroRuns {
  #first: { readonly number: number; readonly offset: number } | undefined;

  /** `what` they are, such as `inodes`. */
  constructor(readonly what: string) {}

  add(number: number, offset: number): void {
    this.#first ??= { number, offset };
  }

  /** The run that ends with number `last`, if there is one. */
  *end(last: number): Generator<ImageRecord> {
    if (this.#first === undefined) return;
    const { number, offset } = this.#first;
    this.#first = undefined;
    yield { offset, what: `${this.what} ${number} to ${last}: zeros`, fields: {} };
  }
}

/** Text in quotation marks where it is one, else hexadecimal digits; zeros at the end are left out, and 0 stands for nothing else. */
export function spellBytes(value: Uint8Array): string {
  if (isZero(value, 0, value.length)) return "0";
  let end = value.length;
  while (value[end - 1] === 0) end--;
  const used = value.subarray(0, end);
  const text = decodeName(used);
  if (/^[\0\x20-\x7e\u{a0}-\u{d7ff}\u{e000}-\u{10ffff}]*$/u.test(text)) return JSON.stringify(text).replaceAll("\\u0000", "\\0");
  return `0x${toHex(used)}`;
}

/** A name as it is shown. */
export function spellName(name: Uint8Array): string {
  return `"${escapeName(decodeName(name))}"`;
}
