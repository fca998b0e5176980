// Images that others made (golden-images/foreign) are read as the tree that was put into them; no other program is needed.
// FSYNTH_UPDATE=1 writes their tree.txt.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formats } from "../formats/index.ts";
import { recordText } from "../src/image/record-text.ts";
import { type Content, fromImage, type Tree, writeTreeText } from "../src/index.ts";
import { imageOf } from "./judge/broken.ts";
import { type ForeignCase, foreignCases, foreignImage, foreignText } from "./judge/foreign.ts";

const cases = foreignCases();

/** Contents that are longer are written by their digests. */
const LONG = 100;

async function manifestOf(tree: Tree): Promise<string> {
  const content = async (_: string, one: Content) => (one.size > LONG ? { sha256: await digestOf(one) } : ("inline" as const));
  return await writeTreeText(tree, { content });
}

async function digestOf(content: Content): Promise<string> {
  const bytes = new Uint8Array(content.size);
  await content.read(0, bytes);
  return createHash("sha256").update(bytes).digest("hex");
}

function treeOf(one: ForeignCase): Promise<Tree> {
  return fromImage(foreignImage(one), { keepLostFound: true });
}

describe.each(cases)("$name", (one) => {
  test("is read as its tree", async () => {
    const manifest = await manifestOf(await treeOf(one));
    if (process.env.FSYNTH_UPDATE === "1") writeFileSync(join(one.folder, "tree.txt"), manifest);
    expect(manifest).toBe(foreignText(one, "tree.txt"));
  });

  test("has nothing wrong, and its records can be told", () => {
    const bytes = foreignImage(one);
    const image = imageOf(bytes);
    const format = formats.find((one) => one.recognises?.(image));
    expect(format?.check?.(image)).toEqual([]);
    expect([...recordText(format?.records?.(image) ?? [])].length).toBeGreaterThan(3);
  });

  test("says how it was made", () => {
    expect(foreignText(one, "command.txt")).toMatch(/^.*\d.*\n\n.*(image|holes)/);
  });
});

/** What of the lines of a manifest all formats can hold, by path. */
function plainLines(text: string): Map<string, string> {
  const lines = text
    .split("\n")
    .slice(1)
    .filter((line) => line !== "");
  const plain = lines.map((line) => line.replaceAll(/ (?:[abc]?time|extents|xattr\.[^= ]+)=(?:"(?:[^"\\]|\\.)*"|\S*)/g, ""));
  return new Map(plain.map((line): [string, string] => [line.split(" ", 1)[0] as string, line])); // every line has a path
}

/** Makers that left something out, or changed it, with what there is to say. */
const PARTIAL: Readonly<Record<string, string>> = {
  "bsdtar-ustar": "no names of 101 bytes and more",
  "bsdtar-v7": "some folders were given",
  "cpio-swapped": "some folders were given",
  "cpio-tar": "no devices, no long names",
  "cpio-ustar": "no long names",
  "mke2fs-empty": "nothing was given",
  "mke2fs-inline-data": "mke2fs 1.47.0 shortens files that end in a hole",
  "tar-many-holes": "a tree of its own",
  "tar-posix-global": "one folder was given",
  "tar-ustar": "some folders were given",
  "tar-v7": "some folders were given",
};

test("makers that took all of the source are read as one tree", () => {
  const manifest = (name: string): Map<string, string> => {
    const lines = plainLines(foreignText(cases.find((one) => one.name === name) as ForeignCase, "tree.txt")); // it is listed
    lines.delete("/lost+found");
    return lines;
  };
  const all = manifest("tar-gnu");
  expect(all.size).toBe(82);
  const whole = cases.map(({ name }) => name).filter((name) => PARTIAL[name] === undefined);
  expect(whole.length).toBeGreaterThanOrEqual(30);
  for (const name of whole) expect([...manifest(name).values()], name).toEqual([...all.values()]);
  // Of the others, what is there is the same.
  for (const name of Object.keys(PARTIAL)) {
    if (name === "mke2fs-inline-data" || name === "tar-many-holes") continue;
    for (const [path, line] of manifest(name)) if (path !== "/") expect(line, name).toBe(all.get(path));
  }
});
