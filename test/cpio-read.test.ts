// The reader of cpio: vectors made by recipe (the cases of the kernel's own unpacker tests, of libarchive's and u-root's
// fixtures), archives of GNU cpio and bsdtar, parts in any order and compression, and everything that must be refused.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCpio } from "../src/build.ts";
import { FsynthError } from "../src/error.ts";
import type { Warning } from "../src/image/plan.ts";
import { type CpioOptions, fromCpio } from "../src/sources/cpio.ts";
import { fromDirectory } from "../src/sources/directory.ts";
import { addSource } from "../src/sources/source.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { asCpioHolds } from "./judge/cpio.ts";
import { need, needRoot, runOk } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-cpio-read-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = (bytes: string): Buffer => Buffer.from(bytes, "latin1");

interface Recipe {
  readonly magic?: string;
  readonly ino?: number | string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly nlink?: number;
  readonly mtime?: number;
  readonly device?: readonly [number, number];
  readonly name?: string;
  /** What the header says, when that is not the name with its NUL. */
  readonly nameSize?: number;
  readonly data?: string;
  readonly size?: number;
  readonly check?: number;
  readonly lower?: boolean;
}

/** One newc member, by the specification and not by the code under test. */
function member(recipe: Recipe): Buffer {
  const { magic = "070701", name = "file", data = "", nlink = 1, mode = 0o100644, device = [0, 0], lower = false } = recipe;
  const nameSize = recipe.nameSize ?? name.length + 1;
  const numbers = [recipe.ino ?? 1, mode, recipe.uid ?? 0, recipe.gid ?? 0, nlink, recipe.mtime ?? 0, recipe.size ?? data.length];
  const hex = [...numbers, 0, 0, ...device, nameSize, recipe.check ?? 0].map((value) => {
    const digits = typeof value === "string" ? value : value.toString(16).padStart(8, "0");
    return typeof value === "string" || lower ? digits : digits.toUpperCase();
  });
  const named = text(`${magic}${hex.join("")}${name}\0`);
  const head = Buffer.alloc(Math.max(Math.ceil((110 + nameSize) / 4) * 4, named.length));
  named.copy(head);
  const body = Buffer.alloc(Math.ceil(data.length / 4) * 4);
  body.write(data, "latin1");
  return Buffer.concat([head.subarray(0, Math.ceil((110 + nameSize) / 4) * 4), body]);
}

const TRAILER = member({ ino: 0, mode: 0, name: "TRAILER!!!" });
const DIRECTORY = 0o040755;

function archive(...recipes: Recipe[]): Buffer {
  return Buffer.concat([...recipes.map(member), TRAILER]);
}

async function content(tree: Tree, path: string): Promise<string> {
  const node = tree.lookup(path);
  if (node?.kind !== "file") throw new Error(`${path} is ${node?.kind ?? "not there"}`);
  const bytes = new Uint8Array(node.content.size);
  await node.content.read(0, bytes);
  return Buffer.from(bytes).toString("latin1");
}

