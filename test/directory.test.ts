// The directory source, on real directories.

import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeName } from "../src/bytes/names.ts";
import { FsynthError } from "../src/error.ts";
import type { Warning } from "../src/image/plan.ts";
import { addDirectory, type DirectoryOptions, fromDirectory } from "../src/sources/directory.ts";
import { parseGetfattr } from "../src/sources/xattrs.ts";
import type { Content } from "../src/tree/content.ts";
import type { FileNode } from "../src/tree/node.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { need, needRoot, runOk } from "./judge/need.ts";

let folder = "";
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "fsynth-directory-"));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const at = (path: string): string => join(folder, path);

function write(path: string, content: string | Uint8Array = "", mtime?: number): void {
  fs.mkdirSync(join(at(path), ".."), { recursive: true });
  fs.writeFileSync(at(path), content);
  if (mtime !== undefined) fs.utimesSync(at(path), mtime, mtime);
}

function warned(options: DirectoryOptions = {}): { tree: Tree; warnings: Warning[] } {
  const warnings: Warning[] = [];
  return { tree: fromDirectory(folder, { ...options, onWarning: (warning) => warnings.push(warning) }), warnings };
}

function contentOf(tree: Tree, path: string): Content {
  const node = tree.lookup(path);
  if (node?.kind !== "file") throw new Error(`${path} is no file`);
  return node.content;
}

async function textOf(content: Content): Promise<string> {
  const bytes = new Uint8Array(content.size);
  await content.read(0, bytes);
  return new TextDecoder().decode(bytes);
}

/** What a call throws, which must be an FsynthError. */
async function failure(work: () => unknown): Promise<FsynthError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("what is there is in the tree", () => {
  test("kinds, modes, times to the nanosecond, content", async () => {
    write("etc/motd", "hello\n");
    fs.chmodSync(at("etc/motd"), 0o640);
    execFileSync("touch", ["-d", "@1600000000.123456789", at("etc/motd")]);
    fs.symlinkSync("../etc/motd", at("etc/link"));
    execFileSync("mkfifo", [at("fifo")]);
    fs.chmodSync(folder, 0o2750);
    const { uid, gid } = fs.statSync(folder);
    const tree = fromDirectory(folder);
    const time = { sec: 1_600_000_000, nsec: 123_456_789 };
    expect(tree.lookup("/etc/motd")).toMatchObject({
      kind: "file",
      mode: 0o640,
      uid,
      gid,
      mtime: time,
      atime: time,
      ctime: time,
      btime: time,
    });
    expect(await textOf(contentOf(tree, "/etc/motd"))).toBe("hello\n");
    expect(tree.lookup("/etc/link")).toMatchObject({ kind: "symlink", target: "../etc/motd" });
    expect(tree.lookup("/fifo")).toMatchObject({ kind: "fifo" });
    expect(tree.root).toMatchObject({ mode: 0o2750 });
    expect([...tree.entries()].length).toBe(4);
  });

  test("times before 1970", () => {
    write("old");
    execFileSync("touch", ["-d", "@-1.5", at("old")]);
    expect(fromDirectory(folder).lookup("/old")?.mtime).toEqual({ sec: -2, nsec: 500_000_000 });
  });

  test.skipIf(!needRoot())("owners and devices", () => {
    write("file");
    fs.chownSync(at("file"), 70000, 80000);
    execFileSync("mknod", [at("c"), "c", "300", "70000"]);
    execFileSync("mknod", [at("b"), "b", "8", "1"]);
    const tree = fromDirectory(folder);
    expect(tree.lookup("/file")).toMatchObject({ uid: 70000, gid: 80000 });
    expect(tree.lookup("/c")).toMatchObject({ kind: "character-device", major: 300, minor: 70000 });
    expect(tree.lookup("/b")).toMatchObject({ kind: "block-device", major: 8, minor: 1 });
  });

  test("sockets", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(at("socket"), done));
    try {
      expect(fromDirectory(folder).lookup("/socket")).toMatchObject({ kind: "socket" });
    } finally {
      await new Promise((done) => server.close(done));
    }
  });

  test("names of any bytes, in the order of the bytes", async () => {
    const names = [
      Buffer.from([0xff, 0x41]),
      Buffer.from("\u{1f600}"),
      Buffer.from("\uffff"),
      Buffer.from("\ufffd"),
      Buffer.from("a\nb"),
      Buffer.from("é"),
    ];
    for (const name of names) fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), name);
    const tree = fromDirectory(folder);
    const found = [...tree.root.children.keys()];
    expect(found).toEqual([...names].sort((a, b) => Buffer.compare(a, b)).map((name) => decodeName(name)));
    for (const name of found) expect(decodeName(Buffer.from(await bytesOf(contentOf(tree, name))))).toBe(name);
  });

  test("symlinks with targets of any bytes", () => {
    fs.symlinkSync(Buffer.from([0x61, 0xfe]), at("l"));
    expect(fromDirectory(folder).lookup("/l")).toMatchObject({ target: "a\udcfe" });
  });

  test("hard links are one node, or copies when asked for", () => {
    write("a/one", "x");
    fs.linkSync(at("a/one"), at("two"));
    fs.symlinkSync("t", at("s1"));
    fs.linkSync(at("s1"), at("s2"));
    const kept = fromDirectory(folder);
    expect(kept.lookup("/two")).toBe(kept.lookup("/a/one"));
    expect(kept.lookup("/s2")).toBe(kept.lookup("/s1"));
    const copied = fromDirectory(folder, { hardLinks: "copy" });
    expect(copied.lookup("/two")).not.toBe(copied.lookup("/a/one"));
    expect(copied.lookup("/two")).toMatchObject({ kind: "file", content: { size: 1 } });
  });

  test("the given path may be a symlink; no symlink below is followed", () => {
    write("real/file", "x");
    fs.symlinkSync("..", at("real/loop"));
    fs.symlinkSync("real", at("way"));
    const tree = fromDirectory(at("way"));
    expect([...tree.entries()].map(([path]) => path).sort()).toEqual(["/file", "/loop"]);
    expect(tree.lookup("/loop")).toMatchObject({ kind: "symlink", target: ".." });
  });

  test("globs keep parts out", () => {
    write("a/x.o");
    write("a/x.c");
    write(".git/config");
    write("sub/.git/config");
    const tree = fromDirectory(folder, { exclude: [".git", "*.o", "/sub/"] });
    expect([...tree.entries()].map(([path]) => path).sort()).toEqual(["/a", "/a/x.c"]);
  });
});

