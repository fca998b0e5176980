// The writer of tar: random trees before GNU tar, bsdtar and our own reader; plain trees byte for byte as GNU tar writes them.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readNumber } from "../formats/tar/number.ts";
import { BLOCK, ustar } from "../formats/tar/records.ts";
import { buildTar } from "../src/build.ts";
import { FsynthError } from "../src/error.ts";
import { fromDirectory } from "../src/sources/directory.ts";
import { fromTar } from "../src/sources/tar.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { bytesContent, sparseContent } from "../src/tree/content.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { nameArbitrary, pattern, type Recipe, recipeArbitrary } from "./arbitrary/tree.ts";
import { runSeed } from "./judge/ext.ts";
import { need, run, runOk } from "./judge/need.ts";
import { asTarHolds, needUnpackers, settleAcls, socketless, tarLimits, type Unpacker, unpackedDifferences } from "./judge/tar.ts";
import { temporary } from "./tar-made.ts";

const ALL = process.env.FSYNTH_TEST === "all";
const able = needUnpackers();
const seed = runSeed();
const recipes = recipeArbitrary(tarLimits, 24);

async function forAll(runs: number, offset: number, judge: (recipe: Recipe) => Promise<void>): Promise<void> {
  await fc.assert(fc.asyncProperty(recipes, judge), { numRuns: ALL ? runs * 10 : runs, seed: seed + offset });
}

const roundTrip = async (tree: Tree, options = {}): Promise<unknown[]> =>
  compareTreesFully(takeSnapshot(await fromTar(await buildTar(tree, options).bytes())), asTarHolds(takeSnapshot(tree)));

describe(`random trees, seed ${seed}`, () => {
  test.skipIf(!able).each(["tar", "bsdtar"] as const satisfies Unpacker[])(
    "%s unpacks exactly the tree",
    async (unpacker) => {
      await forAll(60, unpacker === "tar" ? 1 : 2, async (recipe) => {
        const tree = settleAcls(socketless(recipe));
        const archive = await buildTar(tree).bytes();
        expect(await unpackedDifferences(archive, tree, unpacker)).toEqual([]);
      });
    },
    600_000,
  );

  test("our own reader finds the tree again, and that writes the same bytes", async () => {
    await forAll(200, 3, async (recipe) => {
      const tree = socketless(recipe);
      const image = buildTar(tree);
      const read = await fromTar(await image.bytes());
      expect(await compareTreesFully(takeSnapshot(read), asTarHolds(takeSnapshot(tree)))).toEqual([]);
      expect(await buildTar(read).sha256()).toBe(await image.sha256());
    });
  }, 120_000);
});

