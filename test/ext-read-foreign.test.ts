// ext images that others made: by mke2fs with every set of features, written to by the Linux kernel, left with a journal that
// has to be replayed. What fsynth reads is what debugfs and the kernel show.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromImage, openImage } from "../src/sources/image.ts";
import { MOUNTABLE, needKernel, needTools } from "./judge/ext.ts";
import { judgeReading } from "./judge/ext-read.ts";
import { mountedWritable } from "./judge/mount.ts";
import { need, needRoot, run, runOk } from "./judge/need.ts";

const tools = needTools() && need("mke2fs", "setfattr", "e2fsck", "tune2fs");
const kernel = needKernel();
const base = fs.mkdtempSync(join(tmpdir(), "fsynth-foreign-"));
const source = join(base, "source");
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = seed; i < length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

/** A bit of everything that a directory can hold. */
function fill(folder: string): void {
  fs.mkdirSync(join(folder, "many"), { recursive: true });
  for (let i = 0; i < 700; i++) fs.writeFileSync(join(folder, "many", `an entry with a longer name ${i}`), i % 5 ? "" : `${i}\n`);
  fs.mkdirSync(join(folder, "a/b/c"), { recursive: true });
  fs.writeFileSync(join(folder, "a/short"), "hello\n");
  fs.writeFileSync(join(folder, "a/inline"), bytesOf(100, 1));
  fs.writeFileSync(join(folder, "a/b/data"), bytesOf(700_001, 2));
  fs.linkSync(join(folder, "a/b/data"), join(folder, "hard"));
  fs.symlinkSync("a/short", join(folder, "fast"));
  fs.symlinkSync(`a/${"../a/".repeat(30)}short`, join(folder, "slow"));
  fs.symlinkSync("x".repeat(59), join(folder, "a/59"));
  fs.symlinkSync("x".repeat(60), join(folder, "a/60"));
  const holes = fs.openSync(join(folder, "holes"), "w");
  for (let i = 0; i < 40; i++) fs.writeSync(holes, bytesOf(70_000, i), 0, 70_000, i * 200_000);
  fs.ftruncateSync(holes, 20_000_000);
  fs.closeSync(holes);
  fs.chmodSync(join(folder, "a/short"), 0o4751);
  fs.chownSync(join(folder, "a/inline"), 70_000, 80_000);
  fs.utimesSync(join(folder, "a/short"), -1_000_000, 4_000_000_000);
  run("mkfifo", [join(folder, "fifo")]);
  runOk("mknod", [join(folder, "null"), "c", "1", "3"]);
  runOk("mknod", [join(folder, "large"), "b", "300", "70000"]);
  for (const [name, value] of [
    ["user.empty", '""'],
    ["user.text", "text"],
    ["trusted.long", "v".repeat(300)],
    // user::rw-, user:1000:r--, group::r--, mask::rw-, other::---
    ["system.posix_acl_access", "0x0200000001000600ffffffff02000400e803000004000400ffffffff10000600ffffffff20000000ffffffff"],
  ] as const) {
    runOk("setfattr", ["-n", name, "-v", value, join(folder, "a/b/data")]);
  }
  runOk("setfattr", ["-h", "-n", "trusted.link", "-v", "on a symlink", join(folder, "slow")]);
}

beforeAll(() => {
  if (tools && needRoot()) fill(source);
});

let images = 0;

/** An image by mke2fs of these arguments, filled with the directory. */
function made(args: readonly string[], size = "96M"): string {
  const path = join(base, `image-${images++}`);
  runOk("mke2fs", ["-q", "-F", "-d", source, ...args, path, size]);
  return path;
}

const KINDS: readonly (readonly string[])[] = [
  ["-t", "ext2"],
  ["-t", "ext2", "-b", "1024", "-I", "128"],
  ["-r", "0", "-O", "none"],
  ["-t", "ext2", "-b", "2048", "-O", "none"],
  ["-t", "ext3", "-b", "4096"],
  ["-t", "ext3", "-O", "meta_bg,^resize_inode", "-b", "1024"],
  ["-t", "ext4"],
  ["-t", "ext4", "-b", "4096"],
  ["-t", "ext4", "-b", "2048", "-I", "1024"],
  ["-t", "ext4", "-b", "4096", "-I", "128", "-O", "^extra_isize"],
  ["-t", "ext4", "-O", "^has_journal,^flex_bg,^64bit"],
  ["-t", "ext4", "-O", "^metadata_csum,uninit_bg"],
  ["-t", "ext4", "-O", "^metadata_csum,^uninit_bg,^extent,^64bit"],
  ["-t", "ext4", "-O", "meta_bg,^resize_inode", "-b", "1024"],
  ["-t", "ext4", "-O", "sparse_super2,^sparse_super,^resize_inode", "-b", "1024"],
  ["-t", "ext4", "-O", "metadata_csum_seed"],
  ["-t", "ext4", "-O", "large_dir,ea_inode"],
  ["-t", "ext4", "-O", "inline_data"],
  ["-t", "ext4", "-O", "inline_data,ea_inode", "-I", "512", "-b", "1024"],
  ["-t", "ext4", "-O", "bigalloc"],
  ["-t", "ext4", "-O", "bigalloc", "-b", "1024", "-C", "8192"],
  ["-t", "ext4", "-O", "quota,project", "-E", "quotatype=usrquota:grpquota:prjquota"],
  ["-t", "ext4", "-O", "mmp", "-E", "mmp_update_interval=1"],
  ["-t", "ext4", "-O", "orphan_file"],
  ["-t", "ext4", "-O", "fast_commit"],
  ["-t", "ext4", "-O", "verity,stable_inodes,encrypt"],
  ["-t", "ext4", "-g", "512", "-b", "1024", "-G", "4"],
  ["-t", "ext4", "-b", "8192"],
  ["-t", "ext4", "-b", "65536", "-O", "^has_journal"],
  ["-t", "ext2", "-b", "65536"],
];

