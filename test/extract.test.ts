// Trees extracted into directories of the host, and what comes back from there.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCpio, buildExt2, buildExt4, buildTar } from "../src/build.ts";
import type { Image } from "../src/image/image.ts";
import { extractTree } from "../src/sinks/extract.ts";
import { fromDirectory } from "../src/sources/directory.ts";
import { fromImage } from "../src/sources/image.ts";
import { fromTar } from "../src/sources/tar.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { bytesContent, sparseContent } from "../src/tree/content.ts";
import type { Time } from "../src/tree/node.ts";
import { type Snapshot, takeSnapshot } from "../src/tree/snapshot.ts";
import { plainNode, type SnapshotNode } from "../src/tree/snapshot-node.ts";
import { Tree } from "../src/tree/tree.ts";
import { pattern, recipeArbitrary } from "./arbitrary/tree.ts";
import { bin, fsynth, requireFreshBuild } from "./cli-run.ts";
import { asCpioHolds, cpioLimits } from "./judge/cpio.ts";
import { runSeed } from "./judge/ext.ts";
import { need, needRoot, run } from "./judge/need.ts";
import { asTarHolds, settleAcls, socketless, tarLimits } from "./judge/tar.ts";
import { END, entry } from "./tar-made.ts";

const seed = runSeed();
const folder = mkdtempSync(join(tmpdir(), "fsynth-extract-"));
const path = (name: string): string => join(folder, name);
let made = 0;
const fresh = (): string => path(`out-${++made}`);

beforeAll(requireFreshBuild);
afterAll(() => {
  run("chmod", ["-R", "u+rwx", folder]);
  rmSync(folder, { recursive: true, force: true });
});

const micros = ({ sec, nsec }: Time): Time => ({ sec, nsec: nsec - (nsec % 1000) });

/** What a directory shows of a tree: the mtime alone, in microseconds, and contents without their holes. */
function shown(snapshot: Snapshot): Snapshot {
  const nodes = snapshot.nodes.map((node): SnapshotNode => {
    const { content } = node;
    const mtime = micros(node.mtime);
    const dense = content && { size: content.size, read: content.read.bind(content) };
    return { ...plainNode(node), content: dense, mtime, atime: mtime, ctime: mtime, btime: mtime };
  });
  return { ...snapshot, nodes };
}

function linuxModes(tree: Tree): Tree {
  for (const [, node] of tree.entries()) if (node.kind === "symlink") node.mode = 0o777;
  return tree;
}

describe(`random trees, seed ${seed}`, () => {
  test.skipIf(!needRoot() || !need("setfattr", "getfattr"))(
    "come back as they were, owners, devices, links and xattrs too",
    async () => {
      // Doubles tell microseconds apart well enough up to 2^32 seconds.
      const limits = { ...tarLimits, maxTime: 2 ** 32 - 1 };
      await fc.assert(
        fc.asyncProperty(recipeArbitrary(limits, 20), async (recipe) => {
          const tree = linuxModes(settleAcls(socketless(recipe)));
          const out = fresh();
          const { warnings, entries } = await extractTree(tree, out, { xattrs: "setfattr" });
          expect(warnings.map(({ code }) => code).filter((code) => code !== "times")).toEqual([]);
          expect(entries).toBe([...tree.entries()].length);
          const found = fromDirectory(out, { xattrs: "getfattr" });
          expect(await compareTreesFully(shown(takeSnapshot(found)), shown(takeSnapshot(tree)))).toEqual([]);
          rmSync(out, { recursive: true, force: true });
        }),
        { numRuns: 40, seed },
      );
    },
    120_000,
  );
});

