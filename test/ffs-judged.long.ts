// Many random trees as FFS images: before sleuthkit, GRUB and, where a BSD brings it, fsck_ffs; and read back.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recipeArbitrary, treeOf } from "./arbitrary/tree.ts";
import { runSeed } from "./judge/ext.ts";
import { buildArbitrary, judgeBuild, limitsOf, needReaders, optionsArbitrary, PROFILES } from "./judge/ufs.ts";
import { roundTrip } from "./judge/ufs-read.ts";

const tools = needReaders();
const seed = runSeed();
const RUNS = 150;

describe.each(["ffs1", "ffs2"] as const)("%s", (profile) => {
  test.skipIf(!tools)("random trees before the judges", async () => {
    await fc.assert(
      fc.asyncProperty(buildArbitrary(profile, 60), async ([options, recipe]) => {
        expect(await judgeBuild(profile, treeOf(recipe), options)).toEqual([]);
      }),
      { numRuns: RUNS, seed },
    );
  });
});

describe.each(PROFILES)("%s", (profile) => {
  test("random trees read back and rebuilt", async () => {
    const xattrBytes = profile === "ffs2ea" ? 3000 : 0;
    const cases = optionsArbitrary(profile).chain((options) =>
      fc.tuple(fc.constant(options), recipeArbitrary({ ...limitsOf(profile, Number(options.blockSize)), xattrBytes }, 80)),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([options, recipe]) => {
        expect(await roundTrip(profile, treeOf(recipe), options)).toEqual([]);
      }),
      { numRuns: RUNS, seed },
    );
  });
});
