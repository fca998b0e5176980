// The record of a build: what went in, how, and what came out, as JSON that is the same whenever the build is. docs/reproducible.md
// describes it.

import { FsynthError } from "../error.ts";
import type { CompressedDigest, Image, Written } from "../image/image.ts";
import type { SourceDigest } from "../sources/digested.ts";
import { Place } from "./json-place.ts";
import type { Json } from "./recorded-options.ts";
import { version } from "./version.ts";

/** The only version of the format so far. */
const VERSION = 1;

export interface RecordedFile {
  readonly path: string;
  readonly sha256: string;
}

export interface RecordedSource {
  /** As it was typed. */
  readonly argument: string;
  /** `directory`, `tar`, `cpio`, `tree.txt`, `ext` or `ffs`. */
  readonly kind: string;
  /** Of everything but a directory: its bytes. */
  readonly sha256?: string;
  /** Of a directory: all that it holds. */
  readonly tree?: string;
  /** The files that a tree.txt names. */
  readonly files?: readonly RecordedFile[];
}

/** How sources were read. Left out: what was not said. */
export interface RecordedSourceOptions {
  readonly exclude: readonly string[];
  readonly replaceSymlinks: boolean;
  readonly hardLinks: "keep" | "copy";
  readonly xattrs?: "none" | "getfattr";
  readonly holes?: "detect";
  readonly maxBytes?: number;
}

export interface BuildRecord {
  readonly "fsynth-record": typeof VERSION;
  /** For information: the same build by others gives the same image. */
  readonly madeBy: { readonly fsynth: string; readonly node: string };
  readonly image: {
    /** As it was typed, `-` for standard output. */
    readonly path: string;
    readonly format: string;
    /** Bytes. */
    readonly size: number;
    readonly uuid?: string;
    readonly sha256: string;
  };
  readonly compressed?: CompressedDigest;
  /** Digest of the tree that was planned, with all that its files hold. */
  readonly tree: string;
  readonly sources: readonly RecordedSource[];
  readonly sourceOptions: RecordedSourceOptions;
  /** All options of the format, resolved. `uuid` may be `content`. */
  readonly options: Readonly<Record<string, Json>>;
  /** The archives behind options that name files, by option. */
  readonly optionFiles?: Readonly<Record<string, readonly RecordedFile[]>>;
  /** Where the clamp of times came from it. */
  readonly sourceDateEpoch?: number;
}

/** What a build knows before its image is written. */
export type RecordInputs = Pick<
  BuildRecord,
  "tree" | "sources" | "sourceOptions" | "options" | "optionFiles" | "sourceDateEpoch"
> & {
  readonly path: string;
};

/** A source as it stands in a record. */
export function recordedSource(argument: string, { kind, self, files }: SourceDigest): RecordedSource {
  return {
    argument,
    kind,
    [self.kind]: self.digest,
    ...(files.length > 0 && { files: files.map(({ path, digest }) => ({ path, sha256: digest })) }),
  };
}

/** The text of the record of a build that has been written. */
export function recordText({ path, ...inputs }: RecordInputs, image: Image, written: Written): string {
  const record: BuildRecord = {
    "fsynth-record": VERSION,
    madeBy: { fsynth: version(), node: process.version },
    image: {
      path,
      format: image.plan.summary.format,
      size: image.size,
      ...(image.uuid !== undefined && { uuid: image.uuid }),
      sha256: written.sha256 as string, // a build with a record asks for it
    },
    ...(written.compressed && { compressed: written.compressed }),
    tree: inputs.tree,
    sources: inputs.sources,
    sourceOptions: inputs.sourceOptions,
    options: inputs.options,
    ...(inputs.optionFiles && { optionFiles: inputs.optionFiles }),
    ...(inputs.sourceDateEpoch !== undefined && { sourceDateEpoch: inputs.sourceDateEpoch }),
  };
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/** Reads a record. Throws `corrupt` with the place in the JSON for what is none; `label` names the file. */
export function parseRecord(text: string, label: string): BuildRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FsynthError("corrupt", `${label} is no JSON: ${why}`, {}, { cause });
  }
  const all = new Place(label, "", json).object();
  const head = all.get("fsynth-record");
  if (head.value !== VERSION) throw head.wrong(`${VERSION}, the version of records that this fsynth reads`);
  const image = all.get("image").object();
  const compressed = all.find("compressed")?.object();
  const sourceOptions = all.get("sourceOptions").object();
  const madeBy = all.get("madeBy").object();
  const record: BuildRecord = {
    "fsynth-record": VERSION,
    madeBy: { fsynth: madeBy.get("fsynth").text(), node: madeBy.get("node").text() },
    image: {
      path: image.get("path").hostPath(),
      format: image.get("format").text(),
      size: image.get("size").count(),
      ...optional("uuid", image.find("uuid")?.text()),
      sha256: image.get("sha256").digest(),
    },
    ...(compressed && {
      compressed: {
        codec: compressed.get("codec").text(),
        size: compressed.get("size").count(),
        sha256: compressed.get("sha256").digest(),
      },
    }),
    tree: all.get("tree").digest(),
    sources: parseSources(all.get("sources")),
    sourceOptions: {
      exclude: sourceOptions
        .get("exclude")
        .list()
        .map((glob) => glob.text()),
      replaceSymlinks: sourceOptions.get("replaceSymlinks").word([true, false]),
      hardLinks: sourceOptions.get("hardLinks").word(["keep", "copy"]),
      ...optional("xattrs", sourceOptions.find("xattrs")?.word(["none", "getfattr"])),
      ...optional("holes", sourceOptions.find("holes")?.word(["detect"])),
      ...optional("maxBytes", sourceOptions.find("maxBytes")?.count(1)),
    },
    options: all.get("options").object().all() as Readonly<Record<string, Json>>, // of JSON
    ...optional("optionFiles", parseOptionFiles(all.find("optionFiles"))),
    ...optional("sourceDateEpoch", all.find("sourceDateEpoch")?.count()),
  };
  for (const place of [all, image, compressed, sourceOptions, madeBy]) place?.end();
  return record;
}

function parseSources(place: Place): RecordedSource[] {
  let standardInput = false;
  return place.some("source").map((one) => {
    const source = parseSource(one);
    if (source.argument === "-" && standardInput) throw one.wrong("a file: standard input (-) can be read only once");
    standardInput ||= source.argument === "-";
    return source;
  });
}

function parseSource(place: Place): RecordedSource {
  const source = place.object();
  const argument = source.get("argument").hostPath();
  const kind = source.get("kind").word(["directory", "tar", "cpio", "tree.txt", "ext", "ffs"]);
  const files = kind === "tree.txt" ? source.find("files")?.some("file").map(parseFile) : undefined;
  const digest = kind === "directory" ? { tree: source.get("tree").digest() } : { sha256: source.get("sha256").digest() };
  source.end();
  return { argument, kind, ...digest, ...(files && { files }) };
}

function parseFile(place: Place): RecordedFile {
  const file = place.object();
  const read = { path: file.get("path").hostPath(), sha256: file.get("sha256").digest() };
  file.end();
  return read;
}

function parseOptionFiles(place: Place | undefined): Record<string, RecordedFile[]> | undefined {
  const object = place?.object();
  return (
    object && Object.fromEntries(Object.keys(object.all()).map((name) => [name, object.get(name).some("archive").map(parseFile)]))
  );
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V }); // one key of that type
}
