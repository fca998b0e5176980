// `fsynth build`: sources in, an image out.

import { type Command, Option } from "commander";
import { writers } from "../../formats/writers.ts";
import { type BuildOptions, buildImage } from "../build.ts";
import type { Image, WriteToOptions, Written } from "../image/image.ts";
import { resolveOptions, treeOptions } from "../image/options.ts";
import type { Warning } from "../image/plan.ts";
import { compressionFor } from "../sinks/compress.ts";
import { resolveOutput } from "../sinks/output.ts";
import { contentSeed } from "../tree/content-seed.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { loadFiles } from "./file-options.ts";
import { chosenFormat, formatArgument, formatNamed, optionInputs, profileNames } from "./format-choice.ts";
import { addTableFlags, checkGiven } from "./format-options.ts";
import type { Ledger } from "./ledger.ts";
import { leaveOutOutput } from "./output-in-source.ts";
import { hostPath } from "./path.ts";
import { note, print } from "./print.ts";
import { progressBar } from "./progress.ts";
import { catchSignals, releaseSignals } from "./signals.ts";
import { addSourceFlags, readSources } from "./source-options.ts";
import { humanSummary, jsonSummary } from "./summary.ts";

interface BuildFlags {
  readonly format?: string;
  readonly output?: string;
  readonly optionsFrom?: string;
  readonly compress?: "none" | "gzip" | "zstd";
  readonly fsync?: true;
  readonly force?: true;
  readonly sha256?: true;
  readonly record?: string;
  readonly pin?: string;
  readonly updatePins?: true;
  readonly dryRun?: true;
  readonly json?: true;
  readonly quiet?: true;
  readonly progress: boolean;
  readonly exclude: readonly string[];
}

const EXAMPLES = `
SOURCE is a directory, a tar, cpio or image (plain, .gz, .zst), a tree.txt or - for one of them on standard input; what it is shows in
its content, not in its name. Later sources are laid over earlier ones. In paths, \\xNN stands for a byte.

Examples:
  fsynth build -f ext4 -o root.ext4 rootfs/                         a directory, as large as it must be
  fsynth build -f ext4 --size fit+20% -o root.ext4 rootfs.tar.zst   with room to grow
  fsynth build -f ext2 -o initrd.ext2.gz base.tar overlay/          two layers, compressed
  fsynth build -f cpio -o initrd.cpio.gz initramfs/                 an initramfs
  docker export NAME | fsynth build -f ext4 -o - - | sha256sum      through pipes
  fsynth build -f ext4 --owner 0:0 --mtime 0 -o root.ext4 rootfs/   everything root's, all times 1970
  fsynth build -f ext2 -o root.ext2 root.ext4                       another format
  fsynth build --options-from old.ext4 -o new.ext4 rootfs/          as large as another image, its UUID, its features
  fsynth build -f ext4 --record root.json -o root.ext4 base.tar     for fsynth verify root.json
  fsynth build -f ext4 --pin SHA256SUMS -o root.ext4 base.tar       of sources with these digests or not at all

The same sources and options give the same bytes, always. UUIDs derive from the metadata of the tree (not from what is in
the files: --uuid content takes that in, too) and from the options. SOURCE_DATE_EPOCH is the default of --clamp-mtime.

Exit status: 0 done, 2 usage, 3 bad or unsupported input, 4 the system failed, 70 a bug of fsynth, 130, 143 interrupted,
141 a closed pipe. A build that fails leaves no output, and an older one as it was; once the image is complete, a summary that
nobody can be told (a full disk behind standard output, a closed pipe) changes the exit status alone.`;

/** Runs `fsynth build`; gives the exit status. */
export async function buildCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("build", "-f FORMAT -o OUT [options] SOURCE...", "Turns directories and archives into an image.");
  addBuildFlags(command);
  addSourceFlags(command);
  const readGiven = addTableFlags(command, writers, formatNamed(formatArgument(args)));
  command.addHelpText("after", EXAMPLES);
  if (!(await parse(command, args))) return 0;

  const flags = command.opts<BuildFlags>();
  const like = flags.optionsFrom === undefined ? undefined : await optionsOf(flags.optionsFrom);
  if (like && flags.format !== undefined && flags.format !== like.format) {
    throw usage(`-f ${flags.format} does not go with --options-from an image of ${like.format}`, "format");
  }
  const { format, profile } = chosenFormat(flags.format ?? like?.format);
  const given = readGiven();
  checkGiven(given, writers, format, profile);
  const { seeded, epoch, inputs } = optionInputs(given, format, like?.options);
  const ledger = await openLedger(flags, command.args);
  const files = loadFiles(inputs, format);
  // What can be refused is refused before the sources are read.
  resolveOptions({ ...treeOptions, ...format.options }, inputs, profile);
  const out = outputOf(flags);
  const sources = command.args;
  if (sources.length === 0) throw usage(`no SOURCE given: a directory, an archive, or - for a tar on standard input`);

  const warnings: Warning[] = [];
  const warn = (warning: Warning): void => {
    warnings.push(warning);
    note(`fsynth: warning: ${warning.message}`);
  };
  releaseSignals();
  await ledger?.holdOptionFiles(files);
  const tree = ledger ? await ledger.read(warn) : await readSources(sources, flags, warn);
  leaveOutOutput(tree, sources, out, warn);
  await ledger?.note(tree, format, profile, inputs, { seeded, epoch });
  const seed = seeded ? await contentSeed(tree) : undefined;
  // The inputs were checked against the tables above.
  const image = buildImage(format, profile, tree, { ...inputs, seed } as BuildOptions);
  catchSignals();
  for (const warning of image.plan.warnings) warn(warning);
  const written = flags.dryRun ? await planned(image, flags, out) : await write(image, flags, out, ledger);
  if (flags.dryRun) ledger?.tellPins();
  if (flags.json) {
    const text = jsonSummary(out, image, written, warnings);
    if (out === "-") note(text.trimEnd());
    else await print(text);
  } else if (!flags.quiet) note(humanSummary(out === "-" ? "standard output" : out, image, written));
  return 0;
}