async function failure(bytes: Uint8Array, options: CpioOptions = {}): Promise<FsynthError> {
  try {
    await fromCpio(bytes, options);
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("what the kernel's own tests unpack", () => {
  test("a file and a directory, in either case of the digits", async () => {
    for (const lower of [true, false]) {
      const bytes = archive(
        { name: "dir", mode: 0o040777, uid: 0xabc, mtime: 0xdeadbeef, nlink: 2, lower },
        { name: "dir/file", data: "ASDF", mode: 0o100531, gid: 0xfedcba98, lower },
      );
      const tree = await fromCpio(bytes);
      expect(tree.lookup("/dir")).toMatchObject({
        kind: "directory",
        mode: 0o777,
        uid: 0xabc,
        mtime: { sec: 0xdeadbeef, nsec: 0 },
      });
      expect(tree.lookup("/dir/file")).toMatchObject({ mode: 0o531, gid: 0xfedcba98 });
      expect(await content(tree, "/dir/file")).toBe("ASDF");
    }
  });

  test("fields that are no hexadecimal numbers are refused", async () => {
    for (const ino of ["0x123456", "      12", "+0000012", "-0000001", "0000001g", "1234567\0"]) {
      const { code, message, where } = await failure(archive({ name: "a" }, { ino, name: "b" }));
      expect(code, ino).toBe("corrupt");
      expect(message).toContain("c_ino");
      expect(where.offset).toBe(112);
    }
  });

  test("a name without a NUL at its end is refused", async () => {
    const bytes = archive({ name: "overrun", nameSize: 6, data: "x" });
    expect(await failure(bytes)).toMatchObject({
      code: "corrupt",
      message: expect.stringContaining("NUL") as string,
      where: { offset: 0 },
    });
  });

  test("zeros behind a name put the data to its place", async () => {
    const tree = await fromCpio(archive({ name: "padded", nameSize: 4096 - 110, data: "at 4096" }));
    expect(await content(tree, "/padded")).toBe("at 4096");
  });

  test("names of PATH_MAX with the NUL are read, longer ones and empty ones refused", async () => {
    const long = `${"d/".repeat(2047)}f`;
    expect((await fromCpio(archive({ name: long }))).lookup(long)?.kind).toBe("file");
    for (const [name, nameSize] of [
      ["x", 4097],
      ["", 1],
      ["x", 0],
    ] as const) {
      expect((await failure(archive({ name, nameSize }))).code, `${nameSize}`).toBe("corrupt");
    }
  });

  test("a checksum is verified, of files alone", async () => {
    const magic = "070702";
    const good = [
      { magic, name: "sum", data: "ABC", check: 65 + 66 + 67 },
      { magic, name: "link", mode: 0o120777, data: "to" },
    ] as const;
    expect(await content(await fromCpio(archive(...good)), "/sum")).toBe("ABC");
    const bad = await failure(archive({ magic, name: "a" }, { magic, name: "sum", data: "ABC", check: 199 }));
    expect(bad).toMatchObject({ code: "corrupt", where: { path: "sum", offset: 112 } });
    expect(bad.message).toContain("0xc6");
    // newc says nothing of the field.
    expect(await content(await fromCpio(archive({ name: "sum", data: "ABC", check: 199 })), "/sum")).toBe("ABC");
  });

  test("hard links have their data on whatever name carries it", async () => {
    for (const carrier of [0, 1, 2]) {
      const names = ["a", "b", "c"].map((name, i) => ({ name, ino: 7, nlink: 3, data: i === carrier ? "linked" : "" }));
      const tree = await fromCpio(archive(...names));
      expect(tree.lookup("/a")).toBe(tree.lookup("/c"));
      expect(await content(tree, "/b")).toBe("linked");
    }
  });

  test("a thousand members", async () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({ name: `${i}`, ino: i, data: `content ${i}` }));
    const tree = await fromCpio(archive(...many));
    for (const i of [0, 1, 499, 999]) expect(await content(tree, `/${i}`)).toBe(`content ${i}`);
  });

  test("a NUL at the end of a target, as gen_init_cpio writes it, is not part of it", async () => {
    const tree = await fromCpio(archive({ name: "link", mode: 0o120777, data: "target\0" }));
    expect(tree.lookup("/link")).toMatchObject({ target: "target" });
  });

  test("data behind what has none is passed over", async () => {
    const tree = await fromCpio(
      archive(
        { name: "dir", mode: DIRECTORY, data: "ignored" },
        { name: "f", mode: 0o010644, data: "x" },
        { name: "z", data: "z" },
      ),
    );
    expect(await content(tree, "/z")).toBe("z");
  });

  test("an archive without a trailer is one, with a warning", async () => {
    const warnings: Warning[] = [];
    const tree = await fromCpio(member({ name: "a", data: "1" }), { onWarning: (warning) => warnings.push(warning) });
    expect(await content(tree, "/a")).toBe("1");
    expect(warnings.map(({ code }) => code)).toEqual(["cpio-unterminated"]);
  });
});