describe("conversion", () => {
  const T = 1_700_000_000;

  test.skipIf(!needRoot())(
    "a tree keeps what each format holds, all the way round",
    async () => {
      const recipes = recipeArbitrary({ ...cpioLimits, minTime: 0, maxTime: 2 ** 31 - 1, maxCrowd: 3 }, 15);
      await fc.assert(
        fc.asyncProperty(recipes, async (recipe) => {
          const first = linuxModes(socketless(recipe));
          for (const [, node] of [...first.entries(), ["/", first.root] as const])
            for (const which of ["mtime", "atime", "ctime", "btime"] as const) node[which] = { sec: node.mtime.sec, nsec: 0 };
          const through = async (tree: Tree, image: (tree: Tree) => Image): Promise<Tree> => fromImage(await image(tree).bytes());
          // Owner of the ext image's own lost+found: it is left out again.
          const ext4 = await through(first, (tree) => buildExt4(tree));
          const tar = await through(ext4, (tree) => buildTar(tree));
          const cpio = await through(tar, (tree) => buildCpio(tree));
          const ext2 = await through(cpio, (tree) => buildExt2(tree));
          const out = fresh();
          await extractTree(ext2, out);
          const directory = fromDirectory(out, { xattrs: "none" });
          const last = await through(directory, (tree) => buildTar(tree));
          const expected = shown(asCpioHolds(takeSnapshot(first)));
          expect(await compareTreesFully(shown(takeSnapshot(last)), expected)).toEqual([]);
          expect(await compareTreesFully(takeSnapshot(tar), asTarHolds(takeSnapshot(ext4)))).toEqual([]);
          rmSync(out, { recursive: true, force: true });
        }),
        { numRuns: 15, seed: seed + 1 },
      );
    },
    120_000,
  );

  test("by the command line: ext4, tar, cpio, ext2 and a directory", async () => {
    const tree = new Tree().directory("/", { mtime: T }).file("/a/file", pattern(100_000, 1), { mtime: T, mode: 0o640 });
    tree.directory("/a", { mtime: T }).link("/linked", "/a/file").symlink("/s", "a/file", { mtime: T });
    await buildTar(tree).writeTo(path("0.tar"));
    const steps: readonly (readonly [format: string, from: string, to: string])[] = [
      ["ext4", "0.tar", "1.ext4"],
      ["tar", "1.ext4", "2.tar.gz"],
      ["cpio", "2.tar.gz", "3.cpio.zst"],
      ["ext2", "3.cpio.zst", "4.ext2"],
      ["tar", "4.ext2", "5.tar"],
    ];
    for (const [format, from, to] of steps)
      expect(fsynth(["build", "-q", "-f", format, "-o", path(to), path(from)])).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(path("5.tar")).equals(readFileSync(path("0.tar")))).toBe(true);
    expect(fsynth(["ls", "-R", path("2.tar.gz")]).stdout).toBe("/a\n/a/file\n/linked\n/s\n");
    expect(fsynth(["cat", path("3.cpio.zst"), "/s"]).stdout).toBe(Buffer.from(pattern(100_000, 1)).toString("latin1"));
    // What is extracted is all, so the lost+found is there.
    expect(fsynth(["extract", "-q", path("4.ext2"), "--tar", path("6.tar")])).toMatchObject({ status: 0, stderr: "" });
    expect([...(await fromTar(path("6.tar"))).root.children.keys()].sort()).toEqual(["a", "linked", "lost+found", "s"]);
    const piped = fsynth(["extract", "-q", "-", "--tar", "-"], { input: readFileSync(path("0.tar")) });
    expect(Buffer.from(piped.stdout, "latin1").equals(readFileSync(path("0.tar")))).toBe(true);
  });
});

