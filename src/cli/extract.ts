// `fsynth extract`: what an image holds, as a directory or as a tar.

import { type Command, Option } from "commander";
import { host } from "#host";
import { buildTar } from "../build.ts";
import type { Progress } from "../image/image.ts";
import type { Warning } from "../image/plan.ts";
import { parseBytes } from "../image/size.ts";
import { compressionFor } from "../sinks/compress.ts";
import { type Extracted, extractTree } from "../sinks/extract.ts";
import { resolveOutput } from "../sinks/output.ts";
import { Tree } from "../tree/tree.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { hostPath } from "./path.ts";
import { note, print } from "./print.ts";
import { amount, progressBar } from "./progress.ts";
import { standardInput } from "./standard-input.ts";
import { humanSummary, jsonSummary } from "./summary.ts";

const HELP = `
IMAGE is any image or archive that fsynth opens, plain or compressed by gzip or zstd; - is standard input. All that is in it is
extracted, a lost+found too.

-C writes into DIR, which must be empty or not there yet, and never outside of it. Owners, devices and set-id bits take root. What
cannot be kept is told once, with counts: xattrs (see --xattrs), times below a microsecond, sockets, and without root owners and
devices. --tar keeps all of it but sockets, which tar does not have; the same image gives the same tar.

Examples:
  fsynth extract root.ext4 -C rootfs
  fsynth extract root.ext4 --tar rootfs.tar.zst
  fsynth extract root.ext4 --tar - | tar --xattrs --xattrs-include='*' --numeric-owner -xpC rootfs`;

interface ExtractFlags {
  readonly directory?: string;
  readonly tar?: string;
  readonly xattrs?: "none" | "setfattr";
  readonly exclude: readonly string[];
  readonly allowLoss?: true;
  readonly spoolDir?: string;
  readonly maxBytes?: number;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
  readonly progress: boolean;
}

/** Runs `fsynth extract`; gives the exit status. */
export async function extractCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("extract", "IMAGE (-C DIR | --tar FILE) [options]", "Takes what an image holds out of it.");
  addFlags(command);
  command.addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const flags = command.opts<ExtractFlags>();
  const [image, ...more] = command.args;
  if (image === undefined) throw usage("no IMAGE given: a file, a block device, or - for standard input");
  if (more.length > 0) throw usage(`fsynth extract takes one IMAGE, found "${more[0]}" as well`);
  if ((flags.directory === undefined) === (flags.tar === undefined)) {
    throw usage(
      `${flags.tar === undefined ? "no" : "more than one"} place to extract to given: -C with a directory, or --tar with a file`,
    );
  }
  if (flags.tar !== undefined && flags.xattrs !== undefined)
    throw usage("--xattrs goes with -C; a tar has them anyway", "xattrs");
  if (flags.directory !== undefined && flags.allowLoss)
    throw usage("--allow-loss goes with --tar; -C tells what is lost", "allowLoss");
  return flags.directory === undefined ? await toTar(image, flags) : await toDirectory(image, flags.directory, flags);
}

function addFlags(command: Command): void {
  const flags = [
    new Option("-C, --directory <DIR>", "Extracts into DIR, which is empty or not there yet."),
    new Option("--tar <FILE>", "Writes a tar; - is standard output. Ending in .gz or .zst, it is compressed."),
    new Option("--xattrs <none|setfattr>", "How -C sets xattrs: not (the default), or by the tool setfattr.").choices([
      "none",
      "setfattr",
    ]),
    new Option("--exclude <GLOB>", "Leaves out what matches; without a slash: names at any depth. Can be repeated.")
      .argParser((glob, before: readonly string[]) => [...before, glob])
      .default([], "nothing"),
    new Option("--allow-loss", "Leaves sockets out of the tar, with a warning that counts, instead of refusing."),
    new Option("--spool-dir <DIR>", "Where images that cannot be read twice are unpacked to. Default: TMPDIR."),
    new Option("--max-bytes <BYTES>", "How much a stream or a compressed image may hold unpacked. Default: 64G.").argParser(
      (text) => {
        const bytes = parseBytes(text);
        if (bytes === undefined || bytes < 1) throw usage(`option --max-bytes is "${text}"; expected an amount such as 100G`);
        return bytes;
      },
    ),
    new Option("--force", "Writes the tar into a block device."),
    new Option("--json", "Tells what was done as one JSON object on standard output (with --tar - on standard error)."),
    new Option("-q, --quiet", "Tells only of warnings and errors."),
    new Option("--no-progress", "Shows no progress bar; without a terminal there is none anyway."),
  ];
  for (const flag of flags) command.addOption(flag);
}