describe("what others stumbled over", () => {
  test("the trailer ends the life of inode numbers (u-root)", async () => {
    const one = archive({ name: "a", ino: 5, nlink: 2, data: "one" }, { name: "b", ino: 5, nlink: 2 });
    const two = archive({ name: "c", ino: 5, nlink: 2, data: "two" }, { name: "d", ino: 5, nlink: 2 });
    const tree = await fromCpio(Buffer.concat([one, two]));
    expect(tree.lookup("/a")).toBe(tree.lookup("/b"));
    expect(tree.lookup("/c")).toBe(tree.lookup("/d"));
    expect(tree.lookup("/a")).not.toBe(tree.lookup("/c"));
  });

  test("inode 0 with one link each is no hard link (u-root)", async () => {
    const tree = await fromCpio(archive({ name: "a", ino: 0, data: "1" }, { name: "b", ino: 0, data: "2" }));
    expect(tree.lookup("/a")).not.toBe(tree.lookup("/b"));
  });

  test("files that share an inode number and bring different data are one file, with a warning", async () => {
    const warnings: Warning[] = [];
    const bytes = archive({ name: "a", ino: 0, nlink: 2, data: "first" }, { name: "b", ino: 0, nlink: 2, data: "second" });
    const tree = await fromCpio(bytes, { onWarning: (warning) => warnings.push(warning) });
    expect(await content(tree, "/a")).toBe("second");
    expect(warnings.map(({ code }) => code)).toEqual(["cpio-link-data"]);
  });

  test("one number of different kinds is no hard link", async () => {
    const tree = await fromCpio(archive({ name: "a", ino: 3, nlink: 2 }, { name: "b", ino: 3, nlink: 2, mode: 0o010644 }));
    expect([tree.lookup("/a")?.kind, tree.lookup("/b")?.kind]).toEqual(["file", "fifo"]);
  });

  test("leading slashes and ./ belong to no name, names that escape are refused", async () => {
    const tree = await fromCpio(
      archive({ name: ".", mode: 0o040700, nlink: 2 }, { name: "/etc/motd", data: "1" }, { name: "./a", data: "2" }),
    );
    expect(tree.root.mode).toBe(0o700);
    expect(await content(tree, "/etc/motd")).toBe("1");
    expect(await content(tree, "/a")).toBe("2");
    for (const name of ["../etc/passwd", "a/../../b", ".."]) {
      expect(await failure(archive({ name: "a" }, { name })), name).toMatchObject({
        code: "source",
        where: { path: name, offset: 112 },
      });
    }
  });

  test("a member below what is no directory is refused", async () => {
    const error = await failure(archive({ name: "a" }, { name: "a/b" }));
    expect(error).toMatchObject({ code: "source", where: { path: "a/b", offset: 112 } });
  });

  test("names that are not UTF-8 survive", async () => {
    const bytes = archive({ name: "\xff\xfe", data: "x" });
    expect([...(await fromCpio(bytes)).root.children.keys()]).toEqual(["\udcff\udcfe"]);
  });
});