describe("what is made", () => {
  test("sparse files are sparse", async () => {
    const tree = new Tree();
    tree.file("/s", sparseContent(2 ** 30, [{ offset: 2 ** 29, length: 4096 }], bytesContent(pattern(4096, 1))));
    tree.file("/hole", sparseContent(2 ** 25)).file("/dense", pattern(3_000_000, 2));
    const out = fresh();
    expect(await extractTree(tree, out)).toMatchObject({ bytes: 4096 + 3_000_000, entries: 3 });
    expect(statSync(join(out, "s"))).toMatchObject({ size: 2 ** 30 });
    expect(statSync(join(out, "s")).blocks * 512).toBeLessThan(1 << 20);
    expect(statSync(join(out, "hole"))).toMatchObject({ size: 2 ** 25, blocks: 0 });
    expect(readFileSync(join(out, "dense")).equals(Buffer.from(pattern(3_000_000, 2)))).toBe(true);
  });

  test("modes hold against the umask, in directories that nobody may enter, too", async () => {
    const tree = new Tree().directory("/", { mode: 0o1777, mtime: 5 });
    tree.file("/no/file", "x", { mode: 0o666, mtime: 6 }).directory("/no", { mode: 0, mtime: 7 });
    tree.directory("/no/deeper", { mode: 0o111, mtime: 8 }).file("/no/deeper/setuid", "x", { mode: 0o6755, mtime: 9 });
    const out = fresh();
    const before = process.umask(0o077);
    try {
      await extractTree(tree, out);
    } finally {
      process.umask(before);
    }
    expect(statSync(out)).toMatchObject({ mode: 0o41777, mtimeMs: 5000 });
    expect(statSync(join(out, "no"))).toMatchObject({ mode: 0o40000, mtimeMs: 7000 });
    chmodSync(join(out, "no"), 0o755);
    expect(statSync(join(out, "no/file"))).toMatchObject({ mode: 0o100666, mtimeMs: 6000 });
    expect(statSync(join(out, "no/deeper"))).toMatchObject({ mode: 0o40111, mtimeMs: 8000 });
    chmodSync(join(out, "no/deeper"), 0o755);
    if (process.getuid?.() === 0) expect(statSync(join(out, "no/deeper/setuid")).mode).toBe(0o106755);
  });

  test("what cannot be kept is counted, once for each kind", async () => {
    const tree = new Tree().directory("/", { mtime: 1 });
    for (const name of ["a", "b"]) {
      tree.file(`/${name}`, "", { mtime: { sec: 5, nsec: 1 }, xattrs: { "user.x": "1" } });
      tree.socket(`/s-${name}`, { mtime: 1 });
    }
    const { warnings } = await extractTree(tree, fresh());
    expect(warnings.map(({ code, message }) => [code, message.split(" ")[0]])).toEqual(
      [
        ["times", "2"],
        ["sockets", "2"],
        ["xattrs", "2"],
      ].sort(([a], [b]) => warnings.findIndex(({ code }) => code === a) - warnings.findIndex(({ code }) => code === b)),
    );
    expect(warnings.every(({ message }) => message.includes('; the first at "/'))).toBe(true);
  });

  test("content that comes later, in parts and with errors", async () => {
    const bytes = pattern(2_500_000, 3);
    const late = {
      size: bytes.length,
      read: async (offset: number, target: Uint8Array): Promise<void> => {
        await Promise.resolve();
        target.set(bytes.subarray(offset, offset + target.length));
      },
    };
    const out = fresh();
    const seen: number[] = [];
    const tree = new Tree().file("/late", late).file("/small", { ...late, size: 1000 });
    await extractTree(tree, out, { onProgress: ({ done }) => seen.push(done) });
    expect(readFileSync(join(out, "late")).equals(Buffer.from(bytes))).toBe(true);
    expect(readFileSync(join(out, "small")).equals(Buffer.from(bytes.subarray(0, 1000)))).toBe(true);
    expect(seen.at(-1)).toBe(2_501_000);
    const broken = new Tree().file("/d/broken", {
      size: 10,
      read() {
        throw new Error("the disk is gone");
      },
    });
    const left = fresh();
    await expect(extractTree(broken, left)).rejects.toMatchObject({ code: "source", where: { path: "/d/broken" } });
    expect(statSync(left).mode & 0o777).toBe(0o700);
  });

  test.skipIf(!needRoot())(
    "devices, fifos and names in any bytes, by the hundred",
    async () => {
      const tree = new Tree().directory("/", { mtime: 1 });
      const names = [
        "plain",
        "with space",
        "new\nline\n",
        "$(touch x)",
        "-rf",
        "'quote\"",
        "back\\slash",
        "\udcff\udcfe",
        "%s",
        "\\0101",
      ];
      for (const name of names) {
        tree.device(`/c ${name}`, "c", 300, 70_000, { mtime: 7, mode: 0o640, uid: 5, gid: 6 });
        tree.device(`/${name}`, "b", 8, 1, { mtime: 7, mode: 0o4600 }).fifo(`/f/${name}`, { mtime: 7, mode: 0o777 });
      }
      for (let i = 0; i < 250; i++) tree.fifo(`/many/${i}`, { mtime: 1 });
      tree.link("/f/linked", "/f/-rf").link("/linked device", "/plain").directory("/f", { mtime: 3 });
      const out = fresh();
      expect((await extractTree(tree, out)).warnings).toEqual([]);
      expect(
        await compareTreesFully(shown(takeSnapshot(fromDirectory(out, { xattrs: "none" }))), shown(takeSnapshot(tree))),
      ).toEqual([]);
    },
    60_000,
  );
});

