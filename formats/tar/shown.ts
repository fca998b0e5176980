// Every header of a tar archive, for people: those of entries, of pax records and long names before them, and sparse maps.

import { decodeName, escapeName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { FsynthError } from "../../src/error.ts";
import { type ImageRecord, type RecordValue, recordAt, spellBytes } from "../../src/image/records.ts";
import type { ImageBytes } from "../../src/image/volume.ts";
import type { TarEntry } from "./entry.ts";
import { readNumber } from "./number.ts";
import { readArchive } from "./open.ts";
import { emptyRecords, parsePax } from "./pax.ts";
import { BLOCK, oldgnu, sparseExtension, star, TYPE, ustar } from "./records.ts";

/** All headers in their order. Throws what reading throws. */
export function tarRecords(image: ImageBytes): ImageRecord[] {
  const records: ImageRecord[] = [];
  let end = 0;
  readArchive(image, {
    onEntry(entry) {
      records.push(...entryRecords(image, entry));
      if (entry.stored > 0) records.push({ offset: entry.data, what: "data", depth: 1, fields: { bytes: entry.stored } });
      end = Math.ceil((entry.data + entry.stored) / BLOCK) * BLOCK;
    },
  });
  records.push({ offset: end, what: "blocks behind the last entry", fields: { blocks: (image.size - end) / BLOCK } });
  return records;
}

/** Types whose content is about the entry that follows. */
const EXTENSIONS: ReadonlySet<string> = new Set([
  TYPE.paxFile,
  TYPE.paxGlobal,
  TYPE.paxSolaris,
  TYPE.gnuLongName,
  TYPE.gnuLongLink,
]);

function* entryRecords(image: ImageBytes, entry: TarEntry): Generator<ImageRecord> {
  let at = entry.offset;
  const take = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    image.readAt(at, bytes);
    at += Math.ceil(length / BLOCK) * BLOCK;
    return bytes;
  };
  for (;;) {
    const offset = at;
    const block = take(BLOCK);
    const type = String.fromCharCode(block[ustar.f.typeflag.offset] as number); // inside the block
    yield* headerRecords(block, offset, escapeName(entry.path));
    if (!EXTENSIONS.has(type)) {
      if (type === TYPE.gnuSparse) yield* extensions(take, () => at, block, entry.data);
      break;
    }
    const base = at;
    const payload = take(readNumber(block, ustar.f.size.offset, ustar.f.size.size));
    if (type === TYPE.gnuLongName || type === TYPE.gnuLongLink) {
      yield { offset: base, what: "long name", depth: 1, fields: { name: spellBytes(payload) } };
    } else yield { offset: base, what: "pax records", depth: 1, fields: paxFields(payload, base) };
  }
  // Format 1.0 of sparse files starts their data with the map.
  if (at < entry.data) yield { offset: at, what: "sparse map", depth: 1, fields: { map: lines(take(entry.data - at)) } };
}

function* headerRecords(block: Uint8Array, offset: number, what: string): Generator<ImageRecord> {
  const view = viewOf(block);
  const gnu = decodeName(block.subarray(257, 265)) === "ustar  \0";
  const isStar = String.fromCharCode(...block.subarray(508, 512)) === "tar\0";
  const head = recordAt(ustar, view, 0, { offset, what });
  if (!gnu && !isStar) {
    yield head;
    return;
  }
  const { prefix: _, ...fields } = head.fields;
  yield { ...head, fields };
  yield recordAt(gnu ? oldgnu : star, view, 0, { offset, what: "tail of the header", depth: 1 });
}

function* extensions(
  take: (length: number) => Uint8Array,
  place: () => number,
  header: Uint8Array,
  end: number,
): Generator<ImageRecord> {
  let more = header[oldgnu.f.isextended.offset] !== 0;
  while (more && place() < end) {
    const offset = place();
    const block = take(BLOCK);
    yield recordAt(sparseExtension, viewOf(block), 0, { offset, what: "sparse map", depth: 1 });
    more = block[sparseExtension.f.isextended.offset] !== 0;
  }
}

function paxFields(payload: Uint8Array, base: number): Readonly<Record<string, RecordValue>> {
  const records = emptyRecords();
  parsePax(payload, base, records, (sentence, offset = base) => {
    throw new FsynthError("corrupt", `tar: at byte ${offset}: ${sentence}`, { format: "tar", offset });
  });
  const fields: Record<string, RecordValue> = {};
  for (const [key, value] of records.values) fields[key] = value;
  if (records.sparsePairs.length > 0) fields["GNU.sparse.offset, .numbytes"] = records.sparsePairs;
  return fields;
}

/** Decimal numbers, one a line. */
function lines(map: Uint8Array): readonly number[] {
  return decodeName(map)
    .split("\n")
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
}
