// ext images of ours read back: the tree that went in comes out, and the options that the volume tells rebuild the image.
// Many more of them: ext-read.long.ts.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { treeOf } from "./arbitrary/tree.ts";
import { buildArbitrary, PROFILES, runSeed } from "./judge/ext.ts";
import { roundTrip } from "./judge/ext-read.ts";

const seed = runSeed();
const RUNS = 12;
const RUNS_ABOVE = 3;

describe.each(PROFILES)("%s", (profile) => {
  test.each([1024, 4096, 16384, 65536])(
    "read(write(tree)) = tree and write(read(image)) = image, in blocks of %i",
    async (blockSize) => {
      await fc.assert(
        fc.asyncProperty(buildArbitrary(profile, blockSize), async ([options, recipe]) => {
          expect(await roundTrip(profile, treeOf(recipe), options)).toEqual([]);
        }),
        { numRuns: blockSize <= 4096 ? RUNS : RUNS_ABOVE, seed: seed + blockSize, endOnFailure: true },
      );
    },
  );
});
