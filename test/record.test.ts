// Records, pins and verify: what went into an image is written down, held, and compared again. Through the built command line.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { formats } from "../formats/index.ts";
import { rebuild } from "../src/cli/rebuild.ts";
import { parseRecord } from "../src/cli/record.ts";
import { checkRecordedOptions, fileOptions, recordedOptions } from "../src/cli/recorded-options.ts";
import { type Option, resolveOptions, treeOptions } from "../src/image/options.ts";
import { codecOf } from "../src/sinks/compress.ts";
import { fsynth, type Ran, requireFreshBuild } from "./cli-run.ts";
import { folderForEach } from "./folders.ts";
import { need, runOk } from "./judge/need.ts";

beforeAll(requireFreshBuild);

let dir = "";
const base = folderForEach("record", (folder) => (dir = folder));

const at = (name: string): string => join(dir, name);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const sha256Of = (name: string): string => sha256(fs.readFileSync(at(name)));

/** Runs in the folder of the test. */
function run(args: readonly string[], options: Parameters<typeof fsynth>[1] = {}): Ran {
  return fsynth(args, { cwd: dir, ...options });
}

function ok(args: readonly string[], options: Parameters<typeof fsynth>[1] = {}): string {
  const { status, stdout, stderr } = run(args, options);
  if (status !== 0) throw new Error(`fsynth ${args.join(" ")}: exit status ${status}\n${stdout}${stderr}`);
  return stdout;
}

const build = (...more: readonly string[]): readonly string[] => ["build", "-q", "--xattrs", "none", ...more];

/** `root/`, a directory, and `base.tar`. */
function setUp(): void {
  fs.mkdirSync(at("root/etc"), { recursive: true });
  fs.writeFileSync(at("root/etc/motd"), "hello\n");
  fs.writeFileSync(at("root/etc/secret"), "x".repeat(5000), { mode: 0o600 });
  fs.symlinkSync("motd", at("root/etc/issue"));
  age();
  fs.mkdirSync(at("other"));
  fs.writeFileSync(at("other/tool"), "#!\n", { mode: 0o755 });
  for (const path of ["other/tool", "other"]) fs.utimesSync(at(path), 1_500_000_000, 1_500_000_000);
  ok(build("-f", "tar", "-o", "base.tar", "other"));
}

function age(): void {
  fs.lutimesSync(at("root/etc/issue"), 1_600_000_000, 1_600_000_000);
  for (const path of ["root/etc/motd", "root/etc/secret", "root/etc", "root"])
    fs.utimesSync(at(path), 1_600_000_000, 1_600_000_000);
}

/** Runs in the folder of the test, in this process. */
async function inFolder(work: () => Promise<void>): Promise<void> {
  const before = process.cwd();
  process.chdir(dir);
  try {
    await work();
  } finally {
    process.chdir(before);
  }
}

interface Parsed {
  [key: string]: unknown;
  image: { path: string; format: string; size: number; uuid?: string; sha256: string };
  options: Record<string, unknown>;
}

const record = (name = "record.json"): Parsed => JSON.parse(fs.readFileSync(at(name), "utf8")) as Parsed;
const edit = (change: (record: Parsed) => void): void => {
  const parsed = record();
  change(parsed);
  fs.writeFileSync(at("record.json"), JSON.stringify(parsed));
};

