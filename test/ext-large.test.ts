// Large numbers that cost neither memory nor disk: sparse files, wide directories, far blocks.

import { readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Content, sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { debugfs } from "./judge/debugfs.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import { buildExt, type ExtProfileName, inFolder, judge, needKernel, needTools } from "./judge/ext.ts";

const tools = needTools();
const kernel = needKernel();
const TIB = 2 ** 40;

/** `count` islands of data spread over `size` bytes, the last one at the very end. */
function islands(size: number, count: number): Content {
  const length = 5000;
  const extents = Array.from({ length: count }, (_, i) => ({
    offset: i === count - 1 ? size - length : Math.floor((i * (size / count)) / 512) * 512,
    length,
  }));
  const data: Content = {
    size: length * count,
    read(offset, target) {
      for (let i = 0; i < target.length; i++) target[i] = (offset + i) % 251;
    },
  };
  return sparseContent(size, extents, data);
}

describe.skipIf(!tools)("sparse files", () => {
  test.each<[ExtProfileName, number, number]>([
    ["ext4", 10 * TIB, 700],
    ["ext4", 10 * TIB, 3],
    ["ext4-nojournal", 129 * 2 ** 30, 3000],
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

  test("a file of more extents than two levels hold", async () => {
    // 84 extents a block of 1 KiB: three levels from 4 * 84 * 84 extents on.
    const content = islands(30_000 * 8192, 30_000);
    const tree = new Tree().file("/deep", content);
    await inFolder(async (folder) => {
      await buildExt("ext4-nojournal", tree, { blockSize: 1024 }).writeTo(`${folder}/image`);
      expect(e2fsck(`${folder}/image`)).toEqual([]);
      const [answer] = debugfs(`${folder}/image`, ["dump_extents -n /deep", `dump /deep ${folder}/deep`]);
      expect(answer?.toString()).toMatch(/^ 0\/ 3 /m);
      const found = readFileSync(`${folder}/deep`);
      const expected = new Uint8Array(content.size);
      await content.read(0, expected);
      expect(Buffer.compare(found, expected)).toBe(0);
    });
  });
});

describe.skipIf(!tools)("wide directories", () => {
  test.each<[string, number, number, string, number]>([
    ["one level", 3000, 20, "", 4096],
    ["two levels", 60_000, 20, "", 1024],
    ["three levels", 70_000, 250, "large_dir", 1024],
  ])("an htree of %s", async (_, count, length, features, blockSize) => {
    const tree = new Tree();
    for (let i = 0; i < count; i++) tree.file(`/wide/${String(i).padStart(length, "w")}`, "");
    await inFolder(async (folder) => {
      await buildExt("ext4-nojournal", tree, { blockSize, features, inodeSize: 128 }).writeTo(`${folder}/image`);
      expect(e2fsck(`${folder}/image`)).toEqual([]);
      const dump = debugfs(`${folder}/image`, ["htree_dump /wide"])[0]?.toString() ?? "";
      const depth = { "": blockSize === 4096 ? 0 : 1, large_dir: 2 }[features];
      expect(/Indirect levels: (\d)/.exec(dump)?.[1]).toBe(String(depth));
      expect(dump.match(/^\d+ 0x[0-9a-f-]+ \(\d+\) w+\d+/gm)).toHaveLength(count);
      expect(await judge(`${folder}/image`, tree, { tools: false, kernel }, 128)).toEqual([]);
    });
  });
});

test("an image of 20 TiB is planned and read at its ends without being made", async () => {
  const image = buildExt("ext4-nojournal", new Tree().file("/a", "hello\n"), { size: "20T", inodes: 1_000_000 });
  expect(image.size).toBe(20 * TIB);
  const magic = await image.read(1024 + 56, 2);
  expect([...magic]).toEqual([0x53, 0xef]);
  expect(await image.read(image.size - 10, 100)).toHaveLength(10);
});
