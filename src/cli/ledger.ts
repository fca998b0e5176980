// What a build keeps of its sources while it runs: their digests, held against pins, and the record that comes to be with the image.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import type { Format } from "../image/format.ts";
import type { Image, WriteToOptions, Written } from "../image/image.ts";
import { flagOf, resolveOptions, treeOptions } from "../image/options.ts";
import type { Warning } from "../image/plan.ts";
import { resolveOutput } from "../sinks/output.ts";
import { contentSha256, type Digested } from "../sources/digested.ts";
import { treeDigest } from "../tree/digest.ts";
import { excludeFilter } from "../tree/exclude.ts";
import type { Tree } from "../tree/tree.ts";
import { Companions } from "./companions.ts";
import { usage } from "./failure.ts";
import type { OptionFile } from "./file-options.ts";
import { hostPath } from "./path.ts";
import { Pins } from "./pins.ts";
import { note, print } from "./print.ts";
import { type RecordedFile, type RecordedSource, type RecordInputs, recordedSource, recordText } from "./record.ts";
import { recordedOptions } from "./recorded-options.ts";
import { readDigestedSources, type SourceFlags } from "./source-options.ts";

/** The flags that concern it. */
export interface LedgerFlags extends SourceFlags {
  readonly output?: string;
  readonly optionsFrom?: string;
  readonly dryRun?: true;
  readonly json?: true;
  readonly record?: string;
  readonly pin?: string;
  readonly updatePins?: true;
  readonly fsync?: true;
  readonly quiet?: true;
}

/** A file that will be written. */
interface Place {
  /** `the output`, `the record`, `the pin file`. */
  readonly what: string;
  readonly path: string;
  /** Symlinks resolved. */
  readonly real: string;
}

export class Ledger {
  readonly #flags: LedgerFlags;
  readonly #arguments: readonly string[];
  /** `-` is standard output. */
  readonly #recordPath: string | undefined;
  readonly #pins: Pins | undefined;
  readonly #places: readonly Place[];
  #sources: readonly RecordedSource[] = [];
  readonly #optionFiles: Record<string, RecordedFile[]> = {};
  #inputs: RecordInputs | undefined;
  readonly #pinned: [change: "new" | "changed", digested: Digested][] = [];

  /** Throws for a record that cannot be written and pins that cannot be read. */
  constructor(flags: LedgerFlags, sources: readonly string[]) {
    this.#flags = flags;
    this.#arguments = sources;
    this.#recordPath = flags.record === undefined ? undefined : hostPath(flags.record);
    if (this.#recordPath === "-" && (flags.output === "-" || flags.json)) {
      throw usage(`--record -: standard output takes ${flags.json ? "what --json tells" : "the image"} already`, "record");
    }
    this.#places = this.#checkedPlaces();
    if (flags.optionsFrom !== undefined) this.#refuseInput(hostPath(flags.optionsFrom), "the image of --options-from");
    this.#pins = flags.pin === undefined ? undefined : new Pins(hostPath(flags.pin), flags.updatePins === true);
  }