describe("a record", () => {
  test("says what went in and what came out", () => {
    setUp();
    ok(
      build(
        "-f",
        "ext4",
        "--size",
        "fit+10%",
        "--map-uid",
        "7:8",
        "--owner",
        "1:2",
        "--mtime",
        "1650000000",
        "--exclude",
        "*.o",
        "--record",
        "record.json",
        "-o",
        "image",
        "root",
        "base.tar",
      ),
    );
    const image = fs.readFileSync(at("image"));
    const uuid = image
      .subarray(1024 + 0x68, 1024 + 0x78)
      .toString("hex")
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    expect(record()).toEqual({
      "fsynth-record": 1,
      madeBy: { fsynth: ok(["--version"]).trim(), node: process.version },
      image: { path: "image", format: "ext4", size: image.length, uuid, sha256: sha256(image) },
      tree: expect.stringMatching(/^[0-9a-f]{64}$/),
      sources: [
        { argument: "root", kind: "directory", tree: ok(["hash", "--xattrs", "none", "--exclude", "*.o", "root"]).split(" ")[1] },
        { argument: "base.tar", kind: "tar", sha256: sha256Of("base.tar") },
      ],
      sourceOptions: { exclude: ["*.o"], replaceSymlinks: false, hardLinks: "keep", xattrs: "none" },
      options: {
        mtime: { sec: 1_650_000_000, nsec: 0 },
        owner: { uid: 1, gid: 2 },
        mapUid: { "7": 8 },
        mapGid: {},
        allowLoss: false,
        size: "fit+10%",
        inodes: "fit",
        blockSize: 4096,
        inodeSize: 256,
        reserved: 0,
        label: "",
        features: [],
        lostFound: true,
      },
    });
  });

  test("is the same for the same build, wherever it runs", () => {
    setUp();
    ok(build("-f", "ffs2", "--record", "record.json", "-o", "image", "root"));
    const text = fs.readFileSync(at("record.json"), "utf8");
    expect(text).not.toContain(base);
    ok(build("-f", "ffs2", "--record", "again.json", "-o", "image", "root"), {
      env: { TZ: "Asia/Tokyo", LC_ALL: "tr_TR.UTF-8" },
    });
    expect(fs.readFileSync(at("again.json"), "utf8")).toBe(text);
    // One directory as it is: its digest is that of the tree, which verify takes anew. With options it is another.
    const { tree, sources } = record() as Parsed & { tree: string; sources: { tree: string }[] };
    expect(tree).toBe(sources[0]?.tree);
    ok(["verify", "again.json"]);
    ok(build("-f", "ffs2", "--owner", "5:5", "--record", "again.json", "-o", "image", "root"));
    expect(record("again.json").tree).not.toBe(tree);
    expect(record("again.json").sources).toEqual(sources);
  });

  test.each(["gz", "zst"])("holds the digest of the compressed form: .%s", (ending) => {
    setUp();
    for (const [profile, name] of [
      ["cpio", `a.cpio.${ending}`],
      ["ext2", `b.ext2.${ending}`],
    ] as const) {
      ok(build("-f", profile, "--record", "record.json", "-o", name, "root"));
      const { compressed, image } = record() as Parsed & { compressed: { codec: string; size: number; sha256: string } };
      expect(compressed).toEqual({
        codec: expect.stringMatching(ending === "gz" ? /^gzip-/ : /^zstd-/),
        size: fs.statSync(at(name)).size,
        sha256: sha256Of(name),
      });
      ok(build("-f", profile, "-o", "plain", "root"));
      expect(image.sha256).toBe(sha256Of("plain"));
      expect(ok(["verify", "record.json"])).toContain("and so is");
    }
  });

  test("codecs name what is installed", () => {
    const dependencies = (JSON.parse(fs.readFileSync("package.json", "utf8")) as { dependencies: Record<string, string> })
      .dependencies;
    expect(codecOf("gzip", false)).toBe(`gzip-pako-${dependencies.pako}-level6`);
    // Which libzstd a version of the package holds stands in its own manifest nowhere: 1.2.2 has 1.5.2.
    expect(dependencies["@mongodb-js/zstd"]).toBe("1.2.2");
    expect([codecOf("zstd", false), codecOf("zstd", true)]).toEqual([
      "zstd-libzstd-1.5.2-level3-frames-of-4MiB",
      "zstd-libzstd-1.5.2-level3-frame-per-archive",
    ]);
  });

  test("of standard output, of standard input, of a tree.txt and of archives behind options", () => {
    setUp();
    const { stdout } = run(build("-f", "tar", "--record", "record.json", "-o", "-", "-"), {
      input: fs.readFileSync(at("base.tar")),
    });
    expect(record()).toMatchObject({
      image: { path: "-", sha256: sha256(Buffer.from(stdout, "latin1")) },
      sources: [{ argument: "-", kind: "tar", sha256: sha256Of("base.tar") }],
    });
    expect(run(["verify", "record.json"], { input: fs.readFileSync(at("base.tar")) })).toMatchObject({ status: 0 });
    expect(run(["verify", "record.json"], { input: fs.readFileSync(at("base.tar")).fill(1, 600, 601) }).status).not.toBe(0);

    fs.mkdirSync(at("lists"));
    fs.writeFileSync(
      at("lists/tree.txt"),
      "#fsynth-tree 1\n/a file content=../root/etc/motd time=1\n/b file content=../root/etc/motd time=1\n/c file content=c time=1\n",
    );
    fs.writeFileSync(at("lists/c"), "c");
    ok(build("-f", "cpio", "--record", "first.json", "-o", "first.cpio", "root"));
    ok(build("-f", "cpio", "--prepend", "first.cpio", "--record", "record.json", "-o", "image", "lists/tree.txt"));
    expect(record()).toMatchObject({
      sources: [
        {
          argument: "lists/tree.txt",
          kind: "tree.txt",
          sha256: sha256Of("lists/tree.txt"),
          files: [
            { path: "lists/../root/etc/motd", sha256: sha256Of("root/etc/motd") },
            { path: "lists/c", sha256: sha256Of("lists/c") },
          ],
        },
      ],
      optionFiles: { prepend: [{ path: "first.cpio", sha256: sha256Of("first.cpio") }] },
    });
    ok(["verify", "record.json"]);
    fs.writeFileSync(at("lists/c"), "d");
    const { status, stdout: told } = run(["verify", "record.json"]);
    expect({ status, told }).toEqual({
      status: 1,
      told: expect.stringMatching(/^file lists\/c of lists\/tree\.txt: recorded [0-9a-f]{64}, found [0-9a-f]{64}$/m),
    });
    expect(told).not.toContain("first.cpio sha256");
    expect(told).toMatch(/changed \/c: content/);
  });

  test("comes to be with the image or not at all", () => {
    setUp();
    fs.writeFileSync(at("image"), "old image");
    fs.writeFileSync(at("record.json"), "old record");
    // The file changes its size between tree and image: reading fails late.
    const failures: [string[], Record<string, string>, number][] = [
      [["-f", "ext4", "--size", "8K"], {}, 2],
      [["-f", "ext4"], { FAIL: "write" }, 4],
      [["-f", "ext4"], { FAIL: "record" }, 4],
    ];
    const preload = `data:text/javascript,${encodeURIComponent(`
      import { createRequire, syncBuiltinESMExports } from "node:module";
      const fs = createRequire("/")("fs");
      const { writeSync, openSync } = fs;
      const record = new Set();
      fs.openSync = (path, ...list) => { const fd = openSync(path, ...list); if (String(path).includes(".record.json.")) record.add(fd); return fd; };
      fs.writeSync = (fd, ...list) => {
        if (fd > 2 && record.has(fd) === (process.env.FAIL === "record")) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
        return writeSync(fd, ...list);
      };
      if (process.env.FAIL) syncBuiltinESMExports();`)}`;
    for (const [flags, env, status] of failures) {
      const ran = run(build(...flags, "--record", "record.json", "-o", "image", "root"), {
        env: { ...env, NODE_OPTIONS: `--import=${preload}` },
      });
      expect({ status: ran.status, stderr: ran.stderr }).toEqual({
        status,
        stderr: expect.stringMatching(status === 4 ? /no space left/ : /too small/),
      });
      expect(fs.readFileSync(at("image"), "utf8")).toBe("old image");
      expect(fs.readFileSync(at("record.json"), "utf8")).toBe("old record");
      expect(fs.readdirSync(dir).sort()).toEqual(["base.tar", "image", "other", "record.json", "root"]);
    }
    ok(build("-f", "ext4", "--record", "record.json", "-o", "image", "root"));
    expect(record().image.sha256).toBe(sha256Of("image"));
    // The very last step fails: the image that is new goes again.
    const rename = `data:text/javascript,${encodeURIComponent(`
      import { createRequire, syncBuiltinESMExports } from "node:module";
      const fs = createRequire("/")("fs");
      const { renameSync } = fs;
      fs.renameSync = (from, to) => { if (String(to).endsWith("late.json")) throw Object.assign(new Error("EPERM: operation not permitted, rename"), { code: "EPERM" }); renameSync(from, to); };
      syncBuiltinESMExports();`)}`;
    expect(
      run(build("-f", "ext4", "--record", "late.json", "-o", "late", "root"), { env: { NODE_OPTIONS: `--import=${rename}` } }),
    ).toMatchObject({ status: 4 });
    expect(fs.readdirSync(dir).sort()).toEqual(["base.tar", "image", "other", "record.json", "root"]);
  });

  test("what is written is not what is read", () => {
    setUp();
    const cases: [string[], RegExp][] = [
      [["--record", "root/record.json", "-o", "image", "root"], /the record "root\/record.json" lies in the source "root"/],
      [["--record", "record.json", "-o", "root/image", "root"], /the output "root\/image" lies in the source "root"/],
      [["--record", "image", "-o", "image", "root"], /the record "image" is the output as well/],
      [["--record", "base.tar", "-o", "image", "base.tar"], /the record "base.tar" is a source as well/],
      [["--record", "record.json", "--dry-run", "-o", "image", "root"], /--dry-run writes none/],
      [["--record", "/dev/null", "-o", "image", "root"], /no regular file/],
      [["--record", "nowhere/record.json", "-o", "image", "root"], /the folder "nowhere" does not exist/],
      [["--update-pins", "-o", "image", "root"], /--update-pins needs --pin/],
    ];
    for (const [flags, message] of cases) {
      const { status, stderr } = run(build("-f", "ext2", ...flags));
      expect({ flags, status, stderr }).toEqual({
        flags,
        status: flags.includes("nowhere/record.json") ? 4 : 2,
        stderr: expect.stringMatching(message),
      });
    }
    expect(fs.readdirSync(dir).sort()).toEqual(["base.tar", "other", "root"]);
    expect(run(build("-f", "ext2", "--exclude", "image", "--record", "record.json", "-o", "root/image", "root"))).toMatchObject({
      status: 2,
    });
    fs.mkdirSync(at("root/out"));
    age();
    ok(build("-f", "ext2", "--exclude", "/out", "--record", "root/out/record.json", "-o", "root/out/image", "root"));
    expect(ok(["verify", "root/out/record.json"])).toContain("the same");
  });
});

