#!/usr/bin/env node
// Where the time of one run of fsynth goes: runs it under V8's sampling profiler, prints the functions with most time of their own.
//
//   node bench/profile.mjs build -f ext4 -o OUT SOURCE...

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SHOWN = 25;
const top = join(import.meta.dirname, "..");

const folder = fs.mkdtempSync(join(tmpdir(), "fsynth-profile-"));
try {
  const args = [
    "--cpu-prof",
    "--cpu-prof-interval=200",
    `--cpu-prof-dir=${folder}`,
    join(top, "bin/fsynth.js"),
    ...process.argv.slice(2),
  ];
  const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) process.exitCode = status ?? 1;
  // Workers have profiles of their own; the main thread's is the first.
  const names = fs.readdirSync(folder).sort();
  for (const name of names) print(JSON.parse(fs.readFileSync(join(folder, name), "utf8")));
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}

function print({ nodes, samples, timeDeltas }) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const own = new Map();
  let total = 0;
  samples.forEach((id, i) => {
    const name = frameName(frames.get(id));
    own.set(name, (own.get(name) ?? 0) + timeDeltas[i]);
    total += timeDeltas[i];
  });
  const most = [...own].sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  const line = (time, name) =>
    `${(time / 1000).toFixed(1).padStart(9)} ms ${((100 * time) / total).toFixed(1).padStart(5)} %  ${name}\n`;
  process.stdout.write(most.map(([name, time]) => line(time, name)).join("") + line(total, "all"));
}

/** A function with its place within the package; the runtime's own have `node:` or none. */
function frameName({ functionName, url, lineNumber }) {
  const path = url.replace(/^file:\/\/.*?\/(?=dist\/|node_modules\/|bin\/)/, "");
  return path ? `${functionName || "(module)"} ${path}:${lineNumber + 1}` : functionName;
}
