// Broken ext images: single fields, bits, words and copied runs changed. Nothing crashes, hangs or grows without bound, and what
// checksums guard does not pass unseen.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ext } from "../formats/ext/index.ts";
import { FsynthError } from "../src/error.ts";
import { makeVolume } from "../src/image/volume.ts";
import { Tree } from "../src/tree/tree.ts";
import { imageOf, type Patch, patched, patchesArbitrary, readEverything } from "./judge/broken.ts";
import { buildExt, type ExtBuildOptions, type ExtProfileName, runSeed } from "./judge/ext.ts";

const seed = runSeed();
const all = process.env.FSYNTH_TEST === "all";
/** 24,000 cases in the long mode. */
const RUNS = all ? 4000 : 300;
/** Milliseconds that one case may take, on a slow and busy machine. */
const PATIENCE = 10_000;

function sample(): Tree {
  const tree = new Tree();
  const big = new Uint8Array(40_000).fill(7);
  tree.file("/etc/motd", "hello\n").file("/big", big).symlink("/etc/issue", "motd").symlink("/long", "x/".repeat(60));
  tree.link("/hard", "/etc/motd").device("/null", "c", 1, 3).fifo("/fifo").symlink("/many/link", ".");
  for (let i = 0; i < 90; i++) tree.file(`/many/${i} with a name of some length`, `${i}`);
  tree.setXattr("/big", "user.long", "v".repeat(400)).setXattr("/etc/motd", "user.short", "v");
  tree.setXattr("/etc", "security.selinux", "label").setXattr("/big", "user.huge", "w".repeat(3072));
  return tree;
}

const KINDS: readonly (readonly [ExtProfileName, ExtBuildOptions])[] = [
  ["ext2", { blockSize: 1024, features: ["ea_inode"] }],
  ["ext4", { blockSize: 1024, features: ["^metadata_csum", "^has_journal", "inline_data", "ea_inode"] }],
  ["ext4", { blockSize: 1024, features: ["^has_journal", "ea_inode"] }],
  ["ext3", { blockSize: 1024, features: ["ea_inode"] }],
  ["ext4-nojournal", { blockSize: 1024, features: ["meta_bg", "uninit_bg", "ea_inode"], inodeSize: 128 }],
  ["ext4", { blockSize: 4096, features: ["^metadata_csum"] }],
];

describe.each(KINDS)("%s %o", (profile, options) => {
  test("is read to an end", { timeout: all ? 1_800_000 : 120_000 }, async () => {
    const bytes = await buildExt(profile, sample(), options).bytes();
    expect(readEverything(ext, bytes)).toBe(0);
    const volume = makeVolume(ext.open?.(imageOf(bytes)) ?? never());
    let refused = 0;
    fc.assert(
      fc.property(patchesArbitrary(bytes, volume), (patches) => {
        const started = performance.now();
        if (readEverything(ext, patched(bytes, patches)) > 0) refused++;
        expect(performance.now() - started).toBeLessThan(PATIENCE);
      }),
      { numRuns: RUNS, seed, endOnFailure: true },
    );
    // The patches do hurt.
    expect(refused).toBeGreaterThan(RUNS / 10);
  });
});

function never(): never {
  throw new Error("ext images can be opened");
}

test("what a checksum guards is missed nowhere", async () => {
  const tree = sample();
  const bytes = await buildExt("ext4", tree, { blockSize: 1024, features: ["ea_inode"], size: "fit+20K" }).bytes();
  const volume = makeVolume(ext.open?.(imageOf(bytes)) ?? never());
  const guarded = [...volume.usage()].filter(({ use }) =>
    ["superblock", "descriptors", "directory", "map", "block-bitmap", "xattrs"].includes(use),
  );
  expect(new Set(guarded.map(({ use }) => use)).size).toBe(5);
  for (const { offset, length, use } of guarded) {
    for (let at = offset; at < offset + length; at += 23) {
      // Behind the last descriptor, and between the entries of an index node and its end, nothing is guarded.
      if (use === "descriptors" && at >= offset + 64) continue;
      if (use === "directory" && at % 1024 >= 40 && at % 1024 < 1016) continue;
      const patch: Patch = { offset: at, bytes: [(bytes[at] as number) ^ 0x10] };
      expect(readEverything(ext, patched(bytes, [patch])), `${use} at ${at}`).toBeGreaterThan(0);
    }
  }
});

describe("refusals name what they met", () => {
  const cases: readonly (readonly [what: string, offset: number, bytes: readonly number[], code: string, message: RegExp])[] = [
    ["no magic", 1024 + 0x38, [0, 0], "corrupt", /^ext: superblock: s_magic is 0x0000, expected 0xef53$/],
    [
      "an unknown feature",
      1024 + 0x60 + 3,
      [0x40],
      "unsupported",
      /^ext: this image needs the incompatible feature 0x40000000, which fsynth does not read$/,
    ],
    ["compression", 1024 + 0x60, [0x03], "unsupported", /incompatible feature compression \(0x00000001\)/],
    ["an external journal", 1024 + 0x60, [0x0a], "unsupported", /^ext: this is an external journal/],
    [
      "blocks too large",
      1024 + 0x18,
      [7],
      "corrupt",
      /^ext: superblock: blocks of 1024 shifted by 7, expected a shift of 0 to 6/,
    ],
    [
      "more blocks than bytes",
      1024 + 0x07,
      [1],
      "corrupt",
      /^ext: superblock: 1\d+ blocks of 1024 \(\d+ bytes\), expected more than 1 /,
    ],
    ["no inodes", 1024 + 0x28, [0, 0, 0, 0], "corrupt", /^ext: superblock: 0 inodes per group, expected 4 to 8192$/],
    ["a wrong group size", 1024 + 0x20, [1, 0, 0, 0], "corrupt", /^ext: superblock: 1 blocks and \d+ clusters per group/],
  ];
  test.each(cases)("%s", async (_, offset, put, code, message) => {
    const bytes = await buildExt("ext2", sample(), { blockSize: 1024, features: ["ea_inode"] }).bytes();
    try {
      ext.open?.(imageOf(patched(bytes, [{ offset, bytes: put }])));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(FsynthError);
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      expect((error as FsynthError).where.offset).toBeGreaterThanOrEqual(1024); // an instance, as expected above
    }
  });

  test("an image that is cut off", async () => {
    const bytes = await buildExt("ext2", sample(), { blockSize: 1024, features: ["ea_inode"] }).bytes();
    for (const length of [0, 1023, 1500, 2048, 5000, bytes.length - 1]) {
      const refuse = (): unknown => ext.open?.(imageOf(bytes.subarray(0, length)));
      if (length < 2048) expect(ext.recognises?.(imageOf(bytes.subarray(0, length)))).toBe(false);
      expect(refuse).toThrow(FsynthError);
    }
  });
});
