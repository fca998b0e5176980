// One scenario: every command of it warmed up and judged, then measured in turn.

import { spawnSync } from "node:child_process";
import { measure } from "./meter.mjs";

/** Seconds that one run of one command may take. */
const LIMIT = 300;

/** A scenario in which fsynth takes less than so many seconds has three times as many rounds: there the noise is larger. */
const SHORT = 0.5;

/** A command that takes fewer seconds runs twice each time, and the second run counts: see the method in README.md. */
const TWICE = 8;

const JUDGES = {
  e2fsck: ["e2fsck", "-fn"],
  "bsdtar -tf": ["bsdtar", "-tf"],
  fls: ["fls", "-f", "ufs", "-r"],
};

/**
 * All commands of a scenario once to warm up (outputs are judged then), then in turn, so that drift meets all alike. Gives
 * what results.json keeps of it; `tell` is called with how far it is.
 */
export function runScenario(scenario, { ...context }, tell) {
  const commands = [{ name: "fsynth", command: scenario.ours }, ...scenario.peers];
  const absent = scenario.prepare?.(context);
  if (absent) return { work: scenario.work, commands: commands.map(({ name }) => ({ name, missing: absent })) };
  const told = [];
  const live = [];
  let rounds = context.runs;
  for (const entry of commands) {
    const result = { name: entry.name, ...(entry.floor ? { floor: true } : {}), ...(entry.note ? { note: entry.note } : {}) };
    told.push(result);
    const missing = entry.missing?.(context) ?? (entry.needs ?? []).map(notHere).find((sentence) => sentence);
    if (missing) {
      result.missing = missing;
      continue;
    }
    const command = entry.command(context);
    const warming = measure(context.meter, command, context.outputs, LIMIT);
    tell(`  ${entry.name}: ${warming.failed ?? `${warming.wall.toFixed(3)} s`} (warming up)\n`);
    if (warming.failed) {
      result.failed = warming.failed;
      if (entry === commands[0]) break; // without ours there is nothing to compare
      continue;
    }
    const most = entry.once ? 1 : (entry.most ?? Infinity);
    const state = { result, command, most, samples: [], factor: entry.factor ?? 1, twice: warming.wall < TWICE };
    if (entry === commands[0] && warming.wall < SHORT) rounds *= 3;
    if (command.summary) context.summary = warming.printed;
    if (scenario.judge && warming.size !== undefined && !entry.factor && !entry.floor)
      judge(scenario.judge, warming.image, result);
    if (entry.once) state.samples.push(warming);
    live.push(state);
  }
  if (told[0].failed) return { work: scenario.work, commands: told };
  for (let round = 0; round < rounds; round++) {
    for (const state of live) {
      if (state.samples.length >= state.most || state.result.failed) continue;
      if (state.twice) measure(context.meter, state.command, context.outputs, LIMIT);
      const sample = measure(context.meter, state.command, context.outputs, LIMIT);
      if (sample.failed) state.result.failed = sample.failed;
      else state.samples.push(sample);
    }
    tell(`  round ${round + 1} of ${rounds}\r`);
  }
  tell("\n");
  for (const { result, samples, factor } of live) if (!result.failed) Object.assign(result, figures(samples, factor));
  return { work: scenario.work, ...(scenario.entries ? { entries: scenario.entries } : {}), commands: told };
}

function notHere(program) {
  const done = spawnSync("sh", ["-c", 'command -v "$0"', program]);
  return done.status === 0 ? undefined : `${program} is not installed`;
}

/** A foreign judge on the output of a warm-up. A bad image of ours ends the bench; a peer's is told. */
function judge(name, image, result) {
  const [program, ...args] = JUDGES[name];
  const missing = notHere(program);
  if (missing) {
    result.judged = missing;
    return;
  }
  const done = spawnSync(program, [...args, image], { encoding: "utf8", maxBuffer: 256 << 20 });
  if (done.status !== 0 && result.name === "fsynth") {
    throw new Error(`${name} on fsynth's image ended with ${done.status}:\n${done.stdout}${done.stderr}`);
  }
  result.judged = done.status === 0 ? `${name}: clean` : `${name} complains (exit ${done.status})`;
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
