// The benchmarks: that they run, that their verdicts are right, and that the tables in bench/README.md are those of the results.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { findTool, need } from "./judge/need.ts";

interface Goal {
  readonly against?: string;
}
interface Scenario {
  readonly name: string;
  readonly peers: readonly { readonly name: string; readonly floor?: true }[];
  readonly goals: readonly Goal[];
}
interface Axis {
  readonly label: string;
  readonly show: (value: number) => string;
}
interface Panel {
  readonly title: string;
  readonly x: Axis;
  readonly y: Pick<Axis, "show">;
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
  readonly linear: readonly [number, number];
}

const bench = join(dirname(import.meta.dirname), "bench");
const folder = mkdtempSync(join(tmpdir(), "fsynth-bench-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A module of the benchmarks, which are plain JavaScript. */
const load = async <T>(name: string): Promise<T> => (await import(join(bench, name))) as T;
const { chapter, readme } = await load<{
  chapter: (results: object) => string;
  readme: (text: string, all: object) => string;
}>("report.mjs");
const { BEST, scenarios } = await load<{ BEST: string; scenarios: readonly Scenario[] }>("scenarios.mjs");
const { svg } = await load<{ svg: (title: string, panels: readonly Panel[]) => string }>("chart.mjs");

function run(script: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(bench, script), ...args], { encoding: "utf8" });
}

/** Results with these figures for `base.tar`. */
function results(output: string, commands: object[]): object {
  const machine = { cpu: "cpu", cores: 2, memoryGiB: 4, system: "system", kernel: "1", node: "v20.0.0" };
  const head = { date: "2026-01-01", fsynth: "0", machine, tools: { cp: "9" }, meter: "wait4", output, load: 0, archives: {} };
  return { ...head, scenarios: { "base.tar": { fsynth: "0", work: "", commands } } };
}

describe("the table of scenarios", () => {
  test("every goal names something that is measured", () => {
    const names = scenarios.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const unknown = scenarios.flatMap(({ name, peers, goals }) =>
      goals
        .filter(({ against }) => against !== undefined && against !== BEST && !peers.some((peer) => peer.name === against))
        .map(({ against }) => `${name}: ${against}`),
    );
    expect(unknown).toEqual([]);
    expect(scenarios.flatMap(({ goals }) => goals).length).toBeGreaterThan(50);
  });
});

describe("the report", () => {
  const MiB = 2 ** 20;
  const fsynth = {
    name: "fsynth",
    runs: 5,
    wall: 0.3,
    least: 0.2,
    most: 0.4,
    cpu: 0.3,
    peak: 121 * MiB,
    size: MiB,
    allocated: MiB,
  };
  const other = (name: string, wall: number, more: object = {}): object => ({ ...fsynth, name, wall, ...more });

  test("tells goals that are met, missed and not measured", () => {
    const commands = [
      fsynth,
      other("tar2ext4", 0.25),
      other("mke2fs -d", 2),
      { name: "tar x + mke2fs -d", missing: "mke2fs is not installed" },
      other("cp", 0.1, { floor: true }),
    ];
    const text = chapter(results("ext4", commands));
    expect(text).toContain("| base.tar → ext4 | 0.30 s | tar2ext4 | 0.25 s | 1.20 × | ≤ 0.80 × | **missed by 50 %** |");
    expect(text).toContain("| base.tar → ext4 | 0.30 s | mke2fs -d | 2.00 s | 0.15 × | ≤ 0.28 × | met |");
    expect(text).toContain("| tar x + mke2fs -d |  |  | ≤ 0.13 × | not measured: mke2fs is not installed |");
    expect(text).toContain("| base.tar → ext4 | 0.30 s |  |  | peak 121 MiB | ≤ 110 MiB | **missed by 10 %** |");
    expect(text).toContain("1 of 5 goals are met, 3 missed, 1 not measured. Where fsynth loses:");
    expect(text).toContain("- base.tar → ext4: against cp: 3.00 ×, goal ≤ 2.80 ×, missed by 7.1 %.");
  });

  test("tells a peer that is faster though no goal speaks of it", () => {
    const text = chapter(results("ext4", [fsynth, other("mke2fs -d tar", 0.2, { judged: "e2fsck complains (exit 4)" })]));
    expect(text).toContain("- base.tar → ext4: mke2fs -d tar is faster, 0.20 s against 0.30 s (e2fsck complains (exit 4)).");
  });

  test("in bench/README.md is that of bench/results.json", () => {
    const path = join(bench, "results.json");
    const all = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as object) : {};
    const text = readFileSync(join(bench, "README.md"), "utf8");
    expect(readme(text, all)).toBe(text);
  });
});

