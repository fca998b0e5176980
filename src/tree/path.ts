// Paths inside a tree: absolute or not, `./` and repeated slashes allowed, `..` never.

import { checkText } from "../arguments.ts";
import { encodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";

/** Longest name in bytes: NAME_MAX of every system whose formats fsynth writes. */
export const NAME_MAX = 255;

/** The names of a path, the root being the empty list. Throws `source` for `..`, NUL and names over 255 bytes. */
export function splitPath(path: string): string[] {
  checkText("a path", path);
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      throw new FsynthError("source", `path ${quoteName(path)} holds "..", which could lead out of the tree`, { path });
    }
    checkName(path, name);
    names.push(name);
  }
  return names;
}

function checkName(path: string, name: string): void {
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
