// Features one by one, on a tree that uses what each of them changes; and what contradicts is explained.

import { expect, test } from "vitest";
import { FsynthError } from "../src/error.ts";
import { bytesContent, sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import {
  buildExt,
  type ExtBuildOptions,
  type ExtProfileName,
  inFolder,
  judge,
  MOUNTABLE,
  needKernel,
  needTools,
} from "./judge/ext.ts";
import { run } from "./judge/need.ts";

const tools = needTools();
const kernel = needKernel();

/** Small and middling files, a directory of several blocks, holes, xattrs. */
function variedTree(large: boolean, xattrs = true): Tree {
  const tree = new Tree();
  for (let i = 0; i < 400; i++) tree.file(`/many/${String(i).padStart(30, "n")}`, i % 3 === 0 ? "x" : "");
  for (let i = 0; i < 220; i++) tree.file(`/sizes/${i}`, "z".repeat(i), { mtime: i * 1000 });
  const extents = Array.from({ length: 400 }, (_, i) => ({ offset: i * 262144, length: 5000 }));
  tree.file("/holes", sparseContent(100 * 2 ** 20, extents, bytesContent(new Uint8Array(2_000_000).fill(66))));
  tree.symlink("/fast", "t".repeat(59)).symlink("/slow", "t".repeat(60));
  if (!xattrs) return tree;
  tree.file("/small-xattr", "12345", { xattrs: { "user.x": "y" } });
  tree.file("/inline-xattr", "w".repeat(70), { xattrs: { "security.selinux": "system_u:object_r:etc_t:s0\0" } });
  for (let i = 0; i < 3; i++) tree.file(`/shared-${i}`, "", { xattrs: { "user.long": "q".repeat(300), "user.other": "" } });
  if (large) {
    tree.file("/large-a", "x", { xattrs: { "user.huge": "v".repeat(20000), "user.more": "w".repeat(9000), "user.tiny": "t" } });
    tree.file("/large-b", "x", { xattrs: { "user.huge": "v".repeat(20000), "user.b": "1" } });
    tree.directory("/large-dir", { xattrs: { "user.huge": "v".repeat(65536) } });
  }
  return tree;
}

const SETS: readonly [profile: ExtProfileName, features: string][] = [
  ["ext4", "^resize_inode,meta_bg"],
  ["ext4", "meta_bg"],
  ["ext4", "^64bit"],
  ["ext4", "^flex_bg"],
  ["ext4", "sparse_super2"],
  ["ext4", "uninit_bg"],
  ["ext4", "gdt_csum,^64bit,^resize_inode"],
  ["ext4", "metadata_csum_seed"],
  ["ext4", "inline_data"],
  ["ext4", "ea_inode"],
  ["ext4", "^dir_index"],
  ["ext4", "^extents,^64bit"],
  ["ext4", "^filetype"],
  ["ext4", "^sparse_super,^resize_inode"],
  ["ext4", "^sparse_super"],
  ["ext4", "^metadata_csum,^huge_file,^dir_nlink,^extra_isize"],
  ["ext4", "^has_journal,inline_data,ea_inode,large_dir,metadata_csum_seed,stable_inodes"],
  ["ext4-nojournal", "read-only"],
  ["ext2", "extent,metadata_csum,flex_bg"],
  ["ext3", "inline_data,ea_inode"],
  ["ext3", "none,has_journal,filetype,ext_attr"],
];

/** Each set in one block size; the random trees of ext-judged.test.ts mix them. */
const CASES = SETS.map(([profile, features], i) => [profile, features, [1024, 4096, 16384][i % 3] as number] as const);

test.skipIf(!tools).each(CASES)("%s with %s in blocks of %i", async (profile, features, blockSize) => {
  const tree = variedTree(features.includes("ea_inode"));
  await inFolder(async (folder) => {
    // Several groups, so that backups and group descriptors count.
    const options: ExtBuildOptions = { blockSize, features, size: blockSize === 1024 ? "fit+70M" : "fit+300M" };
    await buildExt(profile, tree, options).writeTo(`${folder}/image`);
    expect(await judge(`${folder}/image`, tree, { tools, kernel: kernel && blockSize <= MOUNTABLE })).toEqual([]);
  });
});

test.skipIf(!tools).each([128, 256, 512, 1024, 4096])("inodes of %i bytes", async (inodeSize) => {
  await inFolder(async (folder) => {
    for (const profile of ["ext2", "ext4", "ext2-netbsd"] as const) {
      const tree = variedTree(false, profile !== "ext2-netbsd");
      await buildExt(profile, tree, { inodeSize, size: "fit+2M" }).writeTo(`${folder}/image`);
      expect(await judge(`${folder}/image`, tree, { tools, kernel }, inodeSize)).toEqual([]);
    }
  });
});

test.skipIf(!tools)("dumpe2fs shows what was asked for", async () => {
  await inFolder(async (folder) => {
    const uuid = "01234567-89ab-4cde-8f01-23456789abcd";
    const hashSeed = "fedcba98-7654-4321-8fed-cba987654321";
    const tree = new Tree().file("/a", "b", { mtime: 1_700_000_000 });
    await buildExt("ext4", tree, {
      label: "my root",
      uuid,
      hashSeed,
      reserved: 5,
      inodes: 2000,
      size: "100M",
      journalSize: 2 ** 23,
    }).writeTo(`${folder}/i`);
    const shown = run("dumpe2fs", ["-h", `${folder}/i`]).stdout.toString();
    const value = (key: string): string | undefined => new RegExp(`^${key}:\\s+(.*)$`, "m").exec(shown)?.[1];
    expect(value("Filesystem volume name")).toBe("my root");
    expect(value("Filesystem UUID")).toBe(uuid);
    expect(value("Directory Hash Seed")).toBe(hashSeed);
    expect(value("Block count")).toBe("25600");
    expect(value("Reserved block count")).toBe("1280");
    expect(value("Inode count")).toBe("2000");
    expect(value("Total journal blocks")).toBe("2048");
    expect(value("Filesystem state")).toBe("clean");
    expect(value("Filesystem features")).toBe(
      "has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum",
    );
  });
});

// With metadata_csum and a backup, e2fsck takes no group for uninitialised, so that mke2fs's own images draw complaints.
test.skipIf(!tools).each<[ExtProfileName, string]>([
  ["ext2", ""],
  ["ext2-netbsd", ""],
  ["ext4", "^metadata_csum"],
])("every backup superblock of %s %s serves e2fsck", async (profile, features) => {
  await inFolder(async (folder) => {
    await buildExt(profile, new Tree().file("/a", "b"), { blockSize: 1024, size: "70M", features }).writeTo(`${folder}/i`);
    for (const group of [1, 3, 5, 7]) {
      expect(e2fsck(`${folder}/i`, "-b", String(group * 8192 + 1), "-B", "1024")).toEqual([]);
    }
  });
});

test("the superblock's copies of ext2-netbsd are the primary but for their group", async () => {
  const image = buildExt("ext2-netbsd", new Tree().file("/a", "b"), { blockSize: 1024, size: "30M" });
  const primary = await image.read(1024, 1024);
  for (let group = 1; group < 4; group++) {
    const copy = await image.read((group * 8192 + 1) * 1024, 1024);
    expect(copy[0x5a]).toBe(group);
    copy[0x5a] = 0;
    expect(Buffer.compare(copy, primary)).toBe(0);
  }
  // Revision 1, no feature in any word.
  expect([...primary.subarray(0x4c, 0x50), ...primary.subarray(0x5c, 0x68)]).toEqual([1, 0, 0, 0, ...new Uint8Array(12)]);
});

function message(features: string, profile: ExtProfileName = "ext4", more: ExtBuildOptions = {}): string {
  try {
    buildExt(profile, new Tree(), { features, ...more });
  } catch (error) {
    if (error instanceof FsynthError && (error.code === "usage" || error.code === "unsupported")) return error.message;
    throw error;
  }
  throw new Error(`${features} was not refused`);
}

test("features that do not go together are explained", () => {
  expect(message("^extent")).toMatch(/64bit needs extent.*\^64bit/);
  expect(message("metadata_csum,uninit_bg")).toMatch(/exclude each other/);
  expect(message("metadata_csum_seed,^metadata_csum")).toMatch(/metadata_csum_seed needs metadata_csum/);
  expect(message("nonsense")).toMatch(/unknown feature "nonsense"; known are .*dir_index/);
  expect(message("bigalloc")).toMatch(/does not write the feature bigalloc/);
  expect(message("^ext_attr,inline_data")).toMatch(/inline_data needs ext_attr/);
  expect(message("inline_data", "ext4", { inodeSize: 128 })).toMatch(/inline_data needs inodes of 256/);
  expect(message("", "ext4", { inodeSize: 4096, blockSize: 1024 })).toMatch(/larger than a block/);
});
