// Archives made by GNU tar and bsdtar in every format they write, read back: beside the directory they were made of.

import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fromDirectory } from "../src/sources/directory.ts";
import { fromTar } from "../src/sources/tar.ts";
import type { FileNode } from "../src/tree/node.ts";
import type { Tree } from "../src/tree/tree.ts";
import { need, needRoot, runOk } from "./judge/need.ts";
import { lines, outcomes, temporary } from "./tar-made.ts";

const SECONDS = 1_700_000_123;

/** What v7 can hold: files, directories, links, short names. */
function makePlain(root: string): void {
  mkdirSync(join(root, "dir/empty"), { recursive: true });
  writeFileSync(join(root, "dir/file"), "content\n", { mode: 0o4755 });
  chmodSync(join(root, "dir/file"), 0o4755);
  writeFileSync(join(root, "dir/blocks"), Buffer.alloc(1024, 7));
  writeFileSync(join(root, "nothing"), "");
  linkSync(join(root, "dir/file"), join(root, "zz-hard-link"));
  symlinkSync("../dir/file", join(root, "dir/symlink"));
  writeFileSync(join(root, "na\u00efve name\nwith newline"), "x");
}

/** And what it cannot: names beyond all fields, bytes that are not UTF-8, devices. */
function makeRich(root: string): void {
  makePlain(root);
  const deep = join(root, ...Array.from({ length: 5 }, (_, i) => `${i}`.repeat(70)));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, "f".repeat(255)), "long");
  symlinkSync(`${"target/".repeat(40)}end`, join(root, "long-symlink"));
  linkSync(join(deep, "f".repeat(255)), join(root, "zz-long-link"));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x62, 0xff, 0xfe])]), "bytes");
  execFileSync("mkfifo", [join(root, "fifo")]);
  if (process.getuid?.() === 0) {
    execFileSync("mknod", [join(root, "char"), "c", "5", "1"]);
    execFileSync("mknod", [join(root, "block"), "b", "259", "70000"]);
    execFileSync("chown", ["-h", "12345:54321", join(root, "nothing"), join(root, "long-symlink")]);
    execFileSync("chown", ["3000000:4000000000", join(root, "dir/blocks")]);
  }
}

/** One time for all, on whole seconds unless the format holds more. */
function setTimes(root: string, nsec: boolean): void {
  const list = execFileSync("find", [root, "-depth", "-print0"], { encoding: "buffer" });
  const time = nsec ? SECONDS + 0.25 : SECONDS;
  for (let from = 0, to = list.indexOf(0); to >= 0; from = to + 1, to = list.indexOf(0, from))
    lutimesSync(list.subarray(from, to), time, time);
  utimesSync(join(root, "nothing"), nsec ? -1000.5 : 5, nsec ? -1000.5 : 5);
}

interface Maker {
  readonly tool: "tar" | "bsdtar";
  readonly args: readonly string[];
  readonly make: (root: string) => void;
  readonly nsec?: boolean;
}

const MAKERS: Readonly<Record<string, Maker>> = {
  "GNU tar, v7": { tool: "tar", args: ["--format=v7"], make: makePlain },
  "GNU tar, oldgnu": { tool: "tar", args: ["--format=oldgnu"], make: makeRich },
  "GNU tar, gnu": { tool: "tar", args: ["--format=gnu"], make: makeRich },
  "GNU tar, ustar": { tool: "tar", args: ["--format=ustar"], make: makePlain },
  "GNU tar, pax": { tool: "tar", args: ["--format=pax"], make: makeRich, nsec: true },
  "GNU tar, pax with a global header": {
    tool: "tar",
    args: ["--format=pax", "--pax-option=globexthdr.name=g,comment=hello"],
    make: makeRich,
    nsec: true,
  },
  "bsdtar, ustar": { tool: "bsdtar", args: ["--format", "ustar"], make: makePlain },
  "bsdtar, gnutar": { tool: "bsdtar", args: ["--format", "gnutar"], make: makeRich },
  "bsdtar, pax": { tool: "bsdtar", args: ["--format", "pax"], make: makeRich, nsec: true },
  "bsdtar, v7": { tool: "bsdtar", args: ["--format", "v7"], make: makePlain },
};

for (const [name, { tool, args, make, nsec }] of Object.entries(MAKERS)) {
  test.skipIf(!need(tool))(`${name}: the tree of the archive is the tree of the directory`, async () => {
    const folder = temporary();
    const root = join(folder, "root");
    mkdirSync(root);
    make(root);
    setTimes(root, nsec === true);
    const archive = join(folder, "made.tar");
    runOk(tool, [...args, "-cf", archive, "."], { cwd: root });
    const expected = await lines(fromDirectory(root, { xattrs: "none" }));
    expect(expected.length).toBeGreaterThan(8);
    for (const got of await outcomes(readFileSync(archive), folder)) expect(got).toEqual(expected);
  });
}

