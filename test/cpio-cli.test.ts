// cpio on the command line: archives in and out, parts from files, compression by name and by option, pipes.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCpio } from "../src/build.ts";
import { fromCpio } from "../src/sources/cpio.ts";
import { Tree } from "../src/tree/tree.ts";
import { bin, fsynth, requireFreshBuild } from "./cli-run.ts";
import { findTool, need } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-cpio-cli-"));
const path = (name: string): string => join(folder, name);
const tree = (): Tree => new Tree().directory("/", { mtime: 5 }).file("/init", "#!/bin/sh\n", { mode: 0o755, mtime: 5 });

beforeAll(async () => {
  requireFreshBuild();
  await buildCpio(tree()).writeTo(path("tree.cpio"));
  await buildCpio(new Tree().file("/kernel/x86/microcode/AuthenticAMD.bin", "code", { mtime: 5 })).writeTo(path("early.cpio"));
  await buildCpio(new Tree().file("/late", "late", { mtime: 5 })).writeTo(path("late.cpio.gz"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const build = (...args: readonly string[]): ReturnType<typeof fsynth> => fsynth(["build", "-f", "cpio", "-q", ...args]);

describe("fsynth build -f cpio", () => {
  test("rebuilds a cpio byte for byte, compressed or not, from a file and from standard input", () => {
    const original = readFileSync(path("tree.cpio"));
    expect(build("-o", path("again.cpio"), path("tree.cpio"))).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(path("again.cpio")).equals(original)).toBe(true);
    expect(build("-o", path("again.cpio.gz"), path("again.cpio"))).toMatchObject({ status: 0 });
    expect(gunzipSync(readFileSync(path("again.cpio.gz"))).equals(original)).toBe(true);
    const piped = fsynth(["build", "-f", "cpio", "-q", "-o", "-", "-"], { input: readFileSync(path("again.cpio.gz")) });
    expect(piped.status).toBe(0);
    expect(Buffer.from(piped.stdout, "latin1").equals(original)).toBe(true);
  });

  test("a cpio is a source of other formats, and lies over others", () => {
    writeFileSync(path("over.txt"), "#fsynth-tree 1\n/dev/console char mode=0600 device=5:1\n");
    const { status, stdout } = fsynth([
      "build",
      "-f",
      "ext4",
      "--json",
      "-o",
      path("root.ext4"),
      path("tree.cpio"),
      path("over.txt"),
    ]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ entries: 3, format: "ext4" });
  });

  test("--prepend and --append take files, in order, each part compressed on its own", async () => {
    const out = path("parts.cpio.gz");
    const ran = build(
      "-o",
      out,
      "--prepend",
      path("early.cpio"),
      "--append",
      path("late.cpio.gz"),
      "--append",
      path("tree.cpio"),
      path("tree.cpio"),
    );
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    const bytes = readFileSync(out);
    const early = readFileSync(path("early.cpio"));
    const late = readFileSync(path("late.cpio.gz"));
    expect(bytes.subarray(0, early.length).equals(early)).toBe(true);
    expect(bytes.indexOf(late)).toBeGreaterThan(early.length);
    const all = await fromCpio(out);
    expect([...all.root.children.keys()].sort((a, b) => (a < b ? -1 : 1))).toEqual(["init", "kernel", "late"]);
  });

  test.each([
    [["--prepend", "no-such-file"], 2, "does not exist"],
    [["--prepend", "."], 2, "is a directory"],
    [["--append", "over.txt"], 2, "no cpio archive"],
    [["--padding", "3"], 2, "power of two"],
    [["--align", "8192"], 2, "4096"],
    [["--like", "bsd"], 2, "gnu"],
    [["--like", "gnu", "--link-data", "first"], 2, "contradicts"],
    [["--size", "3M"], 2, "cpio has no option --size"],
    [["--compress", "zstd", "--zstd-limit", "100"], 3, "gzip"],
  ])("%j is refused", (options, status, sentence) => {
    const args = options.map((word) => (["no-such-file", ".", "over.txt"].includes(word) ? path(word) : word));
    mkdirSync(path("."), { recursive: true });
    writeFileSync(path("over.txt"), "#fsynth-tree 1\n");
    const ran = build("-o", path("refused"), ...args, path("tree.cpio"));
    expect(ran.status).toBe(status);
    expect(ran.stderr).toContain(sentence);
    expect(() => readFileSync(path("refused"))).toThrow("ENOENT");
  });

  test("a damaged source: exit status 3, with the member and its offset", () => {
    writeFileSync(path("cut.cpio"), readFileSync(path("tree.cpio")).subarray(0, 130));
    const ran = build("-o", path("refused"), path("cut.cpio"));
    expect(ran.status).toBe(3);
    expect(ran.stderr).toMatch(/member at byte 112: /);
  });

  test("formats and help tell of it", () => {
    expect(fsynth(["formats"]).stdout).toMatch(/^cpio {2,}cpio in the newc form/m);
    const help = fsynth(["build", "-f", "cpio", "--help"]).stdout;
    for (const flag of ["--checksum", "--no-root-entry", "--link-data <last|first>", "--prepend <FILE>", "--like <gnu>"])
      expect(help).toContain(flag);
  });
});

describe("streaming", () => {
  test("output starts before all content is read", async () => {
    // 4 GiB of content: what comes out first was made first.
    writeFileSync(
      path("many.txt"),
      `#fsynth-tree 1\n${Array.from({ length: 1000 }, (_, i) => `/${i} file content=piece4`).join("\n")}\n`,
    );
    writeFileSync(path("piece4"), Buffer.alloc(1 << 22, 1));
    const child = spawn(process.execPath, [bin, "build", "-f", "cpio", "-q", "-o", "-", path("many.txt")], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const first = await new Promise<Buffer>((resolve) => child.stdout.once("data", resolve));
    expect(first.subarray(0, 6).toString()).toBe("070701");
    child.stdout.destroy();
    const status = await new Promise((resolve) => child.once("close", resolve));
    expect(status).toBe(141);
  });

  test.skipIf(!need("time"))("memory does not grow with content, plain and by gzip", () => {
    writeFileSync(path("piece"), Buffer.alloc(16 << 20, "content that compresses "));
    const peak = (files: number, ...args: readonly string[]): number => {
      writeFileSync(
        path("list.txt"),
        `#fsynth-tree 1\n${Array.from({ length: files }, (_, i) => `/${i} file content=piece`).join("\n")}\n`,
      );
      const report = path("report");
      const ran = spawnTimed(report, ["build", "-f", "cpio", "-q", "--checksum", ...args, "-o", "/dev/null", path("list.txt")]);
      expect(ran).toBe(0);
      return Number(readFileSync(report, "utf8").trim().split("\n").at(-1)) / 1024;
    };
    expect(peak(64)).toBeLessThan(peak(2) + 40);
    expect(peak(8, "--compress", "gzip")).toBeLessThan(peak(1, "--compress", "gzip") + 60);
  });
});

function spawnTimed(report: string, args: readonly string[]): number | null {
  const { SOURCE_DATE_EPOCH: _, ...env } = process.env;
  const child = spawnSync(findTool("time") ?? "time", ["-o", report, "-f", "%M", process.execPath, bin, ...args], { env });
  return child.status;
}
