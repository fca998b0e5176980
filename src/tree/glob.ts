// Globs, by picomatch.

import picomatch from "picomatch/posix.js";

/** A matcher of `glob`: `*` and `?` stop at slashes, `**` does not; a leading dot is matched like any character. */
export function compile(glob: string): (text: string) => boolean {
  return picomatch(glob, { dot: true, nonegate: true });
}
