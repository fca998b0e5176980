// Sources recognised by what they are: paths, bytes, streams of all kinds, compressed or not.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  createReadStream,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { formats } from "../formats/index.ts";
import { buildImage } from "../src/build.ts";
import type { Source, SourceOptions } from "../src/sources/any-source.ts";
import { addSource } from "../src/sources/source.ts";
import { fromTar } from "../src/sources/tar.ts";
import type { FileNode } from "../src/tree/node.ts";
import { Tree } from "../src/tree/tree.ts";
import { need, runOk } from "./judge/need.ts";
import { chunked, END, entry, lines, temporary } from "./tar-made.ts";

const ARCHIVE = Buffer.concat([entry({ name: "a" }, "hello"), entry({ name: "b" }, "x".repeat(70_000)), END]);

async function treeOf(source: Source, options: SourceOptions = {}): Promise<Tree> {
  const tree = new Tree();
  await addSource(tree, source, options);
  return tree;
}

async function text(tree: Tree, path: string): Promise<string> {
  const { content } = tree.lookup(path) as FileNode;
  const bytes = new Uint8Array(content.size);
  await content.read(0, bytes);
  return Buffer.from(bytes).toString();
}

test("one archive as path, bytes and streams, plain and compressed, whatever it is called", async () => {
  const folder = temporary();
  const path = join(folder, "not-a-name-of-a-tar.txt");
  writeFileSync(path, ARCHIVE);
  const expected = await lines(await treeOf(ARCHIVE));
  expect(expected).toHaveLength(3);
  const sources: Source[] = [
    path,
    createReadStream(path),
    Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>,
    chunked(ARCHIVE, 999),
    new Blob([ARCHIVE]).stream(),
  ];
  const packed = join(folder, "packed.tar");
  writeFileSync(packed, gzipSync(ARCHIVE));
  sources.push(packed, gzipSync(ARCHIVE), createReadStream(packed));
  if (need("zstd")) {
    const zst = join(folder, "packed.bin");
    runOk("zstd", ["-q", path, "-o", zst]);
    sources.push(zst, readFileSync(zst), chunked(readFileSync(zst), 3));
  }
  for (const source of sources) expect(await lines(await treeOf(source))).toEqual(expected);
});

test("a fifo is read as the stream that it is", async () => {
  const fifo = join(temporary(), "fifo");
  execFileSync("mkfifo", [fifo]);
  const writer = spawn("sh", ["-c", `cat > '${fifo}'`], { stdio: ["pipe", "ignore", "inherit"] });
  writer.stdin.end(gzipSync(ARCHIVE));
  const tree = await treeOf(fifo);
  expect(await text(tree, "a")).toBe("hello");
  if (writer.exitCode === null) await once(writer, "exit");
});

test("a directory, and a tree.txt with files beside it", async () => {
  const folder = temporary();
  mkdirSync(join(folder, "root"));
  writeFileSync(join(folder, "root/f"), "from the directory");
  expect(await text(await treeOf(join(folder, "root"), { xattrs: "none" }), "f")).toBe("from the directory");
  const description = "#fsynth-tree 1\n/etc dir mode=0750 1:2\n/etc/f file content=root/f\n";
  writeFileSync(join(folder, "tree"), description);
  writeFileSync(join(folder, "tree.packed"), gzipSync(description));
  for (const name of ["tree", "tree.packed"]) {
    const tree = await treeOf(join(folder, name));
    expect(await text(tree, "/etc/f")).toBe("from the directory");
    expect(tree.lookup("/etc")).toMatchObject({ mode: 0o750, uid: 1, gid: 2 });
  }
  writeFileSync(join(folder, "broken"), "#fsynth-tree 1\n/f file content=nowhere\n");
  await expect(treeOf(join(folder, "broken"))).rejects.toThrow(/nothing is there/);
});

test.each(formats.flatMap((format) => format.profiles.map(({ name }) => ({ format, name }))))(
  "what is written as $name is a source",
  async ({ format, name }) => {
    const bytes = await buildImage(format, name, new Tree().file("/f", "from an image")).bytes();
    for (const source of [bytes, chunked(Buffer.from(bytes), 70_000)])
      expect(await text(await treeOf(source), "/f")).toBe("from an image");
  },
);

test("what is recognised but not read says what it is", async () => {
  const cases: readonly (readonly [Buffer, string])[] = [
    [Buffer.from("fd377a585a000004", "hex"), "compressed by xz"],
    [Buffer.from("BZh91AY&SY"), "compressed by bzip2"],
    [Buffer.from("04224d18", "hex"), "compressed by lz4"],
  ];
  for (const [bytes, message] of cases) {
    await expect(treeOf(bytes)).rejects.toMatchObject({ code: "unsupported", message: expect.stringContaining(message) });
    await expect(treeOf(chunked(bytes, 100))).rejects.toMatchObject({ code: "unsupported" });
  }
});

test("what is not recognised lists what is accepted", async () => {
  const cases: readonly (readonly [Buffer, string])[] = [
    [Buffer.alloc(0), "it is empty"],
    [gzipSync(""), "it is empty"],
    [Buffer.from("hello, world"), "found something else"],
    [Buffer.from("PK\u{3}\u{4}zip"), "found a zip archive"],
    [Buffer.from("!<arch>\ndebian-binary"), "found an ar archive"],
    [Buffer.from("#fsynth-tree 12\n"), "found something else"],
    [Buffer.alloc(100_000), "found something else"],
    [gzipSync(gzipSync(ARCHIVE)), "found something else"],
  ];
  for (const [bytes, message] of cases) {
    await expect(treeOf(bytes), message).rejects.toMatchObject({
      code: "source",
      message: expect.stringMatching(new RegExp(`${message}.*a source is a directory, a tar`)),
    });
  }
  expect((await treeOf(Buffer.alloc(10_240))).root.children.size).toBe(0);
  await expect(treeOf(join(temporary(), "none"))).rejects.toMatchObject({
    code: "io",
    message: expect.stringContaining("there is no such file"),
  });
});

