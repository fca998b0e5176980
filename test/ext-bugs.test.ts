// Bugs that other makers of ext images had, each as a test of ours. The names in brackets are their trackers' numbers:
// hcsshim is Microsoft's tar2ext4, containerization Apple's EXT4 formatter, go-diskfs and e2fsprogs themselves.

import { describe, expect, test } from "vitest";
import { FsynthError } from "../src/error.ts";
import { sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { debugfs } from "./judge/debugfs.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import {
  buildExt,
  type ExtBuildOptions,
  type ExtProfileName,
  inFolder,
  judge,
  needKernel,
  needTools,
  PROFILES,
} from "./judge/ext.ts";
import { run } from "./judge/need.ts";

const tools = needTools();
const kernel = needKernel();

async function complaints(profile: ExtProfileName, tree: Tree, options: ExtBuildOptions = {}): Promise<string[]> {
  return await inFolder(async (folder) => {
    await buildExt(profile, tree, options).writeTo(`${folder}/image`);
    return await judge(`${folder}/image`, tree, { tools, kernel });
  });
}

/** A digest of the image that does not depend on how the tree was put together. */
async function sha(tree: Tree): Promise<string> {
  return await buildExt("ext4", tree).sha256();
}

describe.skipIf(!tools)("images that judges refused", () => {
  test.each(PROFILES)("%s: several blocks of descriptors (hcsshim 30bb0c0)", async (profile) => {
    expect(await complaints(profile, new Tree().file("/a", "x"), { blockSize: 1024, size: "330M" })).toEqual([]);
  });

  test("checksums of 32-byte descriptors (go-diskfs #231, #311, #312)", async () => {
    for (const features of ["^64bit", "^64bit,uninit_bg", "uninit_bg"]) {
      expect(await complaints("ext4", new Tree().file("/a", "x"), { blockSize: 1024, size: "40M", features })).toEqual([]);
    }
  });

  test("bits behind the inodes of a group and behind the last group are set (hcsshim #2811, openwrt #21478)", async () => {
    const image = buildExt("ext4-nojournal", new Tree().file("/a", "x"), { blockSize: 1024, inodes: 40 });
    const dump = await inFolder(async (folder) => {
      await image.writeTo(`${folder}/image`);
      return run("dumpe2fs", [`${folder}/image`]).stdout.toString();
    });
    const [blockBitmap, inodeBitmap] = ["Block bitmap", "Inode bitmap"].map((what) =>
      Number(new RegExp(`${what} at (\\d+)`).exec(dump)?.[1]),
    );
    const blocks = (image.plan.summary.blocks as number) - 1;
    for (const [at, used] of [
      [blockBitmap as number, blocks],
      [inodeBitmap as number, 40],
    ] as const) {
      const bits = await image.read(at * 1024, 1024);
      for (let bit = used; bit < 8192; bit++)
        expect(bits[bit >> 3] as number).toSatisfy((byte: number) => (byte & (1 << (bit & 7))) !== 0);
    }
  });

  test("owners above 65535 (containerization #636, e2fsprogs #29)", async () => {
    const tree = new Tree().file("/a", "x", { uid: 65536, gid: 100_000 }).directory("/d", { uid: 2 ** 32 - 2, gid: 2 ** 31 });
    for (const profile of PROFILES) expect(await complaints(profile, tree)).toEqual([]);
  });

  test("times before 1970, after 2038, and their nanoseconds (containerization #592, go-diskfs #326, #334)", async () => {
    const tree = new Tree();
    for (const [i, sec] of [
      -(2 ** 31),
      -1,
      0,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 33,
      2 ** 34 - 2 ** 31 - 1,
    ].entries()) {
      for (const nsec of [0, 1, 999_999_999]) tree.file(`/${i}-${nsec}`, "", { mtime: { sec, nsec }, btime: { sec: -i, nsec } });
    }
    expect(await complaints("ext4", tree)).toEqual([]);
  });

  test("xattrs in the order that the kernel searches (containerization #605, #657, #658)", async () => {
    const xattrs: Record<string, string> = {};
    for (const name of ["b", "a", "zz", "aaa", "c".repeat(30), "Z", "é", "_"]) {
      for (const space of ["user", "trusted", "security"]) xattrs[`${space}.${name}`] = name.repeat(3);
    }
    expect(await complaints("ext4", new Tree().file("/a", "", { xattrs }).directory("/d", { xattrs }))).toEqual([]);
  });

  test("an xattr added to a node without any (hcsshim, nil map)", () => {
    const tree = new Tree().file("/a", "").setXattr("/a", "user.x", "y");
    expect(tree.lookup("/a")?.xattrs?.get("user.x")).toEqual(new TextEncoder().encode("y"));
  });

  test("symlinks of 59, 60 and 61 bytes, with and without xattrs that need a block", async () => {
    const tree = new Tree();
    for (const length of [1, 58, 59, 60, 61, 1023]) {
      tree.symlink(`/plain-${length}`, "s".repeat(length));
      tree.symlink(`/xattr-${length}`, "s".repeat(length), { xattrs: { "trusted.long": "v".repeat(300) } });
    }
    for (const blockSize of [1024, 2048, 4096]) {
      const fitting = blockSize === 1024 ? tree : new Tree().symlink("/most", "m".repeat(blockSize - 1));
      for (const profile of ["ext2", "ext4"] as const) expect(await complaints(profile, fitting, { blockSize })).toEqual([]);
    }
  });

  test("a journal as long as it says, of this file system (go-diskfs #365, containerization #852)", async () => {
    await inFolder(async (folder) => {
      const image = buildExt("ext4", new Tree());
      await image.writeTo(`${folder}/image`);
      const log = run("dumpe2fs", ["-h", `${folder}/image`]).stdout.toString();
      expect(log).toMatch(/Total journal blocks: +1024/);
      // s_journal_uuid names an external journal, and s_journal_dev its device: both 0 for one of its own.
      const superblock = await image.read(1024, 1024);
      expect([...superblock.subarray(0xd0, 0xe0), ...superblock.subarray(0xe4, 0xe8)]).toEqual([...new Uint8Array(20)]);
      expect(debugfs(`${folder}/image`, ["logdump"])[0]?.toString()).toMatch(/block 0, transaction 1/);
    });
  });

  test("devices, fifos and sockets of both encodings (go-diskfs #349)", async () => {
    const tree = new Tree().fifo("/f").socket("/s").device("/zero", "c", 0, 0);
    for (const [i, [major, minor]] of [
      [1, 3],
      [255, 255],
      [256, 0],
      [0, 256],
      [4095, 1048575],
      [8, 1],
    ].entries()) {
      tree.device(`/c${i}`, "c", major as number, minor as number).device(`/b${i}`, "b", major as number, minor as number);
    }
    expect(await complaints("ext4", tree)).toEqual([]);
    expect(await complaints("ext2", tree)).toEqual([]);
  });

  test("empty files, empty extents, files at every block boundary (containerization #641, #639)", async () => {
    for (const [profile, blockSize] of [
      ["ext2", 1024],
      ["ext4", 1024],
      ["ext4", 4096],
    ] as const) {
      const tree = new Tree()
        .file("/hole", sparseContent(blockSize * 20))
        .file("/none", sparseContent(0, [{ offset: 0, length: 0 }]));
      for (let blocks = 0; blocks <= 14; blocks++) {
        for (const more of [-1, 0, 1]) {
          if (blocks * blockSize + more >= 0)
            tree.file(`/${blocks}${more < 0 ? "-" : "+"}${more}`, "x".repeat(blocks * blockSize + more));
        }
      }
      const pointers = blockSize / 4;
      for (const blocks of [12 + pointers - 1, 12 + pointers, 12 + pointers + 1])
        tree.file(`/far-${blocks}`, new Uint8Array(blocks * blockSize).fill(7));
      expect(await complaints(profile, tree, { blockSize })).toEqual([]);
    }
  });

  test("reserved blocks are not rounded away (go-diskfs: 5 / 100 * n)", async () => {
    expect(buildExt("ext2", new Tree(), { size: "64M", reserved: 5 }).size).toBe(64 * 2 ** 20);
    await inFolder(async (folder) => {
      await buildExt("ext2", new Tree(), { size: "64M", reserved: 5 }).writeTo(`${folder}/image`);
      expect(run("dumpe2fs", ["-h", `${folder}/image`]).stdout.toString()).toMatch(/Reserved block count: +819\b/);
    });
  });

  test.each([1, 2, 3, 5, 9])("sparse_super2 in %i groups (go-diskfs: backups 0, 1 and last)", async (groups) => {
    const options: ExtBuildOptions = { blockSize: 1024, size: groups * 8192 * 1024 + 1024, features: "sparse_super2" };
    expect(await complaints("ext4", new Tree().file("/a", "x"), options)).toEqual([]);
  });

  test("no feature is claimed that nothing uses, none is missing that something does (containerization #438)", async () => {
    await inFolder(async (folder) => {
      await buildExt("ext4", new Tree().file("/a", "x", { xattrs: { "user.a": "b" } })).writeTo(`${folder}/image`);
      const shown = run("dumpe2fs", ["-h", `${folder}/image`]).stdout.toString();
      expect(shown).not.toMatch(/inline_data|ea_inode|large_dir|casefold|encrypt/);
    });
  });
});