describe("verify", () => {
  const made = (...more: readonly string[]): void => {
    setUp();
    ok(build("-f", "ext4", "--record", "record.json", "-o", "image", ...more, "root", "base.tar"));
  };

  test("says that all is the same, with and without the image file, from elsewhere", () => {
    made("--uuid", "content", "--holes", "detect");
    expect(record().options.uuid).toBe("content");
    const { sha256: digest } = record().image;
    expect(run(["verify", "record.json"])).toEqual({
      status: 0,
      stdout: `record.json: the same: ext4, sha256 ${digest}, and so is image\n`,
      stderr: "",
    });
    expect(fsynth(["verify", "-q", "-C", dir, at("record.json")])).toEqual({ status: 0, stdout: "", stderr: "" });
    fs.rmSync(at("image"));
    const { status, stdout } = run(["verify", "record.json"]);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `record.json: the same: ext4, sha256 ${digest}\nthere is no file "image" to compare with\n`,
    });
    expect(fs.readdirSync(dir).sort()).toEqual(["base.tar", "other", "record.json", "root"]);
  });

  test.each(["ext3", "ffs1", "ffs2ea", "tar"])("rebuilds %s", (profile) => {
    setUp();
    ok(build("-f", profile, "--record", "record.json", "-o", "image", "root"));
    expect(ok(["verify", "record.json"])).toContain("and so is image");
  });

  test("explains a source that changed by what that did to the image", () => {
    made();
    fs.writeFileSync(at("root/etc/motd"), "jello\n");
    age();
    const { status, stdout } = run(["verify", "record.json"]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^source root: recorded directory tree [0-9a-f]{64}, found directory tree [0-9a-f]{64}$/m);
    expect(stdout).toMatch(/^tree: recorded /m);
    expect(stdout).not.toMatch(/^source base.tar/m);
    expect(stdout).toMatch(/^changed \/etc\/motd: content 0x68 at byte 0 -> 0x6a at byte 0$/m);
    expect(stdout).toMatch(/^bytes: 1 of \d+ differ \(file 1\)$/m);
    fs.rmSync(at("image"));
    const without = run(["verify", "--json", "record.json"]);
    const verdict = JSON.parse(without.stdout) as Record<string, unknown>;
    expect(without.status).toBe(1);
    expect(verdict).toMatchObject({
      same: false,
      inputs: [
        { what: "source root", same: false },
        { what: "source base.tar", same: true },
      ],
      tree: { same: false },
    });
    expect(verdict).not.toHaveProperty("differences");
  });

  test("a source that changed and gives the same image is told, and is no difference", () => {
    made();
    fs.appendFileSync(at("base.tar"), Buffer.alloc(10_240));
    const { status, stdout } = run(["verify", "record.json"]);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(
        /: the same: .*\nsource base\.tar: recorded tar sha256 [0-9a-f]{64}, found tar sha256 [0-9a-f]{64}\n$/,
      ),
    });
  });

  test("notices an image file that was altered", () => {
    made();
    const image = fs.readFileSync(at("image"));
    const place = image.indexOf("hello\n");
    fs.writeFileSync(at("image"), image.fill("J", place, place + 1));
    const { status, stdout } = run(["verify", "record.json"]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^record\.json: image was changed$/m);
    expect(stdout).toMatch(
      /^file image: recorded [0-9a-f]{64}, found [0-9a-f]{64}; the image file is not the one that was recorded$/m,
    );
    expect(stdout).toMatch(/^changed \/etc\/motd: content 0x4a at byte 0 -> 0x68 at byte 0$/m);
    fs.writeFileSync(at("image"), "no image at all");
    expect(run(["verify", "record.json"])).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/cannot be compared: .*\nits first byte that differs from what is built now is 0$/m),
    });
  });

  test("tells other versions, and leaves other codecs alone", () => {
    setUp();
    ok(build("-f", "cpio", "--record", "record.json", "-o", "image.gz", "root"));
    edit((parsed) => {
      parsed.madeBy = { fsynth: "0.0.9", node: "v18.0.0" };
      (parsed.compressed as { codec: string }).codec = "gzip-pako-2.1.0-level6";
    });
    const stdout = ok(["verify", "record.json"]);
    expect(stdout).toContain(`recorded by fsynth 0.0.9, this is ${ok(["--version"])}`);
    expect(stdout).toContain(`recorded under Node v18.0.0, this is ${process.version}`);
    expect(stdout).toContain("compressed by gzip-pako-2.1.0-level6, here is gzip-pako-3.0.3-level6");
  });

  test("takes SOURCE_DATE_EPOCH from the record", () => {
    setUp();
    ok(build("-f", "ext2", "--record", "record.json", "-o", "image", "root"), { env: { SOURCE_DATE_EPOCH: "1000000" } });
    expect(record()).toMatchObject({ sourceDateEpoch: 1_000_000, options: { clampMtime: { sec: 1_000_000, nsec: 0 } } });
    for (const env of [{}, { SOURCE_DATE_EPOCH: "2000000" }, { SOURCE_DATE_EPOCH: "nonsense" }])
      expect(run(["verify", "record.json"], { env })).toMatchObject({ status: 0 });
  });

  test("records that were edited badly are refused with the place", async () => {
    made();
    const cases: [(parsed: Parsed) => void, RegExp][] = [
      [(r) => (r["fsynth-record"] = 2), /"record.json": fsynth-record: found 2, expected 1/],
      [(r) => delete r["fsynth-record"], /fsynth-record: found nothing, expected 1/],
      [(r) => (r.image.sha256 = "abc"), /image\.sha256: found "abc", expected 64 hexadecimal digits/],
      [(r) => (r.image.format = "ext5"), /image\.format: found "ext5", expected one of ext2, /],
      [(r) => (r.image.size = -1), /image\.size: found -1, expected a whole number/],
      [
        (r) => ((r.sources as Record<string, unknown>[])[1] = { argument: "base.tar", kind: "zip" }),
        /sources\[1\]\.kind: found "zip", expected directory or tar or /,
      ],
      [
        (r) => ((r.sources as Record<string, unknown>[])[0] = { argument: "root", kind: "directory" }),
        /sources\[0\]\.tree: found nothing/,
      ],
      [(r) => ((r.sources as object[])[0] = []), /sources\[0\]: found \[\], expected an object/],
      [(r) => (r.sources = {}), /sources: found \{\}, expected a list/],
      [(r) => (r.options.blockSize = 1000), /options\.blockSize: found 1000; expected a power of two/],
      [(r) => (r.options.frobnicate = 1), /options\.frobnicate: ext4 has no such option/],
      [(r) => (r.options.owner = null), /options\.owner: found null/],
      [(r) => (r.options.clampMtime = { sec: "now" }), /options\.clampMtime: found \{"sec":"now"\}/],
      [(r) => (r.extra = 1), /extra: found 1, expected nothing/],
      [
        (r) => (r.optionFiles = { prepend: [{ path: "x", sha256: "0".repeat(64) }] }),
        /optionFiles\.prepend: ext has no such option/,
      ],
      [(r) => (r.sourceOptions = { exclude: "x" }), /sourceOptions\.exclude: found "x", expected a list/],
      [(r) => (r.compressed = { codec: "lzma", size: 1, sha256: "0".repeat(64) }), /compressed\.codec: found "lzma"/],
    ];
    const good = fs.readFileSync(at("record.json"), "utf8");
    for (const [change, message] of cases) {
      const parsed = JSON.parse(good) as Parsed;
      change(parsed);
      const text = JSON.stringify(parsed);
      const again = async (): Promise<unknown> =>
        await rebuild(parseRecord(text, '"record.json"'), '"record.json"', { spoolDir: undefined, onProgress() {} });
      await inFolder(
        async () => await expect(again()).rejects.toMatchObject({ code: "corrupt", message: expect.stringMatching(message) }),
      );
    }
    fs.writeFileSync(at("record.json"), good.slice(0, 100));
    expect(run(["verify", "record.json"])).toMatchObject({ status: 3, stderr: expect.stringMatching(/is no JSON/) });
    expect(run(["verify", "absent.json"])).toMatchObject({ status: 4 });
    expect(run(["verify"])).toMatchObject({ status: 2 });
    expect(run(["verify", "-C", "nowhere", "record.json"])).toMatchObject({ status: 3 });
    fs.writeFileSync(at("record.json"), good);
    fs.rmSync(at("base.tar"));
    expect(run(["verify", "record.json"])).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/"base.tar": there is no such file/),
    });
  });

  test("entries that were edited to contradict each other are a difference", () => {
    made();
    edit((parsed) => {
      parsed.image.uuid = "123e4567-e89b-42d3-a456-426614174000";
    });
    expect(run(["verify", "record.json"])).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^UUID: recorded 123e4567-/m),
    });
    edit((parsed) => {
      parsed.options.reserved = 5;
    });
    expect(run(["verify", "record.json"])).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/options or entries of the record were edited/),
    });
  });
});