test.skipIf(!need("tar"))("GNU tar: atime and ctime of pax archives, absolute names, an appended archive", async () => {
  const folder = temporary();
  const root = join(folder, "root");
  mkdirSync(root);
  writeFileSync(join(root, "a"), "a");
  utimesSync(join(root, "a"), 1000.125, 2000.5);
  runOk("tar", ["--format=pax", "-P", "-cf", join(folder, "1.tar"), join(root, "a")]);
  const tree = await fromTar(join(folder, "1.tar"));
  const node = tree.lookup(join(root, "a"));
  expect(node).toMatchObject({
    mtime: { sec: 2000, nsec: 500_000_000 },
    atime: { sec: 1000, nsec: 125_000_000 },
    btime: { sec: 2000 },
  });
  expect(node?.ctime.sec).toBeGreaterThan(1_700_000_000);
  writeFileSync(join(root, "b"), "b");
  runOk("tar", ["-cf", join(folder, "2.tar"), "-C", root, "b"]);
  runOk("tar", ["-rf", join(folder, "2.tar"), "-C", root, "a"]);
  appendFileSync(join(folder, "1.tar"), readFileSync(join(folder, "2.tar")));
  const both = await fromTar(join(folder, "1.tar"));
  expect([both.lookup("b")?.kind, both.lookup("a")?.kind, both.lookup(join(root, "a"))?.kind]).toEqual(["file", "file", "file"]);
});

test.skipIf(!need("tar"))("GNU tar: a labelled incremental dump, and a volume that is a part of one is refused", async () => {
  const folder = temporary();
  const root = join(folder, "root");
  mkdirSync(join(root, "d"), { recursive: true });
  writeFileSync(join(root, "d/f"), "x".repeat(30_000));
  runOk(
    "tar",
    ["--format=gnu", "--label=weekly", `--listed-incremental=${join(folder, "snapshot")}`, "-cf", join(folder, "i.tar"), "."],
    { cwd: root },
  );
  const tree = await fromTar(join(folder, "i.tar"));
  expect([...tree.entries()].map(([path]) => path)).toEqual(["/d", "/d/f"]);
  runOk("tar", ["--format=gnu", "-M", "-L", "20", "-cf", join(folder, "v1.tar"), "-f", join(folder, "v2.tar"), "d"], {
    cwd: root,
  });
  await expect(fromTar(join(folder, "v1.tar"))).rejects.toMatchObject({
    code: "corrupt",
    message: expect.stringContaining("but the archive ends at"),
  });
  await expect(fromTar(join(folder, "v2.tar"))).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringContaining("another volume"),
  });
});

function sparseFile(path: string): void {
  writeFileSync(path, "");
  truncateSync(path, 1 << 20);
  // Seven pieces: more than the four pairs of an old GNU header.
  for (let i = 0; i < 7; i++)
    execFileSync("dd", [
      `of=${path}`,
      "bs=4096",
      "count=1",
      `seek=${3 + i * 30}`,
      "conv=notrunc",
      "if=/dev/urandom",
      "status=none",
    ]);
}

const SPARSE: Readonly<Record<string, readonly [tool: "tar" | "bsdtar", ...args: string[]]>> = {
  "GNU tar, oldgnu": ["tar", "--format=oldgnu", "--sparse"],
  "GNU tar, gnu": ["tar", "--format=gnu", "--sparse"],
  "GNU tar, pax 0.0": ["tar", "--format=pax", "--sparse", "--sparse-version=0.0"],
  "GNU tar, pax 0.1": ["tar", "--format=pax", "--sparse", "--sparse-version=0.1"],
  "GNU tar, pax 1.0": ["tar", "--format=pax", "--sparse", "--sparse-version=1.0"],
  "bsdtar, pax": ["bsdtar", "--format", "pax"],
};

