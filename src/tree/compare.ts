// Differences of two trees, entry by entry in the order of the bytes.

import { firstDifference } from "../bytes/difference.ts";
import { toHex } from "../bytes/hex.ts";
import { compareBytes, decodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { Turns } from "../host/turn.ts";
import type { Content, Extent } from "./content.ts";
import type { Time } from "./node.ts";
import { entryName, type Snapshot } from "./snapshot.ts";
import type { SnapshotNode } from "./snapshot-node.ts";
import { formatTime } from "./time.ts";

/** One thing in which two trees differ. */
export interface Difference {
  /** In lossless spelling. */
  readonly path: string;
  /** `entry`, `kind`, `mode`, `owner`, `mtime`, `atime`, `ctime`, `btime`, `size`, `holes`, `content`, `target`, `device`, `hard link` or `xattr NAME`. */
  readonly field: string;
  /** In words; `nothing` where it is missing. */
  readonly found: string;
  readonly expected: string;
}

/** Two files that stand at one path and have one size: what is left to compare is their content. */
export interface ContentPair {
  readonly path: string;
  readonly found: Content;
  readonly expected: Content;
}

/**
 * Compares all but the content of files. What lies in a directory that one side lacks is not listed. `contents` is called
 * for each pair of files that may differ in content, once however many names they have.
 */
export function compareTrees(found: Snapshot, expected: Snapshot, contents?: (pair: ContentPair) => void): Difference[] {
  const differences: Difference[] = [];
  // A hard link is the same node under several names: the nodes of the two sides must pair up one to one.
  const partnerOfFound = new Map<number, number>([[0, 0]]);
  const partnerOfExpected = new Map<number, number>([[0, 0]]);

  const meet = (path: string, f: number, e: number): void => {
    const a = found.nodes[f] as SnapshotNode; // indices come from the snapshots themselves
    const b = expected.nodes[e] as SnapshotNode;
    const met = partnerOfFound.has(f) || partnerOfExpected.has(e);
    if (met && path !== "/") {
      if (partnerOfFound.get(f) === e && partnerOfExpected.get(e) === f) return;
      differences.push({ path, field: "hard link", found: firstName(found, f), expected: firstName(expected, e) });
      return;
    }
    partnerOfFound.set(f, e);
    partnerOfExpected.set(e, f);
    const before = differences.length;
    compareNodes(path, a, b, differences);
    if (a.content && b.content && a.content !== b.content && !differences.slice(before).some(({ field }) => field === "size")) {
      contents?.({ path, found: a.content, expected: b.content });
    }
  };

  meet("/", 0, 0);
  const open: [path: string, found: SnapshotNode, expected: SnapshotNode][] = [];
  open.push(["", found.nodes[0] as SnapshotNode, expected.nodes[0] as SnapshotNode]); // nodes[0] is the root
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, a, b] = next;
    const below: typeof open = [];
    let i = a.first;
    let j = b.first;
    while (i < a.first + a.count || j < b.first + b.count) {
      const order = orderOf(found, i, a.first + a.count, expected, j, b.first + b.count);
      const name = decodeName(order <= 0 ? entryName(found, i) : entryName(expected, j));
      const at = `${path}/${name}`;
      const f = order <= 0 ? (found.entryNode[i++] as number) : -1; // i is in range
      const e = order >= 0 ? (expected.entryNode[j++] as number) : -1;
      if (f < 0 || e < 0) {
        const kind = (f < 0 ? expected.nodes[e] : found.nodes[f])?.kind ?? "";
        differences.push({ path: at, field: "entry", found: f < 0 ? "nothing" : kind, expected: e < 0 ? "nothing" : kind });
        continue;
      }
      meet(at, f, e);
      const left = found.nodes[f] as SnapshotNode;
      const right = expected.nodes[e] as SnapshotNode;
      if (left.kind === "directory" && right.kind === "directory") below.push([at, left, right]);
    }
    open.push(...below.reverse());
  }
  return differences;
}

/** Compares all, contents included: both sides are read to the first byte that differs. */
export async function compareTreesFully(found: Snapshot, expected: Snapshot): Promise<Difference[]> {
  const pairs: ContentPair[] = [];
  const differences = compareTrees(found, expected, (pair) => pairs.push(pair));
  return [...differences, ...(await compareContents(pairs))];
}

const STEP = 1 << 20;

/** Reads both of each pair to the first byte that differs. `onRead` is told of bytes that were compared, now and then. */
export async function compareContents(pairs: readonly ContentPair[], onRead?: (bytes: number) => void): Promise<Difference[]> {
  const differences: Difference[] = [];
  const comparing = new Comparing(onRead);
  for (const { path, found, expected } of pairs) {
    const differ = await comparing.compare(path, found, expected);
    if (!differ) continue;
    const say = (byte: number): string => `0x${byte.toString(16).padStart(2, "0")} at byte ${differ.at}`;
    differences.push({ path, field: "content", found: say(differ.found), expected: say(differ.expected) });
  }
  return differences;
}