describe("options in records", () => {
  const given: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
    ext: [
      {
        size: "fit+64M",
        inodes: "1/8192",
        reserved: "2.5",
        features: ["^resize_inode,sparse_super2", "none"],
        uuid: "123e4567-e89b-42d3-a456-426614174000",
      },
      { size: 2 ** 31, inodes: 77, journalSize: "8M" },
      { inodes: "fit+5", size: "fit+12.5%" },
    ],
    ffs: [{ byteOrder: "big", superblock: "8192", fsId: "0123456789abcdef", density: 4096, netbsdDev: true }],
    cpio: [{ checksum: true, like: "gnu", padding: "none" }],
    tar: [{ times: "mtime", blockingFactor: "1" }],
  };

  test.each(formats.map((format) => [format.name, format] as const))("%s: they come back as what they were", (_, format) => {
    const profile = format.profiles[0]?.name as string;
    const table = { ...treeOptions, ...format.options } as unknown as Record<string, Option>; // as tables of any options
    const shared = {
      mtime: "5",
      clampMtime: -3,
      owner: "0:4294967295",
      mapUid: ["1:2", "3:4"],
      mapGid: { 5: 6 },
      allowLoss: true,
    };
    for (const inputs of [{}, shared, ...(given[format.name] ?? [])]) {
      const json = JSON.parse(JSON.stringify(recordedOptions(format, profile, inputs))) as ReturnType<typeof recordedOptions>;
      checkRecordedOptions(format, profile, json, "options");
      expect(resolveOptions(table as unknown as typeof treeOptions, json, profile)).toEqual(
        resolveOptions(table as unknown as typeof treeOptions, inputs, profile),
      );
      for (const name of fileOptions(format)) expect(json).not.toHaveProperty(name);
    }
  });
});

