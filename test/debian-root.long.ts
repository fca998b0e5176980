// A Debian root made of real packages: from a directory and from three tars the same tree and the same bytes, judged by
// e2fsck and by GNU tar's own comparison of archive and mounted image, within 200 MB of memory.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { e2fsck } from "./judge/e2fsck.ts";
import { mounted } from "./judge/mount.ts";
import { findTool, need, needLoopMount, runOk, run as runTool } from "./judge/need.ts";

const top = dirname(import.meta.dirname);
const folder = mkdtempSync(join(tmpdir(), "fsynth-debian-"));
const corpora = join(folder, "corpora");
const fsynth = join(top, "bin/fsynth.js");

afterAll(() => rmSync(folder, { recursive: true, force: true }));

// The times of the corpus shall stay, whatever the environment asks for.
const { SOURCE_DATE_EPOCH: _, ...withoutEpoch } = process.env;

interface Built {
  readonly sha256: string;
  /** Peak of resident memory, MB of 10^6 bytes. */
  readonly memory: number;
}

/** Builds by the command line, in a process of its own whose peak memory GNU time reports. */
function build(output: string, ...args: readonly string[]): Built {
  const report = `${output}.time`;
  const command = ["-o", report, "-f", "%M", process.execPath, fsynth, "build", "--json", "--sha256", "-o", output, ...args];
  const done = spawnSync(findTool("time") ?? "time", command, { encoding: "utf8", env: withoutEpoch });
  expect(`${done.status} ${done.stderr}`, args.join(" ")).toBe("0 ");
  const { sha256 } = JSON.parse(done.stdout) as { sha256: string };
  return { sha256, memory: (Number(readFileSync(report, "utf8").trim()) * 1024) / 1e6 };
}

/** Mounts an image read-only, compares it with the archive it was made of, and gives the differences. */
function differences(image: string, archive: string): Promise<string> {
  return mounted(image, (root) => {
    const how = ["--compare", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-f", archive, "-C", `${root}/.`];
    const { stdout, stderr } = runTool("tar", how);
    // Nothing missing and nothing different; and nothing more than lost+found.
    const members = runOk("tar", ["-tf", archive]).toString().trim().split("\n").length;
    const present = runOk("find", [`${root}/.`, "-printf", "."]).length;
    return `${stdout.toString()}${stderr.toString()}${present === members + 1 ? "" : `${present} entries, expected ${members} and lost+found`}`;
  });
}

const able =
  need("apt-get", "dpkg-deb", "tar", "zstd", "gzip", "getfattr", "setfattr", "setfacl", "e2fsck", "find", "time") &&
  needLoopMount();

describe.skipIf(!able).each([
  ["small", "seven packages with capabilities, ACLs and xattrs", ["ext2", "ext3", "ext4", "ext4-nojournal"]],
  ["base", "370 MB of packages", ["ext4", "ext2"]],
] as const)("a Debian root: %s, %s", (name, _what, profiles) => {
  const directory = join(corpora, name);
  const tar = `${directory}.tar`;

  beforeAll(() => {
    runOk(process.execPath, [join(top, "bench/make-corpora.mjs"), "--out", corpora, name]);
  }, 1_200_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(profiles)("%s: from .tar, .tar.gz, .tar.zst and the directory the same bytes", async (profile) => {
    const common = ["-f", profile, "--size", "fit+20%"];
    const out = (source: string): string => join(folder, `${name}-${profile}-${source}`);
    const built = {
      tar: build(out("tar"), ...common, tar),
      gz: build(out("gz"), ...common, `${tar}.gz`),
      zst: build(out("zst"), ...common, `${tar}.zst`),
      directory: build(out("directory"), ...common, "--xattrs", "getfattr", directory),
    };
    console.log(
      `${name} ${profile}: peak memory in MB`,
      Object.entries(built).map(([from, { memory }]) => `${from} ${Math.round(memory)}`),
    );
    expect(new Set(Object.values(built).map(({ sha256 }) => sha256)).size, JSON.stringify(built)).toBe(1);
    for (const { memory } of Object.values(built)) expect(memory).toBeLessThan(200);

    expect(e2fsck(out("tar"))).toEqual([]);
    expect(await differences(out("tar"), tar)).toBe("");
    for (const source of Object.keys(built)) rmSync(out(source));
  });
});
