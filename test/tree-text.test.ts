// tree.txt: what is written is read back as the same tree, and what breaks the rules is refused with its line.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FsynthError } from "../src/error.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { bytesContent, type Content } from "../src/tree/content.ts";
import { type FileNode, imageTime, type Node } from "../src/tree/node.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { isTreeText, readTreeText } from "../src/tree/tree-text.ts";
import { writeTreeText } from "../src/tree/tree-text-write.ts";
import { recipeArbitrary, treeOf } from "./arbitrary/tree.ts";

const limits = {
  blockSize: 1024,
  xattrBytes: 5000,
  maxTarget: 4095,
  maxMajor: 2 ** 32 - 1,
  maxMinor: 2 ** 32 - 1,
  minTime: -(2 ** 40),
  maxTime: 2 ** 40,
  maxFile: 2 ** 50,
  maxCrowd: 20,
};

const noFiles = {
  contentOf(file: string): Content {
    throw new Error(`unexpected content=${file}`);
  },
};

function parsed(text: string | Uint8Array, files: Readonly<Record<string, string>> = {}): Tree {
  const tree = new Tree();
  readTreeText(tree, text, {
    contentOf: (file) => bytesContent(files[file] ?? (noFiles.contentOf(file) as never)),
  });
  return tree;
}

function linesOf(text: string): string {
  return `#fsynth-tree 1\n${text}`;
}

