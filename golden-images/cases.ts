// The cases of golden-images on the host's disk: golden-images/<format>/<case>/, built and compared.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Image } from "../src/index.ts";
import { buildGolden, type GoldenSources } from "./build.ts";
import { unifiedDiff } from "./diff.ts";
import { dumpGolden } from "./dump.ts";

/** Formats that have cases; `foreign` beside them holds images that others made. */
export const GOLDEN_FORMATS = ["ext", "ffs", "cpio", "tar"] as const;

/** One folder of sources and expectations. */
export interface GoldenCase {
  /** Such as `ext/empty`. */
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
}

/** What building a case gave. */
export interface GoldenResult {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly dump: string;
}

/** Every case under `top`, the folder golden-images, in the order of formats and names. */
export function goldenCases(top: string): GoldenCase[] {
  return GOLDEN_FORMATS.flatMap((format) =>
    readdirSync(join(top, format))
      .sort()
      .map((name) => ({ name: `${format}/${name}`, folder: join(top, format, name) })),
  );
}

/** Files of a case that it cannot be built without, and those that it is compared with. */
const SOURCES = ["tree.txt", "options.json"] as const;
const EXPECTED = ["image.sha256", "dump.txt"] as const;

function text({ folder }: GoldenCase, name: string): string | undefined {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** What a case is made of. Throws where its files are missing. */
export function sourcesOf(golden: GoldenCase): GoldenSources {
  const [tree, options] = SOURCES.map((name) => {
    const found = text(golden, name);
    if (found === undefined) throw new Error(`${golden.name} lacks ${name}`);
    return found;
  }) as [string, string]; // one for each name
  return { tree, options, content: (name) => new Uint8Array(readFileSync(join(golden.folder, name))) };
}

/** Plans the image of a case. */
export function planCase(golden: GoldenCase): Image {
  return buildGolden(sourcesOf(golden));
}

export async function buildCase(golden: GoldenCase): Promise<GoldenResult> {
  const bytes = await planCase(golden).bytes();
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex"), dump: dumpGolden(bytes) };
}

/** How a result differs from what the case expects, in words and with the difference of the dumps; undefined when it does not. */
export function compareCase(golden: GoldenCase, { sha256, dump }: GoldenResult): string | undefined {
  const [sum, expected] = EXPECTED.map((name) => text(golden, name));
  if (sum === undefined || expected === undefined) return `${golden.name} lacks ${sum === undefined ? EXPECTED[0] : EXPECTED[1]}`;
  if (sum.trim() === sha256 && expected === dump) return undefined;
  const records =
    expected === dump ? "no record differs: it is content, or what lies between records" : unifiedDiff(expected, dump);
  const digest = sum.trim() === sha256 ? "the same image, dumped otherwise" : `sha256 ${sha256}, expected ${sum.trim()}`;
  return `${golden.name}: ${digest}\n${records}`;
}

/** Writes what a case expects from now on. */
export function updateCase({ folder }: GoldenCase, { sha256, dump }: GoldenResult): void {
  writeFileSync(join(folder, "image.sha256"), `${sha256}\n`);
  writeFileSync(join(folder, "dump.txt"), dump);
}