  /** What is written must not be what is read: neither a source itself, nor a part of it. Gives what is written. */
  #checkedPlaces(): Place[] {
    const { output, pin, updatePins, exclude } = this.#flags;
    const outputs: [what: string, path: string][] = [];
    if (output !== undefined && output !== "-") outputs.push(["the output", hostPath(output)]);
    if (this.#recordPath !== undefined && this.#recordPath !== "-") {
      if (resolveOutput(this.#recordPath).kind !== "file") {
        throw usage(`--record: ${quoteName(this.#recordPath)} is no regular file`, "record");
      }
      outputs.push(["the record", this.#recordPath]);
    }
    if (pin !== undefined) outputs.push(["the pin file", hostPath(pin)]);
    const excluded = excludeFilter(exclude);
    const places: Place[] = [];
    for (const [what, path] of outputs) {
      const real = realPlace(path);
      if (real === undefined) continue;
      const other = places.find((place) => place.real === real);
      if (other) throw usage(`${what} ${quoteName(path)} is ${other.what} as well; expected different files`);
      places.push({ what, path, real });
      for (const source of this.#arguments) {
        if (source === "-") continue;
        const root = host.files.stat(hostPath(source)) && host.files.realPath(hostPath(source));
        if (root === undefined) continue;
        if (root === real) throw usage(`${what} ${quoteName(path)} is a source as well; expected different files`);
        const below = `${root.replace(/\/$/, "")}/`;
        if (!real.startsWith(below) || host.files.stat(root)?.kind !== "directory") continue;
        // A new file is also a new mtime of its folder.
        if (foldersOf(real.slice(below.length)).some(excluded)) continue;
        // Pins that are only read are a file like any other.
        if (what === "the pin file" && updatePins === undefined) continue;
        throw usage(
          `${what} ${quoteName(path)} lies in the source ${quoteName(source)}, whose digest it would change; put it elsewhere, or in a folder that --exclude leaves out`,
        );
      }
    }
    return places;
  }

  /** Throws `usage` where the input at `path` would be overwritten. */
  #refuseInput(path: string, as: string): void {
    if (path === "-" || host.files.stat(path)?.kind !== "file") return;
    const real = host.files.realPath(path);
    const place = this.#places.find((one) => one.real === real);
    if (place) throw usage(`${place.what} ${quoteName(place.path)} is ${as} as well; expected different files`);
  }

  /** Digests the archives that options name. */
  async holdOptionFiles(files: readonly OptionFile[]): Promise<void> {
    for (const { option, argument, content } of files) {
      this.#refuseInput(hostPath(argument), `an archive of ${flagOf(option)}`);
      const sha256 = await contentSha256(content);
      this.#hold({ kind: "sha256", path: hostPath(argument), digest: sha256 });
      const list = this.#optionFiles[option] ?? [];
      list.push({ path: argument, sha256 });
      this.#optionFiles[option] = list;
    }
  }

  /** Reads the sources. Throws `source` for one that is not what is pinned. */
  async read(warn: (warning: Warning) => void): Promise<Tree> {
    const { tree, digests } = await readDigestedSources(this.#arguments, this.#flags, warn, (digested) => this.#hold(digested));
    this.#sources = digests.map((digest, i) => recordedSource(this.#arguments[i] as string, digest)); // one for each
    return tree;
  }

  #hold(digested: Digested): void {
    // Sources themselves were looked at before; this is for the files that a tree.txt names.
    this.#refuseInput(digested.path, "an input");
    const change = this.#pins?.hold(digested);
    if (change === "new" || change === "changed") this.#pinned.push([change, digested]);
  }

  /** Tells which pins are new, once they are: in a dry run, which would be. */
  tellPins(): void {
    if (this.#flags.quiet) return;
    for (const [change, { kind, path, digest }] of this.#pinned) {
      const verb = `${this.#flags.dryRun ? "would be pinned" : "pinned"}${change === "new" ? "" : " anew"}`;
      note(`fsynth: ${verb}: ${quoteName(path)} to ${kind} ${digest}`);
    }
  }

  /** Notes for the record what is to be built. */
  async note(
    tree: Tree,
    format: Format,
    profile: string,
    inputs: Readonly<Record<string, unknown>>,
    how: { readonly seeded: boolean; readonly epoch: number | undefined },
  ): Promise<void> {
    if (this.#recordPath === undefined) return;
    const { exclude, replaceSymlinks, hardLinks, xattrs, holes, maxBytes } = this.#flags;
    const options = recordedOptions(format, profile, inputs);
    this.#inputs = {
      path: this.#flags.output as string, // a build has one
      tree: this.#asRead(inputs) ?? (await plannedTreeDigest(tree, inputs, profile)),
      sources: this.#sources,
      sourceOptions: {
        exclude,
        replaceSymlinks: replaceSymlinks === true,
        hardLinks: hardLinks ?? "keep",
        ...(xattrs !== undefined && { xattrs }),
        ...(holes !== undefined && { holes }),
        ...(maxBytes !== undefined && { maxBytes }),
      },
      options: how.seeded ? { ...options, uuid: "content" } : options,
      ...(Object.keys(this.#optionFiles).length > 0 && { optionFiles: this.#optionFiles }),
      ...(how.epoch !== undefined && { sourceDateEpoch: how.epoch }),
    };
  }

  /** The digest of a directory that is planned just as it was read: it need not be read once more. */
  #asRead(inputs: Readonly<Record<string, unknown>>): string | undefined {
    const changed = Object.keys(inputs).some((name) => name !== "allowLoss" && Object.hasOwn(treeOptions, name));
    return this.#sources.length === 1 && this.#flags.holes === undefined && !changed ? this.#sources[0]?.tree : undefined;
  }

  /** Writes the image by `write`, and record and pins with it: all are there in the end, or everything is as it was. */
  async finish(image: Image, write: (more: WriteToOptions) => Promise<Written>): Promise<Written> {
    const path = this.#recordPath;
    const inputs = this.#inputs;
    const companions = new Companions(this.#flags.fsync === true);
    let text: string | undefined;
    let written: Written;
    try {
      written = await write({
        ...(inputs && { sha256: true }),
        beforeCommit: (result) => {
          text = inputs && recordText(inputs, image, result);
          if (text !== undefined && path !== undefined && path !== "-") companions.place(path, text);
          const pins = this.#pins?.updated();
          if (pins) companions.place(pins.path, pins.text);
        },
      });
    } catch (error) {
      companions.restore();
      throw error;
    }
    companions.keep();
    this.tellPins();
    if (path === "-" && text !== undefined) await print(text);
    return written;
  }
}

/** `/a` and `/a/b` of `a/b/c`. */
function foldersOf(path: string): string[] {
  const names = path.split("/");
  return names.slice(1).map((_, i) => `/${names.slice(0, i + 1).join("/")}`);
}

/** The digest of the tree as it is planned: with owners mapped, times clamped. */
export async function plannedTreeDigest(tree: Tree, inputs: Readonly<Record<string, unknown>>, profile: string): Promise<string> {
  const own = Object.fromEntries(Object.entries(inputs).filter(([name]) => Object.hasOwn(treeOptions, name)));
  const { allowLoss: _, ...options } = resolveOptions(treeOptions, own, profile);
  return await treeDigest(tree, options);
}

/** Where a file is or will be, symlinks in its folder resolved; undefined for what is no regular file. */
function realPlace(path: string): string | undefined {
  const output = resolveOutput(path, true);
  if (output.kind !== "file") return undefined;
  return `${host.files.realPath(output.folder).replace(/\/$/, "")}/${output.name}`;
}
