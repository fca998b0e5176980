// A wide directory before e2fsck, debugfs and the kernel.

import { expect } from "vitest";
import { Tree } from "../../src/tree/tree.ts";
import { debugfs } from "./debugfs.ts";
import { e2fsck } from "./e2fsck.ts";
import { buildExt, type ExtBuildOptions, inFolder, judge } from "./ext.ts";

/** Expects an htree of `levels` levels of index above its leaves for `count` names of `length` bytes. */
export async function expectHtree(
  levels: number,
  count: number,
  length: number,
  options: ExtBuildOptions,
  kernel: boolean,
): Promise<void> {
  const tree = new Tree();
  for (let i = 0; i < count; i++) tree.file(`/wide/${String(i).padStart(length, "w")}`, "");
  await inFolder(async (folder) => {
    await buildExt("ext4-nojournal", tree, { ...options, inodeSize: 128 }).writeTo(`${folder}/image`);
    expect(e2fsck(`${folder}/image`)).toEqual([]);
    const dump = debugfs(`${folder}/image`, ["htree_dump /wide"])[0]?.toString() ?? "";
    expect(/Indirect levels: (\d)/.exec(dump)?.[1]).toBe(String(levels - 1));
    expect(dump.match(/^\d+ 0x[0-9a-f-]+ \(\d+\) w+\d+/gm)).toHaveLength(count);
    expect(await judge(`${folder}/image`, tree, { tools: false, kernel }, 128)).toEqual([]);
  });
}
