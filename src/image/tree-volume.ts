// A volume over a tree: for archives, which have no tables to look things up in. All members are read when it is opened, and
// no content.

import { decodeName } from "../bytes/names.ts";
import { assert } from "../error.ts";
import { type Content, emptyContent } from "../tree/content.ts";
import type { Xattrs } from "../tree/node.ts";
import { splitPath } from "../tree/path.ts";
import { entryName, takeSnapshot } from "../tree/snapshot.ts";
import type { SnapshotNode } from "../tree/snapshot-node.ts";
import type { Tree } from "../tree/tree.ts";
import { firstEndingBehind } from "./ranges.ts";
import type { KeptTimes, Owned, UsedRun, VolumeEntry, VolumeNode, VolumeReader } from "./volume.ts";

/** What an archive says beside its tree. */
export interface TreeVolumeParts {
  /** The profile. */
  readonly format: string;
  /** Bytes. */
  readonly size: number;
  /** Whether there may be birth times. */
  readonly births: boolean;
  readonly times?: KeptTimes;
  /** All of the archive in ascending runs, without gaps. */
  readonly runs: readonly UsedRun[];
  /** What a byte within a run belongs to, where more is known than the run says. */
  readonly within?: (run: UsedRun, offset: number) => Owned | undefined;
  /** For inspection. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly buildOptions: Readonly<Record<string, unknown>>;
}

const NONE: Xattrs = new Map();

/** The volume of a tree. Nodes are numbered from 1, the root's number; the entries of a directory come in the order of their bytes. */
export function treeVolume(tree: Tree, parts: TreeVolumeParts): VolumeReader {
  const snapshot = takeSnapshot(tree);
  const { format, size, runs } = parts;
  const listed = new Map<number, readonly VolumeEntry[]>();
  const at = (id: number): SnapshotNode => {
    const node = snapshot.nodes[id - 1];
    assert(node !== undefined, `the volume has no node ${id}`);
    return node;
  };
  const children = (id: number): readonly VolumeEntry[] => {
    const known = listed.get(id);
    if (known) return known;
    const { first, count } = at(id);
    const entries = Array.from({ length: count }, (_, i) => ({
      name: decodeName(entryName(snapshot, first + i)),
      id: (snapshot.entryNode[first + i] as number) + 1, // an entry of the directory
    }));
    listed.set(id, entries);
    return entries;
  };
  return {
    format,
    size,
    uuid: undefined,
    label: "",
    root: 1,
    times: parts.times,
    node: (id) => volumeNode(id, at(id), parts.births),
    children,
    target: (id) => decodeName(at(id).target ?? new Uint8Array(0)),
    content: (id) => at(id).content ?? emptyContent,
    xattrs(id) {
      const { xattrs } = at(id);
      return xattrs.length === 0 ? NONE : new Map(xattrs.map(({ name, value }) => [decodeName(name), value]));
    },
    inspect: () => ({
      format,
      size,
      facts: parts.facts,
      features: [],
      groups: [],
      space: spaceOf(runs),
      fragmentation: fragmentation(snapshot.nodes),
    }),
    usage: () => runs,
    locate(offset) {
      const run = runs[firstEndingBehind(runs.length, offset, (i) => endOf(runs[i] as UsedRun))]; // i is in range
      if (!run || run.offset > offset) return { offset, length: Math.max(size - offset, 0), what: "behind the end" };
      const what = run.path === undefined ? run.use : `${run.use} of ${run.path}`;
      return parts.within?.(run, offset) ?? { offset: run.offset, length: run.length, what };
    },
    buildOptions: () => parts.buildOptions,
  };
}

function endOf({ offset, length }: UsedRun): number {
  return offset + length;
}

function volumeNode(id: number, node: SnapshotNode, births: boolean): VolumeNode {
  const { kind, mode, uid, gid, atime, mtime, ctime, btime, major, minor, content, target } = node;
  return {
    id,
    kind,
    mode,
    uid,
    gid,
    size: content?.size ?? target?.length ?? 0,
    // An archive stores none of a directory.
    links: kind === "directory" ? 2 + node.subdirectories : node.links,
    atime,
    mtime,
    ctime,
    btime: births ? btime : undefined,
    major,
    minor,
    allocated: content ? storedBytes(content) : 0,
    flags: [],
  };
}

function storedBytes({ size, extents }: Content): number {
  return extents ? extents.reduce((sum, { length }) => sum + length, 0) : size;
}

/** Bytes by use, largest first. */
function spaceOf(runs: readonly UsedRun[]): { readonly use: string; readonly bytes: number }[] {
  const bytes = new Map<string, number>();
  for (const { use, length } of runs) bytes.set(use, (bytes.get(use) ?? 0) + length);
  return [...bytes].map(([use, sum]) => ({ use, bytes: sum })).sort((a, b) => b.bytes - a.bytes || (a.use < b.use ? -1 : 1));
}

/** Archives store files in one piece. */
function fragmentation(nodes: readonly SnapshotNode[]): { files: number; fragmented: number; runs: number } {
  const files = nodes.filter(({ content }) => content && storedBytes(content) > 0).length;
  return { files, fragmented: 0, runs: files };
}

/** Gathers the runs of an archive whose members come in ascending order. */
export class RunList {
  readonly runs: UsedRun[] = [];
  #end = 0;

  /** A run from `from` to `to`, of the member at `path` as the archive spells it; what lies before it is `gap`. */
  add(from: number, to: number, use: string, path: string, gap: string): void {
    this.#fill(from, gap);
    const offset = Math.max(from, this.#end);
    if (to > offset) this.runs.push({ offset, length: to - offset, use, path: `/${splitPath(path).join("/")}` });
    this.#end = Math.max(this.#end, to);
  }

  #fill(to: number, use: string): void {
    if (to > this.#end) this.runs.push({ offset: this.#end, length: to - this.#end, use });
    this.#end = Math.max(this.#end, to);
  }

  /** The rest, up to `size`. */
  finish(size: number, use: string): readonly UsedRun[] {
    this.#fill(size, use);
    return this.runs;
  }
}
