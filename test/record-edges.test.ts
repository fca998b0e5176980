// Records and pins where things go wrong: builds that fail at the last step, outputs that are inputs, images that are no files any
// more, records that somebody edited. Through the built command line.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bin, fsynth, type Ran, requireFreshBuild } from "./cli-run.ts";
import { folderForEach } from "./folders.ts";
import { need, needRoot, run as runTool } from "./judge/need.ts";

beforeAll(requireFreshBuild);

let dir = "";
const base = folderForEach("edges", (folder) => {
  dir = folder;
  fs.mkdirSync(at("in"));
  fs.writeFileSync(at("in/file"), "hello\n");
});

const at = (name: string): string => join(dir, name);
const text = (name: string): string => fs.readFileSync(at(name), "utf8");
const sha256Of = (name: string): string =>
  createHash("sha256")
    .update(fs.readFileSync(at(name)))
    .digest("hex");

function run(args: readonly string[], options: Parameters<typeof fsynth>[1] = {}): Ran {
  return fsynth(args, { cwd: dir, ...options });
}

const build = (...more: readonly string[]): readonly string[] => ["build", "-q", "--xattrs", "none", ...more];

function ok(args: readonly string[], options: Parameters<typeof fsynth>[1] = {}): string {
  const { status, stdout, stderr } = run(args, options);
  if (status !== 0) throw new Error(`fsynth ${args.join(" ")}: exit status ${status}\n${stdout}${stderr}`);
  return stdout;
}

/** The files of the test's folder, and what they hold. */
function files(): Record<string, string> {
  return Object.fromEntries(
    fs
      .readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name, sha256Of(name)]),
  );
}

