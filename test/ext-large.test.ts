// Large numbers that cost neither memory nor disk: sparse files, wide directories, far blocks.

import { statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { islands } from "./arbitrary/islands.ts";
import { buildExt, type ExtProfileName, inFolder, judge, needKernel, needTools } from "./judge/ext.ts";
import { expectHtree } from "./judge/htree.ts";

const tools = needTools();
const kernel = needKernel();
const TIB = 2 ** 40;

describe.skipIf(!tools)("sparse files", () => {
  test.each<[ExtProfileName, number, number]>([
    ["ext4", 10 * TIB, 700],
    ["ext4", 10 * TIB, 3],
    ["ext4-nojournal", 129 * 2 ** 30, 600],
    ["ext2", 2 ** 31, 50],
    ["ext2", 2 ** 33, 200],
    ["ext2", 1.9 * TIB, 300],
    ["ext3", 5 * 2 ** 30, 100],
    ["ext2-netbsd", 2 ** 31 - 1, 20],
  ])("%s: %i bytes with %i islands", async (profile, size, count) => {
    const tree = new Tree().file("/sparse", islands(Math.floor(size), count)).file("/hole", sparseContent(2 ** 31 - 5));
    await inFolder(async (folder) => {
      const image = buildExt(profile, tree);
      expect(image.size).toBeLessThan(12 * 2 ** 20 + count * 8192);
      await image.writeTo(`${folder}/image`);
      expect(statSync(`${folder}/image`).blocks * 512).toBeLessThan(4 * 2 ** 20 + count * 8192);
      expect(await judge(`${folder}/image`, tree, { tools, kernel })).toEqual([]);
    });
  });
});

test.skipIf(!tools)("an htree of one level", async () => {
  await expectHtree(1, 3000, 20, {}, kernel);
});

test.skipIf(!tools)("an htree of two levels", async () => {
  await expectHtree(2, 20_000, 20, { blockSize: 1024 }, kernel);
});

test("an image of 20 TiB is planned and read at its ends without being made", async () => {
  const image = buildExt("ext4-nojournal", new Tree().file("/a", "hello\n"), { size: "20T", inodes: 1_000_000 });
  expect(image.size).toBe(20 * TIB);
  const magic = await image.read(1024 + 56, 2);
  expect([...magic]).toEqual([0x53, 0xef]);
  expect(await image.read(image.size - 10, 100)).toHaveLength(10);
});
