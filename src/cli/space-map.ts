// The runs of an image in bounded memory, as its page draws them, and what files and groups take.

import { escapeName } from "../bytes/names.ts";
import type { Inspection, UsedRun } from "../image/volume.ts";
import type { PageData } from "../page/data.ts";

/** A file and the runs it lies in. */
export interface FileSpace {
  /** Spelled to be shown. */
  readonly path: string;
  bytes: number;
  runs: number;
}

export interface SpaceMap {
  readonly data: PageData;
  /** Runs shorter than this many bytes were joined with their neighbours; 0 when none were. */
  readonly joined: number;
  /** Bytes of each group by use, in the order of `data.uses`. */
  readonly groups: readonly (readonly number[])[];
  readonly largest: readonly FileSpace[];
  readonly mostFragmented: readonly FileSpace[];
}

/** Runs that a page carries at most. */
export const MOST_RUNS = 250_000;
/** Files that are listed. */
const FILES = 20;

interface Run {
  offset: number;
  length: number;
  use: number;
  path: number;
}

/** Gathers `usage`, ascending runs without gaps; of more than `most` runs the shortest are joined. */
export function spaceMap(usage: Iterable<UsedRun>, inspection: Inspection, most = MOST_RUNS): SpaceMap {
  const uses = new Map<string, number>();
  const paths = new Map<string, number>();
  const files = new Map<number, FileSpace & { end: number }>();
  const { unit, unitName, starts } = unitsOf(inspection);
  const groups = starts.map((): number[] => []);
  let runs: Run[] = [];
  let grain = 0;
  let group = 0;
  const shorten = (): void => {
    grain ||= 2 ** Math.ceil(Math.log2((2 * inspection.size) / most));
    for (runs = join(runs, grain); runs.length > most; runs = join(runs, grain)) grain *= 2;
  };
  for (const { offset, length, use, path } of usage) {
    const useNumber = numberOf(uses, use);
    const shown = path === undefined ? undefined : escapeName(path);
    const pathNumber = shown === undefined ? -1 : numberOf(paths, shown);
    runs.push({ offset, length, use: useNumber, path: pathNumber });
    if (use === "file" && shown !== undefined) addFile(files, pathNumber, shown, offset, length);
    for (let at = offset; starts.length > 0 && at < offset + length; ) {
      while (group + 1 < starts.length && (starts[group + 1] as number) <= at) group++; // group + 1 is in range
      const end = Math.min(offset + length, starts[group + 1] ?? Number.POSITIVE_INFINITY);
      const sums = groups[group] as number[]; // one a start
      sums[useNumber] = (sums[useNumber] ?? 0) + end - at;
      at = end;
    }
    if (runs.length >= 2 * most) shorten();
  }
  if (runs.length > most) shorten();
  const whole = runs.every(({ offset, length }) => offset % unit === 0 && length % unit === 0);
  const step = whole ? unit : 1;
  const kept = new Map<number, number>();
  const names = [...paths.keys()];
  const flat = runs.flatMap(({ length, use, path }) => {
    if (path >= 0 && !kept.has(path)) kept.set(path, kept.size);
    return [length / step, use, path < 0 ? 0 : (kept.get(path) as number) + 1]; // set above
  });
  const all = [...files.values()];
  const told = (list: typeof all): FileSpace[] =>
    list.slice(0, FILES).map(({ path, bytes, runs: pieces }) => ({ path, bytes, runs: pieces }));
  return {
    data: {
      size: inspection.size,
      unit: step,
      unitName: whole ? unitName : "byte",
      uses: [...uses.keys()],
      paths: [...kept.keys()].map((path) => names[path] as string), // a number of that map
      runs: flat,
      groups: starts.map((start) => start / step),
    },
    joined: grain,
    groups: groups.map((sums) => Array.from(uses, (_, use) => sums[use] ?? 0)),
    largest: told(all.toSorted((a, b) => b.bytes - a.bytes)),
    mostFragmented: told(all.filter(({ runs: pieces }) => pieces > 1).sort((a, b) => b.runs - a.runs || b.bytes - a.bytes)),
  };
}

function numberOf(words: Map<string, number>, word: string): number {
  const known = words.get(word);
  if (known !== undefined) return known;
  words.set(word, words.size);
  return words.size - 1;
}

/** Blocks or fragments, where the format has them, and where the groups start; bytes. */
function unitsOf({ facts, groups }: Inspection): { readonly unit: number; readonly unitName: string; readonly starts: number[] } {
  const fragment = facts["fragment size"];
  const block = facts["block size"];
  const unitName = typeof fragment === "number" ? "fragment" : typeof block === "number" ? "block" : "byte";
  const unit = Number(unitName === "byte" ? 1 : unitName === "block" ? block : fragment);
  const firsts = groups.map(({ firstBlock, firstFragment }) => firstFragment ?? firstBlock);
  return { unit, unitName, starts: firsts.every((first) => first !== undefined) ? firsts.map((first) => first * unit) : [] };
}

function addFile(
  files: Map<number, FileSpace & { end: number }>,
  number: number,
  path: string,
  offset: number,
  length: number,
): void {
  const file = files.get(number);
  if (!file) {
    files.set(number, { path, bytes: length, runs: 1, end: offset + length });
    return;
  }
  file.bytes += length;
  if (file.end !== offset) file.runs++;
  file.end = offset + length;
}

/** Joins neighbours that are shorter than `grain` and start in one stretch of that length; the largest gives its use. */
function join(runs: readonly Run[], grain: number): Run[] {
  const out: Run[] = [];
  let largest = 0;
  for (const run of runs) {
    const last = out.at(-1);
    const near = last && Math.floor(last.offset / grain) === Math.floor(run.offset / grain);
    if (!last || !near || run.length >= grain || last.length >= grain) {
      out.push({ ...run });
      largest = run.length;
      continue;
    }
    last.length += run.length;
    if (run.length > largest) {
      largest = run.length;
      last.use = run.use;
    }
    if (last.path !== run.path) last.path = -1;
  }
  return out;
}
