// Callers in plain JavaScript: what the compiler would have refused is refused by name, and nothing is lost silently.

import { describe, expect, test } from "vitest";
import { FsynthError } from "../src/error.ts";
import * as fsynth from "../src/index.ts";

const { buildExt4, fromDirectory, fromTar, Tree } = fsynth;

/** Calls without types. */
// biome-ignore lint/suspicious/noExplicitAny: that is the point of these tests
type Untyped = any;

async function refusal(work: () => unknown): Promise<FsynthError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const content = { size: 3, read: (_: number, target: Uint8Array) => void target.fill(65) };

describe("Tree", () => {
  test.each<[string, Untyped]>([
    ["a number", 5],
    ["null", null],
    ["undefined", undefined],
    ["an object", {}],
    ["an array", [1, 2, 3]],
    ["an ArrayBuffer", new ArrayBuffer(5)],
    ["another typed array", new Uint16Array(3)],
    ["a Blob", new Blob(["x"])],
    ["a negative size", { ...content, size: -1 }],
    ["half a byte", { ...content, size: 1.5 }],
    ["no size", { ...content, size: Number.NaN }],
    ["extents behind the end", { ...content, extents: [{ offset: 2, length: 2 }] }],
    [
      "extents out of order",
      {
        ...content,
        extents: [
          { offset: 2, length: 1 },
          { offset: 0, length: 1 },
        ],
      },
    ],
    [
      "extents that overlap",
      {
        ...content,
        extents: [
          { offset: 0, length: 2 },
          { offset: 1, length: 1 },
        ],
      },
    ],
  ])("content: %s", async (_, given: Untyped) => {
    expect((await refusal(() => new Tree().file("/a", given))).code).toBe("usage");
  });

  test.each<[string, (tree: Untyped) => unknown]>([
    ["file()", (tree) => tree.file()],
    ["a path that is a number", (tree) => tree.directory(5)],
    ["a target that is none", (tree) => tree.symlink("/s")],
    ["a link to nothing", (tree) => tree.link("/a")],
    ["an xattr that is a number", (tree) => tree.file("/a", "", { xattrs: { "user.a": 7 } })],
    ["the same later", (tree) => tree.file("/a", "").setXattr("/a", "user.a", 7)],
    ["unknown metadata", (tree) => tree.file("/a", "", { owner: 0 })],
    ["metadata that is null", (tree) => tree.file("/a", "", null)],
    ["a mode with its kind", (tree) => tree.file("/a", "", { mode: 0o100644 })],
    ["a device of no type", (tree) => tree.device("/a", "x", 1, 2)],
    ["a device without numbers", (tree) => tree.device("/a", "c")],
    ["a time that is text", (tree) => tree.file("/a", "", { mtime: "yesterday" })],
  ])("%s", async (_, call) => {
    expect((await refusal(() => call(new Tree()))).code).toBe("usage");
  });
});

describe("builds", () => {
  test.each<[string, Untyped]>([
    ["null", null],
    ["an unknown option", { sise: "fit" }],
    ["a seed that is a number", { seed: 5 }],
    ["exclude as a number", { exclude: 5 }],
    ["allowLoss as text", { allowLoss: "perhaps" }],
  ])("options: %s", async (_, options) => {
    expect((await refusal(() => buildExt4(new Tree(), options))).code).toBe("usage");
  });

  test("a tree that is none, a promise of one, a format that is a name", async () => {
    expect((await refusal(() => buildExt4(null as Untyped))).code).toBe("usage");
    expect((await refusal(() => buildExt4(Promise.resolve(new Tree()) as Untyped))).message).toMatch(/await it/);
    expect((await refusal(() => fsynth.buildImage("ext4" as Untyped, "ext4", new Tree()))).code).toBe("usage");
  });

  test("writeTo: no path, unknown options, words that are none", async () => {
    const image = buildExt4(new Tree());
    expect((await refusal(() => image.writeTo(undefined as Untyped))).code).toBe("usage");
    expect((await refusal(() => image.writeTo("x.img", { bogus: 1 } as Untyped))).message).toMatch(
      /no option "bogus"; it has .*fsync/,
    );
    expect((await refusal(() => image.writeTo("x.img", { compress: "xz" } as Untyped))).message).toMatch(/none or gzip or zstd/);
  });
});

describe("sources", () => {
  test("one glob is a list of one", () => {
    expect(fromDirectory("examples/hello", { exclude: "*.nothing" as Untyped }).lookup("/")).toBeDefined();
    expect([...fromDirectory("examples/hello", { exclude: "*.nothing" as Untyped }).entries()].length).toBeGreaterThan(0);
  });

  test("paths and options that are none", async () => {
    expect((await refusal(() => fromDirectory(undefined as Untyped))).code).toBe("usage");
    expect((await refusal(() => fromDirectory(new URL("file:///etc") as Untyped))).message).toMatch(
      /an object \(URL\), expected text/,
    );
    expect((await refusal(() => fromDirectory("examples/hello", { hardLinks: "zz" } as Untyped))).message).toMatch(
      /keep or copy/,
    );
    expect((await refusal(() => fromTar(new Uint8Array(1024), { bogus: 1 } as Untyped))).message).toMatch(/no option "bogus"/);
  });
});