async function bytesOf(content: Content): Promise<Uint8Array> {
  const bytes = new Uint8Array(content.size);
  await content.read(0, bytes);
  return bytes;
}

describe("laid over a tree", () => {
  test("a directory on a symlink to one keeps the symlink, unless told otherwise", () => {
    write("bin/new", "n");
    const base = (): Tree => new Tree().file("/usr/bin/old", "o").symlink("/bin", "usr/bin");
    const merged = base();
    addDirectory(merged, folder);
    expect(merged.lookup("/bin")).toMatchObject({ kind: "symlink" });
    expect(merged.lookup("/usr/bin/new")).toMatchObject({ kind: "file" });
    const replaced = base();
    addDirectory(replaced, folder, { replaceSymlinks: true });
    expect(replaced.lookup("/bin")).toMatchObject({ kind: "directory" });
    expect(replaced.lookup("/usr/bin/new")).toBeUndefined();
  });
});

describe("content that changed since is refused", () => {
  const cases: [string, (path: string) => void, RegExp][] = [
    ["grown", (path) => fs.appendFileSync(path, "more"), /its size is 14 bytes, expected 10 bytes/],
    ["shrunk", (path) => fs.truncateSync(path, 3), /its size is 3 bytes, expected 10 bytes/],
    ["touched", (path) => fs.utimesSync(path, 5, 5), /its mtime is 5\.0+, expected 1000\.0+/],
    [
      "replaced",
      (path) => {
        fs.writeFileSync(`${path}.new`, "abcdefghij");
        fs.utimesSync(`${path}.new`, 1000, 1000);
        fs.renameSync(`${path}.new`, path);
      },
      /its inode is \d+, expected \d+/,
    ],
    ["gone", (path) => fs.unlinkSync(path), /is gone; expected the 10 bytes/],
  ];
  test.each(cases)("%s, read at once or in parts", async (_, change, message) => {
    write("file", "0123456789", 1000);
    const tree = fromDirectory(folder);
    change(at("file"));
    for (const [offset, length] of [
      [0, 10],
      [0, 4],
      [4, 6],
    ] as const) {
      const error = await failure(() => contentOf(tree, "/file").read(offset, new Uint8Array(length)));
      expect(error.code).toBe("source");
      expect(error.message).toMatch(message);
      expect(error.where.path).toBe(at("file"));
    }
  });

  test("replaced by a socket", async () => {
    write("file", "0123456789", 1000);
    const content = contentOf(fromDirectory(folder), "/file");
    fs.unlinkSync(at("file"));
    const server = createServer();
    await new Promise<void>((done) => server.listen(at("file"), done));
    try {
      const error = await failure(() => content.read(0, new Uint8Array(10)));
      expect(error).toMatchObject({ code: "source", message: expect.stringContaining("its kind is socket, expected file") });
    } finally {
      await new Promise((done) => server.close(done));
    }
  });

  test("changed between the first and the last part", async () => {
    write("file", "0123456789", 1000);
    const content = contentOf(fromDirectory(folder), "/file");
    await content.read(0, new Uint8Array(5));
    fs.writeFileSync(at("file"), "9876543210");
    await expect(failure(() => content.read(5, new Uint8Array(5)))).resolves.toMatchObject({ code: "source" });
  });

  test("what is not read may change", async () => {
    write("file", "0123456789", 1000);
    write("other", "x", 1000);
    const tree = fromDirectory(folder);
    write("other", "yyy");
    expect(await textOf(contentOf(tree, "/file"))).toBe("0123456789");
  });
});

