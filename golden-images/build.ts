// Builds a golden image from its parts. Runs on every runtime: the caller reads the files, wherever they are.

import { formats } from "../formats/index.ts";
import { buildImage } from "../src/build.ts";
import type { Format } from "../src/image/format.ts";
import { type BuildOptions, bytesContent, FsynthError, type Image, readTreeText, Tree } from "../src/index.ts";

/** What makes one golden image. */
export interface GoldenSources {
  /** The text of tree.txt. */
  readonly tree: string;
  /** The text of options.json: `format` is a profile, the rest are options of the API. `{ "file": NAME }` stands for the bytes of a file beside it. */
  readonly options: string;
  /** The bytes of a file beside tree.txt. */
  readonly content: (name: string) => Uint8Array;
}

/** What is built of them. */
export interface GoldenRequest {
  readonly format: Format;
  readonly profile: string;
  readonly tree: Tree;
  readonly options: BuildOptions;
}

/** Plans the image. Throws what reading the sources and planning throw. */
export function buildGolden(sources: GoldenSources): Image {
  const { format, profile, tree, options } = readGolden(sources);
  return buildImage(format, profile, tree, options);
}

/** Reads the sources. Throws `usage` for a format that there is not, and what reading the tree throws. */
export function readGolden({ tree: text, options: json, content }: GoldenSources): GoldenRequest {
  const { format: profile, ...options } = JSON.parse(json, (_, value: unknown) => bytesOf(value, content)) as {
    format: string;
  } & BuildOptions; // the option tables check the values
  const format = formats.find(({ profiles }) => profiles.some(({ name }) => name === profile));
  if (format === undefined) throw new FsynthError("usage", `options.json: no format has the profile "${profile}"`);
  const tree = new Tree();
  readTreeText(tree, text, { contentOf: (file) => bytesContent(content(file)) });
  return { format, profile, tree, options };
}

function bytesOf(value: unknown, content: GoldenSources["content"]): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { file, ...rest } = value as { readonly file?: unknown };
  return typeof file === "string" && Object.keys(rest).length === 0 ? content(file) : value;
}
