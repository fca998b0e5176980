#!/usr/bin/env node
// Measures time and memory against entries and bytes, and draws them: bench/scaling.json, bench/scaling.svg.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { svg } from "./chart.mjs";
import { machine, ourselves } from "./machine.mjs";
import { makeMeter, measure } from "./meter.mjs";
import { nodeScript } from "./peers.mjs";

const HELP = `usage: node bench/scaling.mjs [--runs N] [--quick] [--draw]

  --runs N   runs of each point, of which the median counts (default 3)
  --quick    only the points up to 100,000 entries and 1 GB; prints, and writes nothing
  --draw     measures nothing; draws bench/scaling.json anew

Each point is a process of its own. The tree is synthetic and made before the clock starts; the clock covers planning and
every byte of the image through the stream sink, where they are counted and dropped. No disk is in it. Memory is the peak
of the whole process, the tree included.
`;

const FORMATS = ["ext4", "ffs2", "cpio"];
const ENTRIES = [1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6];
const BYTES = [1e6, 1e7, 1e8, 1e9, 5e9, 2e10];
const JSON_FILE = join(import.meta.dirname, "scaling.json");
const SVG_FILE = join(import.meta.dirname, "scaling.svg");

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    draw: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else if (values.draw) draw(JSON.parse(fs.readFileSync(JSON_FILE, "utf8")));
else scaling();

function scaling() {
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs is "${values.runs}", expected a whole number from 1 on`);
  const work = fs.mkdtempSync(join(tmpdir(), "fsynth-scaling-"));
  process.once("exit", () => fs.rmSync(work, { recursive: true, force: true }));
  const meter = makeMeter(work);
  const points = [];
  for (const [kind, counts, most] of [
    ["entries", ENTRIES, 1e5],
    ["bytes", BYTES, 1e9],
  ]) {
    for (const count of counts) {
      if (values.quick && count > most) continue;
      for (const format of FORMATS) points.push({ format, kind, count, ...point(format, kind, count) });
    }
  }
  const result = { date: new Date().toISOString().slice(0, 10), fsynth: ourselves(), machine: machine(), runs, points };
  if (values.quick) return;
  fs.writeFileSync(JSON_FILE, `${JSON.stringify(result, undefined, 1)}\n`);
  draw(result);

  function point(format, kind, count) {
    const command = { ...nodeScript("scaling-point.mjs", format, kind, String(count)), reports: true };
    const samples = [];
    for (let run = 0; run < runs; run++) {
      const sample = measure(meter, command, join(work, "outputs"), 600);
      if (sample.failed) throw new Error(`${format}, ${count} ${kind}: ${sample.failed}`);
      samples.push(sample);
    }
    const median = (pick) => samples.map(pick).sort((a, b) => a - b)[samples.length >> 1];
    const found = { seconds: median(({ wall }) => wall), peak: median(({ peak }) => peak) };
    process.stderr.write(`${format} ${count} ${kind}: ${found.seconds.toFixed(3)} s, ${Math.round(found.peak / 2 ** 20)} MiB\n`);
    return found;
  }
}

function draw({ points }) {
  const count = (value) => (value >= 1e6 ? `${value / 1e6} M` : value >= 1e3 ? `${value / 1e3} k` : String(value));
  const bytes = (value) => (value >= 1e9 ? `${value / 1e9} GB` : value >= 1e6 ? `${value / 1e6} MB` : `${value / 1e3} kB`);
  const seconds = (value) => (value >= 1 ? `${value} s` : `${Number((value * 1e3).toPrecision(3))} ms`);
  const panel = (title, kind, x, y, pick) => {
    const series = FORMATS.map((format) => ({
      name: format,
      points: points.filter((point) => point.format === format && point.kind === kind).map((point) => [point.count, pick(point)]),
    }));
    // The reference goes through the last point of the first format.
    return { title, x, y, series, linear: series[0].points.at(-1) };
  };
  const entriesAxis = { label: "entries", show: count };
  const bytesAxis = { label: "bytes of content in 64 files", show: bytes };
  const time = { show: seconds };
  const memory = { show: bytes };
  const drawn = svg("Time and peak memory against entries and bytes", [
    panel("Time: entries of 64 bytes", "entries", entriesAxis, time, (point) => point.seconds),
    panel("Time: bytes", "bytes", bytesAxis, time, (point) => point.seconds),
    panel("Peak memory: entries of 64 bytes", "entries", entriesAxis, memory, (point) => point.peak),
    panel("Peak memory: bytes", "bytes", bytesAxis, memory, (point) => point.peak),
  ]);
  fs.writeFileSync(SVG_FILE, drawn);
}