/** One pair of windows for all contents. */
class Comparing {
  readonly #turns = new Turns();
  readonly #left = new Uint8Array(STEP);
  readonly #right = new Uint8Array(STEP);

  constructor(readonly onRead: ((bytes: number) => void) | undefined) {}

  /** Where two contents of one size differ first; where both have holes nothing is read. */
  async compare(
    path: string,
    a: Content,
    b: Content,
  ): Promise<{ readonly at: number; readonly found: number; readonly expected: number } | undefined> {
    for (const { offset, length } of dataOfEither(a, b)) {
      for (let at = offset; at < offset + length; at += STEP) {
        const left = this.#left.subarray(0, Math.min(STEP, offset + length - at));
        const right = this.#right.subarray(0, left.length);
        await readAt(path, a, at, left);
        await readAt(path, b, at, right);
        const i = firstDifference(left, right, 0, left.length);
        this.onRead?.(left.length);
        // i is in range
        if (i < left.length) return { at: at + i, found: left[i] as number, expected: right[i] as number };
        if (this.#turns.due()) await this.#turns.take();
      }
    }
    return undefined;
  }
}

/** Errors name the path. */
async function readAt(path: string, content: Content, offset: number, target: Uint8Array): Promise<void> {
  try {
    const pending = content.read(offset, target);
    if (pending) await pending;
  } catch (error) {
    if (!(error instanceof FsynthError) || error.where.path !== undefined) throw error;
    throw new FsynthError(error.code, `${quoteName(path)}: ${error.message}`, { ...error.where, path }, { cause: error });
  }
}

function dataOfEither(a: Content, b: Content): readonly Extent[] {
  const whole = [{ offset: 0, length: a.size }];
  return joined([...(a.extents ?? whole), ...(b.extents ?? whole)].sort((x, y) => x.offset - y.offset));
}

/** Extents in order, those that touch or overlap joined. */
function joined(extents: readonly Extent[]): Extent[] {
  const out: { offset: number; length: number }[] = [];
  for (const { offset, length } of extents) {
    const last = out.at(-1);
    if (last && offset <= last.offset + last.length) last.length = Math.max(last.length, offset + length - last.offset);
    else if (length > 0) out.push({ offset, length });
  }
  return out;
}

/** Negative when the entry of `a` comes first or `b` is at its end, positive the other way round, 0 for one name. */
function orderOf(a: Snapshot, i: number, endA: number, b: Snapshot, j: number, endB: number): number {
  if (i >= endA) return 1;
  if (j >= endB) return -1;
  return compareBytes(entryName(a, i), entryName(b, j));
}

function firstName(snapshot: Snapshot, index: number): string {
  const { entry, links } = snapshot.nodes[index] as SnapshotNode; // an index of the snapshot
  const name = entry < 0 ? "/" : quoteName(decodeName(entryName(snapshot, entry)));
  return `a node of ${links} names, the first ${name}`;
}

function compareNodes(path: string, a: SnapshotNode, b: SnapshotNode, into: Difference[]): void {
  const field = (name: string, found: string, expected: string): void => {
    if (found !== expected) into.push({ path, field: name, found, expected });
  };
  field("kind", a.kind, b.kind);
  field("mode", octal(a.mode), octal(b.mode));
  field("owner", `${a.uid}:${a.gid}`, `${b.uid}:${b.gid}`);
  for (const which of ["mtime", "atime", "ctime", "btime"] as const)
    if (!sameTime(a[which], b[which])) field(which, formatTime(a[which]), formatTime(b[which]));
  if (a.kind === b.kind) {
    if (a.content && b.content) {
      field("size", String(a.content.size), String(b.content.size));
      // Files of different sizes differ in their holes anyhow.
      if (a.content.size === b.content.size) field("holes", extentsText(a.content), extentsText(b.content));
    }
    if (a.target && b.target) field("target", quoteName(decodeName(a.target)), quoteName(decodeName(b.target)));
    field("device", `${a.major}:${a.minor}`, `${b.major}:${b.minor}`);
  }
  compareXattrs(a, b, field);
}

function compareXattrs(a: SnapshotNode, b: SnapshotNode, field: (name: string, found: string, expected: string) => void): void {
  if (a.xattrs.length === 0 && b.xattrs.length === 0) return;
  const values = new Map<string, [string, string]>();
  for (const { name, value } of a.xattrs) values.set(decodeName(name), [hex(value), "nothing"]);
  for (const { name, value } of b.xattrs) {
    const known = values.get(decodeName(name));
    if (known) known[1] = hex(value);
    else values.set(decodeName(name), ["nothing", hex(value)]);
  }
  for (const [name, [found, expected]] of values) field(`xattr ${quoteName(name)}`, found, expected);
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function sameTime(a: Time, b: Time): boolean {
  return a.sec === b.sec && a.nsec === b.nsec;
}

function hex(bytes: Uint8Array): string {
  return `0x${toHex(bytes)}`;
}

function extentsText({ size, extents }: Content): string {
  const runs = joined(extents ?? [{ offset: 0, length: size }]);
  return runs.length === 0 ? "no data" : runs.map(({ offset, length }) => `${offset}+${length}`).join(",");
}