describe("what ustar suffices for", () => {
  /** Trees that ustar holds, unpacked, so that GNU tar can pack them. */
  const plain = recipeArbitrary(
    { ...tarLimits, xattrBytes: 0, maxTarget: 100, minTime: 0, maxTime: 8 ** 11 - 1, maxFile: 100_000 },
    20,
  );

  test.skipIf(!able)(
    "is byte for byte as GNU tar writes it, given the same names in the same order",
    async () => {
      const folder = temporary();
      let count = 0;
      await fc.assert(
        fc.asyncProperty(plain, async (recipe) => {
          const root = join(folder, String(count++));
          mkdirSync(root);
          // GNU tar packs devices and fifos of several names as so many.
          const linkable = new Set(recipe.filter(({ kind }) => kind === "file" || kind === "symlink").map(({ path }) => path));
          const drawn = socketless(recipe.filter(({ to }) => to === undefined || linkable.has(to)));
          for (const [, node] of [...drawn.entries(), ["/", drawn.root] as const]) {
            node.uid %= 8 ** 7;
            node.gid %= 8 ** 7;
            if (node.kind === "file") node.content = { size: node.content.size, read: node.content.read.bind(node.content) };
          }
          const packed = join(folder, "packed.tar");
          writeFileSync(packed, await buildTar(drawn).bytes());
          runOk("tar", ["-xpf", packed, "--numeric-owner", "--warning=none"], { cwd: root });
          const tree = fromDirectory(root, { xattrs: "none" });
          const whole = (time: { sec: number }): { sec: number; nsec: number } => ({ sec: time.sec, nsec: 0 });
          for (const [, node] of [...tree.entries(), ["/", tree.root] as const])
            for (const which of ["mtime", "atime", "ctime", "btime"] as const) node[which] = whole(node[which]);
          const ours = Buffer.from(await buildTar(tree).bytes());
          const names = namesOf(ours);
          // A name too long for ustar needs a record; such a tree does not count as a run.
          fc.pre(names !== undefined);
          const list = join(folder, "names");
          writeFileSync(list, Buffer.concat(names.map((name) => Buffer.concat([name, Buffer.from([0])]))));
          const gnu = run("tar", [
            "-cf", "-", "--format=ustar", "--numeric-owner", "--no-recursion", "--null", "--verbatim-files-from", "-T", list,
          ], { cwd: root }); // biome-ignore format: a command line
          expect(gnu.stderr.toString()).toBe("");
          expect(Buffer.compare(ours, gnu.stdout), `${ours.length} bytes, expected ${gnu.stdout.length}`).toBe(0);
        }),
        { numRuns: ALL ? 300 : 40, seed: seed + 4 },
      );
    },
    600_000,
  );

  test("has no record, and what it does not suffice for has no more than it needs", async () => {
    const kinds = async (tree: Tree): Promise<string> =>
      headers(await buildTar(tree).bytes())
        .map(({ type }) => type)
        .join("");
    const t = 1_700_000_000;
    const base = (): Tree => new Tree().directory("/", { mtime: t });
    expect(await kinds(base().file("/f", "x", { mtime: 8 ** 11 - 1, uid: 8 ** 7 - 1, gid: 8 ** 7 - 1 }))).toBe("50");
    expect(await kinds(base().file("/f", "x", { mtime: 8 ** 11 }))).toBe("5x0");
    expect(await kinds(base().file("/f", "x", { mtime: t, uid: 8 ** 7 }))).toBe("5x0");
    expect(await kinds(base().file("/f", "x", { mtime: { sec: t, nsec: 1 } }))).toBe("5x0");
    expect(await kinds(base().file("/f", "x", { mtime: t, atime: 5 }))).toBe("5x0");
    expect(await kinds(base().symlink("/s", "t".repeat(100), { mtime: t }))).toBe("52");
    expect(await kinds(base().symlink("/s", "t".repeat(101), { mtime: t }))).toBe("5x2");
    expect(await kinds(base().file(`/${"n".repeat(100)}`, "x", { mtime: t }))).toBe("50");
    expect(await kinds(base().file(`/${"n".repeat(101)}`, "x", { mtime: t }))).toBe("5x0");
    expect(await kinds(base().file(`/${"d".repeat(155)}/${"n".repeat(100)}`, "x", { mtime: t }))).toBe("5x50");
    expect(
      await kinds(
        base()
          .file("/f", "x", { mtime: { sec: t, nsec: 1 } })
          .link("/g", "/f"),
      ),
    ).toBe("5x01");
  });
});

describe("names and lengths at every edge", () => {
  test("of paths, of records", async () => {
    for (let length = 90; length <= 110; length++) {
      const tree = new Tree().directory("/", { mtime: 1 });
      tree.file(`/${"a".repeat(length)}`, "x", { mtime: 1 });
      tree.directory(`/${"b".repeat(length)}`, { mtime: 1 }).symlink("/s", "t".repeat(length), { mtime: 1 });
      tree.file(`/${"c".repeat(length)}/${"d".repeat(length + 40)}/${"e".repeat(length)}`, "y", { mtime: 1 });
      tree.link("/z", `/${"a".repeat(length)}`);
      for (const value of [length - 80, length, 980 - length, 10_000 - length])
        tree.setXattr("/s", `trusted.${value}`, new Uint8Array(value).fill(0x0a));
      expect(await roundTrip(tree)).toEqual([]);
    }
  });

  test.skipIf(!need("tar", "bsdtar"))("in any bytes, listed by GNU tar and bsdtar", async () => {
    const folder = temporary();
    const names = fc.array(nameArbitrary, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(names, async (path) => {
        const tree = new Tree().directory("/", { mtime: 1 }).file(path.join("/"), "x", { mtime: 1 });
        const file = join(folder, "names.tar");
        writeFileSync(file, await buildTar(tree, { mtime: 5 }).bytes());
        const listed = runOk("tar", ["-tf", file, "--quoting-style=literal", "--show-transformed-names", "--warning=none"]);
        const expected = Buffer.concat(
          ["./", ...path.map((_, i) => `${path.slice(0, i + 1).join("/")}${i + 1 < path.length ? "/" : ""}`)].map((name) =>
            Buffer.from(`${name}\n`, "utf8"),
          ),
        );
        if (path.every((name) => !/[\udc80-\udcff]/u.test(name))) expect(listed.toString()).toBe(expected.toString());
        expect(run("bsdtar", ["-tf", file])).toMatchObject({ status: 0 });
      }),
      { numRuns: 60, seed: seed + 5 },
    );
  });
});

