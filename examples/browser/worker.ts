// Builds images away from the page, in a web worker: only there can ranges of a dropped file be read without waiting, so that
// nothing of it is copied.

import { sha256 } from "@noble/hashes/sha2.js";
import { formats } from "../../formats/index.ts";
import { buildImage } from "../../src/build.ts";
import { quoteName } from "../../src/bytes/names.ts";
import { isZero } from "../../src/bytes/zero.ts";
import { inspectionPage } from "../../src/cli/inspect-html.ts";
import { flagOf, type Option, type OptionTable, treeOptions } from "../../src/image/options.ts";
import {
  type BuildOptions,
  type Content,
  checkImage,
  contentSeed,
  FsynthError,
  type Image,
  openImage,
  readTreeText,
  Tree,
} from "../../src/index.ts";
import { addInput, type SourceOptions } from "../../src/sources/any-source.ts";
import { blobHandle } from "../../src/sources/blob.ts";
import * as images from "../../src/sources/image.ts";
import { openInput } from "../../src/sources/input.ts";
import { emptyContent } from "../../src/tree/content.ts";
import { isTreeText } from "../../src/tree/tree-text.ts";
import type { BuildRequest, FormOption, Reply } from "./messages.ts";

const say = (reply: Reply): void => postMessage(reply);

say({
  kind: "ready",
  common: formOptions(treeOptions),
  profiles: formats.flatMap(({ name: format, profiles, options }) =>
    profiles.map(({ name, summary }) => ({ name, summary, format, options: formOptions(options) })),
  ),
});

addEventListener("message", ({ data }: MessageEvent<BuildRequest>) => {
  build(data).then(say, (error: unknown) => {
    say({ kind: "error", sentence: error instanceof Error ? error.message : String(error) });
  });
});

function formOptions(table: OptionTable): FormOption[] {
  return Object.entries(table).map(([name, entry]) => {
    const option = entry as unknown as Option; // what a table holds is hidden behind its type only so that tables are one type
    return {
      name,
      flag: flagOf(name),
      help: option.help,
      kind: option.files ? "files" : option.metavar === undefined ? "switch" : "text",
      metavar: option.metavar ?? "",
      defaultText: option.defaultText ?? "",
      repeats: option.repeats === true,
      on: option.default === true,
    };
  });
}

async function build({ layers, profile, options }: BuildRequest): Promise<Reply> {
  const started = performance.now();
  const format = formats.find(({ profiles }) => profiles.some(({ name }) => name === profile));
  if (!format) throw new Error(`there is no format ${profile}`);
  const warnings: string[] = [];
  const tree = new Tree();
  const contents = await namedContents(layers);
  for (const layer of layers) {
    if (contents.has(layer)) continue;
    const contentOf = (file: string): Content => contentNamed(layers, file);
    const sourceOptions: SourceOptions = { xattrs: "none", onWarning: ({ message }) => warnings.push(message) };
    await addInput(tree, openInput(layer), contentOf, sourceOptions, () => images);
  }
  // As the command line takes it.
  const seeded = options.uuid === "content" && Object.hasOwn(format.options, "uuid");
  const inputs = seeded ? { ...options, uuid: undefined, seed: await contentSeed(tree) } : options;
  const image = buildImage(format, profile, tree, inputs as BuildOptions); // the option tables check the values
  warnings.push(...image.plan.warnings.map(({ message }) => message));
  const { blob, digest } = await imageBlob(image);
  const seconds = (performance.now() - started) / 1000;
  const problems = await checkImage(blob);
  return {
    kind: "image",
    blob,
    sha256: digest,
    uuid: image.uuid,
    seconds,
    warnings,
    problems: problems.map(({ place, found, expected }) => `${place}: ${found}, expected ${expected}`),
    map: inspectionPage(`image.${profile}`, await openImage(blob)),
  };
}

/** The file that `content=FILE` of a tree.txt names: dropped files have no folders, so that the last part of FILE counts. */
function layerNamed(layers: readonly File[], file: string): File | undefined {
  return layers.find(({ name }) => name === file.slice(file.lastIndexOf("/") + 1));
}

function contentNamed(layers: readonly File[], file: string): Content {
  const found = layerNamed(layers, file);
  if (!found) {
    const sentence = `content=${quoteName(file)}: on a page there are no files beside the dropped ones: drop that file too`;
    throw new FsynthError("source", sentence);
  }
  const handle = blobHandle(found, found.name);
  if (!handle) throw new FsynthError("unsupported", "files can be read in a web worker alone");
  return { size: found.size, read: (offset, target) => void handle.readAt(offset, target) };
}

/** The files that are contents of a tree.txt among the layers, and so no layers of their own. */
async function namedContents(layers: readonly File[]): Promise<Set<File>> {
  const named = new Set<File>();
  for (const layer of layers) {
    if (!isTreeText(new Uint8Array(await layer.slice(0, 64).arrayBuffer()))) continue;
    const contentOf = (file: string): Content => {
      const found = layerNamed(layers, file);
      if (found && found !== layer) named.add(found);
      return emptyContent;
    };
    try {
      readTreeText(new Tree(), new Uint8Array(await layer.arrayBuffer()), { contentOf });
    } catch {
      // It is read again as a layer, and what is wrong is told then.
    }
  }
  return named;
}

/** Pieces go where the browser keeps Blobs, which is the disk when they are large. Runs of zeros are one Blob, used again. */
async function imageBlob(image: Image): Promise<{ readonly blob: Blob; readonly digest: string }> {
  const hash = sha256.create();
  const parts: Blob[] = [];
  const zeros = new Map<number, Blob>();
  let told = 0;
  const chunks = image.stream({
    onProgress(progress) {
      const now = performance.now();
      if (now - told < 100) return;
      told = now;
      say({ kind: "progress", ...progress });
    },
  });
  const reader = chunks.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const chunk = next.value as Uint8Array<ArrayBuffer>; // made by fsynth, of plain memory
    hash.update(chunk);
    const empty = isZero(chunk, 0, chunk.length);
    const part = (empty ? zeros.get(chunk.length) : undefined) ?? new Blob([chunk]);
    if (empty) zeros.set(chunk.length, part);
    parts.push(part);
  }
  const digest = Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { blob: new Blob(parts, { type: "application/octet-stream" }), digest };
}
