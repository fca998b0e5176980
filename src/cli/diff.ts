// `fsynth diff`: in what two images, archives or directories differ.

import { Option } from "commander";
import { toHex } from "../bytes/hex.ts";
import { escapeName } from "../bytes/names.ts";
import type { ByteDifferences, ByteRange } from "../compare/bytes.ts";
import { type DiffOptions, diffImages, type ImageDifferences } from "../compare/images.ts";
import { FIELDS, type Field, type TreeDifference } from "../compare/trees.ts";
import { newCommand, parse } from "./command.ts";
import { STATUS, usage } from "./failure.ts";
import { suggestion } from "./nearest.ts";
import { hostPath } from "./path.ts";
import { note, print } from "./print.ts";
import { type Bar, progressBar } from "./progress.ts";
import { addSourceFlags, type SourceFlags, sourceOptions } from "./source-options.ts";
import { standardInput } from "./standard-input.ts";

const HELP = `
A and B are images, archives (plain or compressed by gzip or zstd), directories or tree.txt files, in any mix; one of them may be - for
standard input. Trees are compared first: what B lacks is removed, what A lacks is added, and of what both have each field
that changed is told. Then, where both are images of one format, their bytes: ranges that differ, at OFFSET+LENGTH, with the
record and field that they belong to.

What one side has no place for is not compared, and a line tells what that was.

Examples:
  fsynth diff old.ext4 new.ext4
  fsynth diff --ignore owner,mtime rootfs/ root.ext4
  fsynth diff --json rootfs.tar.zst root.ffs | jq .trees

Exit status: 0 no difference, 1 differences, otherwise as fsynth build.`;

interface DiffFlags extends SourceFlags {
  readonly json?: true;
  readonly tree?: true;
  readonly bytes?: true;
  readonly ignore?: readonly Field[];
  readonly ranges?: number;
  readonly quiet?: true;
  readonly progress: boolean;
}

/** Runs `fsynth diff`; gives the exit status. */
export async function diffCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("diff", "[--json] [options] A B", "Tells in what two images, archives or directories differ.");
  const flags = [
    new Option("--json", "As one JSON object."),
    new Option("--tree", "Compares trees alone."),
    new Option("--bytes", "Compares the bytes of two images alone, also of different formats."),
    new Option("--ignore <FIELDS>", `Leaves fields of the trees alone: of ${FIELDS.join(",")}.`).argParser(fieldsOf),
    new Option("--ranges <N>", "How many ranges of differing bytes are told. Default: 20.").argParser(countOf),
    new Option("-q, --quiet", "Tells nothing; the exit status does."),
    new Option("--no-progress", "Shows no progress bar; without a terminal there is none anyway."),
  ];
  for (const flag of flags) command.addOption(flag);
  addSourceFlags(command);
  command.addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const given = command.opts<DiffFlags>();
  const [a, b, ...more] = command.args;
  if (a === undefined || b === undefined) throw usage("fsynth diff takes two: A and B");
  if (more.length > 0) throw usage(`fsynth diff takes A and B, found "${more[0]}" as well`);
  if (given.tree && given.bytes) throw usage("--tree and --bytes exclude each other; without them both are compared");
  if (a === "-" && b === "-") throw usage("standard input (-) can be read only once");
  const differences = await compared(a, b, given);
  if (given.json) await print(`${JSON.stringify(differencesJson(differences), undefined, 2)}\n`);
  else if (!given.quiet) await print(differencesText(differences));
  return differences.same ? 0 : STATUS.found;
}

function fieldsOf(text: string): readonly Field[] {
  return text.split(",").map((name) => {
    const field = FIELDS.find((known) => known === name);
    if (field) return field;
    throw usage(`--ignore: unknown field "${name}"${suggestion(name, FIELDS)}; expected one of ${FIELDS.join(", ")}`, "ignore");
  });
}

function countOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw usage(`option --ranges is "${text}"; expected a number`, "ranges");
  return Number(text);
}

