// fsynth diff: trees by field, bytes by record and field, between everything that can be a source.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCpio, buildExt2, buildExt4, buildFfs, buildTar } from "../src/build.ts";
import { firstDifference, firstSame } from "../src/bytes/difference.ts";
import { type DiffOptions, diffImages } from "../src/compare/images.ts";
import { diffTrees } from "../src/compare/trees.ts";
import { openImage } from "../src/sources/image.ts";
import { fromTar } from "../src/sources/tar.ts";
import { sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { writeTreeText } from "../src/tree/tree-text-write.ts";
import { recipeArbitrary } from "./arbitrary/tree.ts";
import { fsynth, requireFreshBuild } from "./cli-run.ts";
import { cpioLimits } from "./judge/cpio.ts";
import { runSeed } from "./judge/ext.ts";
import { need, runOk } from "./judge/need.ts";
import { socketless } from "./judge/tar.ts";

const seed = runSeed();
const folder = mkdtempSync(join(tmpdir(), "fsynth-diff-"));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function base(): Tree {
  return new Tree()
    .directory("/", { mtime: 5 })
    .directory("/dir", { mtime: 5 })
    .file("/dir/file", "hello\n", { mtime: { sec: 5, nsec: 6 } })
    .link("/dir/link", "/dir/file")
    .file("/dir.d", "x".repeat(70_000), { mtime: 5, uid: 7 })
    .symlink("/symlink", "dir", { mtime: 5 });
}

/** Fixed, so that images differ only where their trees do. */
const FIXED = {
  uuid: "00000000-0000-4000-8000-000000000001",
  hashSeed: "00000000-0000-4000-8000-000000000002",
  size: "2M",
} as const;

// The times of a lost+found are those of the tree.
const ext2 = (tree: Tree): Promise<Uint8Array> => buildExt2(tree, { ...FIXED, lostFound: false }).bytes();
const FIXED4 = { ...FIXED, size: "6M", lostFound: false } as const;

describe("bytes", () => {
  test("the first difference and the first that is the same again, as one byte at a time finds them", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.nat(199), { maxLength: 4 }),
        fc.nat(200),
        fc.nat(200),
        (a, flips, x, y) => {
          const b = a.slice();
          for (const at of flips) if (at < b.length) b[at] = (b[at] as number) ^ 0x80;
          const [from, to] = [Math.min(x, y, a.length), Math.min(Math.max(x, y), a.length)];
          const naive = (same: boolean): number => {
            for (let i = from; i < to; i++) if ((a[i] === b[i]) === same) return i;
            return to;
          };
          expect(firstDifference(a, b, from, to)).toBe(naive(false));
          expect(firstSame(a, b, from, to)).toBe(naive(true));
        },
      ),
      { seed },
    );
  });

  test(`every changed byte is counted and lies in a range, seed ${seed}`, async () => {
    const images = [
      await ext2(base()),
      await buildFfs(base()).bytes(),
      await buildTar(base()).bytes(),
      await buildCpio(base()).bytes(),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...images),
        // Not the first bytes, by which formats are told.
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 40 }),
        async (a, changes) => {
          const b = a.slice();
          for (const [place, bits] of changes) {
            const at = 1024 + (place % (a.length - 1024));
            b[at] = (b[at] as number) ^ bits;
          }
          const differing = a.reduce((sum, byte, i) => sum + Number(byte !== b[i]), 0);
          // The first side is sound; of the second only the bytes are wanted, and how it opens is not at stake here.
          const opened = await openImage(b).catch(() => undefined);
          fc.pre(opened !== undefined);
          const { bytes } = await diffImages(a, b, { compare: "bytes", ranges: 1000 });
          expect(bytes?.differing).toBe(differing);
          expect(bytes?.shown).toBe(differing);
          expect(bytes?.uses.reduce((sum, use) => sum + use.bytes, 0)).toBe(differing);
          const inside = new Uint8Array(a.length);
          let end = 0;
          for (const range of bytes?.ranges ?? []) {
            expect(range.offset).toBeGreaterThanOrEqual(end);
            end = range.offset + range.length;
            expect(a[range.offset]).not.toBe(b[range.offset]);
            expect(a[end - 1]).not.toBe(b[end - 1]);
            inside.fill(1, range.offset, end);
            expect(range.a).toEqual(a.subarray(range.offset, Math.min(end, range.offset + 16)));
            expect(range.b).toEqual(b.subarray(range.offset, Math.min(end, range.offset + 16)));
          }
          expect(a.every((byte, i) => byte === b[i] || inside[i] === 1)).toBe(true);
        },
      ),
      { seed, numRuns: 60 },
    );
  });

  test.skipIf(!need("debugfs"))("fields of inodes where debugfs says that the inodes lie", async () => {
    const a = await ext2(base());
    writeFileSync(path("a.ext2"), a);
    const said = runOk("debugfs", ["-R", "imap /dir/file", path("a.ext2")]).toString();
    const [, inode, group, block, offset] =
      /Inode (\d+) is part of block group (\d+)\s+located at block (\d+), offset 0x([0-9a-f]+)/.exec(said) ?? [];
    const at = Number(block) * 4096 + Number.parseInt(offset ?? "", 16);
    // Offsets of struct ext2_inode.
    for (const [field, place] of [
      ["i_mode", 0x0],
      ["i_size", 0x4],
      ["i_mtime", 0x10],
      ["i_links_count", 0x1a],
      ["i_generation", 0x64],
    ] as const) {
      const b = a.slice();
      b[at + place] = (b[at + place] as number) ^ 1;
      const { bytes } = await diffImages(a, b, { compare: "bytes" });
      expect(bytes?.ranges.map(({ what, length }) => [what, length])).toEqual([[`group ${group}, inode ${inode}, ${field}`, 1]]);
      expect(bytes?.uses).toEqual([{ use: "inodes", bytes: 1 }]);
    }
    const content = Number(/\(0\):(\d+)/.exec(runOk("debugfs", ["-R", "stat /dir/file", path("a.ext2")]).toString())?.[1]);
    const b = a.slice();
    b[content * 4096 + 1] = 0x45;
    const { bytes, trees } = await diffImages(a, b);
    expect(bytes?.ranges.map(({ offset, what }) => [offset, what])).toEqual([
      [content * 4096 + 1, "content of /dir/file, from byte 0"],
    ]);
    expect(trees).toEqual([{ path: "/dir/file", change: "changed", field: "content", a: "0x65 at byte 1", b: "0x45 at byte 1" }]);
  });

  test("a content that differs over many windows is one range, bitmaps too; the limit holds, and the rest is counted", async () => {
    const content = (fill: number): Uint8Array => new Uint8Array(3_000_000).fill(fill);
    const of = (fill: number): Promise<Uint8Array> =>
      buildTar(
        new Tree().directory("/", { mtime: 5 }).file("/big", content(fill), { mtime: 5 }).file("/z", "z", { mtime: 5 }),
      ).bytes();
    const [a, b] = [await of(1), await of(2)];
    const { bytes } = await diffImages(a, b);
    expect(bytes).toMatchObject({
      differing: 3_000_000,
      shown: 3_000_000,
      ranges: [{ length: 3_000_000, what: "file of /big" }],
    });
    expect((await diffImages(a, b, { ranges: 0 })).bytes).toMatchObject({ differing: 3_000_000, shown: 0, ranges: [] });

    const small = await ext2(new Tree().directory("/", { mtime: 5 }));
    const large = await ext2(new Tree().directory("/", { mtime: 5 }).file("/f", content(1).subarray(0, 400_000), { mtime: 5 }));
    const found = await diffImages(small, large, { ranges: 1000 });
    const bitmaps = found.bytes?.ranges.filter(({ what }) => what.includes("block bitmap")) ?? [];
    expect(bitmaps).toHaveLength(1);
    expect(bitmaps[0]?.what).toMatch(/^group 0, block bitmap, blocks \d+ to \d+ … blocks \d+ to \d+$/);
    expect(bitmaps[0]?.length).toBeGreaterThan(8);
    const some = await diffImages(small, large, { ranges: 3 });
    expect(some.bytes?.ranges).toEqual(found.bytes?.ranges.slice(0, 3));
    expect(some.bytes?.shown).toBe(some.bytes?.ranges.reduce((sum, { differing }) => sum + differing, 0));
    expect(some.bytes?.differing).toBe(found.bytes?.differing);
  });

  test("what only the larger image has is told by the sizes", async () => {
    const small = await ext2(base());
    const large = await buildExt2(base(), { ...FIXED, size: "3M", lostFound: false }).bytes();
    const { same, bytes, trees } = await diffImages(small, large);
    expect({ same, trees, sizes: bytes?.sizes }).toEqual({ same: false, trees: [], sizes: [2 << 20, 3 << 20] });
    const twice = new Uint8Array(large.length * 2);
    twice.set(large);
    const grown = await diffImages(large, twice);
    expect(grown).toMatchObject({ same: false, trees: [], bytes: { differing: 0, ranges: [] } });
  });

  test("of a damaged image the bytes are told, and why its tree is not", async () => {
    const a = await buildExt4(base(), FIXED4).bytes();
    const volume = await openImage(a);
    const inode = volume.stat("/dir/file").id;
    let at = 0;
    while (!volume.locate(at).what.endsWith(`inode ${inode}, i_mtime`)) at++;
    const b = a.slice();
    b[at] = 9;
    const { same, trees, bytes, notCompared } = await diffImages(a, b);
    expect({ same, trees }).toEqual({ same: false, trees: undefined });
    expect(bytes?.ranges).toMatchObject([{ what: `group 0, inode ${inode}, i_mtime` }]);
    expect(notCompared).toEqual([{ field: "trees", why: expect.stringContaining("checksum") }]);
    await expect(diffImages(a, b, { compare: "trees" })).rejects.toMatchObject({ code: "corrupt" });
  });
});

