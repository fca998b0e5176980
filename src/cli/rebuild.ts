// The build that a record describes, made again: nothing is written, digests are taken and held against those of the record.

import { host } from "#host";
import { writers } from "../../formats/writers.ts";
import { type BuildOptions, buildImage } from "../build.ts";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Format } from "../image/format.ts";
import type { CompressedDigest, Image, Progress } from "../image/image.ts";
import { resolveOptions, treeOptions } from "../image/options.ts";
import { codecOf } from "../sinks/compress.ts";
import { digestOutput } from "../sinks/encoded.ts";
import { contentSha256, type SourceDigest } from "../sources/digested.ts";
import { contentSeed } from "../tree/content-seed.ts";
import { loadFiles } from "./file-options.ts";
import { plannedTreeDigest } from "./ledger.ts";
import { hostPath } from "./path.ts";
import { type BuildRecord, type RecordedFile, type RecordedSource, recordedSource } from "./record.ts";
import { checkRecordedOptions, fileOptions, type Json } from "./recorded-options.ts";
import { readDigestedSources } from "./source-options.ts";

/** Something that was recorded, and what is found now. */
export interface Compared {
  readonly what: string;
  readonly recorded: string;
  readonly found: string;
  readonly same: boolean;
}

export function compared(what: string, recorded: string, found: string): Compared {
  return { what, recorded, found, same: recorded === found };
}

export interface Rebuilt {
  readonly image: Image;
  /** `sha256` is undefined where it was not taken: the size alone tells that it is another. */
  readonly digests: { readonly sha256: string | undefined; readonly compressed: CompressedDigest | undefined };
  /** Sources, and files behind options. */
  readonly inputs: readonly Compared[];
  readonly tree: Compared;
  /** The clamp of times, as it was used; in words where there was none. */
  readonly clamp: string;
  /** What else is to be told. */
  readonly notes: string[];
}

interface RebuildOptions {
  readonly spoolDir: string | undefined;
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Builds what `record` says. `label` names it in messages.
 *
 * Throws `corrupt` for formats and options that are not here, and what reading the sources and building throw.
 */
export async function rebuild(record: BuildRecord, label: string, { spoolDir, onProgress }: RebuildOptions): Promise<Rebuilt> {
  const { format, profile } = recordedFormat(record, label);
  const { uuid, ...others } = record.options;
  const seeded = uuid === "content" && Object.hasOwn(format.options, "uuid");
  const options: Readonly<Record<string, Json>> = uuid === undefined || seeded ? others : { ...others, uuid };
  checkRecordedOptions(format, profile, options, `${label}: options`);
  const inputs: Record<string, unknown> = { ...options };
  const notes: string[] = [];
  const warn = ({ message }: { readonly message: string }): void => void notes.push(`warning: ${message}`);

  const found = await ofRecord(`${label}: optionFiles`, {}, () => loadOptionFiles(record, format, inputs, label));
  const { exclude, replaceSymlinks, ...reading } = record.sourceOptions;
  const { tree, digests: sources } = await readDigestedSources(
    record.sources.map(({ argument }) => argument),
    { ...reading, exclude, ...(replaceSymlinks && { replaceSymlinks }), ...(spoolDir !== undefined && { spoolDir }) },
    warn,
    () => {},
  );
  for (const [i, source] of record.sources.entries()) {
    found.push(...comparedSource(source, recordedSource(source.argument, sources[i] as SourceDigest))); // one for each
  }
  const { treeDigest, image } = await ofRecord(`${label}: options`, record.options, async () => ({
    treeDigest: await plannedTreeDigest(tree, inputs, profile),
    // The inputs were checked above, one by one; that they go together is found out here.
    image: buildImage(format, profile, tree, { ...inputs, seed: seeded ? await contentSeed(tree) : undefined } as BuildOptions),
  }));
  for (const warning of image.plan.warnings) warn(warning);
  const how = compressionOf(record, image, label, notes);
  const pointless = image.size !== record.image.size && image.size > LARGE;
  const digests = pointless ? {} : await digestOutput(image.plan, how, { onProgress });
  const { clampMtime } = resolveOptions(treeOptions, clampOf(inputs), profile);
  return {
    image,
    digests: { sha256: digests.sha256, compressed: digests.compressed },
    inputs: found,
    tree: compared("tree", record.tree, treeDigest),
    clamp: clampMtime === undefined ? "none" : `${clampMtime.sec}${clampMtime.nsec > 0 ? `.${clampMtime.nsec}` : ""} seconds`,
    notes,
  };
}

/** From this size on, in bytes, an image is not read only for a digest that cannot be the one that was recorded. */
const LARGE = 2 ** 32;

function clampOf({ clampMtime }: Readonly<Record<string, unknown>>): object {
  return { clampMtime };
}

/** What was typed into a record is no fault of the command line: `usage` becomes `corrupt`, with the place in the record. */
async function ofRecord<T>(place: string, options: BuildRecord["options"], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof FsynthError) || cause.code !== "usage") throw cause;
    const { option } = cause.where;
    const name = option !== undefined && Object.hasOwn(options, option) ? `.${option}` : "";
    throw new FsynthError("corrupt", `${place}${name}: ${cause.message}`, cause.where, { cause });
  }
}

