// FFS: sizes, limits, options, and what the profiles differ in.

import { describe, expect, test } from "vitest";
import { ffs } from "../formats/ffs/index.ts";
import { buildFfs, buildImage } from "../src/build.ts";
import { FsynthError } from "../src/error.ts";
import type { Image } from "../src/image/image.ts";
import { makeVolume, type Volume } from "../src/image/volume.ts";
import { bytesContent, sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { pattern } from "./arbitrary/tree.ts";

const T = 1_700_000_000;

function refusal(work: () => unknown): FsynthError {
  try {
    work();
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

async function open(image: Image): Promise<Volume> {
  const bytes = await image.bytes();
  const read = {
    size: bytes.length,
    readAt: (at: number, target: Uint8Array) => target.set(bytes.subarray(at, at + target.length)),
  };
  expect(ffs.check?.(read)).toEqual([]);
  return makeVolume((ffs.open as NonNullable<typeof ffs.open>)(read));
}

function small(): Tree {
  const tree = new Tree();
  for (let i = 0; i < 10; i++) tree.file(`/file-${i}`, pattern(i * 1000, i), { mtime: T });
  return tree;
}

describe.each([1, 2] as const)("UFS%i", (version) => {
  test("fit is the least: one block less is refused and names it, more is exactly more", async () => {
    for (const more of [{}, { minfree: 0 }, { inodes: "fit+5000" }, { blockSize: 4096, fragmentSize: 512 }]) {
      const { size, plan } = buildFfs(small(), { version, ...more });
      const blockSize = plan.summary.blockSize as number;
      const error = refusal(() => buildFfs(small(), { version, ...more, size: size - blockSize }));
      expect(error).toMatchObject({ code: "usage", where: { option: "size", needed: size } });
      expect(buildFfs(small(), { version, ...more, size }).size).toBe(size);
      expect(buildFfs(small(), { version, ...more, size: "fit+10M" }).size).toBe(size + 10 * 2 ** 20);
      await open(buildFfs(small(), { version, ...more }));
    }
  });

  test("every size from fit on works, over the border of a cylinder group too", () => {
    const options = { version, blockSize: 4096, fragmentSize: 512, minfree: 0 } as const;
    const fit = buildFfs(small(), options).size;
    const groups = new Set<number>();
    for (let size = fit; size < fit + 24 * 2 ** 20; size += 4096 * 7) {
      const { plan } = buildFfs(small(), { ...options, size });
      expect(plan.size).toBe(size);
      groups.add(plan.summary.groups as number);
    }
    expect(groups.size).toBeGreaterThan(1);
  });

  test("what is kept free is free", async () => {
    for (const minfree of [0, 5, 30]) {
      const { summary } = buildFfs(small(), { version, minfree }).plan;
      const volume = await open(buildFfs(small(), { version, minfree }));
      const { facts } = volume.inspect();
      const free = Number(facts["free blocks"]) * 8 + Number(facts["free fragments"]);
      expect(free).toBeGreaterThanOrEqual(Math.floor((Number(facts["data fragments"]) * minfree) / 100));
      expect(summary.freeBlocks).toBe(facts["free blocks"]);
    }
  });

  test("inodes: as many as needed, more, a number, a share", () => {
    const inodes = (options: object): number => buildFfs(small(), { version, ...options }).plan.summary.inodes as number;
    const perBlock = version === 1 ? 128 : 64;
    expect(inodes({})).toBe(perBlock);
    expect(inodes({ inodes: "fit+1000" })).toBe(Math.ceil(1013 / perBlock) * perBlock);
    expect(inodes({ inodes: 5000 })).toBe(Math.ceil(5000 / perBlock) * perBlock);
    expect(inodes({ size: "64M", density: 8192 })).toBe(8192);
    expect(inodes({ size: "64M", inodes: "1/8192" })).toBe(8192);
    expect(refusal(() => inodes({ inodes: 12 }))).toMatchObject({ code: "usage", where: { option: "inodes" } });
    expect(refusal(() => inodes({ inodes: 100, density: 4096 }))).toMatchObject({ code: "usage", where: { option: "density" } });
  });

  test("200,000 files in one directory", async () => {
    const tree = new Tree();
    for (let i = 0; i < 200_000; i++) tree.file(`/d/file-${i}`, "", { mtime: T });
    const started = performance.now();
    const image = buildFfs(tree, { version, byteOrder: version === 1 ? "big" : "little" });
    const volume = await open(image);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(volume.readdir("/d")).toHaveLength(200_000);
  }, 120_000);

  test("large sparse files cost no memory", async () => {
    const size = version === 1 ? 2 ** 40 : 10 * 2 ** 40;
    const extents = [
      { offset: 0, length: 10 },
      { offset: size - 5, length: 5 },
    ];
    const image = buildFfs(new Tree().file("/sparse", sparseContent(size, extents, bytesContent(pattern(15, 1))), { mtime: T }), {
      version,
    });
    expect(image.size).toBeLessThan(2 ** 20);
    const volume = await open(image);
    expect(volume.stat("/sparse").size).toBe(size);
    expect(volume.read("/sparse", size - 5, 5)).toEqual(pattern(15, 1).slice(10));
    expect(volume.read("/sparse", 2 ** 39, 5)).toEqual(new Uint8Array(5));
  });

  test("symlinks on both sides of what an inode holds", async () => {
    const most = version === 1 ? 59 : 119;
    const tree = new Tree();
    for (const length of [1, most, most + 1, 1023]) tree.symlink(`/${length}`, "x".repeat(length), { mtime: T });
    const volume = await open(buildFfs(tree, { version }));
    for (const length of [1, most, most + 1, 1023]) {
      expect(volume.readlink(`/${length}`)).toBe("x".repeat(length));
      expect(volume.stat(`/${length}`).allocated > 0).toBe(length > most);
    }
  });

  test("what it cannot hold is refused with every path", () => {
    const tree = new Tree()
      .symlink("/long", "x".repeat(1024), { mtime: T })
      .device("/device", "c", 4096, 0, { mtime: T })
      .file("/xattr", "", { mtime: T, xattrs: { "user.a": "1" } });
    const { code, violations } = refusal(() => buildFfs(tree, { version }));
    expect(code).toBe("unsupported");
    expect(violations.map((line) => line.split(":")[0])).toEqual(["/device", "/long", "/xattr"]);
  });
});

test("links: 32,767 names of a file, 32,765 subdirectories", () => {
  const links = new Tree().file("/file", "", { mtime: T });
  for (let i = 1; i < 32_767; i++) links.link(`/link-${i}`, "/file");
  buildFfs(links);
  expect(refusal(() => buildFfs(links.link("/one-more", "/file"))).message).toContain("32768 hard links; 32767");
  const directories = new Tree();
  for (let i = 0; i < 32_765; i++) directories.directory(`/${i}`, { mtime: T });
  buildFfs(directories);
  expect(refusal(() => buildFfs(directories.directory("/one-more"))).message).toContain("32766 subdirectories; 32765");
});

test("UFS1 ends in 2038: later times are refused, the image's own takes the last one", async () => {
  const late = new Tree().file("/late", "", { mtime: 2 ** 31 });
  expect(refusal(() => buildFfs(late, { version: 1 })).violations[0]).toMatch(/^\/late: mtime/);
  const volume = await open(buildFfs(new Tree().directory("/made/by/itself"), { version: 1, clampMtime: 2 ** 40 }));
  expect(volume.stat("/made").mtime).toEqual({ sec: 2 ** 31 - 1, nsec: 0 });
  const second = await open(buildFfs(late, { version: 2 }));
  expect(second.stat("/late").mtime.sec).toBe(2 ** 31);
});

test("sizes of blocks and fragments that do not go together are refused", () => {
  expect(refusal(() => buildFfs(small(), { blockSize: 16384, fragmentSize: 1024 }))).toMatchObject({
    where: { option: "fragmentSize" },
  });
  expect(refusal(() => buildFfs(small(), { blockSize: 4096, fragmentSize: 8192 }))).toMatchObject({
    where: { option: "fragmentSize" },
  });
  expect(refusal(() => buildFfs(small(), { version: 1, superblock: 65536 }))).toMatchObject({ where: { option: "superblock" } });
  expect(refusal(() => buildFfs(small(), { version: 1, extendedAttributes: true }))).toMatchObject({ code: "usage" });
});

test("ffs2ea is ffs2 under another number, and holds user and system attributes", async () => {
  const options = { fsId: "0123456789abcdef" };
  const plain = await buildImage(ffs, "ffs2", small(), options).bytes();
  const ea = await buildImage(ffs, "ffs2ea", small(), options).bytes();
  let differing = 0;
  plain.forEach((byte, i) => {
    if (byte !== ea[i]) differing++;
  });
  // Four bytes of the superblock, and of its one copy; one of them is 0x19 in both.
  expect(differing).toBe(6);
  const view = new DataView(ea.buffer, ea.byteOffset);
  expect(view.getUint32(65536 + 1372, true)).toBe(0x19012038);

  const xattrs = { "user.empty": "", "user.text": "value", "system.x": pattern(9000, 3), "user.seven77": "12345678" };
  const tree = small().chmod("/file-3", 0o600).file("/with", "content", { mtime: T, xattrs });
  for (const byteOrder of ["little", "big"] as const) {
    const volume = await open(buildFfs(tree, { extendedAttributes: true, byteOrder }));
    const found = volume.xattrsOf("/with");
    expect(Object.fromEntries(found)).toEqual(
      Object.fromEntries(
        Object.entries(xattrs).map(([name, value]) => [
          name,
          typeof value === "string" ? new TextEncoder().encode(value) : value,
        ]),
      ),
    );
  }
  const lost = small().file("/acl", "", { mtime: T, xattrs: { "trusted.x": "1", "user.kept": "2" } });
  expect(refusal(() => buildFfs(lost, { extendedAttributes: true })).violations).toHaveLength(1);
  const kept = await open(buildFfs(lost, { extendedAttributes: true, allowLoss: true }));
  expect([...kept.xattrsOf("/acl").keys()]).toEqual(["user.kept"]);
  const large = small().file("/large", "", { mtime: T, xattrs: { "user.x": pattern(32_768, 1) } });
  expect(refusal(() => buildFfs(large, { extendedAttributes: true })).violations[0]).toMatch(/^\/large: xattrs take/);
});

test("--netbsd-dev adds device nodes, and leaves what is there", async () => {
  const bare = await open(buildFfs(small(), { netbsdDev: true }));
  expect(bare.readdir("/dev")).toHaveLength(23);
  expect(bare.stat("/dev/console")).toMatchObject({ kind: "character-device", major: 0, minor: 0, mode: 0o600 });
  expect(bare.stat("/dev/ld0a")).toMatchObject({ kind: "block-device", major: 19, minor: 0, mode: 0o640 });
  expect(bare.stat("/").links).toBe(3);
  expect(bare.stat("/file-3").size).toBe(3000);
  const tree = small().file("/dev/null", "not a device", { mtime: T }).directory("/dev/fd", { mode: 0o700, mtime: T });
  const kept = await open(buildFfs(tree, { netbsdDev: true }));
  expect(kept.stat("/dev/null").kind).toBe("file");
  expect(kept.readdir("/dev")).toHaveLength(24);
  expect(kept.stat("/dev/fd").mode).toBe(0o700);
  expect(kept.stat("/dev").links).toBe(3);
});

test("identity is derived, and can be set", async () => {
  const image = (options: object): Promise<string> => buildFfs(small(), options).sha256();
  expect(await image({})).toBe(await image({}));
  expect(await image({ label: "other" })).not.toBe(await image({}));
  const volume = await open(buildFfs(small(), { fsId: "00112233445566FF", label: "root" }));
  expect(volume.inspect().facts).toMatchObject({ id: "00112233445566ff", label: "root" });
});

test("a journal that has to be replayed is named", async () => {
  const bytes = await buildFfs(small(), { version: 1 }).bytes();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const read = {
    size: bytes.length,
    readAt: (at: number, target: Uint8Array) => target.set(bytes.subarray(at, at + target.length)),
  };
  // fs_flags, fs_journal_version, fs_journal_location.
  view.setUint32(8192 + 1312, 0x100, true);
  bytes.set([1, 2], 8192 + 864);
  expect(ffs.open?.(read).root).toBe(2);
  bytes[8192 + 209] = 0;
  expect(refusal(() => ffs.open?.(read))).toMatchObject({
    code: "unsupported",
    message: expect.stringContaining("WAPBL") as string,
  });
});
