// fsynth ls, cat, inspect and build --options-from, as users run them.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildExt4, Tree } from "../src/index.ts";
import { fsynth, requireFreshBuild } from "./cli-run.ts";
import { need, needRoot, run as runTool } from "./judge/need.ts";

const dir = fs.mkdtempSync(join(tmpdir(), "fsynth-cli-read-"));
const image = join(dir, "root.ext4");
const large = new Uint8Array(3_000_001).map((_, i) => (i * 31) >> 3);

beforeAll(async () => {
  requireFreshBuild();
  const time = { sec: 1_600_000_000, nsec: 0 };
  const tree = new Tree().directory("/", { mtime: time });
  tree.file("/etc/motd", "hello\n", { mode: 0o4644, uid: 1000, gid: 70_000, mtime: time });
  tree.symlink("/etc/issue", "motd", { mtime: time }).symlink("/usr", "etc", { mtime: time });
  tree.file("/large", large, { mtime: time, xattrs: { "user.note": "x" } });
  tree.device("/dev/null", "c", 1, 3, { mode: 0o666, mtime: time }).fifo("/dev/fifo", { mtime: time });
  tree.directory("/tmp", { mode: 0o1777, mtime: time }).file("/tmp/\udcff \\", "", { mtime: time });
  tree.link("/hard", "/etc/motd");
  const built = buildExt4(tree, { label: "root", size: "fit+1M", reserved: 2.5 });
  await built.writeTo(image);
  await built.writeTo(`${image}.gz`);
  await built.writeTo(`${image}.zst`);
});
afterAll(() => fs.rmSync(dir, { recursive: true, force: true }));

