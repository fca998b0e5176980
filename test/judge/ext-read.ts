// Reading of ext images: what an image of ours can give back of a tree, and what judges see where fsynth reads.

import { join } from "node:path";
import { ext } from "../../formats/ext/index.ts";
import { type BuildOptions, buildImage } from "../../src/build.ts";
import { fromImage, openImage } from "../../src/sources/image.ts";
import { compareTreesFully } from "../../src/tree/compare.ts";
import type { Content, Extent } from "../../src/tree/content.ts";
import { type Snapshot, takeSnapshot } from "../../src/tree/snapshot.ts";
import { plainNode } from "../../src/tree/snapshot-node.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { debugfsManifest } from "./debugfs.ts";
import { buildExt, type ExtBuildOptions, type ExtProfileName, inFolder, type Judges } from "./ext.ts";
import { differences, expectedManifest, extentsByPath } from "./manifest.ts";
import { mountManifest } from "./mount.ts";

/** The snapshot of `tree` as an image of these sizes holds it: holes in whole blocks; small inodes have seconds and no birth time. */
export function asExtHolds(tree: Tree, blockSize: number, inodeSize: number): Snapshot {
  const snapshot = takeSnapshot(tree);
  const nodes = snapshot.nodes.map((node) => {
    const content = node.content && inBlocks(node.content, blockSize);
    if (inodeSize > 128) return { ...plainNode(node), content };
    const seconds = <T extends { readonly sec: number }>({ sec }: T): { sec: number; nsec: number } => ({ sec, nsec: 0 });
    const mtime = seconds(node.mtime);
    return { ...plainNode(node), content, mtime, btime: mtime, atime: seconds(node.atime), ctime: seconds(node.ctime) };
  });
  return { ...snapshot, nodes };
}

export function inBlocks(content: Content, blockSize: number): Content {
  if (!content.extents) return content;
  const extents: { offset: number; length: number }[] = [];
  for (const { offset, length } of content.extents as readonly Extent[]) {
    if (length === 0) continue;
    const from = Math.floor(offset / blockSize) * blockSize;
    const to = Math.min(content.size, Math.ceil((offset + length) / blockSize) * blockSize);
    const last = extents.at(-1);
    if (last && from <= last.offset + last.length) last.length = to - last.offset;
    else extents.push({ offset: from, length: to - from });
  }
  return { size: content.size, extents, read: (offset, target) => content.read(offset, target) };
}

/** What is lost when `tree` goes into an image and comes back, and how the image that is built of what came back differs. */
export function roundTrip(profile: ExtProfileName, tree: Tree, options: ExtBuildOptions): Promise<unknown[]> {
  return inFolder(async (folder) => {
    const image = buildExt(profile, tree, options);
    const path = join(folder, "image");
    const digest = (await image.writeTo(path, { sha256: true })).sha256;
    const volume = await openImage(path);
    const read = await fromImage(volume);
    const expected = asExtHolds(tree, Number(options.blockSize ?? 4096), Number(options.inodeSize ?? 256));
    const complaints: unknown[] = await compareTreesFully(takeSnapshot(read), expected);
    const again = volume.buildOptions() as BuildOptions<typeof ext.options>; // by API name, of this format
    const rebuilt = buildImage(ext, volume.format, read, again);
    if (rebuilt.size !== image.size || (await rebuilt.sha256()) !== digest) {
      complaints.push({ rebuilt: rebuilt.size, image: image.size, format: volume.format, options: again });
    }
    return complaints;
  });
}

/**
 * How what fsynth reads of the image at `path` differs from what the judges see in it. `between` is done when all is read and
 * before the judges look.
 */
export async function judgeReading(
  path: string,
  judges: Judges,
  inodeSize = 256,
  between: () => Promise<void> = async () => {},
): Promise<string[]> {
  const snapshot = takeSnapshot(await fromImage(path, { keepLostFound: true }));
  const precision = { extra: inodeSize > 128 };
  const extents = extentsByPath(snapshot);
  const read = await expectedManifest(snapshot, precision);
  const complaints: string[] = [];
  await between();
  if (judges.tools) {
    complaints.push(...differences(await debugfsManifest(path, precision, extents), read).map((line) => `debugfs: ${line}`));
  }
  if (judges.kernel) {
    complaints.push(...differences(await mountManifest(path, precision, extents), read).map((line) => `kernel: ${line}`));
  }
  return complaints;
}
