// Random reads: any range of any image is that of the written one, whatever its sources are.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { formats } from "../formats/index.ts";
import { buildImage } from "../src/build.ts";
import {
  buildCpio,
  buildExt4,
  buildTar,
  extractTree,
  fromCpio,
  fromDirectory,
  fromImage,
  fromTar,
  type Image,
  Tree,
} from "../src/index.ts";
import { PlanDisk } from "../src/serve/disk.ts";
import { RangeReader } from "../src/sinks/range.ts";
import { sparseContent } from "../src/tree/content.ts";
import { pattern } from "./arbitrary/tree.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-ranges-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const T = 1_600_000_000;

function sample(): Tree {
  const tree = new Tree().directory("/", { mtime: T }).symlink("/link", "x".repeat(300), { mtime: T });
  for (let i = 0; i < 300; i++) tree.file(`/many/${i}`, pattern((i * 331) % 9000, i), { mtime: T });
  const data = {
    size: 5000,
    read: (at: number, target: Uint8Array): void => target.set(pattern(5000, 1).subarray(at, at + target.length)),
  };
  tree.file("/sparse", sparseContent(900_000, [{ offset: 400_000, length: 5000 }], data), { mtime: T });
  return tree.file("/large", pattern(2_500_000, 3), { mtime: T }).directory("/many", { mtime: T });
}

/** Any range, by the API, and by the disk of a server; and the runs that it tells. */
async function checkRanges(image: Image, runs = 60): Promise<void> {
  const path = join(folder, "whole");
  await image.writeTo(path);
  const whole = readFileSync(path);
  const disk = new PlanDisk(image.plan);
  // So small that hardly anything is kept.
  const forgetful = new RangeReader(image.plan, 10_000);
  const { size } = image;
  await fc.assert(
    fc.asyncProperty(fc.nat(size + 10), fc.oneof(fc.nat(100), fc.nat(70_000), fc.nat(size)), async (offset, length) => {
      const expected = whole.subarray(offset, offset + length);
      expect(Buffer.compare(await image.read(offset, length), expected), `${length} at ${offset}`).toBe(0);
      const into = [
        (target: Uint8Array) => disk.read(offset, target),
        (target: Uint8Array) => forgetful.readInto(offset, target),
      ];
      for (const read of into) {
        const target = new Uint8Array(expected.length).fill(0xee);
        await read(target);
        expect(Buffer.compare(target, expected), `${length} at ${offset}`).toBe(0);
      }
      let at = offset;
      for (const run of offset < size ? disk.runs(offset, Math.min(size, offset + length)) : []) {
        expect(run.offset).toBe(at);
        if (run.hole) expect(whole.subarray(at, at + run.length).every((byte) => byte === 0)).toBe(true);
        at += run.length;
      }
      expect(at).toBe(length === 0 || offset >= size ? offset : Math.min(size, offset + length));
    }),
    { numRuns: runs },
  );
}

const all = formats.flatMap((format) => format.profiles.map(({ name }) => [name, format] as const));

describe.each(all)("%s", (profile, format) => {
  test("any range is that of the written image", async () => {
    await checkRanges(buildImage(format, profile, sample()));
  });
});

test("contents in metadata: inline data of ext4, checksums of cpio", async () => {
  await checkRanges(buildExt4(sample(), { features: "inline_data" }));
  await checkRanges(buildCpio(sample(), { checksum: true }));
});

describe("from sources on the disk", () => {
  const tar = join(folder, "source.tar");

  test("a tar, plain, compressed by gzip and zstd (through the spool), and as a stream", async () => {
    await buildTar(sample()).writeTo(tar);
    await buildTar(sample()).writeTo(`${tar}.zst`);
    writeFileSync(`${tar}.gz`, gzipSync(readFileSync(tar)));
    for (const source of [tar, `${tar}.gz`, `${tar}.zst`]) await checkRanges(buildExt4(await fromTar(source)), 25);
  });

  test("a directory, a cpio, and an image", async () => {
    const host = join(folder, "host");
    const image = buildExt4(sample());
    await image.writeTo(join(folder, "source.ext4"));
    await extractTree(await fromImage(join(folder, "source.ext4")), host);
    await checkRanges(buildExt4(fromDirectory(host)), 25);
    await checkRanges(buildExt4(await fromImage(join(folder, "source.ext4"))), 25);
    await buildCpio(await fromTar(tar), { allowLoss: true }).writeTo(join(folder, "source.cpio"));
    await checkRanges(buildExt4(await fromCpio(join(folder, "source.cpio"))), 25);
  });

  test.each([
    ["a tar", async () => buildExt4(await fromTar(tar)), tar],
    ["an image", async () => buildExt4(await fromImage(join(folder, "source.ext4"))), join(folder, "source.ext4")],
    ["a tar, its contents in inodes", async () => buildExt4(await fromTar(tar), { features: "inline_data" }), tar],
  ] as const)("%s that changed gives none of its new bytes", async (_, make, path) => {
    const before = readFileSync(path);
    const image = await make();
    const first = await image.bytes();
    const again = await make();
    writeFileSync(path, new Uint8Array(before.length).fill(0x55));
    let refused = 0;
    for (let at = 0; at < again.size; at += 100_000) {
      const length = Math.min(100_000, again.size - at);
      try {
        const found = await again.read(at, length);
        expect(Buffer.compare(found, first.subarray(at, at + length)), `at ${at}`).toBe(0);
      } catch (error) {
        expect(error).toMatchObject({ code: "source" });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10);
    writeFileSync(path, before);
  });

  test("a directory of which a file changed gives all the others", async () => {
    const host = join(folder, "host");
    const image = buildExt4(fromDirectory(host));
    const first = await buildExt4(fromDirectory(host)).bytes();
    writeFileSync(join(host, "large"), new Uint8Array(2_500_000).fill(0x55));
    const at = Buffer.from(first).indexOf(Buffer.from(pattern(2_500_000, 3).subarray(0, 1000)));
    await expect(image.read(at, 1000)).rejects.toMatchObject({ code: "source", message: expect.stringContaining("large") });
    const other = Buffer.from(first).indexOf(Buffer.from(pattern((299 * 331) % 9000, 299)));
    expect(Buffer.compare(await image.read(other, 500), first.subarray(other, other + 500))).toBe(0);
  });
});
