// `fsynth verify`: what a record says is built again and compared, in memory; a difference is explained.

import { Option } from "commander";
import { host } from "#host";
import { decodeName, quoteName } from "../bytes/names.ts";
import type { ImageDifferences } from "../compare/images.ts";
import { FsynthError } from "../error.ts";
import { newCommand, parse } from "./command.ts";
import { differencesJson, differencesText } from "./diff.ts";
import { STATUS, usage } from "./failure.ts";
import { hostPath } from "./path.ts";
import { print } from "./print.ts";
import { progressBar } from "./progress.ts";
import { type Compared, compared, rebuild } from "./rebuild.ts";
import { type BuildRecord, parseRecord } from "./record.ts";
import { explained, imageNow } from "./recorded-image.ts";
import { version } from "./version.ts";

const HELP = `
RECORD is what fsynth build --record wrote; - is standard input. Its sources are read again, the image is made again without being
written, and digests are compared: of the sources, the tree, the image and its compressed form, and of the image file where it
still is. A difference is explained: which source changed and, by what fsynth diff tells, what that did to the image.
SOURCE_DATE_EPOCH is not looked at; what it was stands in the record.

Relative paths in a record lead from the current folder, or that of -C.

Examples:
  fsynth build -f ext4 --record root.json -o root.ext4 base.tar overlay/
  fsynth verify root.json
  fsynth verify --json -C /srv/images root.json | jq .same

Exit status: 0 the same, 1 a difference, otherwise as fsynth build.`;

interface VerifyFlags {
  readonly json?: true;
  readonly quiet?: true;
  readonly progress: boolean;
  readonly directory?: string;
  readonly spoolDir?: string;
}

/** How a record held. */
interface Verdict {
  /** Whether what is built now is what was recorded, and the image file, where there is one, too. */
  readonly same: boolean;
  /** Sources and option files. */
  readonly inputs: readonly Compared[];
  readonly tree: Compared;
  /** What comes out: the image, its size, its UUID, its compressed form. */
  readonly outputs: readonly Compared[];
  /** The image file as it is now; undefined where there is none. */
  readonly file: Compared | undefined;
  readonly notes: readonly string[];
  /** Between the image file (A) and what is built now (B). */
  readonly differences: ImageDifferences | undefined;
}

/** Runs `fsynth verify`; gives the exit status. */
export async function verifyCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("verify", "[options] RECORD", "Builds again what a record says, and compares.");
  const options = [
    new Option("-C, --directory <DIR>", "Where relative paths of the record lead from. Default: the current folder."),
    new Option("--spool-dir <DIR>", "Where archives that cannot be read twice are unpacked to. Default: TMPDIR."),
    new Option("--json", "As one JSON object."),
    new Option("-q, --quiet", "Tells nothing; the exit status does."),
    new Option("--no-progress", "Shows no progress bar; without a terminal there is none anyway."),
  ];
  for (const option of options) command.addOption(option);
  command.addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const flags = command.opts<VerifyFlags>();
  const [path, ...more] = command.args;
  if (path === undefined) throw usage("no RECORD given: a file that fsynth build --record wrote");
  if (more.length > 0) throw usage(`fsynth verify takes one RECORD, found "${more[0]}" as well`);
  const label = path === "-" ? "standard input" : quoteName(hostPath(path));
  const record = parseRecord(decodeName(path === "-" ? await standardInput() : host.files.readFile(hostPath(path))), label);
  if (path === "-" && record.sources.some(({ argument }) => argument === "-")) {
    throw usage("the record and a source of it are both standard input (-), which can be read only once");
  }
  if (flags.directory !== undefined) enter(hostPath(flags.directory));
  const verdict = await verify(record, label, flags);
  if (flags.json) await print(`${JSON.stringify(asJson(path, record, verdict), undefined, 2)}\n`);
  else if (!flags.quiet) await print(asText(path, record, verdict));
  return verdict.same ? 0 : STATUS.found;
}

async function standardInput(): Promise<Uint8Array> {
  if (process.stdin.isTTY) throw usage("standard input (-) is a terminal, expected a record");
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array); // no encoding is set
  return Buffer.concat(chunks);
}