describe("the chart", () => {
  test("draws a linear series on the linear line", () => {
    const axis = { label: "l", show: String };
    const series = [{ name: "a", points: [[1, 10] as const, [10, 100] as const, [100, 1000] as const] }];
    const text = svg("A title", [{ title: "t", x: axis, y: axis, series, linear: [100, 1000] }]);
    const paths = [...text.matchAll(/<path d="M([\d.]+) ([\d.]+)L(?:[\d. L]*L)?([\d.]+) ([\d.]+)"/g)].map((match) =>
      match.slice(1),
    );
    expect(paths).toHaveLength(2);
    expect(paths[0]).toEqual(paths[1]);
    expect(text).toContain("<title>A title</title>");
  });
});

describe("a run", () => {
  const corpora = join(folder, "corpora");
  mkdirSync(join(corpora, "rescue/etc"), { recursive: true });
  writeFileSync(join(corpora, "rescue/etc/motd"), "hello\n");

  // Either is enough to take the time.
  const meter = findTool("cc") !== undefined || need("time");

  test("that cannot be is refused at once, in a sentence", () => {
    for (const [args, message] of [
      [["--bogus"], "bench: Unknown option '--bogus'"],
      [["--only", "nothing"], 'bench: no scenario "nothing"'],
      [["--runs", "0"], 'bench: --runs is "0", expected a whole number from 1 on'],
      [["--only", "rescue", "--corpora", corpora, "--json", join(folder, "nowhere/x.json")], "bench: ENOENT"],
    ] as const) {
      const { status, stdout, stderr } = run("run.mjs", ...args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toMatch(new RegExp(`^${message}[^\\n]*\\n$`));
    }
  });

  test.skipIf(!meter)("measures, judges and reports", () => {
    const json = join(folder, "results.json");
    const done = run("run.mjs", "--only", "rescue", "--runs", "1", "--corpora", corpora, "--work", folder, "--json", json);
    expect(done.status, done.stderr).toBe(0);
    expect(done.stdout).toMatch(/\| rescue\/ → ext2 \| [\d.]+ m?s \| {2}\| {2}\| peak [\d.]+ MiB \| ≤ 75 MiB \| /);
    const { scenarios: measured } = JSON.parse(readFileSync(json, "utf8")) as {
      scenarios: Record<string, { commands: { name: string; wall: number; peak: number; size: number }[] }>;
    };
    const [ours] = measured.rescue?.commands ?? [];
    expect(ours).toMatchObject({ name: "fsynth" });
    expect(ours?.wall).toBeGreaterThan(0.01);
    expect(ours?.peak).toBeGreaterThan(20e6);
    expect(ours?.size).toBeGreaterThan(4096);
  });

  test("without its corpora says how to make them", () => {
    const done = run("run.mjs", "--only", "base.tar", "--corpora", corpora, "--work", folder);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain(`make them: npm run corpora -- --out ${corpora} base`);
  });

  test("of the parts that stand alone", () => {
    const figures = (...args: [string, ...string[]]): object => {
      const [script, ...rest] = args;
      return JSON.parse(execFileSync(process.execPath, [join(bench, script), ...rest], { encoding: "utf8" })) as object;
    };
    expect(figures("plan-million.mjs", "ffs2", "1000")).toHaveProperty("heapPerEntry");
    expect(figures("scaling-point.mjs", "cpio", "bytes", "1000000")).toHaveProperty("size", 1_008_640);
    expect(figures("scaling-point.mjs", "ext4", "entries", "200")).toHaveProperty("seconds");
  });
});
