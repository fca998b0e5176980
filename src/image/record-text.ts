// Records as lines of text: what `fsynth inspect --records` prints and golden images keep.

import { crc32c } from "../bytes/crc.ts";
import { encodeName } from "../bytes/names.ts";
import { type ImageRecord, type RecordValue, spellBytes } from "./records.ts";

export interface RecordTextOptions {
  /** Of so many records of one table in a row, this many and the last are shown, and checksums of the rest. Default: all. */
  readonly most?: number | undefined;
  /** Whether the records that a checksum stands for follow its line. Default: never. */
  readonly unfold?: ((line: string) => boolean) | undefined;
}

/** Widest line that fields are put on. */
const WIDTH = 120;
/** A checksum stands for so many records, or for twice that and so on, so that a row has at most as many checksums. */
const SUMMED = 64;
/** Records of up to so many fields take one line, zeros among them. */
const SMALL = 6;

/**
 * Lines, without newlines. Fields that are zero are named with the first record of their table alone; records in a row that say
 * the same are one line that counts.
 */
export function* recordText(
  records: Iterable<ImageRecord>,
  { most = Number.POSITIVE_INFINITY, unfold = () => false }: RecordTextOptions = {},
): Generator<string> {
  const folding: Folding = { most, unfold };
  const seen = new Set<string | undefined>();
  // The last record of each depth, and a row of those of depth 0.
  const open: Item[] = [];
  let row: Item[] = [];
  for (const record of records) {
    const { depth = 0, table } = record;
    const item: Item = { record, kind: kindOf(record), body: bodyOf(record, !seen.has(table)), below: [] };
    seen.add(table);
    open.length = Math.min(open.length, depth);
    const above = open.at(-1);
    open.push(item);
    if (above) {
      above.below.push(item);
      continue;
    }
    // What has something below it is worth its own lines.
    const last = row.at(-1);
    if (last && (last.kind !== item.kind || last.below.length > 0)) {
      yield* rowText(row, folding);
      row = [];
    }
    row.push(item);
  }
  yield* rowText(row, folding);
}

type Folding = Required<{ readonly [name in keyof RecordTextOptions]: NonNullable<RecordTextOptions[name]> }>;

/** Everything is shown. */
const UNFOLDED: Folding = { most: Number.POSITIVE_INFINITY, unfold: () => false };

interface Item {
  readonly record: ImageRecord;
  readonly kind: string;
  readonly body: readonly string[];
  readonly below: Item[];
}

/** The table, or what the record is without its numbers. */
function kindOf({ table, what }: ImageRecord): string {
  return table ?? what.replaceAll(/\d+/g, "");
}

function* rowText(row: readonly Item[], folding: Folding): Generator<string> {
  const { most } = folding;
  for (let i = 0; i < row.length; i++) {
    const item = row[i] as Item; // i is in range
    if (row.length > most + 2 && i === most) {
      yield* sums(row.slice(i, -1), folding);
      i = row.length - 2;
      continue;
    }
    yield* itemText(item, folding);
    let same = i;
    while (isSame(item, row[same + 1])) same++;
    if (same - i < 2) continue;
    yield `${indent(item.record)}… and ${same - i} the same, up to ${(row[same] as Item).record.what}`;
    i = same;
  }
}

/** Checksums for what of a row is not shown. */
function* sums(row: readonly Item[], { unfold }: Folding): Generator<string> {
  let length = SUMMED;
  while (row.length > length * SUMMED) length *= 2;
  for (let i = 0; i < row.length; i += length) {
    const some = row.slice(i, i + length);
    const text = some.flatMap((one) => [...itemText(one, UNFOLDED)]);
    const last = some.at(-1) as Item; // a slice from within the row has one
    const sum = crc32c(0, encodeName(text.join("\n")))
      .toString(16)
      .padStart(8, "0");
    const line = `${indent(last.record)}… ${some.length} more, up to ${last.record.what}, whose text has the checksum 0x${sum}`;
    yield line;
    if (unfold(line)) yield* text;
  }
}

function isSame(item: Item, next: Item | undefined): boolean {
  return next !== undefined && item.below.length + next.below.length === 0 && item.body.join("\n") === next.body.join("\n");
}

function* itemText({ record, body, below }: Item, folding: Folding): Generator<string> {
  const { offset, what, table } = record;
  const head = `${indent(record)}${offset} ${what}${table === undefined ? "" : ` (${table})`}`;
  const [line, ...more] = body;
  if (line === undefined) yield head;
  else if (more.length === 0) yield `${head}: ${line}`;
  else {
    yield `${head}:`;
    for (const part of body) yield `${indent(record)}    ${part}`;
  }
  for (let i = 0; i < below.length; ) {
    let end = i + 1;
    while (end < below.length && below[end]?.kind === below[i]?.kind) end++;
    yield* rowText(below.slice(i, end), folding);
    i = end;
  }
}

const indent = ({ depth = 0 }: ImageRecord): string => "  ".repeat(depth);

function bodyOf({ fields, copyOf, depth = 0 }: ImageRecord, withZeros: boolean): string[] {
  const entries = Object.entries(fields).map(([name, value]): [string, string] => [name, spell(name, value)]);
  if (copyOf) {
    const differs = entries.filter(([name]) => spell(name, fields[name]) !== spell(name, copyOf.fields[name]));
    if (differs.length === 0) return [`as ${copyOf.what}`];
    return [`as ${copyOf.what}, but ${differs.map(([name, text]) => `${name}=${text}`).join(" ")}`];
  }
  if (entries.length <= SMALL) {
    const text = entries.map(([name, value]) => `${name}=${value}`).join(" ");
    return text === "" ? [] : [text];
  }
  const width = WIDTH - 2 * depth;
  const zeros = withZeros ? entries.filter(([, text]) => text === "0").map(([name]) => name) : [];
  return [
    ...wrapped(
      entries.filter(([, text]) => text !== "0").map(([name, text]) => `${name}=${text}`),
      width,
    ),
    ...wrapped(zeros, width - 6).map((line) => `zero: ${line}`),
  ];
}

function wrapped(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Fields that are read in hexadecimal. */
const HEX = /magic|csum|checksum|chksum|hash$|_gen$|generation$/;

function spell(name: string, value: RecordValue | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number") return HEX.test(name) && value > 0 ? `0x${value.toString(16)}` : String(value);
  if (value instanceof Uint8Array) return spellBytes(value);
  return spellRow(value);
}

/** Numbers in a row: `5..9` ascending, `0*3` repeated. */
function spellRow(row: readonly number[]): string {
  if (row.every((number) => number === 0)) return "0";
  const parts: string[] = [];
  for (let i = 0; i < row.length; ) {
    const from = row[i] as number; // i is in range
    let same = i;
    while (row[same + 1] === from) same++;
    let next = i;
    while (row[next + 1] === from + (next + 1 - i)) next++;
    if (same - i >= 2) parts.push(`${from}*${same - i + 1}`);
    else if (next - i >= 2) parts.push(`${from}..${row[next]}`);
    else parts.push(String(from));
    i = same - i >= 2 ? same + 1 : next - i >= 2 ? next + 1 : i + 1;
  }
  return `[${parts.join(" ")}]`;
}
