// What a judge saw in an image, in one form for all judges, and what a snapshot says that it should have seen.

import { createHash } from "node:crypto";
import { compareNames, decodeName, quoteName } from "../../src/bytes/names.ts";
import type { Extent } from "../../src/tree/content.ts";
import type { Time } from "../../src/tree/node.ts";
import { entryName, type Snapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";

export interface JudgedEntry {
  kind: string;
  mode: string;
  owner: string;
  /** Link count. */
  links: number;
  /** Path of the first name of the same node. */
  node: string;
  /** Files and symlinks: bytes. */
  size?: number;
  /** Digest of what {@link digestOf} looks at. */
  content?: string;
  target?: string;
  device?: string;
  /** Seconds and nanoseconds, `SEC.NSEC`. */
  mtime: string;
  atime: string;
  ctime: string;
  btime?: string;
  /** Name, then hex. */
  xattrs: Record<string, string>;
}

/** By path in lossless spelling, `/` being the root. */
export type Manifest = Map<string, JudgedEntry>;

/** What the inodes of an image can hold. */
export interface Precision {
  /** False for inodes of 128 bytes: neither nanoseconds nor birth times. */
  readonly extra: boolean;
}

/** Up to here a file is compared as a whole, above only around its extents. */
export const WHOLE = 4 << 20;

export function spellTime({ sec, nsec }: Time, { extra }: Precision): string {
  return `${sec}.${extra ? nsec : 0}`;
}

/** Digest of a content: all of it, or of a large one its first and last bytes and what lies in and around `extents`. */
export async function digestOf(
  size: number,
  extents: readonly Extent[] | undefined,
  read: (offset: number, target: Uint8Array) => void | Promise<void>,
): Promise<string> {
  const hash = createHash("sha256");
  for (const [from, to] of windows(size, extents)) {
    for (let at = from; at < to; at += 1 << 20) {
      const piece = new Uint8Array(Math.min(1 << 20, to - at));
      await read(at, piece);
      hash.update(piece);
    }
  }
  return hash.digest("hex");
}

function windows(size: number, extents: readonly Extent[] | undefined): [number, number][] {
  if (size <= WHOLE || extents === undefined) return [[0, size]];
  const around = 128 * 1024;
  const wanted = [{ offset: 0, length: 0 }, ...extents, { offset: size, length: 0 }];
  return wanted.map(({ offset, length }) => [Math.max(0, offset - around), Math.min(size, offset + length + around)]);
}

/** What judges must see of a tree. */
export async function expectedManifest(snapshot: Snapshot, precision: Precision): Promise<Manifest> {
  const manifest: Manifest = new Map();
  const firstPath = new Map<number, string>();
  const ownLostFound = entriesOf(snapshot, 0).some(([name]) => name === "lost+found");
  const visit = async (path: string, index: number): Promise<void> => {
    const node = snapshot.nodes[index] as SnapshotNode;
    const seen = firstPath.get(index);
    if (seen !== undefined) {
      manifest.set(path, manifest.get(seen) as JudgedEntry);
      return;
    }
    firstPath.set(index, path);
    const made = index === 0 && !ownLostFound ? 1 : 0;
    const entry: JudgedEntry = {
      kind: node.kind,
      mode: node.mode.toString(8),
      owner: `${node.uid}:${node.gid}`,
      links: node.kind === "directory" ? 2 + node.subdirectories + made : node.links,
      node: path,
      mtime: spellTime(node.mtime, precision),
      atime: spellTime(node.atime, precision),
      ctime: spellTime(node.ctime, precision),
      xattrs: Object.fromEntries(node.xattrs.map(({ name, value }) => [decodeName(name), Buffer.from(value).toString("hex")])),
    };
    if (precision.extra) entry.btime = spellTime(node.btime, precision);
    const { content, target } = node;
    if (content) {
      entry.size = content.size;
      entry.content = await digestOf(content.size, content.extents, (offset, bytes) => content.read(offset, bytes));
    }
    if (target) {
      entry.size = target.length;
      entry.target = decodeName(target);
    }
    if (node.kind.endsWith("device")) entry.device = `${node.major}:${node.minor}`;
    manifest.set(path, entry);
    if (node.kind !== "directory") return;
    for (const [name, child] of entriesOf(snapshot, index)) await visit(`${path === "/" ? "" : path}/${name}`, child);
  };
  await visit("/", 0);
  return settleNodes(manifest);
}

function entriesOf(snapshot: Snapshot, index: number): [string, number][] {
  const { first, count } = snapshot.nodes[index] as SnapshotNode;
  return Array.from({ length: count }, (_, i) => [
    decodeName(entryName(snapshot, first + i)),
    snapshot.entryNode[first + i] as number,
  ]);
}

/** Calls each node by the first of its names in the order of whole paths, whatever order a judge met them in. */
export function settleNodes(manifest: Manifest): Manifest {
  const first = new Map<string, string>();
  for (const [path, { node }] of manifest) {
    const known = first.get(node);
    if (known === undefined || compareNames(path, known) < 0) first.set(node, path);
  }
  return new Map([...manifest].map(([path, entry]) => [path, { ...entry, node: first.get(entry.node) ?? entry.node }]));
}

/** Extents of the expected files, for judges that shall look where data is. */
export function extentsByPath(snapshot: Snapshot): Map<string, readonly Extent[]> {
  const found = new Map<string, readonly Extent[]>();
  const visit = (path: string, index: number): void => {
    const node = snapshot.nodes[index] as SnapshotNode;
    if (node.content?.extents) found.set(path, node.content.extents);
    if (node.kind === "directory") for (const [name, child] of entriesOf(snapshot, index)) visit(`${path}/${name}`, child);
  };
  visit("", 0);
  return found;
}

/**
 * How a judge's view differs from what it must be. A lost+found that the tree does not have is the one addition allowed,
 * and must be as documented: 0700, 0:0, empty.
 */
export function differences(found: Manifest, expected: Manifest): string[] {
  const all: string[] = [];
  if (!expected.has("/lost+found")) {
    const made = found.get("/lost+found");
    const asMade = made?.kind === "directory" && made.mode === "700" && made.owner === "0:0" && made.links === 2;
    if (!asMade)
      all.push(`/lost+found: found ${made ? JSON.stringify(made) : "nothing"}, expected an empty directory, 0700, 0:0`);
  }
  for (const [path, entry] of found) {
    const wanted = expected.get(path);
    if (wanted === undefined) {
      if (path !== "/lost+found") all.push(`${quoteName(path)}: found a ${entry.kind}, expected nothing`);
      continue;
    }
    for (const key of new Set([...Object.keys(entry), ...Object.keys(wanted)]) as Set<keyof JudgedEntry>) {
      // A judge for whom large sparse contents are too slow leaves them out.
      if (key === "content" && entry.content === undefined && (entry.size ?? 0) > WHOLE) continue;
      const a = spell(entry[key]);
      const b = spell(wanted[key]);
      if (a !== b) all.push(`${quoteName(path)}: ${key} is ${a}, expected ${b}`);
    }
  }
  for (const path of expected.keys()) if (!found.has(path)) all.push(`${quoteName(path)}: found nothing, expected it`);
  return all;
}

function spell(value: JudgedEntry[keyof JudgedEntry]): string {
  if (typeof value !== "object") return typeof value === "string" ? quoteName(value) : String(value);
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => compareNames(a, b)));
}