function recordedFormat({ image }: BuildRecord, label: string): { readonly format: Format; readonly profile: string } {
  const profile = image.format;
  const format = writers.find(({ profiles }) => profiles.some(({ name }) => name === profile));
  if (format) return { format, profile };
  const names = writers.flatMap(({ profiles }) => profiles.map(({ name }) => name)).join(", ");
  throw new FsynthError("corrupt", `${label}: image.format: found ${JSON.stringify(profile)}, expected one of ${names}`);
}

/** Loads the archives that options name into `inputs`, and compares their digests. */
async function loadOptionFiles(
  { optionFiles = {} }: BuildRecord,
  format: Format,
  inputs: Record<string, unknown>,
  label: string,
): Promise<Compared[]> {
  const known = fileOptions(format);
  const recorded = new Map<string, readonly RecordedFile[]>();
  for (const [option, files] of Object.entries(optionFiles)) {
    if (!known.includes(option)) {
      throw new FsynthError("corrupt", `${label}: optionFiles.${option}: ${format.name} has no such option that names files`);
    }
    recorded.set(option, files);
    inputs[option] = files.map(({ path }) => path);
  }
  const found: Compared[] = [];
  for (const [option, files] of recorded) {
    for (const [index, { path }] of files.entries()) {
      if (!host.files.stat(hostPath(path))) {
        const place = `${label}: optionFiles.${option}[${index}].path`;
        throw new FsynthError("io", `${place}: ${quoteName(hostPath(path))}: there is no such file`, { path: hostPath(path) });
      }
    }
  }
  for (const { option, argument, content } of loadFiles(inputs, format)) {
    // They come in the order in which they stand in the record.
    const [file, ...rest] = recorded.get(option) as [RecordedFile, ...RecordedFile[]];
    recorded.set(option, rest);
    found.push(compared(`${option} ${argument} sha256`, file.sha256, await contentSha256(content)));
  }
  return found;
}

function comparedSource(before: RecordedSource, now: RecordedSource): Compared[] {
  const digestOf = ({ kind, sha256, tree }: RecordedSource): string => `${kind} ${sha256 ? `sha256 ${sha256}` : `tree ${tree}`}`;
  const found = [compared(`source ${before.argument}`, digestOf(before), digestOf(now))];
  const files = new Map(now.files?.map(({ path, sha256 }) => [path, sha256]));
  for (const { path, sha256 } of before.files ?? []) {
    found.push(compared(`file ${path} of ${before.argument}`, sha256, files.get(path) ?? "nothing"));
    files.delete(path);
  }
  for (const [path, sha256] of files) found.push(compared(`file ${path} of ${before.argument}`, "nothing", sha256));
  return found;
}

/** The compression to make again: that of the record, where this fsynth has the same encoder. */
function compressionOf({ compressed }: BuildRecord, { plan }: Image, label: string, notes: string[]): "none" | "gzip" | "zstd" {
  if (!compressed) return "none";
  const how = compressed.codec.startsWith("gzip-") ? "gzip" : compressed.codec.startsWith("zstd-") ? "zstd" : undefined;
  if (!how) {
    throw new FsynthError(
      "corrupt",
      `${label}: compressed.codec: found ${JSON.stringify(compressed.codec)}, expected gzip-… or zstd-…`,
    );
  }
  const here = codecOf(how, plan.parts !== undefined);
  if (here === compressed.codec) return how;
  notes.push(`compressed by ${compressed.codec}, here is ${here}: the compressed bytes are not made again`);
  return "none";
}
