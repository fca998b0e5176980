// The archive as ascending regions: parts put in front, runs of headers with the data of files between them, the trailer,
// parts put behind.

import { decodeName, quoteName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { FsynthError } from "../../src/error.ts";
import type { Region } from "../../src/image/region.ts";
import type { Content } from "../../src/tree/content.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { contentSum } from "./checksum.ts";
import { MAGIC, newc, TRAILER } from "./disk/headers.ts";
import { align4, type Layout, TRAILER_NAME_SIZE } from "./layout.ts";
import { nearestSeconds } from "./limits.ts";
import { TYPE } from "./mode.ts";
import type { Part } from "./options.ts";

const encoder = new TextEncoder();

/** A part put in front or behind, at its place. */
export interface PlacedPart {
  readonly offset: number;
  readonly content: Content;
  readonly stored: boolean;
  /** For errors. */
  readonly label: string;
}

export interface Archive {
  readonly layout: Layout;
  /** Where the archive of the tree starts, and where its padding ends. */
  readonly from: number;
  readonly to: number;
  readonly before: readonly PlacedPart[];
  readonly behind: readonly PlacedPart[];
  readonly size: number;
  readonly checksum: boolean;
}

/** Regions from the one that holds byte `from`. */
export function* regionsOf(archive: Archive, from: number): Generator<Region> {
  for (const region of allFrom(archive, from)) if (region.offset + region.length > from) yield region;
}

/** As {@link regionsOf}, and perhaps a few regions before. */
function* allFrom(archive: Archive, from: number): Generator<Region> {
  const { layout } = archive;
  if (from < archive.from) yield* partRegions(archive.before, 0, archive.from);
  if (from < archive.to) {
    for (let run = firstRun(layout, from); run < layout.runs.length; run++) yield* runRegions(archive, run);
    if (layout.end < archive.to) yield { kind: "hole", offset: layout.end, length: archive.to - layout.end };
  }
  yield* partRegions(archive.behind, archive.to, archive.size);
}

function* partRegions(parts: readonly PlacedPart[], from: number, to: number): Generator<Region> {
  let at = from;
  for (const { offset, content, label } of parts) {
    if (offset > at) yield { kind: "hole", offset: at, length: offset - at };
    yield* contentRegions(offset, content, () => label);
    at = offset + content.size;
  }
  if (to > at) yield { kind: "hole", offset: at, length: to - at };
}

function* contentRegions(at: number, content: Content, path: () => string): Generator<Region> {
  let done = 0;
  for (const { offset, length } of content.extents ?? [{ offset: 0, length: content.size }]) {
    if (length === 0) continue;
    if (offset > done) yield { kind: "hole", offset: at + done, length: offset - done };
    yield { kind: "content", offset: at + offset, length, content, start: offset, path };
    done = offset + length;
  }
  if (content.size > done) yield { kind: "hole", offset: at + done, length: content.size - done };
}

/** Where the region of a run starts: behind the data of the run before, so that it holds the padding, too. */
function runStart(layout: Layout, run: number): number {
  const member = layout.runs[run] as number; // run is in range
  if (member === 0) return layout.start[0] as number;
  return dataOfFile(layout, member - 1) > 0
    ? layout.data(member - 1) + layout.dataSize(member - 1)
    : (layout.start[member] as number);
}

/** Bytes of data that stand behind a run of headers and not in it. */
function dataOfFile(layout: Layout, member: number): number {
  return layout.node(member).kind === "file" ? layout.dataSize(member) : 0;
}

/** The last run that starts at or before `offset`. */
function firstRun(layout: Layout, offset: number): number {
  let low = 0;
  let high = layout.runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (runStart(layout, middle) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function* runRegions(archive: Archive, run: number): Generator<Region> {
  const { layout } = archive;
  const first = layout.runs[run] as number; // run is in range
  const last = run + 1 === layout.runs.length;
  const end = last ? layout.count : (layout.runs[run + 1] as number);
  const offset = runStart(layout, run);
  const carrier = !last && dataOfFile(layout, end - 1) > 0 ? end - 1 : -1;
  const behind = last ? layout.end : carrier >= 0 ? layout.data(carrier) : (layout.start[end] as number);
  yield { kind: "bytes", offset, length: behind - offset, fill: (target) => fillRun(archive, first, end, last, offset, target) };
  if (carrier < 0) return;
  const { content } = layout.node(carrier);
  if (content) yield* contentRegions(behind, content, () => pathText(layout, carrier));
}

function pathText(layout: Layout, member: number): string {
  return `/${decodeName(layout.path(member))}`;
}

/** Writes the headers of the members from `first` to before `end`, then the trailer if `last`. A promise only where content must be read. */
function fillRun(
  archive: Archive,
  first: number,
  end: number,
  last: boolean,
  offset: number,
  target: Uint8Array,
): void | Promise<void> {
  const { layout, checksum } = archive;
  const view = viewOf(target);
  const magic = encoder.encode(checksum ? MAGIC.crc : MAGIC.newc);
  let pending: Promise<void> | undefined;
  for (let member = first; member < end; member++) {
    const node = layout.node(member);
    const at = (layout.start[member] as number) - offset; // members are below count
    writeHeader(view, at, magic, layout, member, node);
    target.set(layout.path(member), at + newc.size);
    if (node.target) target.set(node.target, layout.data(member) - offset);
    if (checksum && node.content && dataOfFile(layout, member) > 0) {
      // At most one, the last of its run.
      const sum = sumOf(node.content, layout, member);
      if (typeof sum === "number") newc.f.c_chksum.set(view, at, sum);
      else pending = sum.then((value) => newc.f.c_chksum.set(view, at, value));
    }
  }
  if (last) writeTrailer(view, (layout.start[layout.count] as number) - offset, magic);
  return pending;
}

function sumOf(content: Content, layout: Layout, member: number): number | Promise<number> {
  const failed = (cause: unknown): never => {
    const path = pathText(layout, member);
    if (cause instanceof FsynthError && cause.message.startsWith(quoteName(path))) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    const code = cause instanceof FsynthError ? cause.code : "source";
    throw new FsynthError(
      code,
      `${quoteName(path)}: reading its content for the checksum failed: ${message}`,
      { path },
      { cause },
    );
  };
  try {
    const sum = contentSum(content);
    return typeof sum === "number" ? sum : sum.catch(failed);
  } catch (cause) {
    return failed(cause);
  }
}

function writeHeader(view: DataView, at: number, magic: Uint8Array, layout: Layout, member: number, node: SnapshotNode): void {
  const { f } = newc;
  f.c_magic.set(view, at, magic);
  f.c_ino.set(view, at, layout.inode[layout.nodeIndex(member)] as number); // every node has one
  f.c_mode.set(view, at, TYPE[node.kind] | node.mode);
  f.c_uid.set(view, at, node.uid);
  f.c_gid.set(view, at, node.gid);
  const links = node.kind === "directory" ? 2 + node.subdirectories : node.links;
  f.c_nlink.set(view, at, layout.repeats.has(member) ? 1 : links);
  f.c_mtime.set(view, at, nearestSeconds(node.mtime));
  f.c_filesize.set(view, at, layout.dataSize(member));
  f.c_maj.set(view, at, 0);
  f.c_min.set(view, at, 0);
  f.c_rmaj.set(view, at, node.major);
  f.c_rmin.set(view, at, node.minor);
  f.c_namesize.set(view, at, layout.nameSize[member] as number);
  f.c_chksum.set(view, at, 0);
}

function writeTrailer(view: DataView, at: number, magic: Uint8Array): void {
  const { f } = newc;
  for (const field of Object.values(f)) if (field !== f.c_magic) (field as typeof f.c_ino).set(view, at, 0); // all but the magic are numbers
  f.c_magic.set(view, at, magic);
  // As GNU cpio has it.
  f.c_nlink.set(view, at, 1);
  f.c_namesize.set(view, at, TRAILER_NAME_SIZE);
  const name = encoder.encode(TRAILER);
  for (let i = 0; i < name.length; i++) view.setUint8(at + newc.size + i, name[i] as number); // i is below its length
}

/** Parts one behind the other from `from`, each at a multiple of 4, as Linux wants archives to start. */
export function placeParts(given: readonly Part[], from: number, what: string): { parts: PlacedPart[]; end: number } {
  let end = from;
  const parts = given
    .filter(({ content }) => content.size > 0)
    .map(({ content, stored }, i) => {
      const offset = align4(end);
      end = offset + content.size;
      return { offset, content, stored, label: `${what} archive ${i + 1}` };
    });
  return { parts, end };
}