function failure(text: string): FsynthError {
  try {
    parsed(linesOf(text));
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

/** Which times of a tree are the image's own; a snapshot no longer tells. */
function ownTimes(tree: Tree): string[] {
  const say = (node: Node): string =>
    (["mtime", "atime", "ctime", "btime"] as const).map((which) => (node[which] === imageTime ? "image" : "own")).join();
  return [`/ ${say(tree.root)}`, ...[...tree.entries()].map(([path, node]) => `${path} ${say(node)}`)].sort();
}

describe("written and read back", () => {
  test("random trees are the same, as trees and as snapshots", async () => {
    await fc.assert(
      fc.asyncProperty(recipeArbitrary(limits, 30), async (recipe) => {
        const tree = treeOf(recipe);
        const text = await writeTreeText(tree);
        const again = parsed(text);
        expect(await compareTreesFully(takeSnapshot(again), takeSnapshot(tree))).toEqual([]);
        expect(ownTimes(again)).toEqual(ownTimes(tree));
        expect(await writeTreeText(again)).toBe(text);

        const settled = await writeTreeText(takeSnapshot(tree));
        expect(await compareTreesFully(takeSnapshot(parsed(settled)), takeSnapshot(tree))).toEqual([]);
        expect(await writeTreeText(parsed(new TextEncoder().encode(settled)))).toBe(settled);
      }),
      { numRuns: 150 },
    );
  });

  test("reads well: one entry a line, a directory's entries below it", async () => {
    const tree = new Tree()
      .directory("/etc", { mtime: 1_700_000_000 })
      .file("/etc/motd", 'hello "you"\n', { mode: 0o600, uid: 1000, gid: 100, mtime: { sec: 1, nsec: 5 }, atime: 2 })
      .link("/etc/motd2", "/etc/motd")
      .file("/etc/bin", new Uint8Array([0, 255]), { xattrs: { "user.a": "x y", "user.b": new Uint8Array([0]), "user.c": "" } })
      .symlink("/a b", "c\nd")
      .device("/tty", "c", 5, 0);
    expect(await writeTreeText(tree)).toBe(
      linesOf(
        [
          "/ dir mode=0755 0:0",
          "/a\\x20b symlink mode=0777 0:0 target=c\\x0ad",
          "/etc dir mode=0755 0:0 time=1700000000",
          '/etc/bin file mode=0644 0:0 xattr.user.a="x y" xattr.user.b=00 xattr.user.c="" hex=00ff',
          '/etc/motd file mode=0600 1000:100 time=1.000000005 atime=2 text="hello \\"you\\"\\n"',
          "/etc/motd2 link to=/etc/motd",
          "/tty char mode=0600 0:0 device=5:0",
          "",
        ].join("\n"),
      ),
    );
  });

  test("contents can be named or digested; a manifest does not pretend to hold them", async () => {
    const tree = new Tree().file("/a", "aaa").file("/b", "bbb").file("/empty", "");
    const named = await writeTreeText(tree, { content: (path) => (path === "/a" ? { file: "files/a b" } : "inline") });
    expect(named).toContain("content=files/a\\x20b");
    expect(await compareTreesFully(takeSnapshot(parsed(named, { "files/a b": "aaa" })), takeSnapshot(tree))).toEqual([]);
    const digested = await writeTreeText(tree, { content: () => ({ sha256: "00" }) });
    expect(digested).toContain("/a file mode=0644 0:0 size=3 sha256=00\n");
    expect(() => parsed(digested)).toThrow(/line 3: sha256= describes content and does not give it/);
  });

  test("a large content is not put into a line", async () => {
    const tree = new Tree().file("/big", new Uint8Array((1 << 20) + 1));
    await expect(writeTreeText(tree)).rejects.toThrow(/"\/big": 1048577 bytes of content are too many .* 1048576 are the most/);
  });
});

describe("reading", () => {
  test("the example of the documentation", async () => {
    const document = readFileSync(new URL("../docs/tree-txt.md", import.meta.url), "utf8");
    const example = /```\n(#fsynth-tree 1\n[^`]*)```/.exec(document)?.[1];
    const tree = parsed(example ?? "", { "files/passwd": "p", "files/ping": "q", "files/host_key": "k" });
    expect(tree.lookup("/usr/bin/ping6")).toBe(tree.lookup("/usr/bin/ping"));
    expect(tree.lookup("/bin")).toMatchObject({ kind: "symlink", target: "usr/bin" });
    expect(tree.lookup("/dev/console")).toMatchObject({ kind: "character-device", major: 5, minor: 1, mode: 0o600 });
    expect(tree.lookup("/etc/ssh/host_key")).toMatchObject({ mode: 0o600 });
    const disk = tree.lookup("/var/lib/disk.img");
    if (disk?.kind !== "file") throw new Error("disk.img is missing");
    expect(disk.content.size).toBe(2 ** 30);
    const bytes = new Uint8Array(3);
    await disk.content.read(1048576, bytes);
    expect(new TextDecoder().decode(bytes)).toBe("end");
  });

  test("comments, blank lines, tabs and line ends of other systems", () => {
    const tree = parsed('#fsynth-tree 1\r\n\r\n  # a comment = "\n\t\n/a\tfile \ttext="x  y"  1:2\r\n');
    expect(tree.lookup("/a")).toMatchObject({ uid: 1, gid: 2, content: { size: 4 } });
  });

  test("raw bytes in names and texts", async () => {
    const bytes = Buffer.concat([
      Buffer.from("#fsynth-tree 1\n/"),
      Buffer.from([0xff]),
      Buffer.from(' file text="'),
      Buffer.from([0xfe, 0x22, 0x0a]),
    ]);
    const tree = parsed(bytes);
    expect([...tree.root.children.keys()]).toEqual(["\udcff"]);
    const again = parsed(linesOf('/\\xff file text="\\xfe"\n'));
    expect(await compareTreesFully(takeSnapshot(tree), takeSnapshot(again))).toEqual([]);
  });

  test("quotation marks for targets and names of files", () => {
    const tree = parsed(linesOf('/l symlink target="a b\\n"\n/f file content="x y"'), { "x y": "z" });
    expect(tree.lookup("/l")).toMatchObject({ target: "a b\n" });
    expect(tree.lookup("/f")).toMatchObject({ content: { size: 1 } });
  });

  test("times are decimal numbers", () => {
    const tree = parsed(linesOf("/a fifo time=-1.5\n/b fifo time=-0.000000001\n/c fifo time=5 ctime=image\n/d fifo time=-0"));
    expect(tree.lookup("/a")?.mtime).toEqual({ sec: -2, nsec: 500_000_000 });
    expect(tree.lookup("/b")?.btime).toEqual({ sec: -1, nsec: 999_999_999 });
    expect(tree.lookup("/c")?.ctime).toBe(imageTime);
    expect(Object.is(tree.lookup("/d")?.mtime.sec, 0)).toBe(true);
  });

  test("lines lie over what is there", () => {
    const tree = new Tree().file("/usr/bin/a", "old", { mode: 0o755 }).symlink("/bin", "usr/bin");
    readTreeText(tree, linesOf('/bin/a file text="newer"\n/usr dir mode=0700'), noFiles);
    expect(tree.lookup("/usr/bin/a")).toMatchObject({ mode: 0o644, content: { size: 5 } });
    expect(tree.lookup("/usr")).toMatchObject({ mode: 0o700 });
  });
});

describe("set", () => {
  const base = (): Tree =>
    new Tree()
      .file("/usr/bin/su", "x", { uid: 5, gid: 6, mtime: 7 })
      .directory("/usr/lib", { uid: 5 })
      .file("/etc/a.key", "", { xattrs: { "user.old": "1" } })
      .file("/etc/deep/b.key", "")
      .link("/etc/c", "/etc/a.key");
  const apply = (lines: string): Tree => {
    const tree = base();
    readTreeText(tree, linesOf(lines), noFiles);
    return tree;
  };

  test("changes what it names and nothing else, of all that matches", () => {
    const tree = apply("set *.key mode=0400 3:4 xattr.user.new=ff\nset /usr/** 0:0 time=9 atime=10");
    expect(tree.lookup("/etc/a.key")).toMatchObject({ mode: 0o400, uid: 3, gid: 4 });
    expect([...(tree.lookup("/etc/c")?.xattrs?.keys() ?? [])]).toEqual(["user.old", "user.new"]);
    expect(tree.lookup("/etc/deep/b.key")).toMatchObject({ mode: 0o400 });
    expect(tree.lookup("/etc/deep")).toMatchObject({ mode: 0o755, uid: 0 });
    expect(tree.lookup("/usr/bin/su")).toMatchObject({
      uid: 0,
      gid: 0,
      mode: 0o644,
      mtime: { sec: 9 },
      btime: { sec: 9 },
      atime: { sec: 10 },
    });
    expect(tree.lookup("/usr")).toMatchObject({ mtime: { sec: 9 } });
    expect(tree.lookup("/etc")?.mtime).toBe(imageTime);
  });

  test("by kind, and the root by its own name only", () => {
    const tree = apply("set /usr/** dir mode=0711\nset / mode=0700 1:1\nset ** 2:2");
    expect(tree.lookup("/usr/lib")).toMatchObject({ mode: 0o711 });
    expect(tree.lookup("/usr/bin/su")).toMatchObject({ mode: 0o644, uid: 2 });
    expect(tree.root).toMatchObject({ mode: 0o700, uid: 1 });
  });

  test.each([
    ["set /nothing/* mode=1", /line 2: set "\/nothing\/\*" matches nothing/],
    ["set *.key", /set changes nothing/],
    ["set", /set without a glob/],
    ["set * mode=10000", /mode is 010000, expected at most 07777/],
    ["set * 1:4294967296", /gid is 4294967296, expected 0 to 4294967295/],
    ["set * text=a", /a set line has no "text"/],
    ["set * folder mode=1", /the kind is folder, expected file, dir,/],
    ['set * xattr.nodot=""', /xattr name "nodot": expected NAMESPACE.NAME/],
  ])("refuses %s", (line, message) => {
    expect(() => apply(line)).toThrow(message);
  });
});

describe("many of one kind", () => {
  const read = (lines: string): Tree => {
    const tree = new Tree();
    readTreeText(tree, `#fsynth-tree 1\n${lines}\n`, { contentOf: () => bytesContent("") });
    return tree;
  };
  const fileAt = (tree: Tree, path: string): FileNode => tree.lookup(path) as FileNode;

  test("each stands for one line a number", () => {
    const tree = read('each 08..10 /d/n{} file mode=0600 text="{} and {}"');
    expect([...tree.entries()].map(([path]) => path)).toEqual(["/d", "/d/n08", "/d/n09", "/d/n10"]);
    const target = new Uint8Array(9);
    void fileAt(tree, "/d/n09").content.read(0, target);
    expect(new TextDecoder().decode(target)).toBe("09 and 09");
  });

  test("repeat goes over and over, from any place, through extents", () => {
    const target = new Uint8Array(7);
    void fileAt(read('/a file size=100 repeat="abc"'), "/a").content.read(50, target);
    expect(new TextDecoder().decode(target)).toBe("cabcabc");
    const { content } = fileAt(read("/a file size=20 extents=1+2*3/6,19+1 repeat=414243"), "/a");
    expect(content.extents).toEqual([1, 7, 13].map((offset) => ({ offset, length: 2 })).concat({ offset: 19, length: 1 }));
    const all = new Uint8Array(20);
    void content.read(0, all);
    expect(new TextDecoder().decode(all).replaceAll("\0", ".")).toBe(".AB....CA....BC....A");
  });
});

describe("refused, with the line", () => {
  test.each([
    ["a/b file", /line 2: the line starts with "a\/b", expected a path with a leading "\/", "set", "each" or "#"/],
    ['/a file repeat="x"', /repeat= without size=/],
    ['/a file size=3 repeat=""', /repeat= of nothing/],
    ['/a file size=3 repeat=00 text="x"', /given more than once/],
    ['/a file size=9 extents=0+4*2/3 repeat="x"', /extent 3\+4 must lie behind 4/],
    ["/a file size=9 extents=0+1*9999999/1", /expected at most 1000000 of them/],
    ["each 1..3", /needs a path that holds \{\}/],
    ["each 1..3 /a file", /needs a path that holds \{\}/],
    ["each 3..1 /{} file", /in ascending order/],
    ["each 1-3 /{} file", /expected each FROM\.\.TO/],
    ["/a", /the kind is missing, expected file, dir, symlink, char, block, fifo, socket or link/],
    ["/a thing", /the kind is thing/],
    ["/a file 0755", /found "0755", expected UID:GID or KEY=VALUE/],
    ["/a file mode=9", /mode=9, expected octal digits/],
    ["/a file mode=17777", /mode is 8191, expected 0 to 07777/],
    ["/a file mode=1 mode=2", /mode= stands there twice/],
    ["/a file 1:1 2:2", /two owners, 1:1 and 2:2/],
    ["/a file colour=red", /a file line has no "colour"/],
    ["/a dir text=x", /a dir line has no "text"/],
    ["/a file time=soon", /time=soon, expected seconds/],
    ["/a file time=1.0000000001", /time=1.0000000001, expected seconds/],
    ["/a file hex=abc", /hex=abc, expected pairs of hexadecimal digits/],
    ["/a file xattr.user.a=xyz", /xattr.user.a=xyz, expected pairs/],
    ["/a file text=x hex=00", /given more than once/],
    ["/a file size=-1", /size=-1, expected a whole number/],
    ['/a file size=4 text="abc"', /size=4, but the content has 3 bytes/],
    ['/a file extents=0+3 text="abc"', /extents= without size=/],
    ['/a file size=9 extents=0-3 text="abc"', /extent "0-3", expected OFFSET\+LENGTH/],
    ['/a file size=9 extents=0+4 text="abc"', /the extents hold 4 bytes, the data 3/],
    ['/a file size=2 extents=0+3 text="abc"', /extent 0\+3 must lie behind 0 and within 2 bytes/],
    ["/a symlink", /a symlink needs target=/],
    ["/a char", /a char line needs device=/],
    ["/a block device=1", /device=1, expected MAJOR:MINOR/],
    ["/a link", /a link needs to=/],
    ["/a link to=/b", /hard link "\/a" to "\/b": nothing is there/],
    ["/b fifo\n/a link to=/b mode=1", /line 3: a link line has no "mode"/],
    ['/a file text="abc', /line 2: .*expected/],
    ['/a file text="a"b', /line 2: .*expected/],
    ['/a file text="\\q"', /\\q in a text, expected/],
    ["/a\\q file", /a backslash starts/],
    ["/a/../b file", /holds "\.\."/],
    ["/f fifo\n/f/x file", /line 3: .*the parent "f" is a fifo/],
  ])("%s", (line, message) => {
    const error = failure(line);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^tree\.txt line \d+: /);
    expect(error.where.index).toBe(line.split("\n").length + 1);
    expect(["corrupt", "source"]).toContain(error.code);
  });

  test("another first line", () => {
    expect(() => parsed("/a file\n")).toThrow(/line 1: the first line is "\/a file", expected "#fsynth-tree 1"/);
    expect(() => parsed("#fsynth-tree 2\n")).toThrow(/line 1/);
    expect(isTreeText(new TextEncoder().encode("#fsynth-tree 1\n/"))).toBe(true);
    expect(isTreeText(new TextEncoder().encode("#fsynth-tree 10\n"))).toBe(false);
    expect(isTreeText(new TextEncoder().encode("#fsynth"))).toBe(false);
  });
});
