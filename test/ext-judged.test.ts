// Random trees as ext images, before e2fsck, debugfs and the Linux kernel: nothing to complain of, and exactly the tree.
// Many more of them: ext-judged.long.ts.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { treeOf } from "./arbitrary/tree.ts";
import { buildArbitrary, judgeBuild, MOUNTABLE, needKernel, needTools, PROFILES, runSeed } from "./judge/ext.ts";

const tools = needTools();
const kernel = needKernel();
const seed = runSeed();

/** 5 profiles, 3 block sizes that Linux mounts and 4 above. */
const RUNS = 14;
const RUNS_ABOVE = 2;

describe.each(PROFILES)("%s", (profile) => {
  test.skipIf(!tools).each([1024, 2048, 4096, 8192, 16384, 32768, 65536])("random trees in blocks of %i", async (blockSize) => {
    const judges = { tools, kernel: kernel && blockSize <= MOUNTABLE };
    await fc.assert(
      fc.asyncProperty(buildArbitrary(profile, blockSize), async ([options, recipe]) => {
        expect(await judgeBuild(profile, treeOf(recipe), options, judges)).toEqual([]);
      }),
      {
        numRuns: blockSize <= MOUNTABLE ? RUNS : RUNS_ABOVE,
        seed: seed + blockSize,
        interruptAfterTimeLimit: 100_000,
        markInterruptAsFailure: true,
      },
    );
  });
});
