// The check of FFS images: nothing to say of sound ones, and every byte that changes what a reader or an allocator would do
// is found when it is damaged.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ffs } from "../formats/ffs/index.ts";
import { FsynthError } from "../src/error.ts";
import type { ImageBytes, UsedRun } from "../src/image/volume.ts";
import { Tree } from "../src/tree/tree.ts";
import { pattern, treeOf } from "./arbitrary/tree.ts";
import { runSeed } from "./judge/ext.ts";
import { BYTE_ORDERS, buildArbitrary, buildFfsProfile, PROFILES } from "./judge/ufs.ts";

// Fixed, so that a rare damage is found where it is looked for; FSYNTH_SEED chooses others.
const seed = process.env.FSYNTH_SEED === undefined ? 1 : runSeed();
const RUNS = Number(process.env.FSYNTH_FFS_RUNS ?? 10);
const DAMAGES = Number(process.env.FSYNTH_FFS_DAMAGES ?? 400);

function imageOf(bytes: Uint8Array): ImageBytes {
  return {
    size: bytes.length,
    readAt(offset, target) {
      if (offset + target.length > bytes.length) throw new FsynthError("corrupt", "read behind the end");
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

const check = (bytes: Uint8Array) => ffs.check?.(imageOf(bytes)) ?? [];

describe.each(PROFILES)("%s", (profile) => {
  test("random trees are sound", async () => {
    await fc.assert(
      fc.asyncProperty(buildArbitrary(profile), async ([options, recipe]) => {
        const bytes = await buildFfsProfile(profile, treeOf(recipe), { ...options, size: "fit+100K" }).bytes();
        expect(check(bytes)).toEqual([]);
      }),
      { numRuns: RUNS, seed },
    );
  });
});

const T = 1_700_000_000;

function sample(): Tree {
  const tree = new Tree().directory("/", { mtime: T });
  for (const size of [0, 1, 1000, 8192, 70_001, 400_000]) tree.file(`/files/of-${size}`, pattern(size, size), { mtime: T });
  for (let i = 0; i < 60; i++) tree.link(`/many/name-${i}`, "/files/of-1000");
  tree.symlink("/short", "files", { mtime: T }).symlink("/long", "x/".repeat(200), { mtime: T });
  tree.device("/null", "c", 2, 2, { mtime: T }).fifo("/fifo", { mtime: T }).socket("/socket", { mtime: T });
  return tree.directory("/a/b/c/d", { mtime: T });
}

/** Bytes that say nothing of the structure, so that no other byte contradicts them. */
const FREE: readonly RegExp[] = [
  // Content, names and targets are what they are; what is behind them says nothing.
  /^(content|target|xattrs) of /,
  /^directory .*, the entry that leads to /,
  /^directory [^,]*$/,
  // Owners, times, permissions, flags and generations of an inode, its size within its last fragment, a device's number.
  /inode \d+, di_(mode|uid|gid|oldids|size|[amc]time|birthtime|[amc]timensec|birthnsec|gen|flags|kernflags|blksize|modrev|spare)$/,
  // Spare fields, and room behind records.
  /(sparecon\d+|spare\d|firstfield|unused_1|fs_pad)$/,
  /byte \d+ of its header$/,
  /^behind |^around /,
  // Settings, identity and hints: any value in their range will do.
  /^superblock, fs_(minfree|optim|maxcontig|maxbpg|id|fsmnt|volname|swuid|cgrotor|ocsp|time|avgfilesize|avgfpdir|save_cgsize|maxbsize)$/,
  /^superblock, fs_(fmod|ronly|state|pendingblocks|pendinginodes|snapinum|journal\w*|quota\w*|flags|old_flags)$/,
  // What only UFS1 reads, and of that what describes disks of old; fs_cstotal has four spare numbers.
  /^superblock, fs_(old_\w+|cstotal)$/,
  /^group \d+, cg_(old_\w+|time|rotor|frotor|irotor|frsum|initediblk|niblk)$/,
  /how many clusters of 0 blocks are free$/,
  // Copies: what fsck_ffs does not compare.
  /^superblock copy in group \d+/,
];

describe.each(["ffs1", "ffs2"] as const)("%s", (profile) => {
  test.each(BYTE_ORDERS)("%s-endian: damage is found", async (byteOrder) => {
    const options = { byteOrder, blockSize: 8192, fragmentSize: 1024, size: "fit+200K", inodes: "fit+50" };
    const good = await buildFfsProfile(profile, sample(), options).bytes();
    expect(check(good)).toEqual([]);
    const volume = ffs.open?.(imageOf(good));
    if (!volume) throw new Error("ffs has no reader");
    const runs = [...volume.usage()].filter(({ use }) => use !== "free" && use !== "file" && use !== "boot");
    let found = 0;
    const missed: string[] = [];
    fc.assert(
      fc.property(
        fc.nat(runs.length - 1),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.nat(255),
        (i, share, value) => {
          const run = runs[i] as UsedRun;
          // Most of a table of inodes is unused.
          const offset = run.offset + Math.floor(share * Math.min(run.length, 5000));
          if (good[offset] === value) return;
          const bad = good.slice();
          bad[offset] = value;
          const problems = check(bad);
          if (problems.length > 0) found++;
          else {
            const { what } = volume.locate(offset);
            const pointers = /inode (\d+), di_(db|ib)$/.exec(what);
            // Inodes 0 and 1 are nobody's, and fsck_ffs does not look at them.
            if (pointers && Number(pointers[1]) < 2) return;
            // Of devices and short symlinks this is the number or the target itself.
            const kind = pointers ? volume.node(Number(pointers[1])).kind : undefined;
            if (kind === "symlink" || kind?.endsWith("device")) return;
            if (!FREE.some((pattern) => pattern.test(what))) missed.push(`${what} (byte ${offset}: ${good[offset]} to ${value})`);
          }
          // Whatever is wrong, reading ends, and in words.
          expect(() => readAll(bad)).not.toThrow(TypeError);
        },
      ),
      { numRuns: DAMAGES, seed },
    );
    expect(missed).toEqual([]);
    expect(found).toBeGreaterThan(DAMAGES / 10);
  });
});

/** Opens an image and reads all that it holds; FsynthErrors end it. */
function readAll(bytes: Uint8Array): void {
  try {
    const volume = ffs.open?.(imageOf(bytes));
    if (!volume) return;
    const open = [volume.root];
    const seen = new Set(open);
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const { kind } = volume.node(at);
      volume.xattrs(at);
      if (kind === "symlink") volume.target(at);
      if (kind === "file") {
        const content = volume.content(at);
        void content.read(0, new Uint8Array(Math.min(content.size, 100_000)));
      }
      if (kind !== "directory") continue;
      for (const { id } of volume.children(at)) {
        if (seen.has(id)) continue;
        seen.add(id);
        open.push(id);
      }
    }
  } catch (error) {
    if (!(error instanceof FsynthError)) throw error;
  }
}
