// Differences of two trees: every field is seen, nothing else is reported.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareTrees, compareTreesFully, type Difference } from "../src/tree/compare.ts";
import { sparseContent } from "../src/tree/content.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { extLimits, recipeArbitrary, treeOf } from "./arbitrary/tree.ts";

function base(): Tree {
  return new Tree()
    .directory("/", { mtime: 5 })
    .directory("/dir", { mtime: 5 })
    .file("/dir/file", "hello", { mtime: { sec: 5, nsec: 6 }, xattrs: { "user.a": "x" } })
    .link("/dir/link", "/dir/file")
    .file("/dir/other", "hello", { mtime: 5 })
    .file("/sparse", sparseContent(10_000, [{ offset: 4096, length: 0 }]), { mtime: 5 })
    .symlink("/symlink", "dir", { mtime: 5 })
    .device("/device", "c", 1, 3, { mtime: 5 });
}

/** `[path, field, found, expected]` of all differences from {@link base}. */
async function changed(change: (tree: Tree) => unknown): Promise<string[][]> {
  const tree = base();
  change(tree);
  const found = await compareTreesFully(takeSnapshot(tree), takeSnapshot(base()));
  return found.map(({ path, field, found: a, expected: b }: Difference) => [path, field, a, b]);
}

describe("one difference each", () => {
  test.each<[string, (tree: Tree) => unknown, string[]]>([
    ["mode", (tree) => tree.chmod("/dir/other", 0o4755), ["/dir/other", "mode", "4755", "0644"]],
    ["mode of the root", (tree) => tree.chmod("/", 0o700), ["/", "mode", "0700", "0755"]],
    ["owner", (tree) => tree.chown("/dir/file", 1, 2), ["/dir/file", "owner", "1:2", "0:0"]],
    ["mtime", (tree) => tree.utimes("/dir/other", { mtime: 4 }), ["/dir/other", "mtime", "4", "5"]],
    ["nanoseconds", (tree) => tree.utimes("/dir/file", { btime: 5n * 10n ** 9n }), ["/dir/file", "btime", "5", "5.000000006"]],
    ["xattr value", (tree) => tree.setXattr("/dir/file", "user.a", "y"), ["/dir/file", 'xattr "user.a"', "0x79", "0x78"]],
    ["xattr gone", (tree) => tree.removeXattr("/dir/link", "user.a"), ["/dir/file", 'xattr "user.a"', "nothing", "0x78"]],
    ["empty xattr more", (tree) => tree.setXattr("/symlink", "user.b", ""), ["/symlink", 'xattr "user.b"', "0x", "nothing"]],
    ["size", (tree) => tree.file("/dir/other", "hell", { mtime: 5 }), ["/dir/other", "size", "4", "5"]],
    [
      "content",
      (tree) => tree.file("/dir/other", "hellO", { mtime: 5 }),
      ["/dir/other", "content", "0x4f at byte 4", "0x6f at byte 4"],
    ],
    ["holes", (tree) => tree.file("/sparse", new Uint8Array(10_000), { mtime: 5 }), ["/sparse", "holes", "0+10000", "no data"]],
    ["target", (tree) => tree.symlink("/symlink", "dir/", { mtime: 5 }), ["/symlink", "target", '"dir/"', '"dir"']],
    ["device", (tree) => tree.device("/device", "c", 1, 4, { mtime: 5 }), ["/device", "device", "1:4", "1:3"]],
    [
      "kind",
      (tree) => tree.device("/device", "b", 1, 3, { mtime: 5, mode: 0o600 }),
      ["/device", "kind", "block-device", "character-device"],
    ],
    ["missing", (tree) => tree.remove("/dir/other"), ["/dir/other", "entry", "nothing", "file"]],
    ["missing directory, once", (tree) => tree.remove("/dir"), ["/dir", "entry", "nothing", "directory"]],
    ["more", (tree) => tree.fifo("/dir/zzz", { mtime: 5 }), ["/dir/zzz", "entry", "fifo", "nothing"]],
    [
      "a hard link that is a copy",
      (tree) => tree.file("/dir/link", "hello", { mtime: { sec: 5, nsec: 6 }, xattrs: { "user.a": "x" } }),
      ["/dir/link", "hard link", 'a node of 1 names, the first "link"', 'a node of 2 names, the first "file"'],
    ],
    [
      "a copy that is a hard link",
      (tree) => tree.remove("/dir/other") && tree.link("/dir/other", "/dir/file"),
      ["/dir/other", "hard link", 'a node of 3 names, the first "file"', 'a node of 1 names, the first "other"'],
    ],
  ])("%s", async (_, change, expected) => {
    expect(await changed(change)).toEqual([expected]);
  });
});

test("several, in the order of the paths", async () => {
  const found = await changed((tree) => tree.chmod("/dir/file", 0).fifo("/a", { mtime: 1 }).chmod("/sparse", 0).chmod("/", 0));
  expect(found.map(([path]) => path)).toEqual(["/", "/a", "/sparse", "/dir/file"]);
});

test("extents that touch are one, and a whole one is none", () => {
  const one = new Tree().file(
    "/f",
    sparseContent(4, [{ offset: 0, length: 4 }], { size: 4, read: (_, target) => void target.fill(1) }),
  );
  const two = new Tree().file(
    "/f",
    sparseContent(
      4,
      [
        { offset: 0, length: 1 },
        { offset: 1, length: 3 },
      ],
      { size: 4, read: (_, target) => void target.fill(1) },
    ),
  );
  const dense = new Tree().file("/f", new Uint8Array(4).fill(1));
  expect(compareTrees(takeSnapshot(one), takeSnapshot(two))).toEqual([]);
  expect(compareTrees(takeSnapshot(two), takeSnapshot(dense))).toEqual([]);
});

test("a random tree is the same as itself and as itself made again", async () => {
  await fc.assert(
    fc.asyncProperty(recipeArbitrary(extLimits(1024)), async (recipe) => {
      const snapshot = takeSnapshot(treeOf(recipe));
      expect(await compareTreesFully(takeSnapshot(treeOf(recipe)), snapshot)).toEqual([]);
    }),
    { numRuns: 40 },
  );
});
