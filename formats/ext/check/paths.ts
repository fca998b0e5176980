// Paths of the inodes that problems speak of, looked up in the end: nobody keeps all names.

import { decodeName, escapeName } from "../../../src/bytes/names.ts";
import { walkDirectory } from "../read/directory.ts";
import { unreported } from "./findings.ts";
import type { State } from "./state.ts";

/** Deepest path that is shown. */
const DEEPEST = 4096;

/** A function that gives the path of an inode, where one leads to it from the root. */
export function pathFinder(state: State): (inode: number) => string | undefined {
  const names = new Map<number, string | undefined>();
  const nameOf = (inode: number): string | undefined => {
    if (!names.has(inode)) names.set(inode, lookUp(state, state.table.parent.get(inode), inode));
    return names.get(inode);
  };
  return (inode) => {
    if (inode > state.sb.inodes) return undefined;
    const way: string[] = [];
    for (let at = inode; at !== 2; at = state.table.parent.get(at)) {
      const name = state.table.parent.get(at) === 0 || way.length > DEEPEST ? undefined : nameOf(at);
      if (name === undefined) return undefined;
      way.push(name);
    }
    return `/${way.reverse().join("/")}`;
  };
}

function lookUp(state: State, directory: number, inode: number): string | undefined {
  const record = state.inodes.read(directory, unreported);
  if (!record) return undefined;
  let found: string | undefined;
  walkDirectory(
    state.disk,
    record,
    (number, length, _, at, { bytes }) => {
      const name = bytes.subarray(at + 8, at + 8 + length);
      const isDots = length < 3 && name.every((byte) => byte === 0x2e);
      if (number === inode && !isDots) found ??= escapeName(decodeName(name));
    },
    unreported,
  );
  return found;
}
