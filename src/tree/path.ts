// Paths inside a tree: absolute or not, `./` and repeated slashes allowed, `..` never.

import { checkText } from "../arguments.ts";
import { encodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";

/** Longest name in bytes: NAME_MAX of every system whose formats fsynth writes. */
export const NAME_MAX = 255;

/** The names of a path, the root being the empty list. Throws `source` for `..`, NUL and names over 255 bytes. */
export function splitPath(path: string): string[] {
  const { parents, name } = splitParents(path);
  return name === undefined ? [] : [...parents, name];
}

/** A path taken apart. */
export interface PathParts {
  /** The names of the directories above. */
  readonly parents: readonly string[];
  /** Undefined for the root. */
  readonly name: string | undefined;
}

// Neighbours share their parents: taken apart once, they serve a whole directory.
let lastParent = "";
let lastNames: readonly string[] = [];

/** The last name of a path, and the names above it; the root has no name. Throws as {@link splitPath} does. */
export function splitParents(path: string): PathParts {
  checkText("a path", path);
  let end = path.length;
  // What ends in `/` or `/.` is the directory before it.
  while (path[end - 1] === "/" || (path[end - 1] === "." && (end === 1 || path[end - 2] === "/"))) end--;
  if (end === 0) return { parents: [], name: undefined };
  const slash = path.lastIndexOf("/", end - 1);
  const name = path.slice(slash + 1, end);
  checkName(path, name);
  const parent = path.slice(0, Math.max(0, slash));
  if (parent !== lastParent) {
    const names: string[] = [];
    for (const each of parent.split("/")) {
      if (each === "" || each === ".") continue;
      checkName(path, each);
      names.push(each);
    }
    lastParent = parent;
    lastNames = names;
  }
  return { parents: lastNames, name };
}

function checkName(path: string, name: string): void {
  if (name === "..") {
    throw new FsynthError("source", `path ${quoteName(path)} holds "..", which could lead out of the tree`, { path });
  }
  if (name.includes("\0")) {
    throw new FsynthError("source", `path ${quoteName(path)} holds a NUL byte; no file system can store it`, { path });
  }
  if (name.length * 3 > NAME_MAX) {
    const length = encodeName(name).length;
    if (length > NAME_MAX) {
      throw new FsynthError("source", `path ${quoteName(path)} holds a name of ${length} bytes; ${NAME_MAX} is the most`, {
        path,
      });
    }
  }
}
