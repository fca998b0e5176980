// Trees of three levels: of extents, and of directory hashes. What is quicker stands in ext-large.test.ts.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Tree } from "../src/tree/tree.ts";
import { islands } from "./arbitrary/islands.ts";
import { debugfs } from "./judge/debugfs.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import { buildExt, inFolder, needKernel, needTools } from "./judge/ext.ts";
import { expectHtree } from "./judge/htree.ts";

const tools = needTools();
const kernel = needKernel();

test.skipIf(!tools)("a file of more extents than two levels hold", async () => {
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

test.skipIf(!tools)("an htree of two levels, wide", async () => {
  await expectHtree(2, 60_000, 20, { blockSize: 1024 }, kernel);
});

test.skipIf(!tools)("an htree of three levels", async () => {
  await expectHtree(3, 70_000, 250, { blockSize: 1024, features: "large_dir" }, kernel);
});
