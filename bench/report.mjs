// Tables of results: which goals are met and by how much others are missed, where fsynth loses, and every figure.

import { BEST, scenarios } from "./scenarios.mjs";

const BEGIN = "<!-- made by npm run bench; do not edit -->";
const END = "<!-- end of what npm run bench makes -->";

/** The README with the tables of `all` results (`disk`, `tmpfs`) between its markers. */
export function readme(text, all) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`bench/README.md lacks its markers "${BEGIN}" and "${END}"`);
  const chapters = Object.entries(all).map(
    ([where, results]) => `### Outputs on ${where === "disk" ? "a disk" : "a tmpfs"}\n\n${chapter(results)}`,
  );
  return `${text.slice(0, begin + BEGIN.length)}\n\n${chapters.join("\n")}\n${text.slice(end)}`;
}

/** Everything about one set of results, as Markdown. */
export function chapter(results) {
  const measured = scenarios.flatMap((scenario) => {
    const result = results.scenarios[scenario.name];
    return result ? [{ scenario, result }] : [];
  });
  const rows = measured.flatMap(({ scenario, result }) =>
    scenario.goals.map((goal) => goalRow(goal, scenario, result, results.output)),
  );
  return [
    machineLine(results),
    table(
      ["work", "fsynth", "against", "its time", "measured", "goal", ""],
      rows.map((row) => row.cells),
    ),
    losses(measured, rows),
    table(
      ["work", "command", "wall, s", "least – most", "CPU, s", "peak, MiB", "output, MiB", "on disk, MiB", "runs", "remarks"],
      measured.flatMap(({ scenario, result }) =>
        result.commands.map((command) =>
          figureRow(scenario, command, result.fsynth === results.fsynth ? undefined : result.fsynth),
        ),
      ),
    ),
  ].join("\n");
}