async function compared(a: string, b: string, flags: DiffFlags): Promise<ImageDifferences> {
  let bar: { readonly what: string; readonly bar: Bar | undefined } | undefined;
  const options: DiffOptions = {
    ...sourceOptions(flags, ({ message }) => note(`fsynth: warning: ${message}`)),
    holes: flags.holes,
    compare: flags.tree ? "trees" : flags.bytes ? "bytes" : "auto",
    ignore: flags.ignore,
    ranges: flags.ranges,
    onProgress(what, progress) {
      if (flags.quiet || !flags.progress) return;
      if (bar?.what !== what) {
        bar?.bar?.clear();
        bar = { what, bar: progressBar(what) };
      }
      bar.bar?.update(progress);
    },
  };
  const side = (text: string): string | NodeJS.ReadStream => {
    return text === "-" ? standardInput("an image or an archive") : hostPath(text);
  };
  try {
    return await diffImages(side(a), side(b), options);
  } finally {
    bar?.bar?.clear();
  }
}

/** Differences as they go into JSON. */
export function differencesJson({ trees, bytes, ...rest }: ImageDifferences): object {
  return {
    ...rest,
    trees: trees?.map((difference) => ({ ...difference, path: escapeName(difference.path) })),
    bytes: bytes && { ...bytes, ranges: bytes.ranges.map((range) => ({ ...range, a: toHex(range.a), b: toHex(range.b) })) },
  };
}

/** Differences for a person to read. */
export function differencesText({ same, formats, sizes, trees, bytes, notCompared }: ImageDifferences): string {
  const lines = (trees ?? []).map(treeLine);
  const [a, b] = formats;
  if (same && bytes) lines.push(`no difference: ${sizes[0]} bytes of ${a === b ? a : `${a} and ${b}`}`);
  else {
    if (trees) lines.push(`trees: ${trees.length === 0 ? `no difference (${a}, ${b})` : `${counted(trees)}`}`);
    if (bytes) lines.push(...byteLines(bytes));
  }
  const left = new Map<string, string[]>();
  for (const { field, why } of notCompared) left.set(why, [...(left.get(why) ?? []), field]);
  if (left.size > 0) lines.push(`not compared: ${[...left].map(([why, fields]) => `${fields.join(", ")} (${why})`).join("; ")}`);
  return `${lines.join("\n")}\n`;
}

function treeLine({ path, change, field, a, b }: TreeDifference): string {
  const name = escapeName(path);
  if (change === "removed") return `removed ${name} (${a})`;
  if (change === "added") return `added ${name} (${b})`;
  return `changed ${name}: ${field} ${a} -> ${b}`;
}

/** `3 differences: entry 2, mode 1`. */
function counted(trees: readonly TreeDifference[]): string {
  const counts = new Map<string, number>();
  for (const { change, field } of trees) {
    const what = change === "changed" ? field.replace(/^xattr .*/s, "xattrs") : change;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const most = [...counts].sort(([x, n], [y, m]) => m - n || (x < y ? -1 : 1)).map(([what, count]) => `${what} ${count}`);
  return `${trees.length} difference${trees.length === 1 ? "" : "s"}: ${most.join(", ")}`;
}

function byteLines({ sizes: [a, b], differing, ranges, shown, uses }: ByteDifferences): string[] {
  const common = Math.min(a, b);
  const parts = uses.map(({ use, bytes }) => `${use} ${bytes}`).join(", ");
  const lines = [`bytes: ${differing} of ${common} differ${parts === "" ? "" : ` (${parts})`}`];
  const places = ranges.map(({ offset, length }) => `${offset}+${length}`);
  const width = Math.max(0, ...places.map((place) => place.length));
  ranges.forEach((range, i) => {
    lines.push(`  ${(places[i] ?? "").padEnd(width)}  ${rangeText(range)}`);
  });
  if (shown < differing) lines.push(`  and ${differing - shown} bytes more; --ranges tells more of them`);
  if (a !== b) lines.push(`size: ${a} -> ${b} bytes; the ${Math.abs(a - b)} that only ${a > b ? "A" : "B"} has are not compared`);
  return lines;
}

function rangeText({ length, differing, what, elsewhere, a, b }: ByteRange): string {
  const count = differing === length || length <= a.length ? "" : ` (${differing} differ)`;
  const other = elsewhere === undefined ? "" : ` (in B: ${elsewhere})`;
  const more = length > a.length ? " …" : "";
  return `${what}${other}${count}: ${spaced(a)}${more} -> ${spaced(b)}${more}`;
}

/** In the order of the image. */
function spaced(bytes: Uint8Array): string {
  return toHex(bytes).replaceAll(/..(?=.)/g, "$& ");
}
