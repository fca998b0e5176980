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

/** At most so many ranges of records, of those that have a checksum together and another one than expected, are told. */
const RANGES = 4;

/** How a result differs from what the case expects, in words and with the difference of the dumps; undefined when it does not. */
export function compareCase(golden: GoldenCase, { bytes, sha256, dump }: GoldenResult): string | undefined {
  const [sum, expected] = EXPECTED.map((name) => text(golden, name));
  if (sum === undefined || expected === undefined) return `${golden.name} lacks ${sum === undefined ? EXPECTED[0] : EXPECTED[1]}`;
  const same = sum === `${sha256}\n`;
  if (same && expected === dump) return undefined;
  const records =
    expected === dump
      ? "no record differs: it is content, or what lies between records, or image.sha256 itself"
      : unifiedDiff(expected, unfolded(bytes, expected));
  if (same) return `${golden.name}: the same image, dumped otherwise\n${records}`;
  if (!/^[0-9a-f]{64}\n$/.test(sum)) {
    const found = JSON.stringify(sum.length > 80 ? `${sum.slice(0, 80)}…` : sum);
    return `${golden.name}: image.sha256 is no sha256: it has ${found}, expected 64 lower-case hexadecimal digits and a newline; the image has ${sha256}${expected === dump ? "" : `\n${records}`}`;
  }
  return `${golden.name}: the image has the sha256 ${sha256}, expected ${sum.trim()}\n${records}`;
}

/** The dump of an image, with the records behind checksums that are not as expected. */
function unfolded(bytes: Uint8Array, expected: string): string {
  const known = new Set(expected.split("\n"));
  let ranges = 0;
  return dumpGolden(bytes, (line) => !known.has(line) && ranges++ < RANGES);
}

/** Writes what a case expects from now on. */
export function updateCase({ folder }: GoldenCase, { sha256, dump }: GoldenResult): void {
  writeFileSync(join(folder, "image.sha256"), `${sha256}\n`);
  writeFileSync(join(folder, "dump.txt"), dump);
}

/** The file that lists every case: one that is deleted is missed. */
const LIST = "cases.txt";

const listOf = (cases: readonly GoldenCase[]): string => cases.map(({ name }) => `${name}\n`).join("");

/** How the cases that there are differ from those that are listed; undefined when they do not. */
export function compareList(top: string, cases: readonly GoldenCase[]): string | undefined {
  const listed = readFileSync(join(top, LIST), "utf8");
  return listed === listOf(cases) ? undefined : `${LIST} and the folders differ\n${unifiedDiff(listed, listOf(cases))}`;
}

/** Lists the cases that there are. */
export function updateList(top: string, cases: readonly GoldenCase[]): void {
  writeFileSync(join(top, LIST), listOf(cases));
}