describe.skipIf(!tools || !needRoot())("mke2fs", () => {
  test.each(KINDS.map((args) => [args.join(" "), args] as const))("%s", async (_, args) => {
    const path = made(args, args.includes("65536") ? "256M" : "96M");
    const size = Number(args[args.indexOf("-b") + 1] ?? 0) || 1024;
    const mountable = kernel && !(args.includes("-b") && size > MOUNTABLE);
    const inodeSize = args.includes("-I") ? Number(args[args.indexOf("-I") + 1]) : args.includes("0") ? 128 : 256;
    const judges = { tools: true, kernel: mountable };
    expect(await judgeReading(path, judges, inodeSize)).toEqual([]);
    // The same with its directories indexed.
    run("e2fsck", ["-fyD", path]);
    expect(await judgeReading(path, judges, inodeSize)).toEqual([]);
    const volume = await openImage(path);
    let end = 0;
    for (const { offset, length } of volume.usage()) {
      expect(offset).toBe(end);
      end = offset + length;
    }
    expect(end).toBe(volume.size);
    const { facts, space } = volume.inspect();
    expect(space.find(({ use }) => use === "free")?.bytes).toBe(Number(facts["free blocks"]) * Number(facts["block size"]));
    fs.rmSync(path);
  });
});

const WRITTEN: readonly (readonly string[])[] = [
  ["-t", "ext3", "-b", "1024"],
  ["-t", "ext4"],
  ["-t", "ext4", "-b", "4096", "-O", "^metadata_csum"],
  ["-t", "ext4", "-O", "inline_data,ea_inode,large_dir", "-b", "1024"],
  ["-t", "ext4", "-O", "bigalloc", "-b", "4096"],
  ["-t", "ext4", "-O", "orphan_file,metadata_csum_seed", "-J", "size=4"],
  ["-t", "ext4", "-O", "^64bit,^extent", "-b", "1024"],
];

/** What a busy system leaves: files grown and cut, set aside, punched, renamed, removed, kept open without a name. */
function work(root: string, round: number): void {
  const folder = join(root, `round ${round}`);
  fill(folder);
  for (let i = 0; i < 900; i++) fs.writeFileSync(join(folder, `${i}`), bytesOf((i * 37) % 9000, i));
  for (let i = 0; i < 900; i += 2) fs.rmSync(join(folder, `${i}`));
  for (let i = 1; i < 300; i += 4) fs.renameSync(join(folder, `${i}`), join(folder, `a/renamed ${i}`));
  for (let i = 3; i < 300; i += 4) fs.truncateSync(join(folder, `${i}`), i);
  // Older kernels' inodes mapped by blocks can be neither set aside nor punched.
  run("fallocate", ["-l", "3M", "-n", join(folder, "set aside")]);
  run("fallocate", ["-l", "1M", join(folder, "unwritten")]);
  run("fallocate", ["-p", "-o", "100000", "-l", "300000", join(folder, "a/b/data")]);
  run("chattr", ["+i", join(folder, "null")]);
  run("chattr", ["+d", join(folder, "a/short")]);
  for (const [file, size] of [
    ["1", 40],
    ["601", 900],
    ["603", 900],
  ] as const) {
    runOk("setfattr", ["-n", "user.some", "-v", "s".repeat(size), join(folder, file === "1" ? "a/renamed 1" : file)]);
  }
}

