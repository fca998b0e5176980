// FFS images of ours read back: the tree that went in comes out, and the options that the volume tells rebuild the image.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recipeArbitrary, treeOf } from "./arbitrary/tree.ts";
import { runSeed } from "./judge/ext.ts";
import { limitsOf, optionsArbitrary, PROFILES } from "./judge/ufs.ts";
import { roundTrip } from "./judge/ufs-read.ts";

const seed = runSeed();
const RUNS = Number(process.env.FSYNTH_FFS_RUNS ?? 20);

describe.each(PROFILES)("%s", (profile) => {
  test("read(write(tree)) = tree and write(read(image)) = image", async () => {
    const xattrBytes = profile === "ffs2ea" ? 3000 : 0;
    const cases = optionsArbitrary(profile).chain((options) =>
      fc.tuple(fc.constant(options), recipeArbitrary({ ...limitsOf(profile, Number(options.blockSize)), xattrBytes })),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([options, recipe]) => {
        expect(await roundTrip(profile, treeOf(recipe), options)).toEqual([]);
      }),
      { numRuns: RUNS, seed },
    );
  });
});
