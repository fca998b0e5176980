// Globs that keep parts of a tree out.

import { compile } from "./glob.ts";

/** Tells whether a path (with a leading `/`) matches. */
export type PathFilter = (path: string) => boolean;

/**
 * The filter of `--exclude` globs. A glob with a slash other than at its end is anchored at the root; one without
 * matches names at any depth. `*` and `?` stop at slashes, `**` does not, dots are nothing special. What an excluded
 * directory holds is excluded with it, since nobody looks below it; `/dir/**` empties a directory and keeps it.
 */
export function excludeFilter(globs: readonly string[]): PathFilter {
  const anchored: ((path: string) => boolean)[] = [];
  const names: ((name: string) => boolean)[] = [];
  for (const given of globs) {
    const glob = given.replace(/\/+$/, "");
    // What lies in a directory, not the directory itself; picomatch would take both.
    if (glob.includes("/")) anchored.push(compile(glob.replace(/^(\.?\/)+/, "").replace(/\/\*\*$/, "/**/*")));
    else names.push(compile(glob));
  }
  return (path) => {
    const relative = path.replace(/^\/+/, "");
    const name = relative.slice(relative.lastIndexOf("/") + 1);
    return names.some((matches) => matches(name)) || anchored.some((matches) => matches(relative));
  };
}