describe("pins", () => {
  test("hold the digests of sources: what changed or is not there is refused before anything is written", () => {
    setUp();
    expect(run(build("-f", "ext2", "--pin", "pins", "-o", "image", "root", "base.tar"))).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/no such pin file; --update-pins makes one/),
    });
    const made = run([
      "build",
      "--xattrs",
      "none",
      "-f",
      "ext2",
      "--pin",
      "pins",
      "--update-pins",
      "-o",
      "image",
      "root",
      "./base.tar",
    ]);
    expect(made).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/pinned: "root" to tree [0-9a-f]{64}\n.*pinned: "\.\/base\.tar" to sha256/),
    });
    const tree = ok(["hash", "--xattrs", "none", "root"]).split(" ")[1];
    const old = sha256Of("base.tar");
    expect(fs.readFileSync(at("pins"), "utf8")).toBe(`tree ${tree} root\n${old}  ./base.tar\n`);
    const image = sha256Of("image");
    ok(build("-f", "ext2", "--pin", "pins", "-o", "image", "root", "base.tar"));
    expect(sha256Of("image")).toBe(image);

    fs.appendFileSync(at("base.tar"), "\0");
    const args = build("-f", "ext2", "--pin", "pins", "-o", "image", "root", "base.tar");
    const changed = run(args);
    expect(changed.status).toBe(3);
    expect(changed.stderr).toContain(`"base.tar": its sha256 is ${sha256Of("base.tar")}, expected ${old} ("pins" line 2)`);
    fs.writeFileSync(at("root/etc/motd"), "jello\n");
    age();
    expect(run(args)).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(new RegExp(`"root": its tree digest is [0-9a-f]{64}, expected ${tree}`)),
    });
    expect(run(build("-f", "ext2", "--pin", "pins", "-o", "image", "other"))).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/"other": its tree digest is [0-9a-f]{64}; "pins" has no line for it/),
    });
    expect(sha256Of("image")).toBe(image);

    fs.writeFileSync(at("pins"), `# kept\n\n${fs.readFileSync(at("pins"), "utf8")}${"0".repeat(64)}  elsewhere`);
    const updated = run([
      "build",
      "--xattrs",
      "none",
      "-f",
      "ext2",
      "--pin",
      "pins",
      "--update-pins",
      "-o",
      "image",
      "root",
      "base.tar",
    ]);
    expect(updated).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/pinned anew: "root"[\s\S]*pinned anew: "base\.tar"/),
    });
    expect(fs.readFileSync(at("pins"), "utf8").split("\n")).toEqual([
      "# kept",
      "",
      expect.stringMatching(/^tree /),
      `${sha256Of("base.tar")}  base.tar`,
      `${"0".repeat(64)}  elsewhere`,
      "",
    ]);
    ok(args);
  });

  test.skipIf(!need("sha256sum"))("are what sha256sum prints and checks", () => {
    setUp();
    const odd = "a\\b\nc.tar";
    fs.copyFileSync(at("base.tar"), at(odd));
    fs.copyFileSync(at("base.tar"), Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff]), Buffer.from(".tar")]));
    const names = ["base.tar", odd];
    for (const flags of [[], ["--binary"], ["--tag"]]) {
      fs.writeFileSync(at("pins"), runOk("sha256sum", [...flags, ...names], { cwd: dir }));
      fs.appendFileSync(at("pins"), runOk("sh", ["-c", `sha256sum ${flags.join(" ")} "$(printf '\\377.tar')"`], { cwd: dir }));
      ok(build("-f", "tar", "--pin", "pins", "-o", "image", "base.tar", "a\\x5cb\nc.tar", "\\xff.tar"));
    }
    fs.rmSync(at("pins"));
    ok(build("-f", "tar", "--pin", "pins", "--update-pins", "-o", "image", "base.tar", "a\\x5cb\nc.tar", "\\xff.tar"));
    expect(runOk("sha256sum", ["--check", "--strict", "pins"], { cwd: dir }).toString("latin1").match(/: OK/g)).toHaveLength(3);
    // And what fsynth hash prints.
    fs.writeFileSync(at("pins"), ok(["hash", "--xattrs", "none", "base.tar", "root", "a\\x5cb\nc.tar"]));
    ok(build("-f", "tar", "--pin", "pins", "-o", "image", "base.tar", "root", "a\\x5cb\nc.tar"));
  });

  test("hold streams, the files of a tree.txt and archives behind options", () => {
    setUp();
    const input = fs.readFileSync(at("base.tar"));
    fs.writeFileSync(at("pins"), `${sha256(input)}  -\n`);
    const piped = build("-f", "cpio", "--pin", "pins", "-o", "image", "-");
    expect(run(piped, { input })).toMatchObject({ status: 0 });
    fs.rmSync(at("image"));
    expect(run(piped, { input: Buffer.concat([input, Buffer.from("\0")]) })).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/"-": its sha256 is/),
    });
    fs.writeFileSync(at("list"), "#fsynth-tree 1\n/a file content=root/etc/motd time=1\n");
    fs.appendFileSync(at("pins"), `${sha256Of("list")}  list\n`);
    const listed = build("-f", "cpio", "--pin", "pins", "-o", "image", "list");
    expect(run(listed)).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/"root\/etc\/motd": its sha256 is [0-9a-f]{64}; "pins" has no line/),
    });
    fs.appendFileSync(at("pins"), `${sha256Of("root/etc/motd")}  root/etc/motd\n`);
    ok(listed);
    fs.renameSync(at("image"), at("early.cpio"));
    expect(run([...listed, "--prepend", "early.cpio"])).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/"early.cpio": its sha256 is/),
    });
    expect(fs.existsSync(at("image"))).toBe(false);
  });

  test("a pin of another kind, a second pin and a line that is none are told", () => {
    setUp();
    const args = build("-f", "tar", "--pin", "pins", "-o", "image", "root");
    const digest = "a".repeat(64);
    const cases: [string, RegExp][] = [
      [`${digest}  root\n`, /line 1 of "pins" pins its sha256, a{64}, which is another thing/],
      [`# c\nsomething\n`, /"pins" line 2: found "something"; expected "SHA256 {2}NAME"/],
      [`${digest.slice(1)}  root\n`, /line 1: found/],
      [`${digest}  x\n${"b".repeat(64)}  ./x\n`, /line 2: a second digest of ".\/x", which line 1 has as a{64}/],
    ];
    for (const [text, message] of cases) {
      fs.writeFileSync(at("pins"), text);
      expect({ text, ...run(args) }).toMatchObject({ text, status: 3, stderr: expect.stringMatching(message) });
    }
  });

  test("a file that changes while it is read is refused", async () => {
    setUp();
    // Between the digest and the headers, at the first read of the headers.
    const preload = `data:text/javascript,${encodeURIComponent(`
      import { createRequire, syncBuiltinESMExports } from "node:module";
      const fs = createRequire("/")("fs");
      const { readSync, openSync, appendFileSync } = fs;
      const archives = new Map();
      fs.openSync = (path, ...list) => { const fd = openSync(path, ...list); if (String(path).endsWith("base.tar")) archives.set(fd, 0); return fd; };
      fs.readSync = (fd, ...list) => {
        if (archives.has(fd)) { archives.set(fd, archives.get(fd) + 1); if (archives.get(fd) === 3) appendFileSync("base.tar", "more"); }
        return readSync(fd, ...list);
      };
      syncBuiltinESMExports();`)}`;
    const { status, stderr } = run(build("-f", "ext2", "--record", "record.json", "-o", "image", "base.tar"), {
      env: { NODE_OPTIONS: `--import=${preload}` },
    });
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: expect.stringMatching(/changed while it was read|changed since its headers were read/),
    });
    expect(fs.existsSync(at("record.json")) || fs.existsSync(at("image"))).toBe(false);
  });
});

