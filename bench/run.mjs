#!/usr/bin/env node
// Measures fsynth beside the tools it replaces and beside plain copies; bench/README.md says how, and what came out.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { filesystemOf, machine, ourselves, tools } from "./machine.mjs";
import { compiled, makeMeter, measure } from "./meter.mjs";
import { chapter, readme } from "./report.mjs";
import { scenarios } from "./scenarios.mjs";

const HELP = `usage: npm run bench [-- OPTIONS]

  --only NAME     only this scenario; can be repeated
  --runs N        counted runs of each command, after one that warms up (default 5)
  --corpora DIR   what bench/make-corpora.mjs made (default bench/corpora; npm run corpora makes it)
  --work DIR      where outputs go (default bench/out; on /dev/shm no disk is in the figures)
  --json FILE     writes the results there
  --update        takes the results into bench/results.json and the tables of bench/README.md. A run of everything with
                  at least 5 runs does so unasked, unless --json names another file
  --report        measures nothing; makes the tables anew from bench/results.json
  --list          names the scenarios

MKE2FS may name an mke2fs 1.47.1 or later that takes a tar, TAR2EXT4 a tar2ext4. A tool that is missing is told in the table.
`;

const RESULTS = join(import.meta.dirname, "results.json");
const README = join(import.meta.dirname, "README.md");
/** Seconds that one run of one command may take. */
const LIMIT = 300;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    runs: { type: "string", default: "5" },
    corpora: { type: "string", default: join(import.meta.dirname, "corpora") },
    work: { type: "string", default: join(import.meta.dirname, "out") },
    json: { type: "string" },
    update: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

function fail(sentence) {
  process.stderr.write(`bench: ${sentence}\n`);
  process.exit(2);
}

const tell = (text) => process.stderr.write(text);

if (values.help) {
  process.stdout.write(HELP);
} else if (values.list) {
  for (const { name, work } of scenarios) process.stdout.write(`${name.padEnd(16)} ${work}\n`);
} else if (values.report) {
  writeTables(JSON.parse(fs.readFileSync(RESULTS, "utf8")));
} else {
  bench();
}

