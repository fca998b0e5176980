// The writer of cpio, looked at byte by byte: layout, options, refusals, parts, compression.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { buildCpio, type CpioBuildOptions } from "../src/build.ts";
import { FsynthError } from "../src/error.ts";
import { MAX_BYTES_REGION } from "../src/image/region.ts";
import { fromCpio } from "../src/sources/cpio.ts";
import { type Content, sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { need, runOk } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-cpio-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Raw {
  readonly magic: string;
  readonly name: string;
  readonly offset: number;
  readonly data: number;
  readonly bytes: string;
  readonly ino: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly mtime: number;
  readonly rdev: string;
  readonly nameSize: number;
  readonly check: number;
}

/** Members as the specification lays them out, trailer included; written apart from the code under test. */
function members(archive: Uint8Array, from = 0): Raw[] {
  const text = Buffer.from(archive.buffer, archive.byteOffset, archive.length).toString("latin1");
  const found: Raw[] = [];
  for (let at = from; ; ) {
    const field = (i: number): number => Number.parseInt(text.slice(at + 6 + i * 8, at + 14 + i * 8), 16);
    const nameSize = field(11);
    const name = text.slice(at + 110, at + 110 + nameSize).split("\0")[0] as string; // split gives one at least
    const data = Math.ceil((at + 110 + nameSize) / 4) * 4;
    found.push({
      magic: text.slice(at, at + 6),
      name,
      offset: at,
      data,
      bytes: text.slice(data, data + field(6)),
      ino: field(0),
      mode: field(1),
      uid: field(2),
      gid: field(3),
      nlink: field(4),
      mtime: field(5),
      rdev: `${field(9)}:${field(10)}`,
      nameSize,
      check: field(12),
    });
    at = Math.ceil((data + field(6)) / 4) * 4;
    if (name === "TRAILER!!!") return found;
  }
}

async function built(tree: Tree, options: CpioBuildOptions = {}): Promise<Raw[]> {
  return members(await buildCpio(tree, options).bytes());
}

function refusal(tree: Tree, options: CpioBuildOptions = {}): FsynthError {
  try {
    buildCpio(tree, options);
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const sized = (size: number): Content => ({ size, read: (_, target) => void target.fill(7) });

describe("members", () => {
  test("come parents first, in byte order, every directory with all it holds behind it", async () => {
    const tree = new Tree().file("/b/z", "").file("/b-c", "").file("/b/a/x", "").file("/a", "").file("/B", "");
    const names = (await built(tree)).map(({ name }) => name);
    expect(names).toEqual([".", "B", "a", "b", "b/a", "b/a/x", "b/z", "b-c", "TRAILER!!!"].sort(byTree));
    expect((await built(tree, { rootEntry: false })).map(({ name }) => name)).toEqual(names.slice(1));
  });

  /** `b-c` stands before `b/…` as text, but not in a tree: `-` is 0x2d, and `b` is a prefix of `b-c`. */
  function byTree(a: string, b: string): number {
    const key = (name: string): string => (name === "." ? "" : name === "TRAILER!!!" ? "~" : name.replaceAll("/", "\x01"));
    return key(a) < key(b) ? -1 : 1;
  }

  test("carry every field", async () => {
    const tree = new Tree().directory("/", { mtime: 9 });
    tree.file("/file", "data", { mode: 0o4751, uid: 70_000, gid: 2 ** 32 - 1, mtime: 2 ** 32 - 1 });
    tree.symlink("/link", "to", { mode: 0o777, mtime: 0 });
    tree.device("/block", "b", 259, 70_000, { mode: 0o660, mtime: 1 }).device("/char", "c", 5, 1, { mode: 0o600, mtime: 1 });
    tree
      .fifo("/fifo", { mtime: { sec: 3, nsec: 999_999_999 } })
      .socket("/sock", { mtime: 3 })
      .directory("/d/e", { mtime: 4, mode: 0o1777 });
    const [root, block, char, d, e, fifo, file, link, sock, trailer] = await built(tree);
    expect(root).toMatchObject({ name: ".", mode: 0o040755, nlink: 3, ino: 1, mtime: 9, bytes: "", nameSize: 2, check: 0 });
    expect(block).toMatchObject({ mode: 0o060660, rdev: "259:70000", nlink: 1, ino: 2 });
    expect(char).toMatchObject({ mode: 0o020600, rdev: "5:1" });
    expect(d).toMatchObject({ mode: 0o040755, nlink: 3, mtime: 2 ** 32 - 1 });
    expect(e).toMatchObject({ name: "d/e", mode: 0o041777, nlink: 2, mtime: 4 });
    // Sub-second digits go, and are no loss.
    expect(fifo).toMatchObject({ mode: 0o010644, mtime: 3, rdev: "0:0" });
    expect(file).toMatchObject({
      mode: 0o104751,
      uid: 70_000,
      gid: 2 ** 32 - 1,
      mtime: 2 ** 32 - 1,
      bytes: "data",
      magic: "070701",
    });
    expect(link).toMatchObject({ mode: 0o120777, bytes: "to", mtime: 0 });
    expect(sock).toMatchObject({ mode: 0o140644 });
    expect(trailer).toMatchObject({ ino: 0, mode: 0, nlink: 1, nameSize: 11, mtime: 0, bytes: "" });
  });

  test("of a file called like the trailer do not end the archive", async () => {
    const tree = new Tree().file("/TRAILER!!!", "1").file("/a/TRAILER!!!", "2").directory("/zz");
    const names = (await built(tree)).map(({ name }) => name);
    expect(names).toEqual([".", "./TRAILER!!!", "a", "a/TRAILER!!!", "zz", "TRAILER!!!"]);
    const inside = new Tree().file("/TRAILER!!!/x", "");
    expect((await built(inside)).map(({ name }) => name)).toEqual([".", "./TRAILER!!!", "TRAILER!!!/x", "TRAILER!!!"]);
    expect((await fromCpio(await buildCpio(inside).bytes())).lookup("/TRAILER!!!/x")?.kind).toBe("file");
  });

  test("end where the padding says", () => {
    const tree = new Tree().file("/a", "12345");
    const sizes = ["none", 1, 4, 512, "4K", 2 ** 20].map((padding) => buildCpio(tree, { padding }).size);
    // ".": 112, "a": 112 + 8, trailer: 124.
    expect(sizes).toEqual([356, 356, 356, 512, 4096, 2 ** 20]);
    expect(() => buildCpio(tree, { padding: 768 })).toThrow("option --padding is 768; expected none or a power of two");
  });
});

describe("large archives", () => {
  test("headers come in regions that a sink can hold, found from any byte", async () => {
    const tree = new Tree();
    for (let i = 0; i < 20_000; i++) tree.file(`/many/empty-${String(i).padStart(5, "0")}`, "");
    for (let i = 0; i < 400; i++) tree.symlink(`/links/${i}`, "x".repeat(4095));
    tree.file("/many/empty-10000", "not empty");
    const image = buildCpio(tree);
    const regions = [...image.plan.regions()];
    expect(Math.max(...regions.map(({ length }) => length))).toBeLessThanOrEqual(MAX_BYTES_REGION);
    expect(regions.filter(({ kind }) => kind === "content")).toHaveLength(1);
    const bytes = await image.bytes();
    expect(members(bytes)).toHaveLength(20_000 + 400 + 4);
    for (const { offset, length } of regions) {
      for (const at of [offset, offset + (length >> 1)]) {
        const [first] = image.plan.regions(at);
        expect(first).toMatchObject({ offset, length });
        expect(Buffer.compare(await image.read(at, 200), bytes.subarray(at, at + 200))).toBe(0);
      }
    }
  });

  test("reach beyond 4 GiB, and any place is made without the rest", async () => {
    const tree = new Tree();
    for (let i = 0; i < 5; i++) tree.file(`/${i}`, { size: 2 ** 32 - 1, read: (at, target) => void target.fill(i + (at % 7)) });
    const image = buildCpio(tree, { padding: "none" });
    expect(image.size).toBe(112 + 5 * (112 + 2 ** 32) + 124);
    const tail = await image.read(image.size - 124 - 112 - 2 ** 32, 300);
    expect(Buffer.from(tail.subarray(0, 6)).toString()).toBe("070701");
    expect(Buffer.from(tail.subarray(54, 62)).toString()).toBe("FFFFFFFF");
    expect(tail[150]).toBe(4);
    expect(members(await image.read(image.size - 124, 124)).map(({ name }) => name)).toEqual(["TRAILER!!!"]);
  });
});

describe("hard links", () => {
  const linked = (): Tree => {
    const tree = new Tree().file("/a", "data").link("/b/c", "/a").link("/z", "/a").symlink("/s", "a").link("/t", "/s");
    return tree.fifo("/p").link("/q", "/p").file("/alone", "x");
  };

  test("have one small number, and their data on the last name, or the first", async () => {
    const last = await built(linked());
    expect(last.map(({ name, ino, nlink, bytes }) => [name, ino, nlink, bytes])).toEqual([
      [".", 1, 3, ""],
      ["a", 2, 3, ""],
      ["alone", 3, 1, "x"],
      ["b", 4, 2, ""],
      ["b/c", 2, 3, ""],
      ["p", 5, 2, ""],
      ["q", 5, 2, ""],
      ["s", 6, 2, "a"],
      ["t", 6, 2, "a"],
      ["z", 2, 3, "data"],
      ["TRAILER!!!", 0, 1, ""],
    ]);
    const first = await built(linked(), { linkData: "first" });
    expect(first.map(({ bytes }) => bytes)).toEqual(["", "data", "x", "", "", "", "", "a", "a", "", ""]);
  });

  test("stand as GNU cpio puts them: held back, the latest first, numbered from 0", async () => {
    const gnu = await built(linked(), { like: "gnu" });
    expect(gnu.map(({ name, ino, bytes }) => [name, ino, bytes])).toEqual([
      [".", 0, ""],
      ["alone", 2, "x"],
      ["b", 3, ""],
      ["p", 4, ""],
      ["q", 4, ""],
      ["s", 5, "a"],
      ["t", 5, "a"],
      ["b/c", 1, ""],
      ["a", 1, ""],
      ["z", 1, "data"],
      ["TRAILER!!!", 0, ""],
    ]);
    expect(refusal(linked(), { like: "gnu", linkData: "first" })).toMatchObject({ code: "usage" });
  });

  test("keep their numbers when other files change", async () => {
    const changed = linked().file("/alone", "something longer").chmod("/a", 0o600);
    const numbers = (list: Raw[]): unknown => list.map(({ name, ino }) => [name, ino]);
    expect(numbers(await built(changed))).toEqual(numbers(await built(linked())));
  });
});

describe("checksums", () => {
  test("sum all bytes of the name that carries them, and of nothing else", async () => {
    const tree = new Tree().file("/a", new Uint8Array(20_000_000).fill(255)).file("/b", "").symlink("/c", "abc").link("/d", "/a");
    const list = await built(tree, { checksum: true });
    expect(list.map(({ name, magic, check }) => [name, magic, check])).toEqual([
      [".", "070702", 0],
      ["a", "070702", 0],
      ["b", "070702", 0],
      ["c", "070702", 0],
      ["d", "070702", (20_000_000 * 255) % 2 ** 32],
      ["TRAILER!!!", "070702", 0],
    ]);
  });

  test("of content that comes later, and of holes", async () => {
    const late: Content = {
      size: 700_000,
      async read(offset, target) {
        await Promise.resolve();
        for (let i = 0; i < target.length; i++) target[i] = (offset + i) % 251;
      },
    };
    let expected = 0;
    for (let i = 0; i < late.size; i++) expected += i % 251;
    const sparse = sparseContent(3_000_000, [{ offset: 1_000_000, length: 3 }], {
      size: 3,
      read: (_, target) => void target.fill(2),
    });
    const list = await built(new Tree().file("/late", late).file("/sparse", sparse), { checksum: true });
    expect(list.slice(1, 3).map(({ check }) => check)).toEqual([expected, 6]);
  });

  test("a content that cannot be read is an error with its path", async () => {
    const broken: Content = {
      size: 5,
      read() {
        throw new Error("the disk is gone");
      },
    };
    const image = buildCpio(new Tree().file("/d/broken", broken), { checksum: true });
    await expect(image.bytes()).rejects.toMatchObject({ code: "source", where: { path: "/d/broken" } });
  });

  test("the plan reads nothing", () => {
    const untouched: Content = {
      size: 5,
      read() {
        throw new Error("read while planning");
      },
    };
    expect(buildCpio(new Tree().file("/a", untouched), { checksum: true }).size).toBe(512);
  });
});

describe("alignment", () => {
  test.each([8, 512, 4096])("puts the data of every file at a multiple of %i", async (align) => {
    const tree = new Tree();
    // Sizes that leave every possible rest, long names and short ones.
    for (let i = 0; i < 1200; i++)
      tree.file(`/${i % 7}/${"n".repeat(1 + ((i * 13) % 200))}-${i}`, new Uint8Array(1 + ((i * 4) % 4096)));
    tree.file("/empty", "").symlink("/link", "empty");
    const image = buildCpio(tree, { align });
    expect(image.plan.warnings).toEqual([]);
    const list = members(await image.bytes());
    const files = list.filter(({ mode, bytes }) => mode >> 12 === 8 && bytes !== "");
    expect(files.length).toBe(1200);
    expect(files.filter(({ data }) => data % align !== 0)).toEqual([]);
    expect(list.filter(({ nameSize }) => nameSize > 4096)).toEqual([]);
    // Directories may come a second time to make room, and nothing else does.
    const repeated = list.filter(({ name }, i) => list.findIndex((other) => other.name === name) !== i);
    expect(repeated.filter(({ mode }) => mode >> 12 !== 4)).toEqual([]);
    if (align < 4096) expect(repeated).toEqual([]);
  });

  test("tells of files that no name could make room for", async () => {
    // The data of `a` ends where `b` would need more zeros than a name may have, and no directory has an entry.
    const tree = new Tree().file("/a", new Uint8Array(3900)).file(`/${"b".repeat(250)}`, "b");
    const image = buildCpio(tree, { align: 4096, rootEntry: false });
    expect(image.plan.warnings.map(({ code }) => code)).toEqual(["cpio-align-missed"]);
    expect(buildCpio(tree, { align: 4096 }).plan.warnings).toEqual([]);
  });
});

describe("what newc cannot hold", () => {
  test("is refused with every path", () => {
    const tree = new Tree().directory("/", { mtime: 1 });
    tree.file("/big", sized(2 ** 32)).file("/fits", sized(2 ** 32 - 1));
    tree.file("/old", "", { mtime: -1 }).file("/late", "", { mtime: 2 ** 32 });
    tree.utimes("/big", { mtime: 1 }).utimes("/fits", { mtime: 1 });
    tree
      .file("/tagged", "", { mtime: 1, xattrs: { "user.a": "1", "user.b": "2" } })
      .directory("/d", { mtime: 1, xattrs: { "user.c": "" } });
    tree.symlink("/far", "x".repeat(4096), { mtime: 1 }).symlink("/near", "x".repeat(4095), { mtime: 1 });
    const { code, violations, message } = refusal(tree);
    expect(code).toBe("unsupported");
    expect(message).toContain("allowLoss");
    const paths = violations.map((line) => line.split(": ")[0]);
    expect(new Set(paths)).toEqual(new Set(["/big", "/d", "/far", "/late", "/old", "/tagged"]));
    expect(paths).toHaveLength(6);
  });

  test("paths up to PATH_MAX with the NUL are written, longer ones refused", async () => {
    const deep = `/${"d".repeat(255)}`.repeat(15);
    const fits = new Tree().file(`${deep}/${"n".repeat(255)}`, "");
    expect((await built(fits)).at(-2)?.nameSize).toBe(4096);
    expect(refusal(new Tree().file(`${deep}/e/${"n".repeat(254)}`, "")).violations).toHaveLength(1);
  });

  test("is dropped and counted where loss is possible and allowed", async () => {
    const tree = new Tree()
      .directory("/", { mtime: 1 })
      .file("/old", "", { mtime: -1, xattrs: { "user.a": "1" } })
      .file("/late", "", { mtime: 2 ** 33 });
    const image = buildCpio(tree, { allowLoss: true });
    expect(image.plan.warnings.map(({ code, message }) => [code, /\d+/.exec(message)?.[0]])).toEqual([
      ["times", "2"],
      ["xattrs", "1"],
    ]);
    const times = members(await image.bytes()).map(({ name, mtime }) => [name, mtime]);
    expect(times.slice(1, 3)).toEqual([
      ["late", 2 ** 32 - 1],
      ["old", 0],
    ]);
    expect(refusal(tree.file("/big", sized(2 ** 32), { mtime: 1 }), { allowLoss: true }).violations).toHaveLength(1);
  });

  test("the root counts only when it has an entry", () => {
    const tree = new Tree().directory("/", { xattrs: { "user.a": "1" } });
    expect(refusal(tree).violations).toHaveLength(1);
    expect(buildCpio(tree, { rootEntry: false }).size).toBe(512);
  });
});

describe("parts", () => {
  const early = new Uint8Array(Buffer.from("early microcode, 30 bytes long"));
  const late = new Uint8Array(Buffer.from("late"));
  const tree = (): Tree => new Tree().file("/init", "x".repeat(5000), { mtime: 1 });

  test("stand in front and behind, at multiples of 4, as they are", async () => {
    const image = buildCpio(tree(), { prepend: [early], append: [late, { content: early, stored: true }], padding: "none" });
    const bytes = await image.bytes();
    expect(bytes.length).toBe(image.size);
    expect(bytes.subarray(0, 30)).toEqual(early);
    const own = await buildCpio(tree(), { padding: "none" }).bytes();
    expect(bytes.subarray(32, 32 + own.length)).toEqual(own);
    expect(bytes.subarray(32 + own.length, 36 + own.length)).toEqual(late);
    expect(bytes.subarray(36 + own.length)).toEqual(early);
    expect(members(bytes, 32)[1]?.bytes).toHaveLength(5000);
  });

  test("alignment counts from the start of the file", async () => {
    const bytes = await buildCpio(tree(), { prepend: [early], align: 4096 }).bytes();
    expect((members(bytes, 32)[1]?.data ?? 1) % 4096).toBe(0);
  });

  test.each([
    ["gzip", (bytes: Uint8Array): Uint8Array => new Uint8Array(gunzipSync(bytes))],
    ["zstd", (bytes: Uint8Array): Uint8Array => new Uint8Array(runOk("zstd", ["-dc"], { input: bytes }))],
  ] as const)("are compressed each on its own: %s", async (compress, decompress) => {
    if (compress === "zstd" && !need("zstd")) return;
    const path = join(folder, `parts.${compress}`);
    const options = { prepend: [early], append: [{ content: late, stored: true }, sized(10_000)] };
    const image = buildCpio(tree(), options);
    const { sha256 } = await image.writeTo(path, { compress, sha256: true });
    // The digest is that of the image, not of its compressed form.
    expect(sha256).toBe(await image.sha256());
    const bytes = new Uint8Array(readFileSync(path));
    expect(bytes.subarray(0, 32)).toEqual(Uint8Array.from([...early, 0, 0]));
    const stored = Buffer.from(bytes).indexOf("late");
    expect(stored % 4).toBe(0);
    expect(Buffer.from(bytes.subarray(stored + 4)).readUInt8(0)).toBe(compress === "gzip" ? 0x1f : 0x28);
    const middle = unpadded(bytes.subarray(32, stored));
    expect(decompress(middle)).toEqual(await buildCpio(tree()).bytes());
    expect(decompress(bytes.subarray(stored + 4))).toEqual(new Uint8Array(10_000).fill(7));
  });

  /** Without the zeros that put the next part to its place; compressed data here ends with something else. */
  function unpadded(bytes: Uint8Array): Uint8Array {
    for (let cut = 0; cut < 4; cut++) {
      const kept = bytes.subarray(0, bytes.length - cut);
      try {
        if (bytes[0] === 0x1f) gunzipSync(kept);
        else runOk("zstd", ["-dc"], { input: kept });
        return kept;
      } catch {
        // One zero more belongs to the padding.
      }
    }
    throw new Error("no compressed part");
  }

  test("are bytes or contents, and nothing else", () => {
    for (const prepend of ["early.cpio", 5, null, [undefined], {}]) {
      expect(refusal(tree(), { prepend } as unknown as CpioBuildOptions).code, JSON.stringify(prepend)).toBe("usage");
    }
  });
});

describe("compressed output", () => {
  const large = (): Tree => new Tree().file("/large", sized(9 * 2 ** 20));

  test("is one gzip member", async () => {
    const path = join(folder, "one.cpio.gz");
    await buildCpio(large()).writeTo(path);
    const bytes = readFileSync(path);
    expect(gunzipSync(bytes).equals(await buildCpio(large()).bytes())).toBe(true);
    // A second member would start with the same four bytes.
    expect(bytes.indexOf(bytes.subarray(0, 4), 1)).toBe(-1);
  });

  test.skipIf(!need("zstd"))("is one zstd frame, however long", async () => {
    const path = join(folder, "one.cpio.zst");
    await buildCpio(large()).writeTo(path);
    expect(runOk("zstd", ["-lv", path]).toString()).toMatch(/# Zstandard Frames: 1\n/);
    expect(runOk("zstd", ["-dc", path]).equals(await buildCpio(large()).bytes())).toBe(true);
  });

  test("by zstd has a limit, and the refusal names gzip", async () => {
    const image = buildCpio(large(), { zstdLimit: 9 * 2 ** 20 });
    const path = join(folder, "limit.cpio.zst");
    await expect(image.writeTo(path)).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("gzip") as string,
    });
    await expect(image.writeTo(join(folder, "limit.cpio.gz"))).resolves.toMatchObject({ size: image.size });
    expect(() => readFileSync(path)).toThrow("ENOENT");
    // The default is 1 GiB.
    await expect(buildCpio(new Tree().file("/a", sized(2 ** 30))).writeTo(path)).rejects.toMatchObject({ code: "unsupported" });
  });
});