for (const [name, [tool, ...args]] of Object.entries(SPARSE)) {
  test.skipIf(!need(tool))(`sparse files by ${name}: holes stay holes, bytes are the same`, async () => {
    const folder = temporary();
    const root = join(folder, "root");
    mkdirSync(root);
    sparseFile(join(root, "sparse"));
    writeFileSync(join(root, "only-hole"), "");
    truncateSync(join(root, "only-hole"), 100_000);
    writeFileSync(join(root, "zz"), "behind");
    setTimesAll(root);
    const archive = join(folder, "made.tar");
    runOk(tool, [...args, "-cf", archive, "."], { cwd: root });
    const all = await outcomes(readFileSync(archive), folder);
    for (const got of all) expect(got).toEqual(all[0]);
    const tree = await fromTar(archive);
    expect(await lines(tree, { sparse: false })).toEqual(await lines(fromDirectory(root, { xattrs: "none" }), { sparse: false }));
    const { content } = tree.lookup("sparse") as FileNode;
    expect(content.extents?.reduce((sum, { length }) => sum + length, 0)).toBe(7 * 4096);
    expect((tree.lookup("only-hole") as FileNode).content).toMatchObject({ size: 100_000, extents: [] });
  });
}

function setTimesAll(root: string): void {
  for (const name of ["sparse", "only-hole", "zz", "."]) utimesSync(join(root, name), SECONDS, SECONDS);
}

/** xattrs of every namespace that root can set, with names and values that are hard to spell. */
function setXattrs(root: string): void {
  const file = join(root, "f");
  writeFileSync(file, "x");
  mkdirSync(join(root, "d"));
  for (const [name, value] of [
    ["user.plain", "value"],
    ["user.empty", ""],
    ["user.bytes", "0x00ff0a3d80"],
    ["user.with=equals", "a=b"],
    ["user.100%25", "percent"],
    ["user.sp\u00e4ce d", "x"],
  ] as const) {
    runOk("setfattr", ["-n", name, "-v", value, file]);
  }
  runOk("setfattr", ["-n", "user.dir", "-v", "d", join(root, "d")]);
  if (process.getuid?.() === 0) {
    runOk("setcap", ["cap_net_raw+ep", file]);
    runOk("setfattr", ["-n", "trusted.t", "-v", "0x00", file]);
  }
  runOk("setfacl", ["-m", "u:1234:r-x,g:4321:rw", file]);
  runOk("setfacl", ["-m", "u:0:rwx", join(root, "d")]);
  runOk("setfacl", ["-d", "-m", "g:root:r", join(root, "d")]);
  for (const path of [file, join(root, "d"), root]) utimesSync(path, SECONDS, SECONDS);
}

const XATTRS: Readonly<Record<string, readonly [tool: "tar" | "bsdtar", ...args: string[]]>> = {
  "GNU tar --xattrs": ["tar", "--format=pax", "--xattrs", "--xattrs-include=*"],
  "GNU tar --xattrs --acls": ["tar", "--format=pax", "--xattrs", "--xattrs-include=*", "--acls"],
  "bsdtar --xattrs --acls": ["bsdtar", "--format", "pax", "--xattrs", "--acls"],
};

for (const [name, [tool, ...args]] of Object.entries(XATTRS)) {
  test.skipIf(!need(tool, "setfattr", "getfattr", "setfacl", "setcap") || !needRoot())(
    `${name}: xattrs, capabilities and ACLs as the disk has them`,
    async () => {
      const folder = temporary();
      const root = join(folder, "root");
      mkdirSync(root);
      setXattrs(root);
      const archive = join(folder, "made.tar");
      runOk(tool, [...args, "-cf", archive, "."], { cwd: root });
      const expected = await lines(fromDirectory(root, { xattrs: "getfattr" }));
      expect(expected.join("\n")).toContain("security.capability=");
      expect(expected.join("\n")).toContain("system.posix_acl_default=");
      for (const got of await outcomes(readFileSync(archive), folder)) expect(got).toEqual(expected);
    },
  );
}

test.skipIf(!need("tar", "setfacl") || !needRoot())(
  "GNU tar --acls alone names users: they are looked up in the tree's own passwd",
  async () => {
    const folder = temporary();
    const root = join(folder, "root");
    mkdirSync(join(root, "etc"), { recursive: true });
    writeFileSync(join(root, "f"), "x");
    runOk("setfacl", ["-m", "u:daemon:r-x", join(root, "f")]);
    const archive = (name: string): string => {
      const path = join(folder, name);
      runOk("tar", ["--format=pax", "--acls", "-cf", path, "."], { cwd: root });
      return path;
    };
    await expect(fromTar(archive("1.tar"))).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining('the user "daemon"'),
    });
    writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\ndaemon:x:777:1::/:/bin/sh\n");
    const value = (tree: Tree): string =>
      Buffer.from(tree.lookup("f")?.xattrs?.get("system.posix_acl_access") ?? []).toString("hex");
    expect(value(await fromTar(archive("2.tar")))).toContain("0200050009030000");
  },
);