function bench() {
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) fail(`--runs is "${values.runs}", expected a whole number from 1 on`);
  for (const name of values.only ?? []) {
    if (!scenarios.some((scenario) => scenario.name === name)) fail(`no scenario "${name}"; --list names them`);
  }
  const chosen = scenarios.filter(({ name }) => !values.only || values.only.includes(name));
  const corpus = (name) => join(resolve(values.corpora), name);
  const absent = new Set(chosen.flatMap(({ corpora }) => corpora).filter((name) => !fs.existsSync(corpus(name))));
  if (absent.size > 0) {
    const names = [...new Set([...absent].map((name) => name.split(".")[0]))].join(" ");
    fail(`no ${[...absent].join(", ")} in ${values.corpora}; make them: npm run corpora -- --out ${values.corpora} ${names}`);
  }
  fs.mkdirSync(values.work, { recursive: true });
  const work = fs.mkdtempSync(join(resolve(values.work), "run-"));
  process.once("exit", () => fs.rmSync(work, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

  const meter = makeMeter(work);
  const results = {
    date: new Date().toISOString().slice(0, 10),
    fsynth: ourselves(),
    machine: machine(),
    tools: tools(),
    meter: meter.name,
    output: filesystemOf(work),
    load: Number(os.loadavg()[0]?.toFixed(2)),
    scenarios: {},
  };
  const context = { corpus, work, copyTree: compiled("copy-tree", work), outputs: join(work, "outputs"), meter, runs };
  for (const scenario of chosen) {
    tell(`${scenario.name}: ${scenario.work}\n`);
    results.scenarios[scenario.name] = runScenario(scenario, { ...context });
    if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
  }
  process.stdout.write(chapter(results));
  const whole = !values.only && runs >= 5 && !values.json;
  if (values.update || whole) update(results);
  if (Object.values(results.scenarios).some(({ commands }) => commands[0].failed)) process.exitCode = 1;
}

/** All commands of a scenario once to warm up (outputs are judged then), then in turn, so that drift meets all alike. */
function runScenario(scenario, context) {
  const commands = [{ name: "fsynth", command: scenario.ours }, ...scenario.peers];
  const told = [];
  const live = [];
  for (const entry of commands) {
    const result = { name: entry.name, ...(entry.floor ? { floor: true } : {}), ...(entry.note ? { note: entry.note } : {}) };
    told.push(result);
    const missing = entry.missing?.(context) ?? (entry.needs ?? []).map(notHere).find((sentence) => sentence);
    if (missing) {
      result.missing = missing;
      continue;
    }
    const command = entry.command(context);
    const runs = entry.once ? 1 : Math.min(entry.most ?? context.runs, context.runs);
    const state = { result, command, runs, samples: [], factor: entry.factor ?? 1 };
    const first = measure(context.meter, command, context.outputs, LIMIT);
    tell(`  ${entry.name}: ${first.failed ?? `${first.wall.toFixed(3)} s`} (warming up)\n`);
    if (first.failed) {
      result.failed = first.failed;
      if (entry === commands[0]) break; // without ours there is nothing to compare
      continue;
    }
    if (command.summary) context.summary = first.printed;
    if (scenario.judge && first.size !== undefined && !entry.factor && !entry.floor) judge(scenario.judge, context, result);
    if (entry.once) state.samples.push(first);
    live.push(state);
  }
  if (told[0].failed) return { work: scenario.work, commands: told };
  for (let round = 0; round < context.runs; round++) {
    for (const state of live) {
      if (state.samples.length >= state.runs || state.result.failed) continue;
      const sample = measure(context.meter, state.command, context.outputs, LIMIT);
      if (sample.failed) state.result.failed = sample.failed;
      else state.samples.push(sample);
    }
    tell(`  round ${round + 1} of ${context.runs}\r`);
  }
  tell("\n");
  for (const { result, samples, factor } of live) if (!result.failed) Object.assign(result, figures(samples, factor));
  return { work: scenario.work, ...(scenario.entries ? { entries: scenario.entries } : {}), commands: told };
}

function notHere(program) {
  const done = spawnSync("sh", ["-c", 'command -v "$0"', program]);
  return done.status === 0 ? undefined : `${program} is not installed`;
}

const JUDGES = {
  e2fsck: ["e2fsck", "-fn"],
  "bsdtar -tf": ["bsdtar", "-tf"],
  fls: ["fls", "-f", "ufs", "-r"],
};

/** A foreign judge on the output of a warm-up. A bad image of ours ends the bench; a peer's is told. */
function judge(name, { outputs }, result) {
  const [program, ...args] = JUDGES[name];
  const missing = notHere(program);
  if (missing) {
    result.judged = missing;
    return;
  }
  const done = spawnSync(program, [...args, join(outputs, "out")], { encoding: "utf8", maxBuffer: 256 << 20 });
  if (done.status !== 0 && result.name === "fsynth") {
    throw new Error(`${name} on fsynth's image ended with ${done.status}:\n${done.stdout}${done.stderr}`);
  }
  result.judged = done.status === 0 ? `${name}: clean` : `${name} finds its image damaged`;
}

/** Medians, of the wall time also the least and the most. */
function figures(samples, factor) {
  const median = (pick) => {
    const sorted = samples.map(pick).sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  };
  const round = (value) => Number((value * factor).toFixed(4));
  const walls = samples.map(({ wall }) => wall);
  const [{ size, allocated, printed }] = samples;
  return {
    runs: samples.length,
    wall: round(median(({ wall }) => wall)),
    least: round(Math.min(...walls)),
    most: round(Math.max(...walls)),
    cpu: round(median(({ cpu }) => cpu)),
    peak: median(({ peak }) => peak),
    ...(size === undefined ? {} : { size, allocated }),
    ...(printed?.heapPerEntry === undefined ? {} : { heapPerEntry: median((sample) => sample.printed.heapPerEntry) }),
  };
}

/** Takes results into those of the repository: what was measured anew replaces, the rest stays if the machine is the same. */
function update(results) {
  const all = fs.existsSync(RESULTS) ? JSON.parse(fs.readFileSync(RESULTS, "utf8")) : {};
  const where = results.output === "tmpfs" ? "tmpfs" : "disk";
  const before = all[where];
  const same = (key) => JSON.stringify(before?.[key]) === JSON.stringify(results[key]);
  const kept = same("machine") && same("tools") ? before.scenarios : {};
  const merged = { ...kept, ...results.scenarios };
  const ordered = Object.fromEntries(scenarios.flatMap(({ name }) => (merged[name] ? [[name, merged[name]]] : [])));
  all[where] = { ...results, scenarios: ordered };
  fs.writeFileSync(RESULTS, `${JSON.stringify(all, undefined, 2)}\n`);
  writeTables(all);
}

function writeTables(all) {
  fs.writeFileSync(README, readme(fs.readFileSync(README, "utf8"), all));
}