describe("large things", () => {
  test.skipIf(!need("tar", "bsdtar"))(
    "files over 8 GiB and 4 TiB, sparse and dense, are listed by GNU tar and bsdtar",
    async () => {
      const folder = temporary();
      const zeros = { size: 9 * 2 ** 30, read: (_: number, target: Uint8Array): void => void target.fill(0) };
      const tree = new Tree().directory("/", { mtime: 1 });
      tree.file("/dense", zeros, { mtime: 1 }).file("/z", "behind", { mtime: 1 });
      tree.file("/sparse", sparseContent(2 ** 42, [{ offset: 2 ** 41, length: 1024 }], bytesContent(pattern(1024, 1))), {
        mtime: 1,
      });
      const image = buildTar(tree);
      // The data is a hole in the file, too; writing nine gibibytes of zeros takes a while.
      const path = join(folder, "large.tar");
      writeFileSync(path, "");
      truncateSync(path, image.size);
      const { openSync, writeSync, closeSync } = await import("node:fs");
      const fd = openSync(path, "r+");
      for (const region of image.plan.regions()) {
        if (region.kind === "hole" || (region.kind === "content" && region.content === zeros)) continue;
        const bytes = await image.read(region.offset, region.length);
        writeSync(fd, bytes, 0, bytes.length, region.offset);
      }
      closeSync(fd);
      for (const tool of ["tar", "bsdtar"]) {
        const text = runOk(tool, ["-tvf", path]).toString();
        expect(text).toContain(String(9 * 2 ** 30));
        expect(text).toContain(String(2 ** 42));
        expect(text.trim().split("\n")).toHaveLength(4);
      }
      const read = await fromTar(path);
      expect((read.lookup("/sparse") as { content: { size: number } }).content.size).toBe(2 ** 42);
      expect(read.lookup("/dense")).toMatchObject({ content: { size: 9 * 2 ** 30 } });
    },
  );

  test("a map and records longer than a region are read from anywhere in them", async () => {
    const extents = Array.from({ length: 60_000 }, (_, i) => ({ offset: i * 1024, length: 512 }));
    const tree = new Tree().directory("/", { mtime: 1 });
    tree.file("/many", sparseContent(60_000 * 1024, extents, bytesContent(pattern(60_000 * 512, 3))), { mtime: 1 });
    for (let i = 0; i < 40; i++) tree.file(`/x${i}`, "", { mtime: 1, xattrs: { "user.large": pattern(60_000, i) } });
    tree.file("/huge", "", {
      mtime: 1,
      xattrs: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`user.${i}`, pattern(65_536, i)])),
    });
    const image = buildTar(tree);
    const whole = await image.bytes();
    for (let at = 0; at < image.size; at += 700_001)
      expect(Buffer.compare(await image.read(at, 5000), whole.subarray(at, at + 5000))).toBe(0);
    expect(await roundTrip(tree)).toEqual([]);
  });

  test("many members are planned soon", async () => {
    const tree = new Tree().directory("/", { mtime: 1 });
    for (let i = 0; i < 100_000; i++) tree.file(`/d${i % 100}/file-${i}`, "x", { mtime: 1 });
    const started = performance.now();
    const image = buildTar(tree);
    // About 0.3 s on a quiet machine.
    expect(performance.now() - started).toBeLessThan(5000);
    expect(image.size).toBe(Math.ceil(((100_101 + 100_000) * 512 + 1024) / 10_240) * 10_240);
  });
});

