import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bin, fsynth, requireFreshBuild } from "./cli-run.ts";
import { folderForEach } from "./folders.ts";
import { need, needRoot, run } from "./judge/need.ts";

beforeAll(requireFreshBuild);

let dir = "";
folderForEach("cli", (folder) => (dir = folder));

/** A small source directory, and a path for the output. */
function setUp(): { source: string; out: string } {
  const source = join(dir, "source");
  fs.mkdirSync(join(source, "etc"), { recursive: true });
  fs.writeFileSync(join(source, "etc/motd"), "hello\n");
  fs.symlinkSync("motd", join(source, "etc/issue"));
  for (const path of ["etc/motd", "etc", "."]) fs.utimesSync(join(source, path), 1_600_000_000, 1_600_000_000);
  return { source, out: join(dir, "out.img") };
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("what is said before any work", () => {
  test("version and help", () => {
    const { version } = JSON.parse(fs.readFileSync(join(bin, "../../package.json"), "utf8")) as { version: string };
    expect(fsynth(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
    expect(fsynth(["--help"])).toMatchObject({ status: 0, stderr: "", stdout: expect.stringContaining("build -f FORMAT") });
    for (const args of [
      ["build", "--help"],
      ["help", "build"],
    ]) {
      const { status, stdout } = fsynth(args);
      expect(status).toBe(0);
      for (const part of ["Usage: fsynth build -f FORMAT", "--size <fit", "Examples:", "--no-lost-found", "ext4"]) {
        expect(stdout).toContain(part);
      }
    }
    expect(fsynth(["hash", "--help"])).toMatchObject({ status: 0, stdout: expect.stringContaining("Usage: fsynth hash") });
  });

  test("usage errors: exit status 2, one sentence, the nearest name", () => {
    const { source, out } = setUp();
    const cases: [string[], RegExp][] = [
      [[], /no command given/],
      [["biuld"], /unknown command "biuld" \(did you mean "build"\?\)/],
      [["mount", "x"], /unknown command "mount"/],
      [["--frobnicate"], /unknown option "--frobnicate"/],
      [["build", "-o", out, source], /no format given: -f with one of ext2, /],
      [["build", "-f", "ext5", "-o", out, source], /unknown format "ext5" \(did you mean "ext\d"\?\)/],
      [["build", "-f", "ext4", source], /no output given/],
      [["build", "-f", "ext4", "-o", out], /no SOURCE given/],
      [["build", "-f", "ext4", "-o"], /argument missing/],
      [["build", "-f", "ext4", "-o", out, "--lable", "x", source], /unknown option '--lable' \(did you mean --label\?\)/],
      [["build", "-f", "ext4", "-o", out, "--block-size", "1000", source], /--block-size is "1000"; expected a power of two/],
      [["build", "-f", "ext4", "-o", out, "--size", "big", source], /--size is "big"; expected fit/],
      [["build", "-f", "ext4", "-o", out, "--size", "4096", "--xattrs", "none", source], /too small; this tree needs \d+ bytes/],
      [["build", "-f", "ext4", "-o", out, "--compress", "xz", source], /none, gzip, zstd/],
      [["build", "-f", "ext4", "-o", out, "-", "-"], /only once/],
      [["build", "-f", "ext4", "-o", dir, source], /is a directory/],
      [["build", "-f", "ext4", "-o", "", source], /path is empty/],
      [["hash"], /nothing to hash/],
      [["formats", "x"], /no arguments/],
    ];
    for (const [args, message] of cases) {
      const { status, stdout, stderr } = fsynth(args);
      expect({ args, status, stdout, stderr }).toEqual({ args, status: 2, stdout: "", stderr: expect.stringMatching(message) });
      expect(stderr).toMatch(/^fsynth: [^\n]+\n$/);
    }
    expect(fs.readdirSync(dir)).toEqual(["source"]);
  });

  test("SOURCE_DATE_EPOCH must be whole seconds", () => {
    const { source, out } = setUp();
    const { status, stderr } = fsynth(["build", "-f", "ext2", "-o", out, source], { env: { SOURCE_DATE_EPOCH: "yesterday" } });
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(/SOURCE_DATE_EPOCH is "yesterday"/) });
  });
});

describe("build", () => {
  test.skipIf(!need("e2fsck", "debugfs"))("makes an image that e2fsck likes, and says what it made", () => {
    const { source, out } = setUp();
    const { status, stdout, stderr } = fsynth(["build", "-f", "ext4", "--label", "root", "--sha256", "-o", out, source]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(stderr).toMatch(/out\.img: ext4, [\d.]+ [KM]iB, \d+ blocks of 4096 \(\d+ free\), \d+ inodes .*label root, UUID /);
    expect(stderr).toContain(`sha256 ${sha256(fs.readFileSync(out))}`);
    expect(run("e2fsck", ["-fn", out]).status).toBe(0);
    expect(run("debugfs", ["-R", "cat /etc/issue", out]).stdout.toString()).toBe("");
    expect(run("debugfs", ["-R", "cat /etc/motd", out]).stdout.toString()).toBe("hello\n");
  });

  test("--quiet says nothing; --json one object", () => {
    const { source, out } = setUp();
    const args = ["build", "-f", "ext4", "--xattrs", "none", "-o", out, source];
    expect(fsynth([...args, "--quiet"])).toEqual({ status: 0, stdout: "", stderr: "" });
    const { status, stdout, stderr } = fsynth([...args, "--json", "--sha256", "--label", "x"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const summary = JSON.parse(stdout) as Record<string, unknown>;
    expect(stdout).toBe(`${JSON.stringify(summary)}\n`);
    const bytes = fs.readFileSync(out);
    expect(summary).toMatchObject({
      path: out,
      format: "ext4",
      size: bytes.length,
      blockSize: 4096,
      blocks: bytes.length / 4096,
    });
    expect(summary).toMatchObject({ label: "x", sha256: sha256(bytes), warnings: [] });
    for (const name of ["freeBlocks", "inodes", "freeInodes"]) expect(summary[name]).toEqual(expect.any(Number));
    expect(summary.uuid).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("--dry-run tells all, and writes nothing", () => {
    const { source, out } = setUp();
    const args = ["build", "-f", "ext2", "-o", out, "--json", "--sha256", source];
    const dry = fsynth([...args, "--dry-run"]);
    expect(fs.existsSync(out)).toBe(false);
    expect(dry.status).toBe(0);
    expect(dry.stdout).toBe(fsynth(args).stdout);
  });

  test("to standard output: the same bytes, the summary on standard error", () => {
    const { source, out } = setUp();
    fsynth(["build", "-f", "ext2", "-o", out, source]);
    const { status, stdout, stderr } = fsynth(["build", "-f", "ext2", "-o", "-", "--xattrs", "none", "--json", source]);
    expect(status).toBe(0);
    expect(Buffer.from(stdout, "latin1").equals(fs.readFileSync(out))).toBe(true);
    expect(JSON.parse(stderr)).toMatchObject({ path: "-", format: "ext2", warnings: [] });
  });

  test("to a file by redirection, appended where the shell says so", () => {
    const { source, out } = setUp();
    fsynth(["build", "-f", "ext2", "-o", out, source]);
    const redirected = join(dir, "redirected");
    const script = 'printf x > "$1"; "$2" "$3" build -q -f ext2 -o /dev/stdout "$4" >> "$1"';
    expect(run("sh", ["-c", script, "sh", redirected, process.execPath, bin, source]).status).toBe(0);
    expect(fs.readFileSync(redirected).equals(Buffer.concat([Buffer.from("x"), fs.readFileSync(out)]))).toBe(true);
  });

  test("layers a tar on standard input over a directory", () => {
    const { source } = setUp();
    const tar = execFileSync("tar", ["-c", "-C", source, "--transform", "s/motd/news/", "./etc/motd"]);
    const alone = fsynth(["hash", "--tree", source]).stdout.slice(0, 69);
    const layered = fsynth(["build", "-q", "-f", "ext2", "-o", "-", "--json", source, "-"], { input: tar });
    expect(layered.status).toBe(0);
    expect(layered.stdout).toContain("news");
    expect(alone).toMatch(/^tree [0-9a-f]{64}$/);
  });

  test("compresses by the ending of the name", () => {
    const { source, out } = setUp();
    fsynth(["build", "-f", "ext2", "-o", out, source]);
    fsynth(["build", "-f", "ext2", "-o", `${out}.gz`, source]);
    expect(execFileSync("gzip", ["-dc", `${out}.gz`], { maxBuffer: 1 << 30 }).equals(fs.readFileSync(out))).toBe(true);
  });

  test("SOURCE_DATE_EPOCH clamps; --clamp-mtime and --mtime win", () => {
    const { source, out } = setUp();
    const build = (args: string[], epoch?: string): string => {
      const env = epoch === undefined ? {} : { SOURCE_DATE_EPOCH: epoch };
      const { status } = fsynth(["build", "-q", "-f", "ext2", "-o", out, ...args, source], { env });
      expect(status).toBe(0);
      return sha256(fs.readFileSync(out));
    };
    expect(build([], "1500000000")).toBe(build(["--clamp-mtime", "1500000000"]));
    expect(build(["--clamp-mtime", "1400000000"], "1500000000")).toBe(build(["--clamp-mtime", "1400000000"]));
    expect(build([], "1500000000")).not.toBe(build([]));
  });

  test("--uuid content follows the contents; without it the UUID stays", () => {
    const { source, out } = setUp();
    const uuid = (...args: string[]): unknown => {
      const { stdout } = fsynth(["build", "-f", "ext4", "--json", "-o", out, ...args, source]);
      return (JSON.parse(stdout) as { uuid: string }).uuid;
    };
    const [plain, content] = [uuid(), uuid("--uuid", "content")];
    fs.writeFileSync(join(source, "etc/motd"), "HELLO\n");
    fs.utimesSync(join(source, "etc/motd"), 1_600_000_000, 1_600_000_000);
    expect(uuid()).toBe(plain);
    expect(uuid("--uuid", "content")).not.toBe(content);
    expect(content).not.toBe(plain);
    expect(uuid("--uuid", "123e4567-e89b-42d3-a456-426614174000")).toBe("123e4567-e89b-42d3-a456-426614174000");
  });

  test("--holes detect makes zeros free", () => {
    const { source, out } = setUp();
    fs.writeFileSync(join(source, "zeros"), new Uint8Array(8 << 20));
    const size = (...args: string[]): number => {
      fsynth(["build", "-q", "-f", "ext4", "-o", out, ...args, source]);
      return fs.statSync(out).size;
    };
    expect(size() - size("--holes", "detect")).toBeGreaterThanOrEqual(8 << 20);
  });

  test("leaves the image of the last run out of the next one", () => {
    const { source } = setUp();
    const out = join(source, "out.img");
    const args = ["build", "-f", "ext2", "--mtime", "0", "-o", out, source];
    fsynth(args);
    const first = fs.readFileSync(out);
    expect(fsynth(args).stderr).toMatch(/warning: the output lies in the source .*"\/out\.img" is left out/);
    expect(fs.readFileSync(out).equals(first)).toBe(true);
  });

  test("names that are not UTF-8 are written \\xNN", () => {
    const { source } = setUp();
    const { status } = fsynth(["build", "-q", "-f", "ext2", "-o", `${dir}/a\\xffb\\c`, source]);
    expect(status).toBe(0);
    const names = fs.readdirSync(dir, { encoding: "buffer" }).map((name) => name.toString("latin1"));
    expect(names.sort()).toEqual(["a\xffb\\c", "source"]);
  });

  test.skipIf(!needRoot())("/dev/null stays a device", () => {
    const { source } = setUp();
    expect(fsynth(["build", "-q", "-f", "ext4", "-o", "/dev/null", source]).status).toBe(0);
    expect(fs.statSync("/dev/null").isCharacterDevice()).toBe(true);
  });
});

describe("failures", () => {
  test("bad input is 3, a failing system 4; the older output stays", () => {
    const { source, out } = setUp();
    fs.writeFileSync(out, "old");
    fs.writeFileSync(join(dir, "junk.tar"), "no archive at all");
    expect(fsynth(["build", "-f", "ext4", "-o", out, join(dir, "junk.tar")])).toMatchObject({ status: 3, stdout: "" });
    expect(fsynth(["build", "-f", "ext4", "-o", join(dir, "none/out"), source])).toMatchObject({ status: 4, stdout: "" });
    expect(fsynth(["build", "-f", "ext4", "-o", "/dev/full", source])).toMatchObject({ status: 4, stdout: "" });
    expect(fs.readFileSync(out, "utf8")).toBe("old");
    expect(fs.readdirSync(dir).sort()).toEqual(["junk.tar", "out.img", "source"]);
  });
});

describe("hash", () => {
  test("of bytes, of a directory, of a tar, of standard input", () => {
    const { source } = setUp();
    const tar = join(dir, "x.tar");
    execFileSync("tar", ["-cf", tar, "--format=pax", "-C", source, "."]);
    const bytes = fs.readFileSync(tar);
    expect(fsynth(["hash", tar]).stdout).toBe(`sha256 ${sha256(bytes)} image ${tar}\n`);
    expect(fsynth(["hash", "-"], { input: bytes }).stdout).toBe(`sha256 ${sha256(bytes)} image -\n`);
    const tree = fsynth(["hash", "--tree", tar]).stdout;
    expect(tree).toMatch(/^tree [0-9a-f]{64} .*x\.tar\n$/);
    const both = fsynth(["hash", "--tree", "-"], { input: bytes }).stdout;
    expect(both.slice(0, 69)).toBe(tree.slice(0, 69));
    expect(fsynth(["hash", source]).stdout).toMatch(/^tree [0-9a-f]{64} .*source\n$/);
    expect(fsynth(["hash", join(dir, "missing")]).status).toBe(4);
  });
});

describe("formats", () => {
  test("for people and for programs", () => {
    const { status, stdout } = fsynth(["formats"]);
    expect(status).toBe(0);
    for (const name of ["ext2", "ext3", "ext4", "ext4-nojournal", "ext2-netbsd"]) expect(stdout).toContain(name);
    const data = JSON.parse(fsynth(["formats", "--json"]).stdout) as { name: string; options: { flag: string }[] }[];
    expect(data.map(({ name }) => name)).toContain("ext4");
    expect(data[0]?.options.map(({ flag }) => flag)).toContain("--block-size");
  });
});