describe("trees", () => {
  test.each<[string, (tree: Tree) => unknown, string[]]>([
    ["mode", (tree) => tree.chmod("/dir/file", 0o4755), ["changed", "/dir/file", "mode", "0644", "4755"]],
    ["removed", (tree) => tree.remove("/dir"), ["removed", "/dir", "entry", "directory", "nothing"]],
    ["added", (tree) => tree.fifo("/fifo", { mtime: 5 }), ["added", "/fifo", "entry", "nothing", "fifo"]],
    ["a link cut", (tree) => tree.remove("/dir/link"), ["removed", "/dir/link", "entry", "file", "nothing"]],
    [
      "content",
      (tree) => tree.file("/dir.d", `${"x".repeat(69_999)}y`, { mtime: 5, uid: 7 }),
      ["changed", "/dir.d", "content", "0x78 at byte 69999", "0x79 at byte 69999"],
    ],
    [
      "xattr",
      (tree) => tree.setXattr("/symlink", "trusted.a", "y"),
      ["changed", "/symlink", 'xattr "trusted.a"', "nothing", "0x79"],
    ],
  ])("%s", async (_, change, expected) => {
    const other = base();
    change(other);
    const found = await diffTrees(base(), other);
    expect(found.map(({ change: what, path: at, field, a, b }) => [what, at, field, a, b])).toEqual([expected]);
    // In images likewise, and with bytes that differ.
    const images = await diffImages(await ext2(base()), await ext2(other));
    expect(images.trees).toEqual(found);
    expect(images.bytes?.differing).toBeGreaterThan(0);
    expect(images.same).toBe(false);
    const [, , field = ""] = expected;
    const ignored =
      field === "mode" ? "mode" : field === "content" ? "content" : field.startsWith("xattr") ? "xattrs" : undefined;
    if (ignored) expect(await diffTrees(base(), other, { ignore: [ignored] })).toEqual([]);
  });

  test("in the order of the paths, contents where they belong", async () => {
    const other = base().chmod("/", 0o700).chmod("/dir", 0o700).file("/dir/a", "", { mtime: 5 });
    other.remove("/symlink");
    other.file("/dir.d", "y".repeat(70_000), { mtime: 5, uid: 7 });
    expect((await diffTrees(base(), other)).map(({ path: at }) => at)).toEqual(["/", "/dir", "/dir/a", "/dir.d", "/symlink"]);
  });

  test("unknown fields and options are refused", async () => {
    await expect(diffTrees(base(), base(), { ignore: ["modes" as "mode"] })).rejects.toMatchObject({ code: "usage" });
    const wrong: readonly object[] = [{ ignore: ["x"] }, { compare: "all" }, { ranges: -1 }, { range: 5 }, { holes: "keep" }];
    for (const options of wrong) {
      await expect(diffImages(await ext2(base()), await ext2(base()), options as DiffOptions)).rejects.toMatchObject({
        code: "usage",
      });
    }
    await expect(diffImages(base(), await ext2(base()), { compare: "bytes" })).rejects.toThrow("found a tree");
  });

  test("progress reaches its end", async () => {
    const seen: string[] = [];
    await diffTrees(base(), base().file("/dir.d", "y".repeat(70_000)), {
      onProgress: ({ done, total }) => seen.push(`${done}/${total}`),
    });
    // /dir/file has another content object, too.
    expect(seen.at(-1)).toBe("70006/70006");
  });
});