describe("trees that came out wrong", () => {
  test("the same tree put together in another order gives the same bytes (hcsshim 45104de, d9ae28c, ac15a31, #2270)", async () => {
    const forwards = new Tree().file("/b/x", "1").file("/a/y", "2").link("/c/l", "/b/x").link("/a/l", "/b/x").symlink("/s", "a");
    const backwards = new Tree()
      .symlink("/s", "a")
      .file("/a/l", "1")
      .directory("/c")
      .file("/a/y", "2")
      .link("/c/l", "/a/l")
      .link("/b/x", "/c/l");
    expect(await sha(backwards)).toBe(await sha(forwards));
  });

  test("missing parents are made, also those of hard links (hcsshim #972, #990, containerization #777)", () => {
    const tree = new Tree().file("/p/q/r", "x").link("/u/v/w", "/p/q/r");
    for (const path of ["/p", "/p/q", "/u", "/u/v"])
      expect(tree.lookup(path)).toMatchObject({ kind: "directory", mode: 0o755, uid: 0, gid: 0 });
  });

  test("a backslash is a character of a name (hcsshim)", async () => {
    const tree = new Tree().file("/a\\b", "x").file("/c/..\\d", "y");
    expect([...tree.root.children.keys()]).toEqual(["a\\b", "c"]);
    if (tools) expect(await complaints("ext4", tree)).toEqual([]);
  });

  test("hard links to nothing, to oneself and to directories (containerization #611, #659)", () => {
    const tree = new Tree().file("/a", "x").directory("/d");
    expect(() => tree.link("/b", "/b")).toThrow(FsynthError);
    expect(() => tree.link("/b", "/nothing")).toThrow(/nothing is there/);
    expect(() => tree.link("/b", "/d")).toThrow(/is a directory/);
    tree.link("/a", "/a");
    expect(buildExt("ext4", tree).plan.summary.entries).toBe(2);
  });

  test("a directory that holds itself is refused, not followed for ever (containerization #415)", () => {
    const tree = new Tree().directory("/d");
    const directory = tree.lookup("/d");
    if (directory) tree.put("/d/again", directory);
    expect(() => buildExt("ext4", tree)).toThrow(/stands in two places/);
    const loops = new Tree().symlink("/x", "y").symlink("/y", "x");
    expect(() => loops.file("/x/f", "")).toThrow(/a loop/);
  });

  test("the root's own metadata and that of lost+found (containerization #610: first free inode)", async () => {
    const tree = new Tree().directory("/", { mode: 0o1750, uid: 5, gid: 6, mtime: 1_000_000 });
    expect(buildExt("ext4", tree).plan.summary.freeInodes).toBe(5);
    if (!tools) return;
    expect(await complaints("ext4", tree)).toEqual([]);
    const own = new Tree().directory("/lost+found", { mode: 0o711, mtime: 5 }).file("/lost+found/#12", "x").file("/a", "");
    await inFolder(async (folder) => {
      await buildExt("ext4", tree, { lostFound: false }).writeTo(`${folder}/without`);
      expect(e2fsck(`${folder}/without`)).toEqual([]);
      expect(debugfs(`${folder}/without`, ["ls"])[0]?.toString()).not.toContain("lost+found");
      await buildExt("ext4", own).writeTo(`${folder}/image`);
      expect(await judge(`${folder}/image`, own, { tools, kernel })).toEqual([]);
      expect(debugfs(`${folder}/image`, ["stat /lost+found"])[0]?.toString()).toMatch(/Inode: 11 /);
    });
  });

  test("UUIDs are never zero and follow the tree (hcsshim #2199)", () => {
    const one = buildExt("ext4", new Tree().file("/a", "x")).uuid;
    expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(buildExt("ext4", new Tree().file("/a", "x")).uuid).toBe(one);
    expect(buildExt("ext4", new Tree().file("/b", "x")).uuid).not.toBe(one);
  });

  test("200,000 entries in one directory take seconds, not hours (containerization #793)", () => {
    const tree = new Tree();
    for (let i = 0; i < 200_000; i++) tree.file(`/wide/${i}`, "");
    const start = performance.now();
    expect(buildExt("ext4", tree).plan.summary.entries).toBe(200_001);
    expect(performance.now() - start).toBeLessThan(60_000);
  });
});
