#!/usr/bin/env node
// Measures fsynth beside the tools it replaces and beside plain copies; bench/README.md says how, and what came out.

import * as fs from "node:fs";
import * as os from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { filesystemOf, machine, ourselves, tools } from "./machine.mjs";
import { compiled, makeMeter } from "./meter.mjs";
import { chapter, readme } from "./report.mjs";
import { runScenario } from "./scenario.mjs";
import { scenarios } from "./scenarios.mjs";

const HELP = `usage: npm run bench [-- OPTIONS]

  --only NAME...  only these scenarios
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
// mke2fs and e2fsck live where an ordinary user's PATH may not look.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

const { values, positionals } = given();

function given() {
  try {
    return parseArgs({
      allowPositionals: true,
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
  } catch (error) {
    return fail(`${error.message}; --help shows what there is`);
  }
}

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
  writeTables(recorded());
} else {
  try {
    bench();
  } catch (error) {
    fail(error.message);
  }
}

function bench() {
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) fail(`--runs is "${values.runs}", expected a whole number from 1 on`);
  const only = values.only && [...values.only, ...positionals];
  if (!only && positionals.length > 0) fail(`"${positionals[0]}" is no option; --only takes names of scenarios`);
  for (const name of only ?? []) {
    if (!scenarios.some((scenario) => scenario.name === name)) fail(`no scenario "${name}"; --list names them`);
  }
  const chosen = scenarios.filter(({ name }) => !only || only.includes(name));
  const corpus = (name) => join(resolve(values.corpora), name);
  const absent = new Set(chosen.flatMap(({ corpora }) => corpora).filter((name) => !fs.existsSync(corpus(name))));
  if (absent.size > 0) {
    const names = [...new Set([...absent].map((name) => name.split(".")[0]))].join(" ");
    fail(`no ${[...absent].join(", ")} in ${values.corpora}; make them: npm run corpora -- --out ${values.corpora} ${names}`);
  }
  // Before anything is measured, not behind it.
  if (values.json) fs.accessSync(dirname(resolve(values.json)), fs.constants.W_OK);
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
    archives: sizesOf(values.corpora),
    scenarios: {},
  };
  const context = { corpus, work, copyTree: compiled("copy-tree", work), outputs: join(work, "outputs"), meter, runs };
  for (const scenario of chosen) {
    tell(`${scenario.name}: ${scenario.work}\n`);
    results.scenarios[scenario.name] = { fsynth: results.fsynth, ...runScenario(scenario, context, tell) };
    if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
  }
  process.stdout.write(chapter(results));
  const whole = !only && runs >= 5 && !values.json;
  if (values.update || whole) update(results);
  if (Object.values(results.scenarios).some(({ commands }) => commands[0].failed)) process.exitCode = 1;
}

/** Bytes of the archives in a folder: they tell which corpora these were. */
function sizesOf(folder) {
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => /\.tar(\.\w+)?$/.test(name)) : [];
  return Object.fromEntries(names.sort().map((name) => [name, fs.statSync(join(folder, name)).size]));
}

/** Takes results into those of the repository: what was measured anew replaces, the rest stays if the machine is the same. */
function update(results) {
  const all = recorded();
  const where = results.output === "tmpfs" ? "tmpfs" : "disk";
  const before = all[where];
  const same = (key) => JSON.stringify(before?.[key]) === JSON.stringify(results[key]);
  const kept = same("machine") && same("tools") && same("archives") ? before.scenarios : {};
  const merged = { ...kept, ...results.scenarios };
  const ordered = Object.fromEntries(scenarios.flatMap(({ name }) => (merged[name] ? [[name, merged[name]]] : [])));
  all[where] = { ...results, scenarios: ordered };
  fs.writeFileSync(RESULTS, `${JSON.stringify(all, undefined, 2)}\n`);
  writeTables(all);
}

function recorded() {
  return fs.existsSync(RESULTS) ? JSON.parse(fs.readFileSync(RESULTS, "utf8")) : {};
}

function writeTables(all) {
  fs.writeFileSync(README, readme(fs.readFileSync(README, "utf8"), all));
}