describe("options and refusals", () => {
  const tree = (): Tree => new Tree().directory("/", { mtime: 1 }).file("/f", "x", { mtime: 1, atime: 2, ctime: 3, btime: 4 });

  test("the end is two blocks of zeros, filled up to a record", async () => {
    expect(buildTar(new Tree(), { rootEntry: false }).size).toBe(10_240);
    expect(buildTar(new Tree(), { rootEntry: false, blockingFactor: 1 }).size).toBe(1024);
    expect(buildTar(tree(), { blockingFactor: 1 }).size).toBe(3 * 512 + 1024 + 1024);
    expect((await fromTar(await buildTar(new Tree(), { rootEntry: false }).bytes())).root.children.size).toBe(0);
    for (const blockingFactor of [0, 1.5, 40_000]) expect(() => buildTar(tree(), { blockingFactor })).toThrow(FsynthError);
  });

  test("times beside the mtime can be left out", async () => {
    const read = await fromTar(await buildTar(tree()).bytes());
    expect(read.lookup("/f")).toMatchObject({ atime: { sec: 2 }, ctime: { sec: 3 }, btime: { sec: 4 } });
    const plain = await buildTar(tree(), { times: "mtime" }).bytes();
    expect(headers(plain).map(({ type }) => type)).toEqual(["5", "0"]);
    expect((await fromTar(plain)).lookup("/f")).toMatchObject({ atime: { sec: 1 } });
  });

  test("sockets are refused with every name, or left out and counted", async () => {
    const given = tree().socket("/s", { mtime: 1 }).socket("/d/t", { mtime: 1 }).directory("/d", { mtime: 1 });
    try {
      buildTar(given);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "unsupported" });
      expect((error as FsynthError).violations.map((line) => line.split(":")[0])).toEqual(["/s", "/d/t"]);
    }
    const image = buildTar(given, { allowLoss: true });
    expect(image.plan.warnings).toMatchObject([{ code: "sockets", message: expect.stringContaining("2 sockets") as string }]);
    const names = [...(await fromTar(await image.bytes())).entries()].map(([path]) => path).sort();
    expect(names).toEqual(["/d", "/f"]);
  });

  test("what nobody could read is refused", () => {
    const half = new Uint8Array(40 * 2 ** 20);
    expect(() => buildTar(tree().setXattr("/f", "user.a", half).setXattr("/f", "user.b", half))).toThrow(
      /\/f: needs \d+ bytes of pax records/,
    );
  });
});

test.skipIf(!able)("tar --compare finds no difference between a directory and its archive", () => {
  const root = join(temporary(), "root");
  mkdirSync(join(root, "a/b"), { recursive: true });
  writeFileSync(join(root, "a/file"), pattern(100_000, 1));
  writeFileSync(join(root, `a/${"long".repeat(60)}`), "long");
  execFileSync("ln", [join(root, "a/file"), join(root, "linked")]);
  execFileSync("ln", ["-s", "x".repeat(300), join(root, "symlink")]);
  execFileSync("mkfifo", [join(root, "fifo")]);
  execFileSync("mknod", [join(root, "null"), "c", "1", "3"]);
  execFileSync("chown", ["3000000:4000000000", join(root, "a/b")]);
  execFileSync("setfattr", ["-n", "user.a", "-v", "0x00ff0a3d", join(root, "a/file")]);
  execFileSync("truncate", ["-s", "1000000", join(root, "holes")]);
  const out = join(root, "..", "out.tar");
  const tree = fromDirectory(root, { xattrs: "getfattr" });
  return buildTar(tree)
    .writeTo(out)
    .then(() => {
      const { status, stdout, stderr } = run("tar", ["--compare", "--xattrs", "-f", out], { cwd: root });
      expect(Buffer.concat([stdout, stderr]).toString()).toBe("");
      expect(status).toBe(0);
      expect(statSync(out).size).toBe(readFileSync(out).length);
    });
});

interface Header {
  readonly type: string;
  readonly name: Buffer;
}

/** The header blocks of an archive. */
function headers(archive: Uint8Array): Header[] {
  const found: Header[] = [];
  for (let at = 0; archive[at] !== 0; ) {
    const field = (name: keyof typeof ustar.f): Buffer => {
      const { offset, size } = ustar.f[name];
      const bytes = Buffer.from(archive.subarray(at + offset, at + offset + size));
      const end = bytes.indexOf(0);
      return end < 0 ? bytes : bytes.subarray(0, end);
    };
    const prefix = field("prefix");
    const name = prefix.length > 0 ? Buffer.concat([prefix, Buffer.from("/"), field("name")]) : field("name");
    found.push({ type: field("typeflag").toString(), name });
    const size = readNumber(archive, at + ustar.f.size.offset, ustar.f.size.size);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}

/** The names of an archive in their order; undefined when it needs pax records. */
function namesOf(archive: Uint8Array): Buffer[] | undefined {
  const found = headers(archive);
  return found.some(({ type }) => type === "x") ? undefined : found.map(({ name }) => name);
}