function warn({ message }: Warning): void {
  note(`fsynth: warning: ${message}`);
}

async function treeOf(image: string, flags: ExtractFlags, onWarning: (warning: Warning) => void): Promise<Tree> {
  if (image !== "-" && host.files.stat(hostPath(image))?.kind === "directory") {
    throw usage(`"${image}" is a directory, expected an image; fsynth build -f tar packs directories`);
  }
  const { addSource } = await import("../sources/source.ts");
  const tree = new Tree();
  await addSource(tree, image === "-" ? standardInput("an image") : hostPath(image), {
    keepLostFound: true,
    exclude: flags.exclude,
    spoolDirectory: flags.spoolDir === undefined ? undefined : hostPath(flags.spoolDir),
    maxBytes: flags.maxBytes,
    onWarning,
  });
  return tree;
}

async function withBar<T>(
  label: string,
  flags: ExtractFlags,
  work: (onProgress: ((progress: Progress) => void) | undefined) => Promise<T>,
): Promise<T> {
  const bar = flags.quiet || !flags.progress ? undefined : progressBar(label);
  try {
    return await work(bar && ((progress) => bar.update(progress)));
  } finally {
    bar?.clear();
  }
}

/** What the tar of the hint keeps. */
const KEPT_BY_TAR = new Set(["xattrs", "times", "owners", "set-id", "devices", "fifos"]);

async function toDirectory(image: string, directory: string, flags: ExtractFlags): Promise<number> {
  const earlier: Warning[] = [];
  const tree = await treeOf(image, flags, (warning) => {
    earlier.push(warning);
    warn(warning);
  });
  const path = hostPath(directory);
  const done = await withBar(path, flags, (onProgress) => extractTree(tree, path, { xattrs: flags.xattrs, onProgress }));
  for (const warning of done.warnings) warn(warning);
  if (done.warnings.some(({ code }) => KEPT_BY_TAR.has(code))) {
    const way = `fsynth extract ${word(image)} --tar - | tar --xattrs --xattrs-include='*' --numeric-owner -xpC`;
    note(`fsynth: to keep them, as root: ${way} ${word(directory)}`);
  }
  if (flags.json) return await print(`${JSON.stringify({ ...done, warnings: [...earlier, ...done.warnings] })}\n`);
  if (!flags.quiet) note(summary(path, done));
  return 0;
}

function summary(path: string, { entries, bytes }: Extracted): string {
  return `${path}: ${entries} entries, ${amount(bytes)}`;
}

async function toTar(image: string, flags: ExtractFlags): Promise<number> {
  const out = flags.tar === "-" ? "-" : hostPath(flags.tar ?? "");
  if (out === "-" && process.stdout.isTTY) throw usage("standard output is a terminal; give it to a pipe, or a file to --tar");
  if (out !== "-") {
    compressionFor(out, undefined);
    resolveOutput(out, flags.force);
  }
  const warnings: Warning[] = [];
  const heard = (warning: Warning): void => {
    warnings.push(warning);
    warn(warning);
  };
  const archive = buildTar(await treeOf(image, flags, heard), { allowLoss: flags.allowLoss });
  for (const warning of archive.plan.warnings) heard(warning);
  const label = out === "-" ? "standard output" : out;
  const written = await withBar(label, flags, (onProgress) =>
    archive.writeTo(out === "-" ? "/dev/stdout" : out, { force: flags.force, onProgress }),
  );
  if (flags.json) {
    const text = jsonSummary(out, archive, written, warnings);
    if (out === "-") note(text.trimEnd());
    else await print(text);
  } else if (!flags.quiet) note(humanSummary(label, archive, written));
  return 0;
}

/** A word of the shell. */
function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
