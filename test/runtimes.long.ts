// The same bytes on Node 20, 22, 24 and 26, Bun, Deno and in Chromium: what `npm run runtimes` does.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { differences, table } from "../tools/runtimes/table.ts";
import { requireFreshBuild } from "./cli-run.ts";
import { need } from "./judge/need.ts";

test.skipIf(!need("chromium", "gzip", "zstd"))("every runtime gives the same bytes", () => {
  requireFreshBuild();
  const script = join(import.meta.dirname, "../dist/tools/runtimes/run.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  console.log(stdout);
  expect(status, stderr).toBe(0);
  for (const name of ["Node 20", "Node 22", "Node 24", "Node 26", "Bun", "Deno", "Chromium"]) {
    expect(stdout).toMatch(new RegExp(`^${name}.* yes +[0-9.]+$`, "m"));
  }
});

test("a digest that differs, a failure and a case that was not run are told", () => {
  const rows = [
    {
      runtime: "Node 20",
      seconds: 1,
      outcomes: [outcome("ext/a", "1"), outcome("files/b", "2"), outcome("files/c", "failed: no")],
    },
    { runtime: "Bun 1", seconds: 1, outcomes: [outcome("ext/a", "9"), outcome("files/c", "failed: no")] },
    { runtime: "Chromium 1", seconds: 1, outcomes: [outcome("ext/a", "limited")] },
  ];
  const found = differences(rows, new Map([["ext/a", "1"]]), (runtime) => (runtime === "Chromium 1" ? "limited" : undefined));
  expect(found.map(({ runtime, name, result }) => `${runtime} ${name} ${result}`)).toEqual([
    "Node 20 files/c failed: no",
    "Bun 1 ext/a 9",
    "Bun 1 files/b not run",
    "Bun 1 files/c failed: no",
  ]);
  expect(table(rows, found).split("\n")[2]).toMatch(/^Bun 1 +0 of 1 +0 of 1 +0 of 2 +NO +1\.0$/);
});

function outcome(name: string, result: string): { readonly name: string; readonly result: string } {
  return { name, result };
}