function addBuildFlags(command: Command): void {
  const flags = [
    new Option("-f, --format <FORMAT>", `One of ${profileNames.join(", ")}.`),
    new Option("-o, --output <OUT>", "The image; - is standard output. Ending in .gz or .zst, it is compressed."),
    new Option("--options-from <IMAGE>", "Format and options of that image, as far as they are not given here."),
    new Option("--compress <none|gzip|zstd>", "Default: by the ending of OUT.").choices(["none", "gzip", "zstd"]),
    new Option("--record <FILE>", "Writes down what went in and what came out, for fsynth verify; - is standard output."),
    new Option("--pin <FILE>", "Refuses sources whose digests are not those in FILE, in lines of sha256sum or fsynth hash."),
    new Option("--update-pins", "Writes the digests of these sources into the file of --pin."),
    new Option("--dry-run", "Plans the image and tells about it; writes nothing."),
    new Option("--fsync", "Ends only when the image is safe on the disk."),
    new Option("--force", "Writes into a block device."),
    new Option("--sha256", "Tells the digest of the image (not of its compressed form)."),
    new Option("--json", "Tells about the image as one JSON object on standard output (with -o - on standard error)."),
    new Option("-q, --quiet", "Tells only of warnings and errors."),
    new Option("--no-progress", "Shows no progress bar; without a terminal there is none anyway."),
  ];
  for (const flag of flags) command.addOption(flag);
}

/** What another image was built with. */
async function optionsOf(
  path: string,
): Promise<{ readonly format: string; readonly options: Readonly<Record<string, unknown>> }> {
  const { openImage } = await import("../sources/image.ts");
  const volume = await openImage(hostPath(path));
  return { format: volume.format, options: volume.buildOptions() };
}

/** What keeps the digests, where they are wanted; refused now if they cannot be. */
async function openLedger(flags: BuildFlags, sources: readonly string[]): Promise<Ledger | undefined> {
  if (flags.updatePins && flags.pin === undefined) throw usage("--update-pins needs --pin with the file", "updatePins");
  if (flags.record === undefined && flags.pin === undefined) return undefined;
  if (flags.record !== undefined && flags.dryRun)
    throw usage("--record is for an image that is written; --dry-run writes none", "record");
  return new (await import("./ledger.ts")).Ledger(flags, sources);
}

/** OUT as a path, or `-`; refused now if it cannot be written. */
function outputOf(flags: BuildFlags): string {
  if (flags.output === undefined) throw usage("no output given: -o with a file, or - for standard output", "output");
  if (flags.output === "-") {
    if (process.stdout.isTTY && !flags.dryRun) throw usage("standard output is a terminal; give it to a pipe, or a file to -o");
    return "-";
  }
  const out = hostPath(flags.output);
  compressionFor(out, flags.compress);
  if (!flags.dryRun) resolveOutput(out, flags.force);
  return out;
}

async function write(image: Image, flags: BuildFlags, out: string, ledger: Ledger | undefined): Promise<Written> {
  const bar = flags.quiet || !flags.progress ? undefined : progressBar(out === "-" ? "standard output" : out);
  try {
    const write = (more: WriteToOptions): Promise<Written> =>
      image.writeTo(out === "-" ? "/dev/stdout" : out, {
        compress: flags.compress,
        fsync: flags.fsync,
        force: flags.force,
        sha256: flags.sha256,
        onProgress: bar && ((progress) => bar.update(progress)),
        ...more,
      });
    return ledger ? await ledger.finish(image, write) : await write({});
  } finally {
    bar?.clear();
  }
}

/** A dry run writes nothing, but can tell the digest. */
async function planned(image: Image, flags: BuildFlags, out: string): Promise<Written | undefined> {
  return flags.sha256 ? { path: out, size: image.size, sha256: await image.sha256() } : undefined;
}