describe("damage", () => {
  const sound = archive(
    { name: "dir", mode: DIRECTORY, nlink: 2 },
    { name: "dir/a", data: "some data" },
    { name: "dir/link", mode: 0o120777, data: "a" },
  );

  test("an archive that ends anywhere within a member is refused, with the place", async () => {
    for (let end = 0; end < sound.length; end++) {
      const cut = sound.subarray(0, end);
      const boundary = [112, 112 + 116 + 12, 112 + 116 + 12 + 120 + 4].includes(end) || end === 112 + 116 + 9 + 2;
      const error = await fromCpio(cut).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) {
        // Whole members, or zeros that nobody misses.
        const rest = sound.subarray(end, Math.ceil(end / 4) * 4);
        expect(boundary || rest.every((byte) => byte === 0), `cut at ${end}`).toBe(true);
        continue;
      }
      expect(error, `cut at ${end}`).toBeInstanceOf(FsynthError);
      expect((error as FsynthError).code).toBe("corrupt");
      expect((error as FsynthError).where.offset, `cut at ${end}`).toBeLessThanOrEqual(end);
    }
  });

  test.each([
    ["a size that lies", archive({ name: "a", size: 2 ** 32 - 1, data: "x" }), "runs from"],
    ["a bad magic", Buffer.concat([member({ name: "a" }), text("070703"), Buffer.alloc(200, 48)]), "bad magic"],
    ["junk behind the end", Buffer.concat([archive({ name: "a" }), text("junk!!")]), "bad magic"],
    ["a symlink to nothing", archive({ name: "link", mode: 0o120777 }), "symlink to nothing"],
    ["a target with a NUL", archive({ name: "link", mode: 0o120777, data: "a\0b" }), "NUL"],
    ["a target of NULs", archive({ name: "link", mode: 0o120777, data: "\0\0" }), "NUL"],
    ["a target over PATH_MAX", archive({ name: "link", mode: 0o120777, data: "x".repeat(4097) }), "4095"],
    ["no kind of file", archive({ name: "a", mode: 0o644 }), "no kind"],
    ["nothing", Buffer.alloc(0), "empty"],
    ["zeros", Buffer.alloc(4096), "zeros"],
  ])("%s is refused", async (_name, bytes, sentence) => {
    const error = await failure(bytes);
    expect(error).toMatchObject({ code: "corrupt" });
    expect(error.message).toContain(sentence);
    expect(error.where.offset).toBeGreaterThanOrEqual(0);
  });

  test("kinds that no tree holds are unsupported", async () => {
    expect((await failure(archive({ name: "hp", mode: 0o110644 }))).code).toBe("unsupported");
  });

  test("archives with bytes changed anywhere give an error or a tree, never anything else", async () => {
    const linked = archive({ name: "a", ino: 2, nlink: 2, data: "x" }, { name: "b", ino: 2, nlink: 2 });
    const bases = [sound, linked, gzipSync(sound), Buffer.concat([sound, gzipSync(linked), linked])];
    const patches = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 48, 70))), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...bases), patches, async (base, places) => {
        const bytes = new Uint8Array(base);
        for (const [at, value] of places) bytes[at % bytes.length] = value;
        const outcome = await fromCpio(bytes).catch((error: unknown) => error);
        expect(outcome instanceof Tree || outcome instanceof FsynthError).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("several archives in one file", () => {
  const first = archive({ name: "a", data: "first" }, { name: "same", data: "1" });
  const second = archive({ name: "b", data: "second" }, { name: "same", data: "2" });
  const zstd = (bytes: Buffer): Buffer => runOk("zstd", ["-qc"], { input: bytes });
  const zeros = (count: number): Buffer => Buffer.alloc(count);

  const kinds: Record<string, (bytes: Buffer) => Buffer> = { plain: (bytes) => bytes, gzip: (bytes) => gzipSync(bytes), zstd };
  const pairs = Object.keys(kinds).flatMap((one) => Object.keys(kinds).map((other) => [one, other] as const));

  test.skipIf(!need("zstd")).each(pairs)("%s, then %s, with zeros between them and without", async (one, other) => {
    for (const gap of [0, 1, 4, 511, 70_000]) {
      const bytes = Buffer.concat([kinds[one]?.(first) ?? zeros(0), zeros(gap), kinds[other]?.(second) ?? zeros(0), zeros(gap)]);
      const path = join(folder, "parts");
      writeFileSync(path, bytes);
      const chunks = (function* () {
        for (let at = 0; at < bytes.length; at += 777) yield new Uint8Array(bytes.subarray(at, at + 777));
      })();
      const asSource = new Tree();
      await addSource(asSource, path);
      for (const tree of [await fromCpio(path), await fromCpio(bytes), await fromCpio(chunks), asSource]) {
        expect(await content(tree, "/a"), `gap ${gap}`).toBe("first");
        expect(await content(tree, "/b")).toBe("second");
        expect(await content(tree, "/same")).toBe("2");
      }
    }
  });

  test("errors in a part name it", async () => {
    const inside = await failure(Buffer.concat([first, gzipSync(text("no cpio"))]));
    expect(inside.message).toContain(`in the gzip part at byte ${first.length}`);
    const damaged = Buffer.concat([first, gzipSync(second)]);
    damaged[damaged.length - 6] = (damaged[damaged.length - 6] as number) ^ 1;
    expect(await failure(damaged)).toMatchObject({ code: "corrupt", message: expect.stringContaining("CRC") as string });
    const cut = Buffer.concat([first, gzipSync(second).subarray(0, 60)]);
    expect(await failure(cut)).toMatchObject({ code: "corrupt", message: expect.stringContaining("truncated") as string });
    const unread = Buffer.concat([first, Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0])]);
    expect(await failure(unread)).toMatchObject({ code: "unsupported", message: expect.stringContaining("xz") as string });
  });

  test("a bomb meets the limit", async () => {
    const bomb = gzipSync(archive({ name: "zeros", data: "\0".repeat(8 << 20) }));
    const error = await failure(bomb, { maxBytes: 1 << 20 });
    expect(error).toMatchObject({ code: "source", message: expect.stringContaining("maxBytes") as string });
    expect((await fromCpio(bomb)).lookup("/zeros")?.kind).toBe("file");
  });

  test("exclude and replaceSymlinks work as for tars", async () => {
    const bytes = archive(
      { name: "usr/lib", mode: DIRECTORY, nlink: 2 },
      { name: "lib", mode: 0o120777, data: "usr/lib" },
      { name: "lib", mode: DIRECTORY, nlink: 2 },
      { name: "lib/a", ino: 9, nlink: 2, data: "kept" },
      { name: "doc/b", ino: 9, nlink: 2 },
    );
    expect(await content(await fromCpio(bytes), "/usr/lib/a")).toBe("kept");
    const replaced = await fromCpio(bytes, { replaceSymlinks: true, exclude: ["doc"] });
    expect(replaced.lookup("/lib")?.kind).toBe("directory");
    expect(replaced.lookup("/usr/lib/a")).toBeUndefined();
    expect(replaced.lookup("/doc")).toBeUndefined();
    // The data came with a name that stays, or with one that does not.
    expect(await content(await fromCpio(bytes, { exclude: ["a"] }), "/doc/b")).toBe("kept");
  });
});