describe("SOURCE_DATE_EPOCH", () => {
  const digest = (env: Record<string, string>, ...flags: readonly string[]): string => {
    ok(build("-f", "ext4", ...flags, "-o", "image", "root"), { env });
    return sha256Of("image");
  };

  test("is the default of --clamp-mtime, and gives way to --clamp-mtime, --mtime and --options-from", () => {
    setUp();
    const plain = digest({});
    const clamped = digest({}, "--clamp-mtime", "1000");
    expect(clamped).not.toBe(plain);
    expect(digest({ SOURCE_DATE_EPOCH: "1000" })).toBe(clamped);
    // Later than everything: nothing is clamped, but the image's own time is that of the clamp.
    expect(digest({ SOURCE_DATE_EPOCH: "1700000000" })).toBe(digest({}, "--clamp-mtime", "1700000000"));
    expect(digest({ SOURCE_DATE_EPOCH: "5" }, "--clamp-mtime", "1000")).toBe(clamped);
    expect(digest({ SOURCE_DATE_EPOCH: "5" }, "--mtime", "7")).toBe(digest({}, "--mtime", "7"));
    fs.renameSync(at("image"), at("like"));
    expect(digest({ SOURCE_DATE_EPOCH: "5" }, "--options-from", "like")).toBe(digest({}, "--options-from", "like"));
    ok(build("-f", "ext4", "--mtime", "7", "--record", "record.json", "-o", "image", "root"), {
      env: { SOURCE_DATE_EPOCH: "5" },
    });
    expect(record()).not.toHaveProperty("sourceDateEpoch");
  });

  test("is whole seconds or refused", () => {
    setUp();
    for (const epoch of ["", "1.5", "-1", "9".repeat(16)]) {
      const { status, stderr } = run(build("-f", "ext4", "-o", "image", "root"), { env: { SOURCE_DATE_EPOCH: epoch } });
      expect({ epoch, status, stderr }).toEqual({
        epoch,
        status: 2,
        stderr: expect.stringContaining(`SOURCE_DATE_EPOCH is "${epoch}"; expected whole seconds`),
      });
    }
    for (const epoch of ["0", "253402300799"])
      expect(run(build("-f", "tar", "-o", "image", "root"), { env: { SOURCE_DATE_EPOCH: epoch } })).toMatchObject({ status: 0 });
  });
});