/** The environment in which the rename to `name` fails. */
function failingRename(name: string): { readonly env: Readonly<Record<string, string>> } {
  const code = `
    import { createRequire, syncBuiltinESMExports } from "node:module";
    const fs = createRequire("/")("fs");
    const { renameSync } = fs;
    let failed = false;
    fs.renameSync = (from, to) => {
      if (!failed && String(to).endsWith("/${name}") | String(to) === "${name}") { failed = true; throw Object.assign(new Error("EPERM: operation not permitted, rename"), { code: "EPERM" }); }
      renameSync(from, to);
    };
    syncBuiltinESMExports();`;
  return { env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` } };
}

describe("a build that fails loses nothing", () => {
  const again = build("-f", "ext2", "--record", "r.json", "--pin", "pins", "--update-pins", "-o", "image", "in");

  test.each(["image", "r.json", "pins"])("where %s cannot get its name", (name) => {
    ok(again);
    fs.utimesSync(at("r.json"), 1000, 1000);
    fs.writeFileSync(at("in/file"), "other\n");
    const before = files();
    const { status, stderr } = run(again, failingRename(name));
    expect({ status, stderr }).toEqual({ status: 4, stderr: expect.stringMatching(/operation not permitted/) });
    expect(files()).toEqual(before);
    expect(fs.statSync(at("r.json")).mtimeMs).toBe(1_000_000);
    ok(again);
    expect(JSON.parse(text("r.json"))).toMatchObject({ image: { sha256: sha256Of("image") } });
    expect(Object.keys(files())).toEqual(["image", "pins", "r.json"]);
  });

  test.each(["image", "r.json", "pins"])("and leaves nothing where nothing was: %s", (name) => {
    expect(run(again, failingRename(name))).toMatchObject({ status: 4 });
    expect(files()).toEqual({});
  });

  test.skipIf(!needRoot())("in a sticky folder where the record is another user's", ({ skip }) => {
    for (const folder of [base, dir, at("in")]) fs.chmodSync(folder, 0o755);
    fs.mkdirSync(at("sticky"));
    fs.writeFileSync(at("sticky/r.json"), "root's");
    fs.chmodSync(at("sticky"), 0o1777);
    const nobody = (args: readonly string[]): { readonly status: number | null; readonly stderr: Buffer } =>
      spawnSync(process.execPath, [bin, ...args], { cwd: dir, uid: 65534, gid: 65534 });
    if (nobody(["--version"]).status !== 0) skip("another user cannot read this checkout");
    const first = nobody(build("-f", "ext2", "-o", "sticky/image", "in"));
    expect({ status: first.status, stderr: first.stderr.toString() }).toEqual({ status: 0, stderr: "" });
    const image = sha256Of("sticky/image");
    fs.writeFileSync(at("in/file"), "other\n");
    const { status, stderr } = nobody(build("-f", "ext2", "--record", "sticky/r.json", "-o", "sticky/image", "in"));
    expect({ status, stderr: stderr.toString() }).toEqual({ status: 4, stderr: expect.stringMatching(/not permitted|denied/) });
    expect(sha256Of("sticky/image")).toBe(image);
    expect(text("sticky/r.json")).toBe("root's");
    expect(fs.readdirSync(at("sticky")).sort()).toEqual(["image", "r.json"]);
  });

  test("pins are as they were after a dry run and after a build that fails", () => {
    const pinned = ["--pin", "pins", "--update-pins"];
    const loud = ["build", "--xattrs", "none", "-f", "ext2", ...pinned];
    expect(run([...loud, "--dry-run", "-o", "image", "in"])).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^fsynth: would be pinned: "in" to tree /m),
    });
    expect(files()).toEqual({});
    ok(build("-f", "ext2", ...pinned, "-o", "image", "in"));
    fs.writeFileSync(at("in/file"), "other\n");
    const before = files();
    expect(run([...loud, "--dry-run", "-o", "image", "in"]).stderr).toMatch(/would be pinned anew/);
    const failed = run([...loud, "--size", "8K", "-o", "image", "in"]);
    expect(failed.status).toBe(2);
    expect(failed.stderr).not.toMatch(/pinned/);
    expect(files()).toEqual(before);
  });
});

test("inputs of all kinds are not overwritten", () => {
  ok(build("-f", "cpio", "-o", "early.cpio", "in"));
  ok(build("-f", "ext2", "-o", "like", "in"));
  fs.mkdirSync(at("lists"));
  fs.writeFileSync(at("c.bin"), "content");
  fs.symlinkSync("c.bin", at("link"));
  fs.writeFileSync(at("lists/tree.txt"), "#fsynth-tree 1\n/a file content=../c.bin time=1\n");
  const before = files();
  const prepend = ["-f", "cpio", "--prepend", "early.cpio"];
  const like = ["--options-from", "like"];
  const list = ["-f", "cpio", "lists/tree.txt"];
  const cases: [string[], RegExp][] = [
    [[...prepend, "--record", "early.cpio", "-o", "o", "in"], /the record "early.cpio" is an archive of --prepend as well/],
    [[...prepend, "--record", "r.json", "-o", "early.cpio", "in"], /the output "early.cpio" is an archive of --prepend as well/],
    [[...prepend, "--pin", "early.cpio", "--update-pins", "-o", "o", "in"], /early.cpio/],
    [[...like, "--record", "like", "-o", "o", "in"], /the record "like" is the image of --options-from as well/],
    [[...like, "--record", "r.json", "-o", "./like", "in"], /the output "\.\/like" is the image of --options-from as well/],
    [["--record", "c.bin", "-o", "o", ...list], /the record "c.bin" is an input as well/],
    [["--record", "link", "-o", "o", ...list], /the record "link" is an input as well/],
    [["--record", "r.json", "-o", "c.bin", ...list], /the output "c.bin" is an input as well/],
    [["--pin", "pins", "--update-pins", "-o", "c.bin", ...list], /the output "c.bin" is an input as well/],
  ];
  for (const [flags, message] of cases) {
    const { status, stderr } = run(build(...flags));
    expect({ flags, status, stderr }).toEqual({
      flags,
      // A file that holds no pins is refused as such before.
      status: flags.includes("early.cpio") && flags.includes("--pin") ? 3 : 2,
      stderr: expect.stringMatching(message),
    });
    expect(files()).toEqual(before);
  }
  fs.writeFileSync(at("c.bin"), "");
  expect(run(build("--pin", "c.bin", "--update-pins", "-o", "o", ...list))).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/the pin file "c.bin" is an input as well/),
  });
});

test("- is standard output for --record and standard input for verify", () => {
  const record = ok(build("-f", "ext2", "--record", "-", "-o", "image", "in"));
  expect(JSON.parse(record)).toMatchObject({ "fsynth-record": 1, image: { sha256: sha256Of("image") } });
  expect(Object.keys(files())).toEqual(["image"]);
  const input = Buffer.from(record);
  expect(run(["verify", "-"], { input })).toMatchObject({ status: 0, stdout: expect.stringMatching(/^-: the same: ext2/) });
  expect(run(["verify", "-"], { input: input.subarray(1) })).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(/standard input is no JSON/),
  });
  expect(run(build("-f", "ext2", "--record", "-", "-o", "-", "in"))).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/--record -: standard output takes the image already/),
  });
  expect(run(build("-f", "ext2", "--record", "-", "--json", "-o", "image", "in"))).toMatchObject({ status: 2 });
  // Of a build from and to a pipe.
  ok(build("-f", "tar", "-o", "in.tar", "in"));
  const tar = fs.readFileSync(at("in.tar"));
  expect(run(build("-f", "ext2", "--record", "r.json", "-o", "-", "-"), { input: tar })).toMatchObject({ status: 0 });
  expect(run(["verify", "-"], { input: fs.readFileSync(at("r.json")) })).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/the record and a source of it are both standard input/),
  });
  const { status, stdout } = run(["verify", "r.json"], { input: tar });
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^r\.json: the same: ext2, sha256 [0-9a-f]{64}\n$/),
  });
});

describe("verify looks at what is in the place of the image", () => {
  beforeEach(() => {
    ok(build("-f", "ext2", "--size", "1M", "--record", "r.json", "-o", "image", "in"));
  });

  test("what is neither a file nor a device is a difference", () => {
    const replaced = (make: () => void, found: string): void => {
      fs.rmSync(at("image"), { recursive: true, force: true });
      make();
      const { status, stdout } = run(["verify", "r.json"]);
      expect({ found, status, stdout }).toEqual({
        found,
        status: 1,
        stdout: expect.stringMatching(new RegExp(`image was changed\nfile image: recorded [0-9a-f]{64}, found ${found};`)),
      });
      expect(stdout).not.toMatch(/there is no file/);
    };
    replaced(() => fs.mkdirSync(at("image")), "a directory");
    replaced(() => fs.symlinkSync("in", at("image")), "a directory");
    replaced(() => fs.symlinkSync("nowhere", at("image")), "a symlink that leads nowhere");
    if (need("mkfifo")) replaced(() => runTool("mkfifo", [at("image")]), "a fifo");
  });

  test.skipIf(!needRoot() || !need("losetup"))("a device is compared as far as the image reaches", ({ skip }) => {
    fs.writeFileSync(at("disk"), "");
    fs.truncateSync(at("disk"), 4 << 20);
    const attached = runTool("losetup", ["--find", "--show", at("disk")]);
    if (attached.status !== 0) skip("no loop devices here");
    const device = attached.stdout.toString().trim();
    try {
      const patch = (offset: number, byte: number): void => {
        const fd = fs.openSync(device, "r+");
        fs.writeSync(fd, Uint8Array.of(byte), 0, 1, offset);
        fs.fsyncSync(fd);
        fs.closeSync(fd);
      };
      ok(build("-f", "ext2", "--size", "1M", "--force", "--record", "d.json", "-o", device, "in"));
      patch(2 << 20, 1); // behind the image
      expect(ok(["verify", "d.json"])).toContain(`and so is ${device}`);
      patch(1024 + 0x78, 0x41); // s_volume_name
      const changed = run(["verify", "d.json"]);
      expect({ status: changed.status, stdout: changed.stdout }).toEqual({
        status: 1,
        stdout: expect.stringMatching(/was changed\n[\s\S]*s_volume_name/),
      });
      for (let i = 0; i < 2; i++) patch(1024 + 0x38 + i, 0);
      expect(run(["verify", "d.json"])).toMatchObject({
        status: 1,
        stdout: expect.stringMatching(/cannot be compared: .*\nits first byte that differs from what is built now is 1080/),
      });
    } finally {
      runTool("losetup", ["--detach", device]);
    }
  });

  test("a difference is explained without a file being written", () => {
    fs.writeFileSync(at("in/file"), "jello\n");
    const { status, stdout } = run(["verify", "r.json"], { env: { TMPDIR: at("nowhere") } });
    expect({ status, stdout }).toEqual({ status: 1, stdout: expect.stringMatching(/changed \/file: content 0x68 at byte 0/) });
  });

  test("the verdict is told though the explanation fails", () => {
    ok(build("-f", "ext2", "--size", "1M", "--record", "z.json", "-o", "image.gz", "in"));
    fs.writeFileSync(at("in/file"), "jello\n");
    const { status, stdout } = run(["verify", "z.json"], { env: { TMPDIR: at("nowhere") } });
    expect({ status, stdout }).toEqual({
      status: 1,
      stdout: expect.stringMatching(/^source in: recorded [\s\S]*^image sha256: recorded [\s\S]*cannot be compared: /m),
    });
  });
});

describe("records that were edited", () => {
  interface Parsed {
    image: Record<string, unknown>;
    options: Record<string, unknown>;
    sources: Record<string, unknown>[];
    sourceOptions: Record<string, unknown>;
    [name: string]: unknown;
  }
  const verified = (change: (record: Parsed) => void): Ran => {
    const record = JSON.parse(text("r.json")) as Parsed;
    change(record);
    fs.writeFileSync(at("edited.json"), JSON.stringify(record));
    return run(["verify", "edited.json"]);
  };

  test("are refused with the place where nothing can be built of them", () => {
    ok(build("-f", "ext4", "--size", "8M", "--uuid", "content", "--record", "r.json", "-o", "image", "in"));
    const cases: [(record: Parsed) => void, RegExp][] = [
      [
        (r) => Object.assign(r.sources[0] as object, { argument: "a\0b" }),
        /sources\[0\]\.argument: found "a\\u0000b", expected a path/,
      ],
      [(r) => Object.assign(r.sources[0] as object, { argument: "\ufffd" }), /sources\[0\]\.argument: found .* expected a path/],
      [(r) => Object.assign(r.sources[0] as object, { argument: "\ud800" }), /sources\[0\]\.argument: found .* expected a path/],
      [(r) => (r.sources = []), /sources: found \[\], expected at least one source/],
      [
        (r) => (r.sources = [0, 1].map(() => ({ argument: "-", kind: "tar", sha256: "0".repeat(64) }))),
        /sources\[1\]: found .* standard input \(-\) can be read only once/,
      ],
      [(r) => (r.image.path = "a\0b"), /image\.path: found .* expected a path/],
      [(r) => (r.options.size = 5), /options\.size: .*/],
      [(r) => (r.options.features = ["x"]), /options\.features: .*/],
      [(r) => (r.options.features = "x"), /options\.features: .*/],
      [(r) => (r.sourceOptions.maxBytes = 0), /sourceOptions\.maxBytes: found 0, expected a whole number from 1 up/],
      [(r) => Object.assign(r.sources[0] as object, { files: [] }), /sources\[0\]\.files: found \[\], expected nothing/],
      [(r) => (r.optionFiles = { prepend: [] }), /optionFiles\.prepend: found \[\], expected at least one archive/],
    ];
    for (const [change, message] of cases) {
      const { status, stderr } = verified(change);
      expect({ change: String(change), status, stderr }).toEqual({
        change: String(change),
        status: 3,
        stderr: expect.stringMatching(message),
      });
    }
    const tar = { ...(JSON.parse(text("r.json")) as Parsed).options };
    ok(build("-f", "cpio", "--record", "r.json", "-o", "c", "in"));
    expect(tar.uuid).toBe("content");
    expect(verified((r) => (r.options.uuid = "content"))).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/options\.uuid/),
    });
    expect(verified((r) => (r.optionFiles = { prepend: [{ path: "in/file", sha256: "0".repeat(64) }] }))).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/optionFiles: .*"in\/file" is no cpio archive/),
    });
    expect(verified((r) => (r.optionFiles = { prepend: [{ path: "gone", sha256: "0".repeat(64) }] }))).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/optionFiles\.prepend\[0\]\.path: "gone": there is no such file/),
    });
  });

  test("a clamp that is not that of SOURCE_DATE_EPOCH is a difference", () => {
    ok(build("-f", "ext2", "--record", "r.json", "-o", "image", "in"), { env: { SOURCE_DATE_EPOCH: "1000" } });
    expect(verified(() => {})).toMatchObject({ status: 0 });
    expect(verified((r) => (r.sourceDateEpoch = 1001))).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^clamp by SOURCE_DATE_EPOCH: recorded 1001 seconds, found 1000 seconds$/m),
    });
    expect(verified((r) => delete r.options.clampMtime)).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^clamp by SOURCE_DATE_EPOCH: recorded 1000 seconds, found none$/m),
    });
  });

  test("a size that was raised costs neither room nor minutes", () => {
    ok(build("-f", "ext2", "--size", "1M", "--record", "r.json", "-o", "image", "in"));
    const { status, stdout } = verified((r) => (r.options.size = "100G"));
    expect({ status, stdout }).toEqual({
      status: 1,
      stdout: expect.stringMatching(/^image size: recorded 1048576, found 107374182400$/m),
    });
  }, 20_000);
});
