// What a profile cannot hold is refused before anything is written, every case with its path.

import { describe, expect, test } from "vitest";
import { FsynthError } from "../src/error.ts";
import { type Content, sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { debugfs } from "./judge/debugfs.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import { buildExt, type ExtBuildOptions, type ExtProfileName, inFolder, judge, needKernel, needTools } from "./judge/ext.ts";

const tools = needTools();
const kernel = needKernel();

function refused(profile: ExtProfileName, tree: Tree, options: ExtBuildOptions = {}): FsynthError {
  try {
    buildExt(profile, tree, options);
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** Content without data. */
function hole(size: number): Content {
  return sparseContent(size);
}

test("every violation is listed with its path", () => {
  const tree = new Tree()
    .file("/too/large", hole(2 ** 45))
    .device("/dev/odd", "c", 5000, 1)
    .symlink("/long", "x".repeat(4095))
    .file("/future", "", { mtime: 2 ** 34 })
    .file("/attr", "", { xattrs: { "other.name": "x" } });
  const error = refused("ext4", tree, { blockSize: 2048 });
  expect(error.code).toBe("unsupported");
  const paths = error.violations.map((line) => line.slice(0, line.indexOf(":")));
  expect(paths.sort()).toEqual(["/attr", "/dev/odd", "/future", "/long", "/too/large"]);
  for (const line of error.violations) expect(error.message).toContain(line);
});

describe("files", () => {
  test.each<[ExtProfileName, number, number]>([
    ["ext4", 4096, (2 ** 32 - 1) * 4096],
    ["ext4", 1024, (2 ** 32 - 1) * 1024],
    ["ext2-netbsd", 4096, 2 ** 31 - 1],
    ["ext2", 1024, (12 + 256 + 256 ** 2 + 256 ** 3) * 1024],
  ])("%s in blocks of %i holds files up to %i bytes", (profile, blockSize, most) => {
    expect(buildExt(profile, new Tree().file("/a", hole(most)), { blockSize }).size).toBeGreaterThan(0);
    expect(refused(profile, new Tree().file("/a", hole(most + 1)), { blockSize }).message).toContain(`${most} is the most`);
  });

  test("without huge_file the sectors of data and indirect blocks fit 32 bits", () => {
    const { message } = refused("ext2", new Tree().file("/a", hole(2 ** 42)));
    const most = Number(/(\d+) is the most/.exec(message)?.[1]);
    // As ext4_max_bitmap_size of the kernel: 2 TiB less what the indirect blocks take.
    const blocks = most / 4096;
    const indirect =
      1 + (1 + 1024) + 1 + Math.ceil((blocks - 12 - 1024 - 2 ** 20) / 1024) + Math.ceil((blocks - 12 - 1024 - 2 ** 20) / 2 ** 20);
    expect(blocks + indirect).toBeLessThanOrEqual((2 ** 32 - 1) / 8);
    expect(blocks + indirect).toBeGreaterThan((2 ** 32 - 1) / 8 - 3);
  });
});

test("symlinks are shorter than a block", () => {
  expect(refused("ext2", new Tree().symlink("/s", "x".repeat(1024)), { blockSize: 1024 }).message).toMatch(
    /1024 bytes; 1023 is the most/,
  );
  expect(refused("ext4", new Tree().symlink("/s", "x".repeat(4096))).message).toMatch(/4096 bytes; 4095 is the most/);
});

test("hard links: 32000 in ext2 and ext3, 65000 in ext4", () => {
  const linked = (names: number): Tree => {
    const tree = new Tree().file("/0", "x");
    for (let i = 1; i < names; i++) tree.link(`/d${i % 50}/${i}`, "/0");
    return tree;
  };
  expect(buildExt("ext2", linked(32000)).size).toBeGreaterThan(0);
  expect(refused("ext3", linked(32001)).message).toMatch(/32001 hard links; 32000 is the most/);
  expect(refused("ext2-netbsd", linked(32001)).code).toBe("unsupported");
  expect(buildExt("ext4", linked(65000)).size).toBeGreaterThan(0);
  expect(refused("ext4", linked(65001)).message).toMatch(/65001 hard links; 65000 is the most/);
});

test.skipIf(!tools)("subdirectories: 31998 in ext2, more than 65000 in ext4", async () => {
  const nested = (count: number): Tree => {
    const tree = new Tree();
    for (let i = 0; i < count; i++) tree.directory(`/p/${i}`);
    return tree;
  };
  expect(refused("ext2", nested(31999)).message).toMatch(/31999 subdirectories; 31998 is the most here .*dir_nlink/);
  await inFolder(async (folder) => {
    // From 65001 links on there are too many to count, and the directory shows 1.
    for (const [count, links] of [
      [64998, 65000],
      [64999, 1],
    ] as const) {
      await buildExt("ext4-nojournal", nested(count), { inodeSize: 128, blockSize: 1024 }).writeTo(`${folder}/image`);
      expect(e2fsck(`${folder}/image`)).toEqual([]);
      expect(debugfs(`${folder}/image`, ["stat /p"])[0]?.toString()).toContain(`Links: ${links} `);
    }
  });
});

describe("times", () => {
  test("of 128-byte inodes end in 2038", () => {
    expect(refused("ext2", new Tree().file("/a", "", { mtime: 2 ** 31 }), { inodeSize: 128 }).message).toMatch(
      /mtime is 2147483648.*2038-01-19/,
    );
    expect(
      buildExt("ext2", new Tree().file("/a", "", { mtime: 2 ** 31 - 1, btime: 2 ** 33 }), { inodeSize: 128 }).size,
    ).toBeGreaterThan(0);
  });

  test("reach from 1901-12-13 to 2446-05-10", () => {
    for (const sec of [-(2 ** 31), 2 ** 34 - 2 ** 31 - 1]) {
      expect(buildExt("ext4", new Tree().file("/a", "", { mtime: sec })).size).toBeGreaterThan(0);
    }
    for (const sec of [-(2 ** 31) - 1, 2 ** 34 - 2 ** 31]) {
      expect(refused("ext4", new Tree().file("/a", "", { mtime: sec })).message).toMatch(/1901-12-13 to 2446-05-10/);
    }
  });

  test("that e2fsck doubts are written, with a warning", () => {
    const at = Date.UTC(2340, 0, 1) / 1000;
    const { warnings } = buildExt("ext4", new Tree().file("/a", "", { mtime: at }), {}).plan;
    expect(warnings).toEqual([
      { code: "time-looks-wrapped", message: expect.stringMatching(/3 nodes.*2310-04-04.*first at \//) },
    ]);
  });
});

test.skipIf(!tools)("allowed losses are dropped and counted", async () => {
  const tree = new Tree()
    .file("/a", "x", { mtime: 2 ** 40, xattrs: { "odd.ns": "1", "user.kept": "2" } })
    .file("/b", "y", { mtime: -(2 ** 40), xattrs: { "user.big": "z".repeat(5000) } });
  expect(refused("ext4", tree, { mtime: undefined }).violations).toHaveLength(4);
  const image = buildExt("ext4", tree, { allowLoss: true });
  expect(
    image.plan.warnings.map(({ code, message }) => [code, /\d+/.exec(message.slice("ext4 cannot hold ".length))?.[0]]),
  ).toEqual([
    ["times", "2"],
    ["xattrs", "2"],
  ]);
  const kept = new Tree()
    .file("/a", "x", { mtime: 2 ** 34 - 2 ** 31 - 1, xattrs: { "user.kept": "2" } })
    .file("/b", "y", { mtime: -(2 ** 31) })
    // Nobody gave the root a time: it has the image's own, which does not fit and reads 0.
    .directory("/", { mtime: 0 });
  await inFolder(async (folder) => {
    await image.writeTo(`${folder}/image`);
    expect(await judge(`${folder}/image`, kept, { tools, kernel })).toEqual([]);
  });
});

test("xattrs: what a profile without them says, and how ea_inode helps", () => {
  const tree = new Tree().file("/a", "", { xattrs: { "user.a": "1" } });
  expect(refused("ext2-netbsd", tree).message).toMatch(/\/a: has the xattr user\.a; this profile has no xattrs/);
  expect(buildExt("ext2-netbsd", tree, { allowLoss: true }).plan.warnings).toHaveLength(1);
  const big = new Tree().file("/a", "", { xattrs: { "user.a": "1".repeat(5000) } });
  expect(refused("ext4", big).message).toMatch(/xattrs take 50\d\d bytes; .* the feature ea_inode/);
  expect(buildExt("ext4", big, { features: "ea_inode" }).plan.warnings).toEqual([]);
  const huge = new Tree().file("/a", "", { xattrs: { "user.a": "1".repeat(65537) } });
  expect(refused("ext4", huge, { features: "ea_inode" }).message).toMatch(/65537 bytes; 65536 is the most/);
  const acl = new Tree().file("/a", "", { xattrs: { "system.posix_acl_access": Uint8Array.of(1, 0, 0, 0) } });
  expect(refused("ext4", acl).message).toMatch(/ACL of version 1; expected 2/);
});

test("a directory that outgrows its index is refused with what helps", () => {
  const tree = new Tree();
  for (let i = 0; i < 70_000; i++) tree.file(`/d/${String(i).padStart(250, "x")}`, "");
  const options = { blockSize: 1024, inodeSize: 128 };
  expect(refused("ext4", tree, options).message).toMatch(/\/d: has \d+ blocks of entries.*--block-size or --features large_dir/);
  expect(buildExt("ext4", tree, { ...options, features: "large_dir" }).size).toBeGreaterThan(0);
});

test("blocks beyond 32 bits need 64bit", () => {
  const tree = new Tree().file("/a", "x");
  expect(refused("ext2", tree, { size: "17T" }).message).toMatch(/without the feature 64bit/);
  const { features } = buildExt("ext4", tree, { size: "17T" }).plan.summary;
  expect(features).toContain("meta_bg");
  expect(features).not.toContain("resize_inode");
});

test("what other tools would choke on is refused before anything is written", () => {
  const tree = new Tree().file("/a", "x");
  // s_inode_size has 16 bits.
  expect(refused("ext4", tree, { blockSize: 65536, inodeSize: 65536 }).message).toMatch(/power of two from 128 to 32768/);
  // One block lists the backups of each reserved descriptor block.
  expect(refused("ext2", tree, { blockSize: 1024, size: "3G", features: "^sparse_super" }).message).toMatch(/\^resize_inode/);
  // The resize inode is larger than 2 GiB.
  expect(refused("ext3", tree, { features: "^large_file" }).message).toMatch(/resize_inode needs large_file/);
  expect(refused("ext2-netbsd", tree, { features: "resize_inode" }).message).toMatch(/resize_inode needs large_file/);
  expect(refused("ext4", tree, { inodes: 99_999_999_999 }).message).toMatch(/4294967295 is the most/);
});

test("few bytes of a global tar header stay few", async () => {
  const xattrs = new Map(Array.from({ length: 2000 }, (_, i) => [`user.k${i}`, new Uint8Array(100)]));
  const tree = new Tree().directory("/", { mtime: 0 });
  for (let i = 0; i < 4000; i++) tree.file(`/${i}`, "");
  for (const [, node] of tree.entries()) node.xattrs = xattrs;
  const start = performance.now();
  expect(refused("ext4", tree, { features: "ea_inode" }).violations).toHaveLength(4000);
  expect(performance.now() - start).toBeLessThan(20_000);
});