describe.skipIf(!kernel || !need("mke2fs", "setfattr"))("written to by the kernel", () => {
  test.each(WRITTEN.map((args) => [args.join(" "), args] as const))("%s", async (_, args) => {
    const path = join(base, `image-${images++}`);
    const copy = `${path}-copy`;
    runOk("mke2fs", ["-q", "-F", ...args, path, args.includes("bigalloc") ? "500M" : "160M"]);
    // The loop device writes through the file's own cache, so that a copy has all that reached the disk.
    await mountedWritable(path, (root) => {
      const open = fs.openSync(join(root, "open without a name"), "w");
      try {
        work(root, 0);
        fs.writeSync(open, bytesOf(50_000, 5));
        fs.rmSync(join(root, "open without a name"));
        runOk("sync", ["-f", root]);
        // Blocks that belonged to directories become data: what the journal revokes must not be replayed.
        work(root, 1);
        fs.rmSync(join(root, "round 0/many"), { recursive: true });
        for (let i = 0; i < 30; i++) fs.writeFileSync(join(root, `over ${i}`), bytesOf(100_000, i));
        runOk("sync", ["-f", root]);
        runOk("cp", ["--sparse=always", path, copy]);
      } finally {
        fs.closeSync(open);
      }
    });
    const unclean = await openImage(copy);
    expect(unclean.inspect().facts.state).toMatch(/journal replayed in memory \([1-9]\d* blocks\)/);
    // The kernel replays a journal where it may write.
    const replayed = (): Promise<void> => mountedWritable(copy, () => {});
    expect(await judgeReading(copy, { tools: false, kernel: true }, 256, replayed)).toEqual([]);
    expect(await judgeReading(path, { tools: false, kernel: true })).toEqual([]);
    fs.rmSync(path);
    fs.rmSync(copy);
  });

  test("fast commits are refused by name", async () => {
    const path = join(base, `image-${images++}`);
    const copy = `${path}-copy`;
    runOk("mke2fs", ["-q", "-F", "-t", "ext4", "-O", "fast_commit", path, "64M"]);
    await mountedWritable(path, (root) => {
      for (let i = 0; i < 4; i++) {
        const file = fs.openSync(join(root, `${i}`), "w");
        fs.writeSync(file, "synced by itself\n");
        fs.fsyncSync(file);
        fs.closeSync(file);
      }
      runOk("cp", ["--sparse=always", path, copy]);
    });
    await expect(openImage(copy)).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringMatching(/the journal ends with fast commits, which fsynth does not replay; mounting the image once/),
    });
    expect(await judgeReading(path, { tools: true, kernel: true })).toEqual([]);
  });
});

describe.skipIf(!tools || !need("debugfs"))("what only a key or the kernel opens", () => {
  test("encrypted directories, files and symlinks are shown as such", async () => {
    const path = join(base, `image-${images++}`);
    const folder = join(base, "secrets");
    fs.mkdirSync(join(folder, "vault"), { recursive: true });
    fs.writeFileSync(join(folder, "vault/file"), "ciphertext");
    fs.writeFileSync(join(folder, `vault/${"n".repeat(255)}`), "");
    fs.symlinkSync("cipher", join(folder, "vault/link"));
    fs.writeFileSync(join(folder, "plain"), "text");
    runOk("mke2fs", ["-q", "-F", "-t", "ext4", "-O", "encrypt", "-d", folder, path, "16M"]);
    // EXT4_ENCRYPT_FL, and no key anywhere.
    const inodes = ["/vault", "/vault/file", "/vault/link"].map((name) => {
      const listed = runOk("debugfs", ["-R", `stat ${name}`, path]).toString();
      return { name, flags: Number.parseInt(/Flags: 0x([0-9a-f]+)/.exec(listed)?.[1] ?? "", 16) };
    });
    for (const { name, flags } of inodes) {
      runOk("debugfs", ["-w", "-R", `set_inode_field ${name} flags 0x${(flags | 0x800).toString(16)}`, path]);
    }
    const volume = await openImage(path);
    const names = volume.readdir("/vault").map(({ name }) => name);
    expect(names).toHaveLength(3);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_.-]{4,255}$/);
    expect(names).toContain("ZmlsZQ");
    const [file, link] = ["/vault/ZmlsZQ", "/vault/bGluaw"].map((name) => volume.stat(name));
    expect(file).toMatchObject({ kind: "file", size: 10, flags: ["encrypt"] });
    expect(() => volume.content(file?.id ?? 0)).toThrow(/the content of the file is encrypted, and fsynth has no keys/);
    expect(link).toMatchObject({ kind: "symlink", flags: ["encrypt"] });
    expect(() => volume.target(link?.id ?? 0)).toThrow(/the target of the symlink is encrypted/);
    expect(new TextDecoder().decode(volume.read("/plain"))).toBe("text");
    await expect(fromImage(path)).rejects.toMatchObject({
      code: "unsupported",
      where: { path: expect.stringMatching(/^\/vault\//) },
    });
    const warnings: string[] = [];
    await fromImage(path, { exclude: ["/vault/*"], onWarning: ({ message }) => warnings.push(message) });
    expect(warnings).toEqual([expect.stringMatching(/: 1 nodes have the flag encrypt, .*; the first at "\/vault"$/)]);
  });
});
