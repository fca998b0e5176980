// Sizes: `fit` is the least, everything above works, and nothing is dropped.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FsynthError } from "../src/error.ts";
import type { Content } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { recipeArbitrary, treeOf } from "./arbitrary/tree.ts";
import { buildExt, type ExtBuildOptions, inFolder, judge, limitsOf, needTools, PROFILES, runSeed } from "./judge/ext.ts";

const tools = needTools();

/** Content that is never stored, for trees that are only planned. */
function ones(size: number): Content {
  return {
    size,
    read(_, target) {
      target.fill(1);
    },
  };
}

function filled(bytes: number, files = 20): Tree {
  const tree = new Tree();
  for (let i = 0; i < files; i++) tree.file(`/file-${i}`, ones(Math.floor(bytes / files)));
  return tree;
}

const IDS = { uuid: "123e4567-e89b-42d3-a456-426614174000", hashSeed: "0f0e0d0c-0b0a-4908-8706-050403020100" };

function refusal(work: () => unknown): FsynthError {
  try {
    work();
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe.each(PROFILES)("%s", (profile) => {
  test("one block less than fit is refused with the size that would do", () => {
    fc.assert(
      fc.property(
        recipeArbitrary(limitsOf(profile, { blockSize: 4096 })),
        fc.constantFrom(1024, 2048, 4096),
        (recipe, blockSize) => {
          const tree = treeOf(recipe);
          let image: ReturnType<typeof buildExt>;
          try {
            image = buildExt(profile, tree, { blockSize, allowLoss: true, ...IDS });
          } catch (error) {
            fc.pre(!(error instanceof FsynthError && error.code === "unsupported"));
            throw error;
          }
          const error = refusal(() =>
            buildExt(profile, tree, { blockSize, allowLoss: true, ...IDS, size: image.size - blockSize }),
          );
          expect(error.code).toBe("usage");
          expect(error.where.needed).toBe(image.size);
          expect(error.message).toContain(String(image.size));
          expect(buildExt(profile, tree, { blockSize, allowLoss: true, ...IDS, size: image.size }).size).toBe(image.size);
        },
      ),
      { numRuns: 25, seed: runSeed() },
    );
  });

  // Around the step from one group to two the metadata of the second comes out of the same blocks.
  test("fit+N has exactly N bytes more, whatever N, around the end of a group", () => {
    for (let size = 7.3; size < 8.7; size += 0.07) {
      const tree = filled(size * 2 ** 20);
      const fit = buildExt(profile, tree, { blockSize: 1024, ...IDS });
      expect(refusal(() => buildExt(profile, tree, { blockSize: 1024, ...IDS, size: fit.size - 1024 })).where.needed).toBe(
        fit.size,
      );
      for (let more = 0; more < 1500; more += more < 20 ? 1 : 61) {
        const image = buildExt(profile, tree, { blockSize: 1024, ...IDS, size: `fit+${more * 1024}` });
        expect(image.size).toBe(fit.size + more * 1024);
        expect((image.plan.summary.freeBlocks ?? 0) <= more + (fit.plan.summary.freeBlocks ?? 0)).toBe(true);
      }
    }
  });
});

test("a fit image has no free block", () => {
  for (const profile of PROFILES) {
    for (const blockSize of [1024, 4096]) {
      expect(buildExt(profile, filled(3_000_000), { blockSize }).plan.summary.freeBlocks).toBe(0);
    }
  }
});

test("sizes read as they are written", () => {
  const tree = filled(1_000_000);
  const fit = buildExt("ext2", tree).size;
  expect(buildExt("ext2", tree, { size: "fit+10%" }).size).toBe(Math.ceil((fit * 1.1) / 4096) * 4096);
  expect(buildExt("ext2", tree, { size: "fit+1" }).size).toBe(fit + 4096);
  expect(buildExt("ext2", tree, { size: "fit+3M" }).size).toBe(fit + 3 * 2 ** 20);
  expect(buildExt("ext2", tree, { size: "64M" }).size).toBe(64 * 2 ** 20);
  expect(buildExt("ext2", tree, { size: 50_000_000 }).size).toBe(Math.floor(50_000_000 / 4096) * 4096);
  for (const size of ["", "12X", "fit-1", "-5", "fit+", "1e9", "fit+10 %"]) {
    expect(refusal(() => buildExt("ext2", tree, { size })).code).toBe("usage");
  }
});

test("spare inodes, counts and ratios", () => {
  const tree = filled(100_000);
  const inodes = (options: ExtBuildOptions): number => buildExt("ext4", tree, options).plan.summary.inodes ?? 0;
  const free = (options: ExtBuildOptions): number => buildExt("ext4", tree, options).plan.summary.freeInodes ?? 0;
  expect(inodes({})).toBe(32);
  expect(free({ inodes: "fit+1000" })).toBeGreaterThanOrEqual(1000);
  expect(free({ inodes: "fit+1000" })).toBeLessThan(1016);
  expect(inodes({ inodes: 5000 })).toBe(5008);
  expect(inodes({ inodes: "1/16K", size: "64M" })).toBe(4096);
  expect(refusal(() => buildExt("ext4", tree, { inodes: "1/300" })).message).toMatch(/at least 1024 bytes/);
  expect(refusal(() => buildExt("ext4", tree, { inodes: 12 })).message).toMatch(/12 inodes are too few; this tree needs 31/);
});

test("fit+N works whatever N where inodes follow the size", () => {
  for (const profile of PROFILES) {
    for (const inodes of ["1/1K", "1/4K", "1/16K"]) {
      for (const bytes of [3_000_000, 8_100_000, 20_000_000]) {
        const options = { blockSize: 1024, inodes, ...IDS };
        const fit = buildExt(profile, filled(bytes), options);
        for (let more = 0; more < 900; more += more < 40 ? 1 : 17) {
          expect(buildExt(profile, filled(bytes), { ...options, size: fit.size + more * 1024 }).size).toBe(
            fit.size + more * 1024,
          );
        }
      }
    }
  }
});

test("reserved blocks are part of fit", () => {
  const tree = filled(5_000_000);
  for (const reserved of [1, 5, 12.5, 50]) {
    const image = buildExt("ext2", tree, { reserved });
    const { blocks = 0, freeBlocks = 0 } = image.plan.summary;
    expect(freeBlocks).toBe(Math.floor((blocks * reserved) / 100));
  }
});

test.skipIf(!tools)("a last group too short for its metadata is widened, not dropped", async () => {
  await inFolder(async (folder) => {
    for (const profile of PROFILES) {
      for (const more of [1, 2, 40, 300]) {
        const tree = new Tree().file("/a", "hello\n");
        const image = buildExt(profile, tree, { blockSize: 1024, size: (3 * 8192 + 1 + more) * 1024 });
        expect(image.plan.summary.blocks).toBe(3 * 8192 + 1 + more);
        expect(image.plan.summary.groups).toBe(4);
        const path = `${folder}/${profile}-${more}`;
        await image.writeTo(path);
        expect(await judge(path, tree, { tools, kernel: false })).toEqual([]);
      }
    }
  });
});

test("more inodes than the groups of the blocks can hold make smaller groups", () => {
  const tree = new Tree();
  for (let i = 0; i < 100_000; i++) tree.file(`/${i % 100}/${i}`, "");
  const { blocks = 0, groups = 0 } = buildExt("ext4-nojournal", tree).plan.summary;
  expect(groups).toBe(4);
  expect(blocks).toBeLessThan(7100);
});

test("a journal grows with the file system where there is room", () => {
  const tree = filled(1_000_000);
  const journal = (options: ExtBuildOptions): number | undefined => buildExt("ext4", tree, options).plan.summary.journalBlocks;
  expect(journal({})).toBe(1024);
  expect(journal({ size: "128M" })).toBe(4096);
  expect(journal({ size: "1G" })).toBe(8192);
  expect(journal({ journalSize: "8M" as unknown as number })).toBe(2048);
  expect(refusal(() => buildExt("ext4", tree, { journalSize: 2 ** 20 })).message).toMatch(/256 blocks.*1024 to/);
  expect(refusal(() => buildExt("ext2", tree, { journalSize: 2 ** 23 })).message).toMatch(/without a journal/);
});

test("many inodes asked for do not turn a file system to meta_bg: only layouts far smaller than it would have tiny groups", () => {
  const tree = filled(100 * 12_289, 100);
  for (let inodes = 25_600; inodes <= 26_600; inodes += 40) {
    const { summary } = buildExt("ext2", tree, { blockSize: 1024, size: "103M", inodes }).plan;
    expect([inodes, summary.features]).toEqual([inodes, expect.arrayContaining(["resize_inode"])]);
  }
});