describe("any with any", () => {
  test(`one tree in every format is one tree, seed ${seed}`, async () => {
    await fc.assert(
      fc.asyncProperty(recipeArbitrary({ ...cpioLimits, maxTarget: 1000, maxTime: 2 ** 31 - 1 }, 15), async (recipe) => {
        const tree = socketless(recipe);
        const sides = [
          tree,
          await buildExt4(tree, { size: "fit+10%" }).bytes(),
          await buildExt2(tree, { inodeSize: 128 }).bytes(),
          await buildFfs(tree, { version: 1 }).bytes(),
          await buildCpio(tree).bytes(),
          await buildTar(tree).bytes(),
        ];
        for (const a of sides) {
          for (const b of sides) {
            const { same, trees, bytes, formats } = await diffImages(a, b);
            expect({ formats, trees: trees ?? [] }).toEqual({ formats, trees: [] });
            expect(same).toBe(true);
            if (a === b) expect(bytes === undefined).toBe(a === tree);
          }
        }
      }),
      { seed, numRuns: 8 },
    );
  });

  test("what a side cannot tell is not compared, and said", async () => {
    const tree = base();
    const later = base();
    for (const each of [tree, later]) each.file("/sparse", sparseContent(1 << 20), { mtime: 5 });
    later.utimes("/dir/file", { atime: 9, mtime: { sec: 5, nsec: 900_000_000 } });
    expect((await diffImages(tree, later)).trees).toHaveLength(2);
    const { same, notCompared } = await diffImages(await buildCpio(tree).bytes(), await ext2(later));
    expect(same).toBe(true);
    expect(notCompared.map(({ field }) => field)).toEqual(["bytes", "atime", "ctime", "btime", "nanoseconds", "holes"]);
    const all = await diffImages(await buildTar(tree).bytes(), await ext2(later));
    expect(all.trees?.map(({ field }) => field).sort()).toEqual(["atime", "mtime"]);
  });

  test("a directory, a tree.txt beside its contents, streams, compressed ones", async () => {
    mkdirSync(path("root"));
    writeFileSync(path("root/file"), "content");
    utimesSync(path("root/file"), 5, 5);
    utimesSync(path("root"), 5, 5);
    const owner = { owner: "0:0", size: "2M" } as const;
    const ids = process.getuid?.() === 0 ? {} : ({ ignore: ["owner"] } as const);
    const tree = await fromTar(
      await buildTar(new Tree().directory("/", { mtime: 5 }).file("/file", "content", { mtime: 5 })).bytes(),
    );
    await buildExt2(tree, owner).writeTo(path("root.ext2.gz"));
    const { same, notCompared } = await diffImages(path("root"), path("root.ext2.gz"), {
      ignore: ["mode", ...(ids.ignore ?? [])],
    });
    expect(same).toBe(true);
    expect(notCompared.map(({ field }) => field)).toEqual(["atime", "ctime", "btime", "xattrs", "holes"]);
    writeFileSync(path("root/file"), "Content");
    utimesSync(path("root/file"), 5, 5);
    const changed = await diffImages(path("root"), path("root.ext2.gz"), { ignore: ["mode", "owner"] });
    expect(changed.trees).toMatchObject([{ path: "/file", field: "content" }]);

    writeFileSync(path("file.bin"), "content");
    writeFileSync(path("tree.txt"), await writeTreeText(tree, { content: async () => ({ file: "file.bin" }) }));
    const stream = async function* (): AsyncGenerator<Uint8Array> {
      yield readFileSync(path("root.ext2.gz"));
    };
    expect((await diffImages(path("tree.txt"), stream())).trees).toEqual([]);
  });

  test("a lost+found that a build makes again counts between images of one format only", async () => {
    const [a, b] = [await buildExt2(base(), FIXED).bytes(), await ext2(base())];
    expect((await diffImages(a, b)).trees).toMatchObject([{ path: "/lost+found", change: "removed" }]);
    expect((await diffImages(a, await buildTar(base()).bytes())).trees).toEqual([]);
  });
});