test("a damaged tar is still a tar, and says what is wrong", async () => {
  const damaged = Buffer.from(ARCHIVE);
  damaged[0] = 0x7a;
  await expect(treeOf(damaged)).rejects.toMatchObject({ code: "corrupt", message: expect.stringContaining("checksum") });
});

test("a plain archive on the disk is referred to, and refused once it changed", async () => {
  const folder = temporary();
  const path = join(folder, "a.tar");
  const changes: readonly (readonly [string, () => void])[] = [
    ["its size is", () => appendFileSync(path, "more")],
    ["its mtime is", () => utimesSync(path, 5, 5)],
  ];
  for (const [message, change] of changes) {
    writeFileSync(path, ARCHIVE);
    utimesSync(path, 1000, 1000);
    const tree = await fromTar(path);
    expect(await text(tree, "a")).toBe("hello");
    change();
    // The last content that is read is followed by a look at the archive, whatever was looked at before.
    await expect(text(tree, "b")).rejects.toMatchObject({ code: "source", message: expect.stringContaining(message) });
  }
});

test("another archive under the same name does no harm", async () => {
  const folder = temporary();
  const path = join(folder, "a.tar");
  writeFileSync(path, ARCHIVE);
  const tree = await fromTar(path);
  writeFileSync(join(folder, "b.tar"), Buffer.alloc(ARCHIVE.length, 1));
  renameSync(join(folder, "b.tar"), path);
  expect(await text(tree, "a")).toBe("hello");
  expect(await text(tree, "b")).toBe("x".repeat(70_000));
});

test("content of a stream is spooled: little in memory, much in a file without a name, in the folder asked for", async () => {
  const folder = temporary();
  // Descriptors of other tests come and go meanwhile.
  const leadsTo = (fd: string): string => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  };
  const spools = (): number =>
    readdirSync("/proc/self/fd").filter((fd) => leadsTo(fd).startsWith(join(folder, ".fsynth-spool"))).length;
  const contents = Array.from({ length: 40 }, (_, i) => Buffer.alloc(i * 10_007, i));
  const bytes = Buffer.concat([...contents.map((content, i) => entry({ name: `f${i}` }, content)), END]);
  const little = await fromTar(chunked(ARCHIVE, 100), { spoolDirectory: folder });
  expect(spools()).toBe(0);
  const tree = await fromTar(chunked(bytes, 3_000_000, 77_777), { spoolDirectory: folder });
  expect(spools()).toBe(1);
  expect(execFileSync("ls", ["-A", folder], { encoding: "utf8" })).toBe("");
  for (let i = 39; i >= 0; i--) {
    const content = (tree.lookup(`f${i}`) as FileNode).content;
    const got = Buffer.alloc(content.size, 0xee);
    // In two parts, across the borders of what was written at once.
    await content.read(0, got.subarray(0, content.size >> 1));
    await content.read(content.size >> 1, got.subarray(content.size >> 1));
    expect(got.equals(contents[i] as Buffer)).toBe(true); // forty of them
  }
  expect(await text(little, "a")).toBe("hello");
  await expect(fromTar(chunked(bytes.subarray(0, 5_000_000), 70_000), { spoolDirectory: folder })).rejects.toMatchObject({
    code: "corrupt",
  });
  expect(spools()).toBe(1);
  await expect(fromTar(chunked(bytes, 70_000), { spoolDirectory: join(folder, "none") })).rejects.toMatchObject({ code: "io" });
});

test("damage of the compression names the source", async () => {
  const cut = gzipSync(ARCHIVE).subarray(0, 100);
  await expect(treeOf(cut)).rejects.toThrow("the bytes given: the gzip data ends at byte 100, within a member; it is truncated");
  const path = join(temporary(), "cut.tar.gz");
  writeFileSync(path, cut);
  await expect(fromTar(path)).rejects.toThrow(`${path}: the gzip data ends`);
});

test("a decompression bomb stops at the limit", async () => {
  const zeros = Buffer.alloc(1 << 20);
  async function* bomb(): AsyncGenerator<Uint8Array> {
    yield entry({ name: "bomb", size: "77777777777" }).subarray(0, 512);
    for (;;) yield zeros;
  }
  const { host } = await import("../src/host/node.ts");
  const folder = temporary();
  const packed = join(folder, "bomb.gz");
  const fd = openSync(packed, "w");
  let size = 0;
  for await (const chunk of host.gzip(bomb())) {
    writeSync(fd, chunk);
    if ((size += chunk.length) > 50_000) break;
  }
  await expect(treeOf(packed, { maxBytes: 20_000_000, spoolDirectory: folder })).rejects.toMatchObject({
    code: "source",
    message: expect.stringContaining("more than 20000000 bytes"),
  });
});

test.skipIf(!need("tar"))("process substitution: a path that is a pipe", () => {
  const folder = temporary();
  writeFileSync(join(folder, "a"), "hello");
  const script = `
    import { addSource } from ${JSON.stringify(new URL("../dist/src/sources/source.js", import.meta.url).href)};
    import { Tree } from ${JSON.stringify(new URL("../dist/src/tree/tree.js", import.meta.url).href)};
    const tree = new Tree();
    await addSource(tree, process.argv[1]);
    console.log([...tree.entries()].map(([path]) => path).join());`;
  const out = runOk("bash", ["-c", `node --input-type=module -e '${script}' <(tar -C '${folder}' -czf - a)`]);
  expect(out.toString()).toBe("/a\n");
});