test("files read in parts and out of order give their bytes, and few stay open", async () => {
  for (let i = 0; i < 40; i++) write(`f${i}`, `${i}`.padEnd(100, "."));
  const tree = fromDirectory(folder);
  const openNow = (): number => fs.readdirSync("/proc/self/fd").length;
  const before = openNow();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 40; i++) {
      const bytes = new Uint8Array(30);
      await contentOf(tree, `/f${i}`).read(round * 30, bytes);
      expect(new TextDecoder().decode(bytes)).toBe(`${i}`.padEnd(100, ".").slice(round * 30, round * 30 + 30));
    }
  }
  expect(openNow()).toBeLessThanOrEqual(before + 8);
  for (let i = 0; i < 40; i++) await contentOf(tree, `/f${i}`).read(90, new Uint8Array(10));
  expect(openNow()).toBeLessThanOrEqual(before);
});

describe("refused", () => {
  test("what is no directory", async () => {
    write("file");
    expect(await failure(() => fromDirectory(at("file")))).toMatchObject({
      code: "source",
      message: expect.stringMatching(/found a file, expected a directory/),
    });
    expect(await failure(() => fromDirectory(at("nothing")))).toMatchObject({
      code: "source",
      message: expect.stringMatching(/nothing is there/),
    });
  });

  test.skipIf(process.platform !== "linux")("a directory that loses entries while it is listed", async () => {
    // Listing /proc/self/fd takes a descriptor that is in the list, and gone with its end.
    const error = await failure(() => fromDirectory("/proc/self/fd"));
    expect(error).toMatchObject({ code: "source", where: { path: expect.stringMatching(/^\/\d+$/) } });
    expect(error.message).toMatch(/"\/proc\/self\/fd\/\d+" was listed and is gone/);
  });
});