function machineLine({ date, fsynth, machine, tools, meter, output, load, archives }) {
  const list = (object, show) =>
    Object.entries(object)
      .map(([name, value]) => `${name} ${show(value)}`)
      .join(", ");
  const lines = [
    `${date}, fsynth ${fsynth}, Node ${machine.node.slice(1)}; times and memory by ${meter}; load ${load} at the start.`,
    `${machine.system}, Linux ${machine.kernel}, ${machine.cores} × ${machine.cpu}, ${machine.memoryGiB} GiB; outputs on ${output}.`,
    `Tools: ${list(tools, String)}.`,
    ...(Object.keys(archives).length > 0 ? [`Corpora, bytes: ${list(archives, String)}.`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * A goal as measured: `met`, by how much it was `missed` in words, and the cells of its row. `open` says why there is
 * nothing to compare.
 */
function goalRow(goal, scenario, result, output) {
  const [ours, ...others] = result.commands;
  const told =
    ours.wall === undefined
      ? { open: ours.missing ?? `failed: ${ours.failed}` }
      : compare(goal, ours, others, result.entries, output);
  const { other, against = goal.against ?? "", time = "", measured = "", wanted = "", missed, open } = told;
  const verdict = open ? `not measured: ${open}` : missed ? `**missed by ${missed}**` : "met";
  return {
    met: open ? undefined : !missed,
    scenario,
    other,
    text: `${scenario.work}: ${against ? `against ${against}: ` : ""}${measured}, goal ${wanted}, missed by ${missed}`,
    cells: [scenario.work, seconds(ours.wall), against, time, measured, wanted, verdict],
  };
}

function compare(goal, ours, others, entries, output) {
  const overBy = (value, limit) => (value <= limit ? undefined : percent(value / limit - 1));
  if (goal.peak !== undefined) {
    const missed = overBy(ours.peak, goal.peak * 2 ** 20);
    return { measured: `peak ${mib(ours.peak)} MiB`, wanted: `≤ ${goal.peak} MiB`, missed };
  }
  if (goal.entryPeak !== undefined) {
    const bytes = ours.peak / entries;
    const missed = overBy(bytes, goal.entryPeak);
    return { measured: `peak ${Math.round(bytes)} bytes an entry`, wanted: `≤ ${goal.entryPeak} bytes`, missed };
  }
  if (goal.seconds !== undefined) {
    return { measured: seconds(ours.wall), wanted: `≤ ${seconds(goal.seconds)}`, missed: overBy(ours.wall, goal.seconds) };
  }
  const limit = output === "tmpfs" ? (goal.onTmpfs ?? goal.most) : goal.most;
  const wanted = goal.plus === undefined ? `≤ ${factor(limit)} ×` : `≤ + ${seconds(goal.plus)}`;
  const other = goal.against === BEST ? best(others) : others.find(({ name }) => name === goal.against);
  if (other?.wall === undefined) return { wanted, open: other?.missing ?? other?.failed ?? "no peer is here" };
  const against = goal.against === BEST ? `${BEST}: ${other.name}` : goal.against;
  const time = seconds(other.wall);
  if (goal.plus === undefined) {
    const ratio = ours.wall / other.wall;
    return { other, against, time, measured: `${factor(ratio)} ×`, wanted, missed: overBy(ratio, limit) };
  }
  const more = ours.wall - other.wall;
  const measured = `${more < 0 ? "−" : "+"} ${seconds(Math.abs(more))}`;
  return { other, against, time, measured, wanted, missed: more <= goal.plus ? undefined : seconds(more - goal.plus) };
}

/** The fastest peer that made an image, whatever its judge says of it. */
function best(others) {
  const able = others.filter(({ floor, wall }) => !floor && wall !== undefined);
  return able.sort((a, b) => a.wall - b.wall)[0];
}

/** Plain sentences: goals that are missed, and tools that are faster without a goal having told so. */
function losses(measured, rows) {
  const known = rows.filter(({ met }) => met !== undefined);
  const missed = known.filter(({ met }) => !met);
  const lines = missed.map(({ text }) => `- ${text}.`);
  for (const { scenario, result } of measured) {
    const [ours, ...others] = result.commands;
    for (const other of others) {
      const told = missed.some((row) => row.scenario === scenario && row.other === other);
      if (other.floor || told || ours.wall === undefined || other.wall === undefined || other.wall >= ours.wall) continue;
      const wrong = other.judged?.includes("complains") ? ` (${other.judged})` : "";
      lines.push(`- ${scenario.work}: ${other.name} is faster, ${seconds(other.wall)} against ${seconds(ours.wall)}${wrong}.`);
    }
  }
  const open = rows.length - known.length;
  const notMeasured = open ? `, ${open} not measured` : "";
  const count = `${known.length - missed.length} of ${rows.length} goals are met, ${missed.length} missed${notMeasured}.`;
  return lines.length === 0 ? `${count}\n` : `${count} Where fsynth loses:\n\n${lines.join("\n")}\n`;
}

/** `version` is that of fsynth where it is not the one that the rest was measured with. */
function figureRow(scenario, command, version) {
  const remarks = [command.missing, command.failed, command.note, command.judged].filter(Boolean);
  if (version && command.name === "fsynth") remarks.push(`fsynth ${version}`);
  if (command.heapPerEntry) remarks.push(`holds ${command.heapPerEntry} bytes of heap an entry`);
  if (command.wall === undefined) return [scenario.work, command.name, "–", "", "", "", "", "", "", remarks.join("; ")];
  const { wall, least, most, cpu, peak, size, allocated, runs } = command;
  const sizes = size === undefined ? ["", ""] : [mib(size), mib(allocated)];
  return [
    scenario.work,
    command.name,
    digits(wall),
    `${digits(least)} – ${digits(most)}`,
    digits(cpu),
    mib(peak),
    ...sizes,
    String(runs),
    remarks.join("; "),
  ];
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}

const mib = (bytes) => (bytes / 2 ** 20).toFixed(bytes < 100 * 2 ** 20 ? 1 : 0);
const percent = (share) => `${share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;
const factor = (ratio) => (ratio < 0.01 ? ratio.toPrecision(2) : ratio.toFixed(2));
const digits = (value) => value.toFixed(value < 0.1 ? 4 : value < 10 ? 3 : 1);

function seconds(value) {
  if (value === undefined) return "–";
  return value < 0.1 ? `${(value * 1000).toFixed(1)} ms` : `${value.toFixed(value < 10 ? 2 : 0)} s`;
}
