// An ext image before all its judges.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ext } from "../../formats/ext/index.ts";
import { type BuildOptions, buildImage } from "../../src/build.ts";
import type { Image } from "../../src/image/image.ts";
import { takeSnapshot } from "../../src/tree/snapshot.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { extLimits, type TreeLimits } from "../arbitrary/tree.ts";
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

/** What random trees for a profile may hold. */
export function limitsOf(profile: ExtProfileName, blockSize: number): TreeLimits {
  const limits = extLimits(blockSize);
  if (profile.startsWith("ext4")) return limits;
  const reach = blockSize === 1024 ? 2 ** 34 : limits.maxFile;
  if (profile !== "ext2-netbsd") return { ...limits, maxFile: reach };
  // No xattrs, no large_file; Linux reads NetBSD's device numbers right below 256 only.
  return { ...limits, xattrBytes: 0, maxFile: 2 ** 31 - 1, maxMajor: 255, maxMinor: 255 };
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