describe("warnings", () => {
  test("one says that xattrs were not read, unless they were spoken of", () => {
    write("a/b/c");
    expect(warned().warnings.map(({ code, message }) => [code, message.includes("--xattrs getfattr")])).toEqual([
      ["xattrs-not-read", true],
    ]);
    expect(warned({ xattrs: "none" }).warnings).toEqual([]);
  });

  test("one names the first large file that is mostly unallocated, and --holes detect", () => {
    for (const name of ["a", "b"]) {
      write(name, "data");
      fs.truncateSync(at(name), 64 << 20);
    }
    write("small", "data");
    fs.truncateSync(at("small"), (64 << 20) - 1);
    const { tree, warnings } = warned({ xattrs: "none" });
    expect(warnings).toEqual([
      { code: "sparse-host-file", message: expect.stringMatching(/\/a" \(and 1 more\).*--holes detect/) },
    ]);
    expect((tree.lookup("/a") as FileNode).content.extents).toBeUndefined();
  });
});

describe("xattrs by getfattr", () => {
  const able = need("getfattr", "setfattr", "setfacl") && needRoot();

  test.skipIf(!able)("of every namespace, on every kind, losslessly", () => {
    write("file", "x");
    write("dir/with space/nl\n\\", "x");
    fs.symlinkSync("file", at("link"));
    execFileSync("mkfifo", [at("fifo")]);
    runOk("setfattr", ["-n", "user.empty", "-v", "", at("file")]);
    runOk("setfattr", ["-n", "user.bytes", "-v", "0x00ff0a5c3d", at("file")]);
    runOk("setfattr", ["-n", "user.odd=\n\\é", "-v", "1", at("file")]);
    runOk("setfattr", ["-n", "trusted.t", "-v", "2", at("dir/with space/nl\n\\")]);
    runOk("setfattr", ["-h", "-n", "trusted.l", "-v", "3", at("link")]);
    runOk("setfattr", ["-n", "trusted.f", "-v", "4", at("fifo")]);
    runOk("setfattr", ["-n", "user.root", "-v", "5", folder]);
    const tree = fromDirectory(folder, { xattrs: "getfattr" });
    const shown = (path: string): Record<string, string> =>
      Object.fromEntries(
        [...(tree.lookup(path)?.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString("hex")]),
      );
    expect(shown("/file")).toEqual({ "user.empty": "", "user.bytes": "00ff0a5c3d", "user.odd=\n\\é": "31" });
    expect(shown("/dir/with space/nl\n\\")).toEqual({ "trusted.t": "32" });
    expect(shown("/link")).toEqual({ "trusted.l": "33" });
    expect(shown("/fifo")).toEqual({ "trusted.f": "34" });
    expect(shown("/")).toEqual({ "user.root": "35" });
    expect(takeSnapshot(tree).nodes.filter(({ xattrs }) => xattrs.length > 0).length).toBe(5);
    expect(fromDirectory(folder).lookup("/file")?.xattrs).toBeUndefined();
  });

  test.skipIf(!able || !need("setcap"))("capabilities and POSIX ACLs in Linux's encoding", () => {
    write("ping", "x");
    write("dir/file", "x");
    runOk("setcap", ["cap_net_raw+ep", at("ping")]);
    runOk("setfacl", ["-m", "u:33:r", at("dir/file")]);
    runOk("setfacl", ["-d", "-m", "g:44:rwx", at("dir")]);
    const tree = fromDirectory(folder, { xattrs: "getfattr" });
    const value = (path: string, name: string): string => Buffer.from(tree.lookup(path)?.xattrs?.get(name) ?? []).toString("hex");
    expect(value("/ping", "security.capability")).toBe("0100000200200000000000000000000000000000");
    const acl = value("/dir/file", "system.posix_acl_access");
    expect(acl.startsWith("02000000")).toBe(true);
    expect(acl).toContain("0200040021000000"); // user 33 may read
    expect(value("/dir", "system.posix_acl_default")).toContain("080007002c000000"); // group 44: rwx
  });

  test.skipIf(!able)("a given path that is a symlink", () => {
    write("real/file", "x");
    runOk("setfattr", ["-n", "user.a", "-v", "1", at("real/file")]);
    fs.symlinkSync("real", at("way"));
    expect(fromDirectory(at("way"), { xattrs: "getfattr" }).lookup("/file")?.xattrs?.size).toBe(1);
  });

  test("a machine without the tool is told so", async () => {
    const path = process.env.PATH;
    process.env.PATH = folder;
    try {
      const error = await failure(() => fromDirectory(folder, { xattrs: "getfattr" }));
      expect(error).toMatchObject({
        code: "unsupported",
        message: expect.stringMatching(/no getfattr; it is in the package "attr"/),
      });
    } finally {
      process.env.PATH = path;
    }
  });

  test("a tool that fails is an error with what it said", async () => {
    const path = process.env.PATH;
    write("bin/getfattr", "#!/bin/sh\necho 'getfattr: x: Permission denied' >&2\nexit 1\n");
    fs.chmodSync(at("bin/getfattr"), 0o755);
    process.env.PATH = `${at("bin")}:${path}`;
    try {
      const error = await failure(() => fromDirectory(folder, { xattrs: "getfattr" }));
      expect(error).toMatchObject({ code: "io", message: expect.stringMatching(/ended with 1 .*x: Permission denied/) });
    } finally {
      process.env.PATH = path;
    }
  });

  test("output that is no dump is refused", () => {
    const parse = (text: string): unknown => parseGetfattr(new TextEncoder().encode(text));
    expect(() => parse("user.a=0x00\n")).toThrow(/line 1: found "user.a=0x00", expected "# file: PATH"/);
    expect(() => parse("# file: a\nuser.a=0x0\n")).toThrow(/line 2: .*expected NAME=0xHEX/);
    expect(() => parse('# file: a\nuser.a="text"\n')).toThrow(/line 2/);
    expect(parse("# file: a\nuser.a\n\n# file: .\nuser.b=0xaA\n")).toEqual(
      new Map([
        ["/a", new Map([["user.a", new Uint8Array(0)]])],
        ["/", new Map([["user.b", Uint8Array.of(0xaa)]])],
      ]),
    );
  });
});
