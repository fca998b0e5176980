// Reading of FFS images: what an image of ours can give back of a tree.

import { join } from "node:path";
import { ffs } from "../../formats/ffs/index.ts";
import { type BuildOptions, buildImage } from "../../src/build.ts";
import { decodeName } from "../../src/bytes/names.ts";
import { fromImage, openImage } from "../../src/sources/image.ts";
import { compareTreesFully } from "../../src/tree/compare.ts";
import { type Snapshot, takeSnapshot } from "../../src/tree/snapshot.ts";
import { plainNode } from "../../src/tree/snapshot-node.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { inBlocks } from "./ext-read.ts";
import { buildFfsProfile, type FfsBuildOptions, type FfsProfileName, inFolder } from "./ufs.ts";

/** The snapshot of `tree` as an image of this profile holds it: holes in whole blocks; UFS1 has no birth time, most have no xattrs. */
export function asFfsHolds(tree: Tree, profile: FfsProfileName, blockSize: number): Snapshot {
  const snapshot = takeSnapshot(tree);
  const nodes = snapshot.nodes.map((node) => {
    const content = node.content && inBlocks(node.content, blockSize);
    const kept = /^(user\.|system\.(?!posix_acl_))/;
    const xattrs = profile === "ffs2ea" ? node.xattrs.filter(({ name }) => kept.test(decodeName(name))) : [];
    return { ...plainNode(node), content, xattrs, btime: profile === "ffs1" ? node.mtime : node.btime };
  });
  return { ...snapshot, nodes };
}

/** What is lost when `tree` goes into an image and comes back, and how the image that is built of what came back differs. */
export function roundTrip(profile: FfsProfileName, tree: Tree, options: FfsBuildOptions): Promise<unknown[]> {
  return inFolder(async (folder) => {
    const image = buildFfsProfile(profile, tree, { ...options, allowLoss: true });
    const path = join(folder, "image");
    const digest = (await image.writeTo(path, { sha256: true })).sha256;
    const volume = await openImage(path);
    const read = await fromImage(volume);
    const expected = asFfsHolds(tree, profile, Number(options.blockSize ?? 16384));
    const complaints: unknown[] = await compareTreesFully(takeSnapshot(read), expected);
    const again = volume.buildOptions() as BuildOptions<typeof ffs.options>; // by API name, of this format
    const rebuilt = buildImage(ffs, volume.format, read, again);
    if (rebuilt.size !== image.size || (await rebuilt.sha256()) !== digest) {
      complaints.push({ rebuilt: rebuilt.size, image: image.size, format: volume.format, options: again });
    }
    let at = 0;
    for (const { offset, length, use } of volume.usage()) {
      if (offset !== at || length <= 0) complaints.push({ usage: use, offset, length, expected: at });
      if (use === "unowned") complaints.push({ usage: use, offset, length });
      at = offset + length;
    }
    if (at !== volume.size) complaints.push({ usageEnds: at, size: volume.size });
    const { space } = volume.inspect();
    const total = space.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total !== volume.size) complaints.push({ space: total, size: volume.size });
    for (let i = 0; i < 60; i++) {
      const offset = Math.floor((volume.size * ((i * 0.618) % 1)) % volume.size);
      const owned = volume.locate(offset);
      if (offset < owned.offset || offset >= owned.offset + owned.length) complaints.push({ offset, owned });
    }
    return complaints;
  });
}
