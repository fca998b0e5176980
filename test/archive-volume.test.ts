// tar and cpio archives opened as images, and checked.

import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpio } from "../formats/cpio/index.ts";
import { tar } from "../formats/tar/index.ts";
import { buildCpio, buildTar } from "../src/build.ts";
import { FsynthError } from "../src/error.ts";
import type { Image } from "../src/image/image.ts";
import type { ImageBytes, Problem, Volume } from "../src/image/volume.ts";
import { fromImage, openImage } from "../src/sources/image.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { bytesContent, sparseContent } from "../src/tree/content.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { recipeArbitrary, treeOf } from "./arbitrary/tree.ts";
import { asCpioHolds, cpioLimits } from "./judge/cpio.ts";
import { runSeed } from "./judge/ext.ts";
import { asTarHolds, socketless, tarLimits } from "./judge/tar.ts";
import { END, entry } from "./tar-made.ts";

const seed = runSeed();

function imageOf(bytes: Uint8Array): ImageBytes {
  return {
    size: bytes.length,
    readAt(offset, target) {
      if (offset + target.length > bytes.length) throw new FsynthError("corrupt", "the image ends");
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

/** What every volume owes. */
function expectWhole(volume: Volume, bytes: Uint8Array): void {
  let at = 0;
  for (const { offset, length, path } of volume.usage()) {
    expect(offset).toBe(at);
    expect(length).toBeGreaterThan(0);
    if (path !== undefined) expect(path).toMatch(/^\//);
    at += length;
  }
  expect(at).toBe(bytes.length);
  for (const offset of [0, 1, bytes.length >> 1, bytes.length - 1]) {
    const owned = volume.locate(offset);
    expect(owned.offset).toBeLessThanOrEqual(offset);
    expect(owned.offset + owned.length).toBeGreaterThan(offset);
  }
  const { space, size } = volume.inspect();
  expect(space.reduce((sum, { bytes: part }) => sum + part, 0)).toBe(size);
}

describe(`random trees, seed ${seed}`, () => {
  test("a tar is the volume of its tree, and sound", async () => {
    await fc.assert(
      fc.asyncProperty(recipeArbitrary(tarLimits, 20), async (recipe) => {
        const bytes = await buildTar(socketless(recipe)).bytes();
        const volume = await openImage(bytes);
        expect(volume.format).toBe("tar");
        expectWhole(volume, bytes);
        const expected = asTarHolds(takeSnapshot(socketless(recipe)));
        expect(await compareTreesFully(takeSnapshot(await fromImage(volume)), expected)).toEqual([]);
        expect(tar.check?.(imageOf(bytes))).toEqual([]);
        const options = { rootEntry: recipe.length % 2 === 0, blockingFactor: 1 + (recipe.length % 30), times: "mtime" } as const;
        const other = await openImage(await buildTar(socketless(recipe), options).bytes());
        const again = buildTar(await fromImage(other), other.buildOptions());
        if (options.rootEntry) expect(await again.sha256()).toBe(await buildTar(socketless(recipe), options).sha256());
        else expect(again.size).toBe(other.size);
      }),
      { numRuns: 60, seed },
    );
  }, 60_000);

  test("a cpio is the volume of its tree, and sound", async () => {
    await fc.assert(
      fc.asyncProperty(recipeArbitrary(cpioLimits, 20), fc.boolean(), async (recipe, checksum) => {
        const image = buildCpio(treeOf(recipe), { checksum });
        const bytes = await image.bytes();
        const volume = await openImage(bytes);
        expect(volume.format).toBe("cpio");
        expectWhole(volume, bytes);
        const expected = asCpioHolds(takeSnapshot(treeOf(recipe)));
        const read = await fromImage(volume);
        expect(await compareTreesFully(takeSnapshot(read), expected)).toEqual([]);
        expect(await buildCpio(read, volume.buildOptions()).sha256()).toBe(await image.sha256());
        expect(cpio.check?.(imageOf(bytes))).toEqual([]);
      }),
      { numRuns: 60, seed: seed + 1 },
    );
  }, 60_000);
});

const tree = (): Tree =>
  new Tree()
    .directory("/", { mtime: 1 })
    .directory("/etc", { mtime: 1 })
    .file("/etc/motd", "hello\n", { mtime: 1 })
    .symlink("/motd", "etc/motd", { mtime: 1 })
    .link("/zz", "/etc/motd")
    .file("/sparse", sparseContent(9000, [{ offset: 4096, length: 512 }], bytesContent(new Uint8Array(512).fill(7))), {
      mtime: 1,
    });

describe("what a volume tells", () => {
  test("of a tar: nodes, content, places", async () => {
    const volume = await openImage(await buildTar(tree()).bytes());
    expect(new TextDecoder().decode(volume.read("/etc/motd"))).toBe("hello\n");
    expect(volume.stat("/zz")).toMatchObject({ id: volume.stat("/etc/motd").id, links: 2, size: 6 });
    expect(volume.stat("/")).toMatchObject({ kind: "directory", links: 3 });
    expect(volume.readlink("/motd")).toBe("etc/motd");
    expect(volume.content(volume.stat("/sparse").id).extents).toEqual([{ offset: 4096, length: 512 }]);
    expect(volume.readdir("/").map(({ name }) => name)).toEqual(["etc", "motd", "sparse", "zz"]);
    expect(volume.locate(512 + 136)).toEqual({ offset: 512 + 136, length: 12, what: "header of /etc, mtime" });
    expect(volume.locate(3 * 512)).toEqual({ offset: 3 * 512, length: 6, what: "file of /etc/motd" });
    expect(volume.locate(10_239).what).toBe("padding");
    expect(volume.inspect().facts).toEqual({ members: 6 });
  });

  test("of a cpio: nodes, and no birth times", async () => {
    const volume = await openImage(await buildCpio(tree()).bytes());
    expect(volume.stat("/etc/motd")).toMatchObject({ kind: "file", btime: undefined, links: 2 });
    expect(volume.inspect().facts).toEqual({ members: 6, variant: "newc" });
  });

  test("of an initramfs in parts: all that is in them", async () => {
    const early = await buildCpio(new Tree().file("/kernel/microcode", "code", { mtime: 1 })).bytes();
    const bytes = Buffer.concat([early, gzipSync(await buildCpio(tree()).bytes())]);
    const volume = await openImage(bytes);
    expect(volume.readdir("/").map(({ name }) => name)).toEqual(["etc", "kernel", "motd", "sparse", "zz"]);
    expect(new TextDecoder().decode(volume.read("/motd".replace("/", "/etc/")))).toBe("hello\n");
    expectWhole(volume, bytes);
    expect(volume.locate(early.length + 5).what).toBe("compressed archive");
    expect(cpio.check?.(imageOf(bytes))).toEqual([]);
    const whole = await openImage(gzipSync(await buildCpio(tree()).bytes()));
    expect(whole.stat("/etc/motd").size).toBe(6);
  });
});

describe("check", () => {
  const problems = async (
    format: typeof tar | typeof cpio,
    image: Image,
    change: (bytes: Uint8Array) => Uint8Array,
  ): Promise<readonly Problem[]> => format.check?.(imageOf(change(await image.bytes()))) ?? [];
  const patched =
    (at: number, byte: number) =>
    (bytes: Uint8Array): Uint8Array => {
      bytes[at] = byte;
      return bytes;
    };

  test("of tar names the header, the entry and the end", async () => {
    expect(await problems(tar, buildTar(tree()), patched(512, 0x41))).toMatchObject([
      {
        code: "tar-damage",
        place: "byte 512",
        found: expect.stringMatching(/^the checksum of a header is \d+$/) as string,
        expected: expect.stringMatching(/^\d+$/) as string,
      },
    ]);
    expect(await problems(tar, buildTar(tree()), (bytes) => bytes.subarray(0, 4 * 512))).toMatchObject([
      { code: "tar-unterminated" },
    ]);
    expect(await problems(tar, buildTar(tree()), (bytes) => bytes.subarray(0, 3 * 512 + 3))).toMatchObject([
      { code: "tar-damage", place: 'byte 1536 ("etc/motd")' },
    ]);
    // Every entry that cannot be, not the first alone.
    const bad = Buffer.concat([
      entry({ name: "../up" }, "x"),
      entry({ name: "l", typeflag: "1", linkname: "none" }),
      entry({ name: "fine" }, "x"),
      END,
    ]);
    expect(tar.check?.(imageOf(bad))).toMatchObject([
      { code: "tar-entry", place: 'byte 0 ("../up")', found: expect.stringContaining('holds ".."') as string },
      { code: "tar-entry", place: 'byte 1024 ("l")', found: expect.stringContaining("nothing is there") as string },
    ]);
    await expect(openImage(bad)).rejects.toMatchObject({ code: "source" });
  });

  test("of cpio names the member, its checksum and the end", async () => {
    const image = buildCpio(tree(), { checksum: true });
    const bytes = await image.bytes();
    const at = Buffer.from(bytes).indexOf("hello");
    expect(await problems(cpio, image, patched(at, 0x48))).toMatchObject([
      { code: "cpio-damage", found: expect.stringContaining("the sum of its data is") as string },
    ]);
    expect(await problems(cpio, image, patched(20, 0x7a))).toMatchObject([
      { code: "cpio-damage", place: "byte 0", found: "c_mode of its header: expected 8 hexadecimal digits" },
    ]);
    expect(await problems(cpio, image, (all) => Buffer.concat([all, Buffer.from("junk")]))).toMatchObject([
      { place: `byte ${bytes.length}`, found: "something that is no member" },
    ]);
  });

  test("never throws anything but what is wrong, whatever the bytes", async () => {
    for (const [format, image] of [
      [tar, buildTar(tree())],
      [cpio, buildCpio(tree(), { checksum: true })],
    ] as const) {
      const sound = await image.bytes();
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
          fc.nat(sound.length),
          (patches, length) => {
            const bytes = sound.slice(0, length);
            for (const [at, byte] of patches) if (at < length) bytes[at] = byte;
            for (const problem of format.check?.(imageOf(bytes)) ?? [])
              expect(Object.values(problem).every((text) => typeof text === "string" && text !== "")).toBe(true);
            try {
              format.open?.(imageOf(bytes));
            } catch (error) {
              expect(error).toBeInstanceOf(FsynthError);
            }
          },
        ),
        { numRuns: 400, seed },
      );
    }
  });
});