describe("nothing outside", () => {
  test("a directory that is not empty, a file and a missing parent are refused, untouched", async () => {
    const tree = new Tree().file("/f", "x");
    mkdirSync(path("full"));
    writeFileSync(path("full/f"), "mine");
    await expect(extractTree(tree, path("full"))).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining('found "f"') as string,
    });
    await expect(extractTree(tree, path("full/f"))).rejects.toMatchObject({ code: "usage" });
    await expect(extractTree(tree, path("none/such"))).rejects.toMatchObject({ code: "io" });
    expect(readFileSync(path("full/f"), "utf8")).toBe("mine");
    mkdirSync(path("empty"));
    symlinkSync(path("empty"), path("to-empty"));
    expect((await extractTree(tree, path("to-empty"))).path).toBe(path("empty"));
    expect(readdirSync(path("empty"))).toEqual(["f"]);
  });

  test("symlinks in the way are those of the tree, and followed within it", async () => {
    const outside = path("outside");
    mkdirSync(outside);
    const archive = (...parts: Uint8Array[]): Buffer => Buffer.concat([...parts, END]);
    // A symlink out of the tree, then a file behind it; a second name of a symlink; a hard link to what lies outside.
    const evil = archive(
      entry({ name: outside.slice(1), typeflag: "5" }),
      entry({ name: "way", typeflag: "2", linkname: outside }),
      entry({ name: "way/file" }, "inside"),
      entry({ name: "up", typeflag: "2", linkname: "../../../../.." }),
      entry({ name: "again", typeflag: "1", linkname: "up" }),
    );
    const out = fresh();
    await extractTree(await fromTar(evil), out);
    expect(readdirSync(outside)).toEqual([]);
    expect(readFileSync(join(out, outside, "file"), "utf8")).toBe("inside");
    expect(readlinkSync(join(out, "way"))).toBe(outside);
    expect(lstatSync(join(out, "again"))).toMatchObject({ nlink: 2 });
    for (const bad of [
      archive(entry({ name: "../up" }, "x")),
      archive(entry({ name: "l", typeflag: "1", linkname: `${folder}/full/f` })),
    ])
      await expect(fromTar(bad)).rejects.toMatchObject({ code: "source" });
  });

  test("what appears in the way while extracting is not followed and not overwritten", async () => {
    writeFileSync(path("victim"), "mine");
    for (const [name, tree] of [
      ["file", new Tree().file("/z", "x")],
      ["symlink", new Tree().symlink("/z", "x")],
      ["link", new Tree().file("/y", "x").link("/z", "/y")],
    ] as const) {
      const out = fresh();
      // The content of the first file puts a symlink where the next thing is to be.
      const first = { size: 1, read: () => symlinkSync(path("victim"), join(out, "z")) };
      tree.file("/a", first);
      await expect(extractTree(tree, out), name).rejects.toMatchObject({
        code: "io",
        message: expect.stringContaining("EEXIST") as string,
      });
      expect(readFileSync(path("victim"), "utf8")).toBe("mine");
    }
  });
});

