// The cases of golden-images on the host's disk: golden-images/<format>/<case>/.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Image } from "../src/index.ts";
import { buildGolden } from "./build.ts";

/** Formats that have cases; `foreign` beside them holds images that others made. */
export const GOLDEN_FORMATS = ["ext", "ffs", "cpio", "tar"] as const;

/** One folder of sources and expectations. */
export interface GoldenCase {
  /** Such as `ext/empty`. */
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
}

/** Every case under `top`, the folder golden-images, in the order of formats and names. */
export function goldenCases(top: string): GoldenCase[] {
  return GOLDEN_FORMATS.flatMap((format) =>
    readdirSync(join(top, format))
      .sort()
      .map((name) => ({ name: `${format}/${name}`, folder: join(top, format, name) })),
  );
}

/** Plans the image of a case. */
export function planCase({ folder }: GoldenCase): Image {
  const text = (name: string): string => readFileSync(join(folder, name), "utf8");
  return buildGolden({
    tree: text("tree.txt"),
    options: text("options.json"),
    content: (name) => new Uint8Array(readFileSync(join(folder, name))),
  });
}

/** A file that the case expects, undefined where it is missing. */
export function expected({ folder }: GoldenCase, name: "image.sha256" | "dump.txt"): string | undefined {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
