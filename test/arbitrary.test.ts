// The random trees themselves: a generator that no longer makes something would make tests pass that see nothing.

import fc from "fast-check";
import { expect, test } from "vitest";
import { unescapeName } from "../src/bytes/names.ts";
import { extLimits, type Recipe, type RecipeEntry, recipeArbitrary, treeOf } from "./arbitrary/tree.ts";

const recipes: readonly Recipe[] = fc.sample(recipeArbitrary(extLimits(4096)), { numRuns: 250, seed: 1 });
const entries = recipes.flat();

const features: Readonly<Record<string, (entry: RecipeEntry) => boolean>> = {
  "an empty file": ({ kind, size }) => kind === "file" && size === 0,
  "a file of whole blocks": ({ size = 0, extents }) => size > 0 && size % 4096 === 0 && !extents,
  "a file behind the direct blocks": ({ size = 0, extents }) => size > 12 * 4096 && !extents,
  "a file of one hole": ({ extents }) => extents?.length === 0,
  "a file with several extents": ({ extents }) => (extents?.length ?? 0) > 2,
  "a sparse file above 4 GiB": ({ size = 0 }) => size > 2 ** 32,
  "a symlink of 59 bytes": ({ target }) => target !== undefined && unescapeName(target).length === 59,
  "a symlink of 60 bytes": ({ target }) => target !== undefined && unescapeName(target).length === 60,
  "a symlink of 4095 bytes": ({ target }) => target !== undefined && unescapeName(target).length === 4095,
  "a device in the old encoding": ({ device }) => device !== undefined && device[0] < 256 && device[1] < 256,
  "a device in the new encoding": ({ device }) => device !== undefined && (device[0] > 255 || device[1] > 255),
  "a block device": ({ kind }) => kind === "b",
  "a fifo": ({ kind }) => kind === "fifo",
  "a socket": ({ kind }) => kind === "socket",
  "a hard link": ({ kind }) => kind === "link",
  "set-id and sticky bits": ({ mode = 0 }) => mode > 0o777,
  "an owner above 16 bits": ({ uid = 0 }) => uid > 65535,
  "a group above 31 bits": ({ gid = 0 }) => gid > 2 ** 31,
  "the image's own time": ({ mtime, kind }) => mtime === undefined && kind !== "link",
  "a time before 1970": ({ mtime = "" }) => mtime.startsWith("-"),
  "a time after 2038": ({ mtime = "0" }) => Number(mtime) > 2 ** 31,
  "a time after 2378": ({ mtime = "0" }) => Number(mtime) > 3 * 2 ** 32,
  "an access time of its own": ({ atime }) => atime !== undefined,
  "a change time of its own": ({ ctime }) => ctime !== undefined,
  "a birth time of its own": ({ btime }) => btime !== undefined,
  "a user xattr": ({ xattrs = {} }) => Object.keys(xattrs).some((name) => name.startsWith("user.")),
  "a trusted xattr of a symlink": ({ kind, xattrs = {} }) =>
    kind === "symlink" && Object.keys(xattrs).some((name) => name.startsWith("trusted.")),
  "an xattr of a device": ({ device, xattrs = {} }) => device !== undefined && Object.keys(xattrs).length > 0,
  "an empty xattr": ({ xattrs = {} }) => Object.values(xattrs).includes(""),
  "an xattr above 1 KiB": ({ xattrs = {} }) => Object.values(xattrs).some((hex) => hex.length > 2048),
  "several xattrs": ({ xattrs = {} }) => Object.keys(xattrs).length > 2,
  "an access ACL": ({ xattrs = {} }) => "system.posix_acl_access" in xattrs,
  "a default ACL": ({ xattrs = {} }) => "system.posix_acl_default" in xattrs,
  "a capability": ({ xattrs = {} }) => "security.capability" in xattrs,
  "a directory of hundreds": ({ crowd = 0 }) => crowd > 300,
  "a name of 255 bytes": ({ path }) => Buffer.byteLength(unescapeName(path).split("/").at(-1) as string) === 255,
  "a name with a line end": ({ path }) => path.includes("\\x0a"),
  "a name that is not UTF-8": ({ path }) => /\p{Surrogate}/u.test(unescapeName(path)),
  "a name of several scripts": ({ path }) => /[^\x00-\xff]/.test(path),
  "a deep path": ({ path }) => path.split("/").length > 4,
};

test.each(Object.keys(features))("random trees hold %s", (feature) => {
  expect(entries.some(features[feature] as (entry: RecipeEntry) => boolean)).toBe(true);
});

test("a recipe is the same tree each time, and most are more than a few entries", () => {
  for (const recipe of recipes.slice(0, 20)) {
    expect([...treeOf(recipe).entries()].map(([path]) => path)).toEqual([...treeOf(recipe).entries()].map(([path]) => path));
  }
  expect(recipes.filter((recipe) => recipe.length > 10).length).toBeGreaterThan(recipes.length / 3);
});
