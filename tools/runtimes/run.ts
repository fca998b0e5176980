// npm run runtimes: the same cases on every runtime, byte for byte, and one table. Ends with 1 where anything differs; a runtime
// that cannot be had is an error.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleScript } from "../bundle.ts";
import { startChromium } from "../chromium.ts";
import { findRuntimes, type Runtime, versionOf } from "./binaries.ts";
import { runCommands } from "./command.ts";
import type { Prepared } from "./files.ts";
import { goldenDigests, prepare } from "./prepare.ts";
import type { Outcome, Suite } from "./suite.ts";
import { differences, type Row, table } from "./table.ts";

/** Milliseconds that one runtime may take. */
const LIMIT = 600_000;

/** What a runtime cannot do, and says so instead: a browser has no zstd encoder here, Deno neither names that are not UTF-8 nor parts of milliseconds. */
const LIMITS = new Map([
  ["Chromium: memory/zstd output", "unsupported"],
  ["Deno: files/name of bytes", "unsupported"],
  ["Deno: files/times of a directory", "times-cut"],
]);

// This file runs as dist/tools/runtimes/run.js.
const top = join(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "fsynth-runtimes-"));
try {
  const runtimes = findRuntimes(top);
  const digests = goldenDigests(top);
  const { suite, prepared } = await prepare(top, folder);
  writeFileSync(join(folder, "suite.json"), JSON.stringify(suite));
  writeFileSync(join(folder, "prepared.json"), JSON.stringify(prepared));
  const rows: Row[] = [];
  for (const runtime of runtimes) rows.push(await runChild(runtime, prepared));
  rows.push(await runChromium(suite));
  const found = differences(rows, digests, (runtime, name) => LIMITS.get(`${runtime.split(" ")[0]}: ${name}`));
  console.log(table(rows, found));
  process.exitCode = found.length > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function runChild(runtime: Runtime, prepared: Prepared): Promise<Row> {
  const scratch = join(folder, runtime.name.replace(" ", "-"));
  mkdirSync(scratch);
  const answer = `${scratch}.json`;
  const script = join(import.meta.dirname, "child.js");
  const paths = [join(folder, "suite.json"), join(folder, "prepared.json"), scratch, answer];
  // Nothing of the caller's caches, and no looking for newer versions.
  const env = { ...process.env, DENO_DIR: join(folder, "deno"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
  const started = performance.now();
  const { status, signal, error, stderr } = spawnSync(runtime.binary, [...runtime.args, script, ...paths], {
    cwd: top,
    env,
    encoding: "utf8",
    timeout: LIMIT,
    stdio: ["ignore", "inherit", "pipe"],
  });
  const name = `${runtime.name.split(" ")[0]} ${versionOf(runtime)}`;
  if (error || status !== 0) throw new Error(`${name}: ${error?.message ?? `ended with ${status ?? signal}`}\n${stderr}`);
  const outcomes = JSON.parse(readFileSync(answer, "utf8")) as Outcome[];
  outcomes.push(...(await runCommands(runtime, top, prepared, scratch, env)));
  return { runtime: name, outcomes, seconds: (performance.now() - started) / 1000 };
}

async function runChromium(suite: Suite): Promise<Row> {
  const script = await bundleScript(join(import.meta.dirname, "page.js"));
  const chromium = await startChromium("chromium");
  try {
    const page = await chromium.page();
    await page.evaluate(`${script}; undefined`);
    const started = performance.now();
    const outcomes = (await page.evaluate(`runPortable(${JSON.stringify(suite)})`)) as Outcome[];
    const seconds = (performance.now() - started) / 1000;
    const name = `Chromium ${chromium.version}`;
    if (page.complaints.length > 0) throw new Error(`${name}: ${page.complaints.join("\n")}`);
    return { runtime: name, outcomes, seconds };
  } finally {
    await chromium.close();
  }
}