/** What a command prints that succeeds. */
function shown(...args: readonly string[]): string {
  const { status, stdout, stderr } = fsynth(args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

describe("ls", () => {
  test("names in the order of their bytes, bytes that are not text as \\xNN", () => {
    expect(shown("ls", image)).toBe("dev\netc\nhard\nlarge\nlost+found\ntmp\nusr\n");
    expect(shown("ls", image, "/usr/motd")).toBe("/usr/motd\n");
    expect(shown("ls", image, "tmp")).toBe("\\xff \\x5c\n");
    expect(shown("ls", image, "/tmp/\\xff \\x5c")).toBe("/tmp/\\xff \\x5c\n");
    expect(shown("ls", "-R", image)).toBe(
      "/dev\n/dev/fifo\n/dev/null\n/etc\n/etc/issue\n/etc/motd\n/hard\n/large\n/lost+found\n/tmp\n/tmp/\\xff \\x5c\n/usr\n",
    );
  });

  test("-l", () => {
    expect(shown("ls", "-l", image, "/etc").split("\n")).toEqual([
      "lrwxrwxrwx   1 0:0                4 2020-09-13T12:26:40Z issue -> motd",
      "-rwSr--r--   2 1000:70000          6 2020-09-13T12:26:40Z motd",
      "",
    ]);
    expect(shown("ls", "-l", image, "/dev").split("\n")).toEqual([
      "prw-r--r--   1 0:0                0 2020-09-13T12:26:40Z fifo",
      "crw-rw-rw-   1 0:0             1, 3 2020-09-13T12:26:40Z null",
      "",
    ]);
    expect(shown("ls", "-l", image)).toMatch(/^drwxrwxrwt {3}2 .* tmp$/m);
  });

  test("--json", () => {
    const entries = JSON.parse(shown("ls", "--json", "-R", image)) as Record<string, unknown>[];
    expect(entries).toHaveLength(12);
    const by = (path: string): Record<string, unknown> | undefined => entries.find((entry) => entry.path === path);
    expect(by("/hard")).toMatchObject({
      kind: "file",
      mode: "4644",
      uid: 1000,
      gid: 70_000,
      links: 2,
      size: 6,
      id: by("/etc/motd")?.id,
    });
    expect(by("/large")).toMatchObject({ size: large.length, xattrs: { "user.note": "78" }, mtime: "1600000000" });
    expect(by("/dev/null")).toMatchObject({ device: "1:3" });
    expect(by("/etc/issue")).toMatchObject({ target: "motd" });
    expect(JSON.parse(shown("ls", "--json", image, "/etc/motd"))).toMatchObject([{ path: "/etc/motd" }]);
    expect(JSON.parse(shown("ls", "--json", image, "/lost+found"))).toEqual([]);
  });

  test("--manifest is a tree.txt, the same for an image of other options", () => {
    const text = shown("ls", "--manifest", image);
    expect(text).toMatch(/^#fsynth-tree 1\n\/ dir mode=0755 0:0 time=1600000000\n/);
    expect(text).toContain("/hard link to=/etc/motd\n");
    expect(text).toMatch(/^\/large file mode=0644 0:0 time=1600000000 xattr.user.note="x" size=3000001 sha256=[0-9a-f]{64}$/m);
    const other = join(dir, "other.ext2");
    shown("build", "-q", "-f", "ext2", "--block-size", "1024", "-o", other, image);
    expect(shown("ls", "--manifest", other)).toBe(text);
    expect(shown("ls", "--manifest", image, "/etc")).toMatch(/^#fsynth-tree 1\n\/ dir .*\n\/issue .*\n\/motd .*\n$/);
  });

  test("compressed images, and standard input", () => {
    const expected = shown("ls", "-R", image);
    expect(shown("ls", "-R", `${image}.gz`)).toBe(expected);
    expect(shown("ls", "-R", `${image}.zst`)).toBe(expected);
    expect(fsynth(["ls", "-R", "-"], { input: fs.readFileSync(`${image}.gz`) })).toEqual({
      status: 0,
      stdout: expected,
      stderr: "",
    });
  });
});

describe("cat", () => {
  test("writes files, symlinks followed inside the image", () => {
    expect(shown("cat", image, "/etc/issue", "/usr/motd", "hard")).toBe("hello\nhello\nhello\n");
    expect(shown("cat", image, "/large") === Buffer.from(large).toString("latin1")).toBe(true);
  });

  test("writes nothing when one of them is missing", () => {
    expect(fsynth(["cat", image, "/etc/motd", "/nowhere"])).toEqual({
      status: 3,
      stdout: "",
      stderr: 'fsynth: "/nowhere": nothing is there\n',
    });
    expect(fsynth(["cat", image, "/etc"])).toMatchObject({ status: 3, stderr: 'fsynth: "/etc": a directory, expected a file\n' });
  });
});

describe("inspect", () => {
  test("for people and as JSON", () => {
    const text = shown("inspect", image);
    for (const part of [
      "format                      ext4",
      "label                       root",
      "groups\n",
      "  journal ",
      "has_journal ",
    ]) {
      expect(text).toContain(part);
    }
    const told = JSON.parse(shown("inspect", "--json", image)) as { size: number; space: { use: string; bytes: number }[] };
    expect(told).toMatchObject({
      format: "ext4",
      facts: { label: "root", "block size": 4096 },
      fragmentation: { fragmented: 0 },
    });
    expect(told.space.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(told.size);
    expect(told.size).toBe(fs.statSync(image).size);
  });

  test("--records names every field, of images and of archives", () => {
    const text = shown("inspect", "--records", image);
    expect(text).toMatch(/^1024 superblock \(ext4_super_block\):\n {4}s_inodes_count=/);
    expect(text).toMatch(/^\d+ inode \d+ \/large \(ext4_inode\):$/m);
    expect(text).toMatch(/^ {4}\d+ "motd" \(ext4_dir_entry_2\): inode=\d+ rec_len=\d+ name_len=4 file_type=1$/m);
    const compressed = fsynth(["inspect", "--records", "-"], { input: fs.readFileSync(`${image}.gz`) });
    expect(compressed).toEqual({ status: 0, stdout: text, stderr: "" });
    const archive = join(dir, "records.cpio");
    fsynth(["build", "-q", "-f", "cpio", "--allow-loss", "-o", archive, image]);
    expect(shown("inspect", "--records", archive)).toMatch(/^\d+ hard \(cpio_newc_header\): .* c_filesize=6 /m);
    fs.truncateSync(archive, 1000);
    expect(fsynth(["inspect", "--records", archive])).toMatchObject({ status: 3, stdout: "" });
    expect(fsynth(["inspect", "--records", join(dir, "..")]).status).not.toBe(70);
    expect(fsynth(["inspect", "--records", "--json", image])).toMatchObject({ status: 2 });
    fs.writeFileSync(join(dir, "nothing"), "");
    for (const command of [["inspect", "--records"], ["inspect"], ["check"]]) {
      const told = fsynth([...command, join(dir, "nothing")]);
      expect(told).toMatchObject({ status: 3, stderr: expect.stringContaining("it is empty") as string });
    }
    fs.writeFileSync(join(dir, "text"), "no image");
    expect(fsynth(["inspect", "--records", join(dir, "text")])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("can be shown record by record") as string,
    });
  });
});

describe("build --options-from", () => {
  test("rebuilds an image of ours, whatever the environment", () => {
    const again = join(dir, "again.ext4");
    const { status } = fsynth(["build", "-q", "--options-from", image, "-o", again, image], { env: { SOURCE_DATE_EPOCH: "5" } });
    expect(status).toBe(0);
    expect(fs.readFileSync(again).equals(fs.readFileSync(image))).toBe(true);
  });

  test("what is given goes before what the image has", () => {
    const again = join(dir, "label.ext4");
    shown("build", "-q", "--options-from", image, "--label", "other", "-o", again, image);
    expect(shown("inspect", again)).toContain("label                       other\n");
    expect(fsynth(["build", "-f", "ext2", "--options-from", image, "-o", again, image])).toMatchObject({
      status: 2,
      stderr: "fsynth: -f ext2 does not go with --options-from an image of ext4\n",
    });
  });
});

describe("what is refused", () => {
  test.each([
    [["ls"], 2, /^fsynth: no IMAGE given/],
    [["cat", image], 2, /^fsynth: no PATH given/],
    [["inspect", image, "x"], 2, /^fsynth: fsynth inspect takes one IMAGE/],
    [["ls", image, "/", "x"], 2, /^fsynth: fsynth ls takes an IMAGE and a PATH/],
    [["ls", "--manifest", "-l", image], 2, /--manifest goes without/],
    [["ls", image, "/a/../b"], 3, /holds "\.\."/],
    [["ls", image, "/nowhere"], 3, /^fsynth: "\/nowhere": nothing is there\n$/],
    [["ls", join(dir, "missing")], 4, /there is no such file/],
    [["ls", process.execPath], 3, /found an ELF program; images of ext2, /],
  ] as const)("%j", (args, status, stderr) => {
    expect(fsynth(args)).toEqual({ status, stdout: "", stderr: expect.stringMatching(stderr) });
  });

  test("a broken image: status 3, with the place", () => {
    const broken = join(dir, "broken");
    const bytes = fs.readFileSync(image);
    bytes[1024 + 0x18] = 9;
    bytes[1024 + 0x64] = 0; // without metadata_csum
    bytes[1024 + 0x65] = 0;
    fs.writeFileSync(broken, bytes);
    const { status, stderr } = fsynth(["ls", broken]);
    expect(status).toBe(3);
    expect(stderr).toBe(`fsynth: ${broken}: ext: superblock: blocks of 1024 shifted by 9, expected a shift of 0 to 6 (64 KiB)\n`);
  });
});

describe("standard input", () => {
  const opened = <T>(path: string, work: (stdin: number) => T): T => {
    const stdin = fs.openSync(path, "r");
    try {
      return work(stdin);
    } finally {
      fs.closeSync(stdin);
    }
  };

  test.skipIf(!needRoot() || !need("losetup"))("may be a block device", ({ skip }) => {
    const attached = runTool("losetup", ["--find", "--show", "--read-only", image]);
    if (attached.status !== 0) skip("no loop devices here");
    const device = attached.stdout.toString().trim();
    try {
      for (const args of [
        ["ls", "-"],
        ["check", "-"],
        ["hash", "-"],
        ["build", "-q", "-f", "tar", "-o", join(dir, "of-device"), "-"],
      ]) {
        const given = fsynth(args.with(args.indexOf("-"), image));
        const found = opened(device, (stdin) => fsynth(args, { stdin }));
        expect(found.status, found.stderr).toBe(0);
        expect(found.stdout.replace("-", "")).toBe(given.stdout.replace(image, ""));
      }
    } finally {
      runTool("losetup", ["--detach", device]);
    }
  });

  test("is no directory", () => {
    for (const args of [
      ["ls", "-"],
      ["hash", "--tree", "-"],
    ]) {
      const { status, stderr } = opened(dir, (stdin) => fsynth(args, { stdin }));
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringContaining("standard input (-) is a directory, expected"),
      });
    }
  });
});
