// An ext image before all its judges.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ext } from "../../formats/ext/index.ts";
import { type BuildOptions, buildImage } from "../../src/build.ts";
import type { Image } from "../../src/image/image.ts";
import { takeSnapshot } from "../../src/tree/snapshot.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { extLimits, type Recipe, recipeArbitrary, type TreeLimits } from "../arbitrary/tree.ts";
import { debugfsManifest } from "./debugfs.ts";
import { e2fsck } from "./e2fsck.ts";
import { differences, expectedManifest, extentsByPath } from "./manifest.ts";
import { mountManifest } from "./mount.ts";
import { need, needLoopMount } from "./need.ts";

export const PROFILES = ["ext2", "ext3", "ext4", "ext4-nojournal", "ext2-netbsd"] as const;
export type ExtProfileName = (typeof PROFILES)[number];

export type ExtBuildOptions = BuildOptions<typeof ext.options>;

/** Linux mounts block sizes up to its page size, which is 4096 where these tests run. */
export const MOUNTABLE = 4096;

/** What random trees for an image of these options may hold. */
export function limitsOf(profile: ExtProfileName, options: ExtBuildOptions): TreeLimits {
  const blockSize = Number(options.blockSize);
  const limits = extLimits(blockSize);
  const short = options.inodeSize === 128 ? { maxTime: 2 ** 31 - 1 } : {};
  // No xattrs, no large_file; Linux reads NetBSD's device numbers right below 256 only.
  if (profile === "ext2-netbsd")
    return { ...limits, ...short, xattrBytes: 0, maxFile: 2 ** 31 - 1, maxMajor: 255, maxMinor: 255 };
  const extents = profile.startsWith("ext4") && !(options.features as readonly string[] | undefined)?.includes("^extent");
  return { ...limits, ...short, ...(extents || blockSize > 1024 ? {} : { maxFile: 2 ** 34 }) };
}

const FEATURES: Readonly<Record<"ext2" | "ext3" | "ext4", readonly (readonly string[])[]>> = {
  ext2: [
    ["^dir_index"],
    ["^filetype"],
    ["^sparse_super"],
    ["^resize_inode"],
    ["meta_bg"],
    ["^ext_attr", "ext_attr"],
    ["extent"],
    ["ea_inode"],
  ],
  ext3: [["^dir_index"], ["^resize_inode"], ["meta_bg"], ["^has_journal"], ["^sparse_super"]],
  ext4: [
    ["^metadata_csum"],
    ["uninit_bg"],
    ["inline_data"],
    ["ea_inode"],
    ["inline_data", "ea_inode", "metadata_csum_seed"],
    ["meta_bg"],
    ["sparse_super2"],
    ["^flex_bg"],
    ["^resize_inode"],
    ["metadata_csum_seed"],
    ["^64bit"],
    ["^64bit", "^extent"],
    ["^64bit", "^extent", "^metadata_csum", "^flex_bg"],
    ["^dir_index"],
    ["^filetype"],
    ["^sparse_super"],
    ["^huge_file"],
    ["^has_journal"],
    ["^extra_isize"],
    ["^dir_nlink"],
    ["large_dir", "stable_inodes"],
  ],
};

/** Options beside the block size, half of the time the defaults. */
export function optionsArbitrary(profile: ExtProfileName, blockSize: number): fc.Arbitrary<ExtBuildOptions> {
  const features = profile === "ext2-netbsd" ? [] : FEATURES[profile.slice(0, 4) as "ext2" | "ext3" | "ext4"];
  const varied = fc
    .record({
      size: fc.constantFrom("fit", "fit+1", "fit+30%", "fit+700K", "fit+9M", "fit+100M"),
      inodes: fc.constantFrom("fit", "fit+1", "fit+1000", "1/4096"),
      inodeSize: fc.constantFrom(128, 256, 256, Math.min(1024, blockSize)),
      reserved: fc.constantFrom(0, 5),
      label: fc.constantFrom("", "root", "sixteen byte fit"),
      lostFound: fc.constant(true),
      features: fc.constantFrom([], ...features),
    })
    // Data in an inode of 128 bytes has no room, and says so.
    .filter(({ inodeSize, features: chosen }) => inodeSize > 128 || !chosen.includes("inline_data"));
  return fc.oneof(fc.constant({}), varied).map((options) => ({ blockSize, ...options }));
}

/** A tree and the options of an image that can hold it. */
export function buildArbitrary(
  profile: ExtProfileName,
  blockSize: number,
  maxEntries?: number,
): fc.Arbitrary<readonly [ExtBuildOptions, Recipe]> {
  return optionsArbitrary(profile, blockSize).chain((options) =>
    fc.tuple(fc.constant(options), recipeArbitrary(limitsOf(profile, options), maxEntries)),
  );
}

export function buildExt(profile: ExtProfileName, tree: Tree, options: ExtBuildOptions = {}): Image {
  return buildImage(ext, profile, tree, options);
}

/** A folder for images that goes when `work` is done. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-ext-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether the judges that need no mount are here. */
export function needTools(): boolean {
  return need("e2fsck", "debugfs");
}

/** Whether the kernel can judge. */
export function needKernel(): boolean {
  return needLoopMount() && need("getfattr");
}

/** Whom to ask. */
export interface Judges {
  readonly tools: boolean;
  readonly kernel: boolean;
}

/** What the judges have against the image at `path`, which shall hold `tree`. */
export async function judge(path: string, tree: Tree, judges: Judges, inodeSize = 256): Promise<string[]> {
  const snapshot = takeSnapshot(tree);
  const precision = { extra: inodeSize > 128 };
  const extents = extentsByPath(snapshot);
  const expected = await expectedManifest(snapshot, precision);
  const complaints: string[] = [];
  if (judges.tools) {
    complaints.push(...e2fsck(path).map((line) => `e2fsck: ${line}`));
    complaints.push(...differences(await debugfsManifest(path, precision, extents), expected).map((line) => `debugfs: ${line}`));
  }
  if (judges.kernel) {
    complaints.push(...differences(await mountManifest(path, precision, extents), expected).map((line) => `kernel: ${line}`));
  }
  return complaints;
}

/** Builds and judges. */
export async function judgeBuild(
  profile: ExtProfileName,
  tree: Tree,
  options: ExtBuildOptions,
  judges: Judges,
): Promise<string[]> {
  return inFolder(async (folder) => {
    const path = join(folder, "image");
    await buildExt(profile, tree, options).writeTo(path);
    return judge(path, tree, judges, Number(options.inodeSize ?? 256));
  });
}

/** The seed of this run's random trees: FSYNTH_SEED, or another one every time. */
export function runSeed(): number {
  const seed = process.env.FSYNTH_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.FSYNTH_SEED);
  console.info(`random trees of seed ${seed}; FSYNTH_SEED=${seed} repeats them`);
  return seed;
}
