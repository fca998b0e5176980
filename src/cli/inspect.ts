// `fsynth inspect`: what an image is, how its groups are used, and what takes the space.

import type { Inspection } from "../image/volume.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { print } from "./print.ts";
import { amount } from "./progress.ts";
import { openArgument } from "./volume.ts";

const HELP = `
IMAGE is any image that fsynth opens; - is standard input. Changes nothing.

Examples:
  fsynth inspect root.ext4
  fsynth inspect --json root.ext4 | jq .space`;

/** Groups that are shown; --json has all. */
const GROUPS_SHOWN = 64;

/** Runs `fsynth inspect`; gives the exit status. */
export async function inspectCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("inspect", "[--json] IMAGE", "Tells what an image is and what takes its space.")
    .option("--json", "As one JSON object.")
    .addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const [image, ...more] = command.args;
  if (more.length > 0) throw usage(`fsynth inspect takes one IMAGE, found "${more[0]}" as well`);
  const inspection = (await openArgument(image)).inspect();
  return await print(command.opts<{ json?: true }>().json ? `${JSON.stringify(inspection, undefined, 2)}\n` : asText(inspection));
}

function asText({ format, size, facts, features, groups, space, fragmentation }: Inspection): string {
  const rows: [string, string][] = [
    ["format", format],
    ["size", `${size} bytes (${amount(size)})`],
    ...Object.entries(facts).map(([name, value]): [string, string] => [name, value === "" ? "none" : String(value)]),
  ];
  if (features.length > 0) rows.push(["features", features.join(" ")]);
  const { files, fragmented, runs } = fragmentation;
  rows.push(["files with data", `${files} in ${runs} runs; ${fragmented} in more than one`]);
  const sections = [table(rows)];
  const total = space.reduce((sum, { bytes }) => sum + bytes, 0);
  const shares = space.map(({ use, bytes }): [string, string] => [
    use,
    `${amount(bytes).padStart(11)}  ${((bytes / Math.max(total, 1)) * 100).toFixed(1).padStart(5)} %`,
  ]);
  if (shares.length > 0) sections.push(`space\n${table(shares, "  ")}`);
  if (groups.length > 0) sections.push(groupTable(groups));
  return sections.join("\n");
}

function table(rows: readonly (readonly [string, string])[], indent = ""): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${indent}${name.padEnd(width)}  ${value}\n`).join("");
}

function groupTable(groups: Inspection["groups"]): string {
  const shown = groups.slice(0, GROUPS_SHOWN);
  const names = Object.keys(shown[0] ?? {});
  const lines = [names, ...shown.map((group) => names.map((name) => String(group[name] ?? "")))];
  const widths = names.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const text = lines.map((line) => `  ${line.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  ")}\n`).join("");
  const rest = groups.length - shown.length;
  return `groups\n${text}${rest > 0 ? `  and ${rest} more, which --json has\n` : ""}`;
}
