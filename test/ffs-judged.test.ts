// Random trees as FFS images, before sleuthkit and, where a BSD brings it, fsck_ffs: nothing to complain of, and exactly
// the tree. Many more of them: ffs-judged.long.ts.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { treeOf } from "./arbitrary/tree.ts";
import { runSeed } from "./judge/ext.ts";
import { buildArbitrary, judgeBuild, needReaders } from "./judge/ufs.ts";

const tools = needReaders();
const seed = runSeed();
const RUNS = Number(process.env.FSYNTH_FFS_RUNS ?? 8);

describe.each(["ffs1", "ffs2"] as const)("%s", (profile) => {
  test.skipIf(!tools)("random trees", async () => {
    await fc.assert(
      fc.asyncProperty(buildArbitrary(profile), async ([options, recipe]) => {
        expect(await judgeBuild(profile, treeOf(recipe), options)).toEqual([]);
      }),
      { numRuns: RUNS, seed, interruptAfterTimeLimit: 100_000, markInterruptAsFailure: true },
    );
  });
});