/** A copy of what is built, in a place that everybody may read: the checkout may lie where only its owner can go. */
function readableProgram(to: string): string {
  const from = join(bin, "../..");
  const { dependencies } = JSON.parse(readFileSync(join(from, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (const part of ["bin", "dist", "package.json", ...Object.keys(dependencies).map((name) => `node_modules/${name}`)]) {
    cpSync(join(from, part), join(to, part), { recursive: true });
  }
  return join(to, "bin/fsynth.js");
}

describe("without root", () => {
  test.skipIf(!needRoot())("owners, set-id bits and devices are left out and told, with the way to keep them", async () => {
    const tree = new Tree().directory("/", { mtime: 1 });
    tree
      .file("/bin/su", "x", { mode: 0o4755, uid: 0, mtime: 1 })
      .file("/bin/own", "x", { mode: 0o4755, uid: 65_534, gid: 65_534, mtime: 1 });
    tree.device("/dev/null", "c", 1, 3, { mtime: 1 }).fifo("/dev/fifo", { mtime: 1 });
    await buildTar(tree).writeTo(path("owners.tar"));
    const home = path("home");
    mkdirSync(home);
    chmodSync(folder, 0o755);
    chmodSync(home, 0o777);
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [readableProgram(path("program")), "extract", "--json", path("owners.tar"), "-C", join(home, "out")],
      {
        uid: 65_534,
        gid: 65_534,
        encoding: "utf8",
      },
    );
    expect(stderr).toContain("fsynth: to keep them, as root: fsynth extract ");
    expect(status).toBe(0);
    const { warnings } = JSON.parse(stdout) as { warnings: readonly { code: string; message: string }[] };
    expect(warnings.map(({ code }) => code).sort()).toEqual(["devices", "owners", "set-id"]);
    expect(warnings.find(({ code }) => code === "devices")?.message).toMatch(
      /^1 device nodes are left out: Operation not permitted/,
    );
    expect(statSync(join(home, "out/bin/su"))).toMatchObject({ uid: 65_534, mode: 0o100755 });
    expect(statSync(join(home, "out/bin/own")).mode).toBe(0o104755);
    expect(existsSync(join(home, "out/dev/null"))).toBe(false);
    expect(lstatSync(join(home, "out/dev/fifo")).isFIFO()).toBe(true);
  });
});

describe("usage", () => {
  test.each([
    [[], "no IMAGE given"],
    [["x.tar"], "no place to extract to"],
    [["x.tar", "-C", "a", "--tar", "b"], "more than one place"],
    [["x.tar", "y.tar", "-C", "a"], "takes one IMAGE"],
    [["x.tar", "--tar", "b", "--xattrs", "setfattr"], "--xattrs goes with -C"],
    [["x.tar", "-C", "b", "--allow-loss"], "--allow-loss goes with --tar"],
    [["src", "-C", "b"], "is a directory"],
  ])("%s", (args, sentence) => {
    const { status, stderr } = fsynth(["extract", ...args]);
    expect(stderr).toContain(sentence);
    expect(status).toBe(2);
  });

  test("a tar without its sockets", async () => {
    await buildCpio(new Tree().directory("/", { mtime: 1 }).socket("/s", { mtime: 1 })).writeTo(path("socket.cpio"));
    expect(fsynth(["extract", path("socket.cpio"), "--tar", path("socket.tar")])).toMatchObject({ status: 3 });
    expect(existsSync(path("socket.tar"))).toBe(false);
    const lost = fsynth(["extract", "-q", path("socket.cpio"), "--tar", path("socket.tar"), "--allow-loss"]);
    expect(lost).toMatchObject({ status: 0, stderr: expect.stringContaining("1 sockets") as string });
  });
});