function enter(directory: string): void {
  try {
    process.chdir(directory);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FsynthError("io", `-C ${quoteName(directory)}: ${why}`, { path: directory }, { cause });
  }
}

async function verify(record: BuildRecord, label: string, flags: VerifyFlags): Promise<Verdict> {
  const bar = flags.quiet || !flags.progress ? undefined : progressBar(record.image.path);
  const { image, digests, inputs, tree, clamp, notes } = await rebuild(record, label, {
    spoolDir: flags.spoolDir,
    onProgress: (progress) => bar?.update(progress),
  }).finally(() => bar?.clear());
  const here = version();
  if (record.madeBy.fsynth !== here) notes.push(`recorded by fsynth ${record.madeBy.fsynth}, this is ${here}`);
  if (record.madeBy.node !== process.version) notes.push(`recorded under Node ${record.madeBy.node}, this is ${process.version}`);
  const outputs = [
    compared("image sha256", record.image.sha256, digests.sha256 ?? "another: it was not taken, since the size differs"),
    compared("image size", String(record.image.size), String(image.size)),
    compared("UUID", record.image.uuid ?? "none", image.uuid ?? "none"),
  ];
  if (record.sourceDateEpoch !== undefined) {
    outputs.push(compared("clamp by SOURCE_DATE_EPOCH", `${record.sourceDateEpoch} seconds`, clamp));
  }
  if (digests.compressed && record.compressed) {
    outputs.push(compared("compressed sha256", record.compressed.sha256, digests.compressed.sha256));
    outputs.push(compared("compressed size", String(record.compressed.size), String(digests.compressed.size)));
  }
  const file = await imageNow(record);
  if (!file && record.image.path !== "-")
    notes.push(`there is no file ${quoteName(hostPath(record.image.path))} to compare with`);
  const same = outputs.every((one) => one.same) && file?.same !== false;
  const spoolDirectory = flags.spoolDir === undefined ? undefined : hostPath(flags.spoolDir);
  const wanted = file?.same === false || digests.sha256 !== record.image.sha256;
  const differences = file && wanted ? await explained(record, image, spoolDirectory, notes) : undefined;
  return { same, inputs, tree, outputs, file, notes, differences };
}

function asJson(path: string, record: BuildRecord, { same, inputs, tree, outputs, file, notes, differences }: Verdict): object {
  return {
    record: path,
    same,
    fsynth: { recorded: record.madeBy.fsynth, here: version() },
    node: { recorded: record.madeBy.node, here: process.version },
    inputs,
    tree,
    outputs,
    file,
    notes,
    differences: differences && differencesJson(differences),
  };
}

function asText(path: string, record: BuildRecord, verdict: Verdict): string {
  const { same, inputs, tree, outputs, file, notes, differences } = verdict;
  const name = record.image.path === "-" ? "standard output" : record.image.path;
  const changed = [...inputs, tree].filter((one) => !one.same);
  if (same) {
    const what = `${path}: the same: ${record.image.format}, sha256 ${record.image.sha256}`;
    // What was worth a warning was told when the image was built.
    const news = notes.filter((note) => !note.startsWith("warning: "));
    const lines = [file ? `${what}, and so is ${name}` : what, ...changed.map(line), ...news];
    return `${lines.join("\n")}\n`;
  }
  const wrong = outputs.filter((one) => !one.same);
  const lines = [`${path}: ${wrong.length > 0 ? "what is built now is not what was recorded" : `${name} was changed`}`];
  lines.push(...changed.map(line), ...wrong.map(line));
  if (file?.same === false) lines.push(`${line(file)}; the image file is not the one that was recorded`);
  if (wrong.length > 0 && changed.length === 0) {
    lines.push(
      "the sources and their tree are the same: the options or entries of the record were edited, or fsynth has changed",
    );
  }
  lines.push(...notes);
  if (!differences) return `${lines.join("\n")}\n`;
  return `${lines.join("\n")}\nfrom ${name} to what is built now:\n${differencesText(differences)}`;
}

function line({ what, recorded, found }: Compared): string {
  return `${what}: recorded ${recorded}, found ${found}`;
}
