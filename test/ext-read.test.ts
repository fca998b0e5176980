// ext images of ours read back: the tree that went in comes out, and the options that the volume tells rebuild the image.

import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ext } from "../formats/ext/index.ts";
import { type BuildOptions, buildImage } from "../src/build.ts";
import { fromImage, openImage } from "../src/sources/image.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { treeOf } from "./arbitrary/tree.ts";
import { buildArbitrary, buildExt, inFolder, PROFILES, runSeed } from "./judge/ext.ts";
import { asExtHolds } from "./judge/ext-read.ts";

const seed = runSeed();
const RUNS = 12;
const RUNS_ABOVE = 3;

describe.each(PROFILES)("%s", (profile) => {
  test.each([1024, 4096, 16384, 65536])(
    "read(write(tree)) = tree and write(read(image)) = image, in blocks of %i",
    async (blockSize) => {
      await fc.assert(
        fc.asyncProperty(buildArbitrary(profile, blockSize), async ([options, recipe]) => {
          await inFolder(async (folder) => {
            const tree = treeOf(recipe);
            const image = buildExt(profile, tree, options);
            const path = join(folder, "image");
            await image.writeTo(path);
            const volume = await openImage(path);
            const read = await fromImage(volume);
            const expected = asExtHolds(tree, blockSize, Number(options.inodeSize ?? 256));
            expect(await compareTreesFully(takeSnapshot(read), expected)).toEqual([]);
            const rebuilt = buildImage(ext, volume.format, read, volume.buildOptions() as BuildOptions<typeof ext.options>);
            expect(rebuilt.size).toBe(image.size);
            expect(await rebuilt.sha256()).toBe(await image.sha256());
          });
        }),
        { numRuns: blockSize <= 4096 ? RUNS : RUNS_ABOVE, seed: seed + blockSize },
      );
    },
  );
});
