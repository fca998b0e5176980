// A Debian root made of real packages: from a directory and from three tars the same tree and the same bytes, judged by
// e2fsck and by GNU tar's own comparison of archive and mounted image, within 200 MB of memory.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needed } from "./judge/need.ts";

const top = dirname(import.meta.dirname);
const folder = mkdtempSync(join(tmpdir(), "fsynth-debian-"));
const corpora = join(folder, "corpora");
const fsynth = join(top, "bin/fsynth.js");

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program that must succeed; gives its standard output. */
function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 256 << 20 });
}

interface Built {
  readonly sha256: string;
  /** Peak of resident memory, MB of 10^6 bytes. */
  readonly memory: number;
}

/** Builds by the command line, in a process of its own whose peak memory GNU time reports. */
function build(output: string, ...args: readonly string[]): Built {
  const report = `${output}.time`;
  const command = ["-o", report, "-f", "%M", process.execPath, fsynth, "build", "--json", "--sha256", "-o", output, ...args];
  const done = spawnSync("time", command, { encoding: "utf8", env: { ...process.env, SOURCE_DATE_EPOCH: "" } });
  expect(`${done.status} ${done.stderr}`, args.join(" ")).toBe("0 ");
  const { sha256 } = JSON.parse(done.stdout) as { sha256: string };
  return { sha256, memory: (Number(readFileSync(report, "utf8").trim()) * 1024) / 1e6 };
}

/** What e2fsck complains of: nothing, when its exit status is 0 and every line is a pass, the version or the summary. */
function complaints(image: string): string {
  const done = spawnSync("e2fsck", ["-fn", image], { encoding: "utf8" });
  const lines = `${done.stdout}${done.stderr}`.split("\n");
  const known = /^$|^e2fsck [0-9.]+ |^Pass [1-5]: |^[^ ]+: [0-9]+\/[0-9]+ files \([0-9.]+% non-contiguous\), [0-9]+\/[0-9]+ blocks$/;
  return [...(done.status === 0 ? [] : [`exit ${done.status}`]), ...lines.filter((line) => !known.test(line))].join("\n");
}

/** Mounts an image read-only, compares it with the archive it was made of, and gives the differences. */
function differences(image: string, archive: string): string {
  const mountpoint = mkdtempSync(join(folder, "mnt-"));
  run("mount", "-o", "loop,ro,noload", image, mountpoint);
  try {
    const done = spawnSync("tar", ["--compare", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-f", archive, "-C", mountpoint], {
      encoding: "utf8",
    });
    // Nothing missing and nothing different; and nothing more than lost+found.
    const members = run("tar", "-tf", archive).trim().split("\n").length;
    const present = run("find", mountpoint, "-printf", ".").length;
    return `${done.stdout}${done.stderr}${present === members + 1 ? "" : `${present} entries, expected ${members} and lost+found`}`;
  } finally {
    run("umount", mountpoint);
  }
}

describe.each([
  ["small", "seven packages with capabilities, ACLs and xattrs", ["ext2", "ext3", "ext4", "ext4-nojournal"]],
  ["base", "350 MB of packages", ["ext4", "ext2"]],
] as const)("a Debian root: %s, %s", (name, _what, profiles) => {
  const directory = join(corpora, name);
  const tar = `${directory}.tar`;
  let able = true;

  beforeAll((): void => {
    able = needed("apt-get", "dpkg-deb", "tar", "zstd", "setfattr", "setfacl", "e2fsck", "mount", "time") && needed.root();
    if (!able) return;
    mkdirSync(corpora, { recursive: true });
    run(process.execPath, join(top, "bench/make-corpora.mjs"), "--out", corpora, name);
  }, 1_200_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(profiles)("%s: from .tar, .tar.gz, .tar.zst and the directory the same bytes", (profile) => {
    if (!able) return;
    const common = ["-f", profile, "--size", "fit+20%"];
    const out = (source: string): string => join(folder, `${name}-${profile}-${source}`);
    const built = {
      tar: build(out("tar"), ...common, tar),
      gz: build(out("gz"), ...common, `${tar}.gz`),
      zst: build(out("zst"), ...common, `${tar}.zst`),
      directory: build(out("directory"), ...common, "--xattrs", "getfattr", directory),
    };
    expect(new Set(Object.values(built).map(({ sha256 }) => sha256)).size, JSON.stringify(built)).toBe(1);
    for (const { memory } of Object.values(built)) expect(memory).toBeLessThan(200);

    expect(complaints(out("tar"))).toBe("");
    expect(differences(out("tar"), tar)).toBe("");
    for (const source of Object.keys(built)) rmSync(out(source));
  });
});
