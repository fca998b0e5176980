// Images that others made (golden-images/foreign) are read as the tree that was put into them; no other program is needed.
// FSYNTH_UPDATE=1 writes their tree.txt, and never their stat.txt: that is what stat and getfattr say.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { TYPE } from "../formats/cpio/mode.ts";
import { formats } from "../formats/index.ts";
import { toHex } from "../src/bytes/hex.ts";
import { recordText } from "../src/image/record-text.ts";
import { type Content, fromImage, type Node, type Time, type Tree, writeTreeText } from "../src/index.ts";
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

/** As `stat -c %.9Y` prints it: a decimal number, so that 0.25 s before 1970 is -0.250000000. */
function statTime({ sec, nsec }: Time): string {
  const before = sec < 0;
  const ns = BigInt(sec) * 1_000_000_000n + BigInt(nsec);
  const digits = `${before ? -ns : ns}`.padStart(10, "0");
  return `${before ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** A tree as `manifest` of golden-images/foreign/make.sh writes it. */
async function statText(tree: Tree): Promise<string> {
  const entries = [...entriesOf(tree.root, "")].filter(([path]) => path !== "/lost+found");
  const links = new Map<Node, number>();
  for (const [, node] of entries) links.set(node, (links.get(node) ?? 0) + 1);
  const lines: string[] = [];
  for (const [path, node] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const words = [path, (TYPE[node.kind] | node.mode).toString(8), `${node.uid}:${node.gid}`, statTime(node.mtime)];
    if (node.kind !== "directory") words.push(`links=${links.get(node)}`);
    if (node.kind === "symlink") words.push(`target=${node.target}`);
    if (node.kind === "character-device" || node.kind === "block-device") words.push(`device=${node.major}:${node.minor}`);
    if (node.kind === "file") words.push(`size=${node.content.size}`, `sha256=${await digestOf(node.content)}`);
    lines.push(words.join(" "));
    lines.push(...[...(node.xattrs ?? [])].map(([name, value]) => `  ${name}=0x${toHex(value)}`).sort());
  }
  return lines.map((line) => `${line}\n`).join("");
}

function* entriesOf(node: Node, path: string): Generator<[path: string, node: Node]> {
  yield [path === "" ? "/" : path, node];
  if (node.kind !== "directory") return;
  for (const [name, child] of node.children) yield* entriesOf(child, `${path}/${name}`);
}

const statFile = (one: ForeignCase): string => join(one.folder, "stat.txt");
const stated = cases.filter((one) => existsSync(statFile(one)));

test("metadata of all formats is stated by others", () => {
  expect(stated.map(({ name }) => name)).toEqual([
    "bsdtar-pax-metadata",
    "cpio-bin-metadata",
    "cpio-newc-metadata",
    "cpio-odc-metadata",
    "genext2fs-ext2-metadata",
    "linux-ext4-metadata",
    "makefs-ffs2-be-metadata",
    "makefs-ffs2-le-metadata",
    "mke2fs-ext2-metadata",
    "mke2fs-ext4-metadata",
    "tar-gnu-metadata",
    "tar-posix-metadata",
  ]);
});

test.each(stated)("$name has the metadata that stat and getfattr tell", async (one) => {
  const text = readFileSync(statFile(one), "utf8").replaceAll(/^#.*\n/gm, "");
  expect(await statText(await treeOf(one))).toBe(text);
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
  const whole = cases.filter((one) => !stated.includes(one) && PARTIAL[one.name] === undefined).map(({ name }) => name);
  expect(whole.length).toBeGreaterThanOrEqual(30);
  for (const name of whole) expect([...manifest(name).values()], name).toEqual([...all.values()]);
  // Of the others, what is there is the same.
  for (const name of Object.keys(PARTIAL)) {
    if (name === "mke2fs-inline-data" || name === "tar-many-holes") continue;
    for (const [path, line] of manifest(name)) if (path !== "/") expect(line, name).toBe(all.get(path));
  }
});
