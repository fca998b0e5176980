// An ext image as a volume and as a source: paths and symlinks, what a byte belongs to, lost+found, how little is read.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ext } from "../formats/ext/index.ts";
import { buildExt2, buildExt4 } from "../src/build.ts";
import { type ImageBytes, makeVolume, type Volume } from "../src/image/volume.ts";
import { addImage, fromImage, openImage } from "../src/sources/image.ts";
import { addSource } from "../src/sources/source.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { sparseContent } from "../src/tree/content.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { imageOf } from "./judge/broken.ts";

const folder = fs.mkdtempSync(join(tmpdir(), "fsynth-volume-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function sample(): Tree {
  const tree = new Tree().file("/usr/share/doc/readme", "read me\n", { mode: 0o640, uid: 5, gid: 70_000 });
  tree.symlink("/doc", "usr/share/doc").symlink("/usr/up", "../usr/./share").symlink("/absolute", "/usr/share/doc/readme");
  tree.symlink("/loop", "loop2").symlink("/loop2", "loop").symlink("/dangling", "nowhere").symlink("/out", "../../../doc/readme");
  tree.link("/hard", "/usr/share/doc/readme").device("/large", "b", 300, 70_000).device("/small", "c", 5, 1);
  tree.setXattr("/hard", "user.note", "value");
  return tree;
}

/** Counts what is read of an image. */
function counted(image: ImageBytes): { readonly image: ImageBytes; read: number } {
  const counter = {
    read: 0,
    image: {
      size: image.size,
      readAt(offset: number, target: Uint8Array) {
        counter.read += target.length;
        image.readAt(offset, target);
      },
    },
  };
  return counter;
}

async function volumeOf(tree: Tree, options: Parameters<typeof buildExt4>[1] = {}): Promise<Volume> {
  return openImage(await buildExt4(tree, options).bytes());
}

describe("paths", () => {
  let volume: Volume;
  beforeAll(async () => {
    volume = await volumeOf(sample());
  });

  test("parents that are symlinks are followed inside the volume", () => {
    const { id } = volume.stat("/usr/share/doc/readme");
    for (const path of ["doc/readme", "/usr/up/doc/readme", "//doc/./readme", "/hard"]) expect(volume.stat(path).id).toBe(id);
    expect(text(volume.read("/usr/up/doc/readme"))).toBe("read me\n");
    expect(text(volume.read("/hard", 5, 100))).toBe("me\n");
    expect(volume.read("/hard", 100, 5)).toHaveLength(0);
  });

  test("the last name is followed when asked for; `..` above the root stays there", () => {
    expect(volume.stat("/absolute")).toMatchObject({ kind: "symlink", size: 21 });
    for (const path of ["/absolute", "/out", "/hard"])
      expect(volume.lookup(path, true)).toMatchObject({ kind: "file", links: 2 });
    expect(volume.lookup("/dangling", true)).toBeUndefined();
    expect(volume.lookup("/dangling")).toMatchObject({ kind: "symlink" });
    expect(volume.lookup("/hard/below")).toBeUndefined();
    expect(volume.lookup("/")).toMatchObject({ id: 2, kind: "directory" });
  });

  test("what cannot be is refused with the path", () => {
    expect(() => volume.lookup("/loop/x")).toThrow(/"\/loop\/x": more than 40 symlinks on the way/);
    expect(() => volume.lookup("/usr/../hard")).toThrow(/holds "\.\."/);
    expect(() => volume.stat("/nowhere")).toThrow(/"\/nowhere": nothing is there/);
    expect(() => volume.readdir("/hard")).toThrow(/"\/hard": a file, expected a directory/);
    expect(() => volume.read("/doc")).toThrow(/"\/doc": a symlink, expected a file/);
    expect(() => volume.node(99_999)).toThrow(/^ext: inode 99999: there is no inode 99999, expected 1 to /);
    expect(() => volume.node(9)).toThrow(/^ext: inode 9: mode 00 and 0 links, expected an inode in use$/);
  });

  test("metadata", () => {
    expect(volume.stat("/hard")).toMatchObject({
      mode: 0o640,
      uid: 5,
      gid: 70_000,
      links: 2,
      size: 8,
      allocated: 4096,
      flags: [],
    });
    expect(volume.stat("/large")).toMatchObject({ kind: "block-device", major: 300, minor: 70_000, size: 0, allocated: 0 });
    expect(volume.stat("/small")).toMatchObject({ kind: "character-device", major: 5, minor: 1 });
    expect(text(volume.xattrsOf("/hard").get("user.note") ?? new Uint8Array())).toBe("value");
    expect(volume.readlink("/usr/up")).toBe("../usr/./share");
  });
});

describe("what a byte belongs to", () => {
  test("records by field, data by path", async () => {
    const tree = sample().file("/data", new Uint8Array(9000).fill(1));
    for (let i = 0; i < 200; i++) tree.file(`/many/with a longer name ${i}`, "");
    const bytes = await buildExt4(tree, { size: "fit+1M" }).bytes();
    const volume = await openImage(bytes);
    const runs = [...volume.usage()];
    const startOf = (use: string, path?: string): number =>
      runs.find((run) => run.use === use && (path === undefined || run.path === path))?.offset ?? Number.NaN;
    expect(volume.locate(0)).toEqual({ offset: 0, length: 1024, what: "boot block" });
    expect(volume.locate(1024 + 0x68 + 3)).toEqual({ offset: 1024 + 0x68, length: 16, what: "superblock, s_uuid" });
    expect(volume.locate(4096 + 0x0d)).toEqual({ offset: 4096 + 0x0c, length: 2, what: "group 0, bg_free_blocks_count" });
    const inode = startOf("inodes") + 256;
    expect(volume.locate(inode + 0x11)).toEqual({ offset: inode + 0x10, length: 4, what: "group 0, inode 2, i_mtime" });
    expect(volume.locate(inode + 200)).toEqual({ offset: inode + 160, length: 96, what: "group 0, inode 2, xattrs" });
    expect(volume.locate(startOf("block-bitmap")).what).toBe("group 0, block bitmap, blocks 0 to 7");
    expect(volume.locate(startOf("inode-bitmap") + 1).what).toBe("group 0, inode bitmap, inodes 9 to 16");
    expect(volume.locate(startOf("journal") + 0x1c).what).toBe("journal superblock, s_start");
    const root = startOf("directory", "/");
    expect(volume.locate(root + 24 + 9)).toMatchObject({
      offset: root + 24,
      what: expect.stringMatching(/^directory \/, the entry that leads to inode \d+$/),
    });
    const data = startOf("file", "/data");
    expect(volume.locate(data + 5000)).toEqual({ offset: data, length: 12_288, what: "content of /data, from byte 0" });
    expect(volume.locate(bytes.length - 1).what).toMatch(/which nothing leads to$/);
    expect(() => volume.locate(bytes.length)).toThrow(/byte \d+ of an image of/);
    expect(runs.at(-1)?.use).toBe("free");
  });
});

describe("as a source", () => {
  test("/lost+found is left out when a build makes it again, and only then", async () => {
    const has = async (volume: Volume, keepLostFound = false): Promise<boolean> =>
      (await fromImage(volume, { keepLostFound })).lookup("/lost+found") !== undefined;
    const made = await volumeOf(sample());
    expect(made.lookup("/lost+found")).toMatchObject({ id: 11 });
    expect(await has(made)).toBe(false);
    expect(await has(made, true)).toBe(true);
    expect(await has(await volumeOf(sample().file("/lost+found/#12", "found")))).toBe(true);
    expect(await has(await volumeOf(sample().directory("/lost+found", { mode: 0o755 })))).toBe(true);
    expect(await has(await volumeOf(sample().directory("/lost+found", { mode: 0o700, mtime: 5 })))).toBe(true);
    // The same in all but its place.
    expect(await has(await volumeOf(sample().directory("/lost+found", { mode: 0o700 })))).toBe(true);
    const none = await volumeOf(sample(), { lostFound: false });
    expect(none.lookup("/lost+found")).toBeUndefined();
    expect(none.buildOptions()).toMatchObject({ lostFound: false });
  });

  test("laid over others and under them, compressed or not, excluded in part", async () => {
    const lower = join(folder, "lower.ext2.gz");
    await buildExt2(new Tree().file("/a", "lower").file("/etc/x", "x").symlink("/bin", "usr/bin").directory("/usr/bin")).writeTo(
      lower,
    );
    const upper = buildExt4(new Tree().file("/a", "upper").file("/etc/y", "y").file("/bin/sh", "shell"));
    const tree = new Tree();
    await addSource(tree, lower);
    await addSource(tree, upper.stream(), { exclude: ["y"] });
    const expected = new Tree().file("/a", "upper").file("/etc/x", "x").symlink("/bin", "usr/bin").file("/usr/bin/sh", "shell");
    const time = { mtime: { sec: 0, nsec: 0 } };
    expect(await compareTreesFully(takeSnapshot(tree, time), takeSnapshot(expected, time))).toEqual([]);
    await addImage(tree, await upper.bytes(), { replaceSymlinks: true });
    expect(tree.lookup("/bin")).toMatchObject({ kind: "directory" });
  });

  test("hard links stay one node, holes stay holes, content is read when asked for", async () => {
    const content = sparseContent(50_000_000, [{ offset: 40_960_000, length: 4096 }], {
      size: 4096,
      read: (_, into) => void into.fill(9),
    });
    const volume = await volumeOf(sample().file("/sparse", content));
    const tree = await fromImage(volume);
    expect(tree.lookup("/hard")).toBe(tree.lookup("/usr/share/doc/readme"));
    const sparse = tree.lookup("/sparse");
    expect(sparse).toMatchObject({ content: { size: 50_000_000, extents: [{ offset: 40_960_000, length: 4096 }] } });
    expect([...volume.read("/sparse", 40_959_998, 4)]).toEqual([0, 0, 9, 9]);
    expect([...volume.read("/sparse", 40_964_094, 4)]).toEqual([9, 9, 0, 0]);
    expect(volume.stat("/sparse").allocated).toBe(4096);
  });

  test("an image that changes while it is in use is refused", async () => {
    const path = join(folder, "changes.ext4");
    await buildExt4(new Tree().file("/big", new Uint8Array(20 << 20).fill(3))).writeTo(path);
    const volume = await openImage(path);
    fs.utimesSync(path, 5, 5);
    expect(() => volume.read("/big")).toThrow(/changed since its headers were read: its mtime is/);
  });
});

describe("how little is read", () => {
  test("an image of 100 GiB: its groups are not looked at, its tree is", async () => {
    const tree = new Tree();
    for (let i = 0; i < 3000; i++) tree.file(`/many/entry ${i}`, "x".repeat(i % 7));
    const path = join(folder, "huge.ext4");
    await buildExt4(tree, { size: "100G" }).writeTo(path);
    const fd = fs.openSync(path, "r");
    const counter = counted({
      size: fs.fstatSync(fd).size,
      readAt: (offset, target) => void fs.readSync(fd, target, 0, target.length, offset),
    });
    const volume = makeVolume(ext.open?.(counter.image) ?? never());
    expect(counter.read).toBeLessThan(200_000);
    expect(volume.readdir("/many")).toHaveLength(3000);
    for (const { id } of volume.readdir("/many")) volume.node(id);
    expect(counter.read).toBeLessThan(2_000_000);
    // The descriptors of 800 groups, the bitmaps of those with something free, the maps of all files.
    volume.inspect();
    expect(counter.read).toBeLessThan(12_000_000);
    fs.closeSync(fd);
  });

  test("content comes in one piece where it lies in one", async () => {
    const bytes = await buildExt4(new Tree().file("/big", new Uint8Array(8 << 20).fill(5))).bytes();
    let reads = 0;
    const image = imageOf(bytes);
    const volume = makeVolume(
      ext.open?.({
        size: image.size,
        readAt(offset, target) {
          reads++;
          image.readAt(offset, target);
        },
      }) ?? never(),
    );
    const content = volume.content(volume.stat("/big").id);
    reads = 0;
    void content.read(0, new Uint8Array(content.size));
    expect(reads).toBe(1);
  });
});

function never(): never {
  throw new Error("ext images can be opened");
}