describe("the command", () => {
  beforeAll(async () => {
    requireFreshBuild();
    writeFileSync(path("a.ext4"), await buildExt4(base(), FIXED4).bytes());
    writeFileSync(path("same.ext4"), await buildExt4(base(), FIXED4).bytes());
    const other = base().chmod("/dir/file", 0o600);
    other.remove("/symlink");
    writeFileSync(path("b.ext4"), await buildExt4(other, FIXED4).bytes());
    writeFileSync(path("a.tar"), await buildTar(base()).bytes());
  });

  test("tells lines, and by its exit status", () => {
    const size = readFileSync(path("a.ext4")).length;
    expect(fsynth(["diff", path("a.ext4"), path("same.ext4")])).toEqual({
      status: 0,
      stdout: `no difference: ${size} bytes of ext4\n`,
      stderr: "",
    });
    const { status, stdout, stderr } = fsynth(["diff", path("a.ext4"), path("b.ext4")]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    const lines = stdout.split("\n");
    expect(lines.slice(0, 3)).toEqual([
      "changed /dir/file: mode 0644 -> 0600",
      "removed /symlink (symlink)",
      "trees: 2 differences: mode 1, removed 1",
    ]);
    expect(lines[3]).toMatch(new RegExp(`^bytes: \\d+ of ${size} differ \\(.*inodes \\d+`));
    // The symlink was inode 13, which the file of mode 0600 is now.
    expect(stdout).toMatch(/^ {2}\d+\+2 +group 0, inode 13, i_mode: ff a1 -> 80 81$/m);
    expect(fsynth(["diff", "-q", path("a.ext4"), path("b.ext4")])).toEqual({ status: 1, stdout: "", stderr: "" });
    const tree = fsynth(["diff", "--tree", path("a.ext4"), path("b.ext4")]);
    expect(tree.stdout.split("\n")).toHaveLength(4);
    expect(fsynth(["diff", "--bytes", "--ranges", "1", path("a.ext4"), path("b.ext4")]).stdout).toMatch(
      /^bytes: .*\n {2}.*\n {2}and \d+ bytes more; --ranges tells more of them\n$/,
    );
  });

  test("JSON holds all of it", () => {
    const { status, stdout } = fsynth(["diff", "--json", path("a.ext4"), path("b.ext4")]);
    expect(status).toBe(1);
    const told = JSON.parse(stdout) as { bytes: { ranges: { what: string; a: string; b: string }[] } };
    expect(told).toMatchObject({
      same: false,
      formats: ["ext4", "ext4"],
      trees: [
        { path: "/dir/file", change: "changed", field: "mode", a: "0644", b: "0600" },
        { path: "/symlink", change: "removed", field: "entry", a: "symlink", b: "nothing" },
      ],
      notCompared: [],
    });
    expect(told.bytes.ranges.find(({ what }) => what.endsWith("i_mode"))).toMatchObject({ a: "ffa1", b: "8081" });
  });

  test("a tar on standard input against an image", () => {
    const { status, stdout, stderr } = fsynth(["diff", "-", path("a.ext4")], { input: readFileSync(path("a.tar")) });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toBe("trees: no difference (tar, ext4)\nnot compared: bytes, holes (one is tar, the other ext4)\n");
    expect(fsynth(["diff", "--ignore", "mode", "--exclude", "symlink", "--tree", path("a.tar"), path("b.ext4")]).status).toBe(0);
  });

  test("what does not fit is refused", () => {
    writeFileSync(path("text"), "no image at all");
    const cases: readonly (readonly [args: readonly string[], status: number, words: string])[] = [
      [[path("a.ext4")], 2, "takes two"],
      [[path("a.ext4"), path("a.ext4"), "c"], 2, 'found "c" as well'],
      [["--ignore", "mtme", path("a.ext4"), path("a.ext4")], 2, '(did you mean "mtime"?)'],
      [["--tree", "--bytes", path("a.ext4"), path("a.ext4")], 2, "exclude each other"],
      [["--ranges", "x", path("a.ext4"), path("a.ext4")], 2, "expected a number"],
      [["-", "-"], 2, "only once"],
      [[path("a.ext4"), path("text")], 3, "found something else"],
      [[path("a.ext4"), path("missing")], 4, "there is no such file"],
    ];
    for (const [args, status, words] of cases) {
      const ran = fsynth(["diff", ...args]);
      expect({ args, status: ran.status, stdout: ran.stdout }).toEqual({ args, status, stdout: "" });
      expect(ran.stderr).toContain(words);
    }
  });
});
