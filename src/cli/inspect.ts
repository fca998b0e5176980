// `fsynth inspect`: what an image is, how its groups are used, and what takes the space.

import { host } from "#host";
import { escapeName } from "../bytes/names.ts";
import type { Inspection, Volume } from "../image/volume.ts";
import { resolveOutput } from "../sinks/output.ts";
import { makeTemporary } from "../sinks/temporary.ts";
import { recordLines } from "../sources/records.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { hostPath } from "./path.ts";
import { print } from "./print.ts";
import { amount } from "./progress.ts";
import { imageArgument, openArgument } from "./volume.ts";

const HELP = `
IMAGE is any image that fsynth opens; - is standard input. Changes nothing.

--html writes one page that needs nothing else: the map of all blocks, whose they are, groups, files in pieces. An older FILE is
replaced; - is standard output.

--records prints every record as it stands in the image, its fields by their names in the specification: superblocks, descriptors, maps,
inodes, extents and pointers, directory entries, extended attributes, the journal's superblock; headers of archives. Each line starts
with the record's place in bytes. Fields that are zero are named with the first record of their kind alone.

Examples:
  fsynth inspect root.ext4
  fsynth inspect --html root.html root.ext4
  fsynth inspect --records root.ext4 | less
  fsynth inspect --json root.ext4 | jq .space`;

/** Groups that are shown; --json has all. */
const GROUPS_SHOWN = 64;

/** Runs `fsynth inspect`; gives the exit status. */
export async function inspectCommand(args: readonly string[]): Promise<number> {
  const command = newCommand(
    "inspect",
    "[--json|--html FILE|--records] IMAGE",
    "Tells what an image is and what takes its space.",
  )
    .option("--json", "As one JSON object.")
    .option("--html <FILE>", "As a page that draws the map of the blocks.")
    .option("--records", "Every record with its fields by name.")
    .addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const [image, ...more] = command.args;
  if (more.length > 0) throw usage(`fsynth inspect takes one IMAGE, found "${more[0]}" as well`);
  const { json, html, records } = command.opts<{ json?: true; html?: string; records?: true }>();
  if (json && html !== undefined) throw usage("--json and --html exclude each other");
  if (records && (json || html !== undefined)) throw usage(`--records and --${json ? "json" : "html"} exclude each other`);
  if (records) return await printRecords(image);
  const volume = await openArgument(image);
  if (html !== undefined) return await writePage(html, image ?? "", volume);
  const inspection = volume.inspect();
  return await print(json ? `${JSON.stringify(inspection, undefined, 2)}\n` : asText(inspection));
}

/** Characters that are printed at once. */
const PIECE = 1 << 16;

async function printRecords(image: string | undefined): Promise<number> {
  let text = "";
  for await (const line of recordLines(imageArgument(image))) {
    text += `${line}\n`;
    if (text.length < PIECE) continue;
    await print(text);
    text = "";
  }
  return await print(text);
}

async function writePage(file: string, image: string, volume: Volume): Promise<number> {
  const { inspectionPage } = await import("./inspect-html.ts");
  const page = inspectionPage(image === "-" ? "standard input" : escapeName(image.slice(image.lastIndexOf("/") + 1)), volume);
  if (file === "-") return await print(page);
  const output = resolveOutput(hostPath(file));
  const bytes = new TextEncoder().encode(page);
  if (output.kind === "file") {
    const temporary = makeTemporary(output);
    try {
      temporary.handle.writeAt(0, bytes);
      temporary.commit(false);
    } catch (error) {
      temporary.discard();
      throw error;
    }
  } else if (output.kind === "outlet") {
    const outlet = await host.files.openOutlet(output.to);
    try {
      await outlet.write(bytes);
    } finally {
      outlet.close();
    }
  }
  return 0;
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
