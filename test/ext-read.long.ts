// Many more random trees as ext images, read back and rebuilt.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { treeOf } from "./arbitrary/tree.ts";
import { buildArbitrary, PROFILES, runSeed } from "./judge/ext.ts";
import { roundTrip } from "./judge/ext-read.ts";

const seed = runSeed();

describe.each(PROFILES)("%s: read and rebuilt", (profile) => {
  test.each([1024, 2048, 4096, 8192, 32768])("in blocks of %i", async (blockSize) => {
    await fc.assert(
      fc.asyncProperty(buildArbitrary(profile, blockSize, 80), async ([options, recipe]) => {
        expect(await roundTrip(profile, treeOf(recipe), options)).toEqual([]);
      }),
      { numRuns: blockSize <= 4096 ? 150 : 40, seed: seed + blockSize, endOnFailure: true },
    );
  });
});
