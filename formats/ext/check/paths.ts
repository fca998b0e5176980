// Paths of the inodes that problems speak of, looked up in the end: nobody keeps all names.

import { decodeName, escapeName } from "../../../src/bytes/names.ts";
import { walkDirectory } from "../read/directory.ts";
import { unreported } from "./findings.ts";
import type { State } from "./state.ts";

/** Deepest path that is shown. */
const DEEPEST = 4096;

/** A function that gives the path of each of `inodes`, where one leads to it from the root. */
export function pathFinder(state: State, inodes: readonly number[]): (inode: number) => string | undefined {
  const { sb, table } = state;
  // Names are looked up directory by directory, for all that is asked for.
  const wanted = new Map<number, Map<number, string | undefined>>();
  for (const inode of inodes) {
    let at = inode;
    for (let steps = 0; at !== 2 && at <= sb.inodes && steps < DEEPEST; steps++) {
      const parent = table.parent.get(at);
      if (parent === 0) break;
      const names = wanted.get(parent) ?? new Map<number, string | undefined>();
      if (names.has(at)) break;
      wanted.set(parent, names.set(at, undefined));
      at = parent;
    }
  }
  for (const [directory, names] of wanted) lookUp(state, directory, names);
  return (inode) => {
    const way: string[] = [];
    for (let at = inode; at !== 2; at = table.parent.get(at)) {
      const name = at > sb.inodes || way.length > DEEPEST ? undefined : wanted.get(table.parent.get(at))?.get(at);
      if (name === undefined) return undefined;
      way.push(name);
    }
    return `/${way.reverse().join("/")}`;
  };
}

function lookUp(state: State, directory: number, names: Map<number, string | undefined>): void {
  const record = state.inodes.read(directory, unreported);
  if (record?.kind !== "directory") return;
  walkDirectory(
    state.disk,
    record,
    (number, length, _, at, { bytes }) => {
      if (!names.has(number) || names.get(number) !== undefined) return;
      const name = bytes.subarray(at + 8, at + 8 + length);
      const isDots = length < 3 && name.every((byte) => byte === 0x2e);
      if (!isDots) names.set(number, escapeName(decodeName(name)));
    },
    unreported,
  );
}
