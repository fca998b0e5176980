// Globs over the paths of a tree.

import { shown } from "../arguments.ts";
import { FsynthError } from "../error.ts";
import { compile } from "./glob.ts";

/** Tells whether a path (with a leading `/`) matches. */
export type PathFilter = (path: string) => boolean;

/**
 * The filter of `--exclude` globs, as {@link pathFilter} reads them, but that `/dir/**` empties a directory and keeps it. What
 * an excluded directory holds is excluded with it, since nobody looks below it.
 */
export function excludeFilter(globs: readonly string[] | string): PathFilter {
  const list: unknown = typeof globs === "string" ? [globs] : globs;
  if (!Array.isArray(list) || list.some((glob) => typeof glob !== "string")) {
    throw new FsynthError("usage", `exclude is ${shown(globs)}, expected a list of globs`, { option: "exclude" });
  }
  return pathFilter((list as readonly string[]).map((glob) => glob.replace(/\/\*\*\/*$/, "/**/*")));
}

/**
 * Tells which paths match one of `globs`. A glob with a slash other than at its end is anchored at the root; one without
 * matches names at any depth. `*` and `?` stop at slashes, `**` does not (`/dir/**` is `/dir` with all below it), dots are
 * nothing special.
 */
export function pathFilter(globs: readonly string[]): PathFilter {
  const anchored: ((path: string) => boolean)[] = [];
  const names: ((name: string) => boolean)[] = [];
  for (const given of globs) {
    const glob = given.replace(/\/+$/, "");
    if (glob.includes("/")) anchored.push(compile(glob.replace(/^(\.?\/)+/, "")));
    else names.push(compile(glob));
  }
  return (path) => {
    const relative = path.replace(/^\/+/, "");
    const name = relative.slice(relative.lastIndexOf("/") + 1);
    return names.some((matches) => matches(name)) || anchored.some((matches) => matches(relative));
  };
}