describe.skipIf(!need("cpio", "bsdtar") || !needRoot())("archives of others", () => {
  const root = join(folder, "root");
  let expected: Tree;

  beforeAll(() => {
    mkdirSync(join(root, "dir/deeper"), { recursive: true });
    writeFileSync(join(root, "dir/odd"), "odd");
    writeFileSync(join(root, "dir/even"), "even");
    const shell = `ln dir/odd dir/deeper/linked; ln -s even dir/link; mkfifo fifo; mknod null c 1 3; mknod disk b 8 17; : > empty
      chown 1000:2000 dir/even; chmod 4711 dir/even; find . -exec touch -hd @1500000001 {} +`;
    runOk("sh", ["-c", shell], { cwd: root });
    expected = fromDirectory(root, { xattrs: "none" });
  });

  const swapped = (bytes: Buffer): Buffer => Buffer.from(bytes).swap16();
  const gnu = (how: string): Buffer => runOk("sh", ["-c", `find . | cpio --quiet -o -H ${how}`], { cwd: root });
  const bsd = (how: string): Buffer => runOk("bsdtar", ["-cf", "-", `--format=${how}`, "."], { cwd: root });

  test.each([
    ["newc of GNU cpio", () => gnu("newc")],
    ["crc of GNU cpio", () => gnu("crc")],
    ["odc of GNU cpio", () => gnu("odc --renumber-inodes --ignore-devno")],
    ["the old binary form of GNU cpio", () => gnu("bin --renumber-inodes --ignore-devno")],
    ["newc of bsdtar", () => bsd("newc")],
    ["odc of bsdtar", () => bsd("odc")],
  ])("%s", async (_name, make) => {
    const tree = await fromCpio(make());
    expect(await compareTreesFully(takeSnapshot(tree), asCpioHolds(takeSnapshot(expected)))).toEqual([]);
  });

  test("the old binary form of a machine of the other byte order", async () => {
    const little = gnu("bin --renumber-inodes --ignore-devno");
    // Names and data are bytes: swapping all of it, then those back.
    const big = swapped(little);
    for (let at = 0; at + 26 < little.length; ) {
      const nameSize = little.readUInt16LE(at + 20);
      const size = little.readUInt16LE(at + 22) * 65_536 + little.readUInt16LE(at + 24);
      const end = at + 26 + Math.ceil(nameSize / 2) * 2 + Math.ceil(size / 2) * 2;
      little.copy(big, at + 26, at + 26, end);
      at = end;
      if (little.readUInt16LE(at) !== 0o070707) break;
    }
    const tree = await fromCpio(big);
    expect(await compareTreesFully(takeSnapshot(tree), asCpioHolds(takeSnapshot(expected)))).toEqual([]);
  });

  test("are rebuilt to what they hold", async () => {
    const tree = await fromCpio(gnu("newc"));
    const again = await fromCpio(await buildCpio(tree, { checksum: true }).bytes());
    expect(await compareTreesFully(takeSnapshot(again), takeSnapshot(tree))).toEqual([]);
  });
});
