// Random trees as cpio archives: GNU cpio and bsdtar unpack exactly the tree, GNU cpio writes the same bytes, and our own
// reader finds the tree again.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildCpio } from "../src/build.ts";
import { fromCpio } from "../src/sources/cpio.ts";
import { fromDirectory } from "../src/sources/directory.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { type Recipe, recipeArbitrary, treeOf } from "./arbitrary/tree.ts";
import { asCpioHolds, cpioLimits, needUnpackers, type Unpacker, unpackedDifferences } from "./judge/cpio.ts";
import { runSeed } from "./judge/ext.ts";
import { runOk } from "./judge/need.ts";

const able = needUnpackers();
const seed = runSeed();
/** Many more where there is time (npm run test:all). */
const RUNS = process.env.FSYNTH_TEST === "all" ? 250 : 40;
const recipes = recipeArbitrary(cpioLimits, 24);

/** Every way of writing that changes what an unpacker sees. */
const WAYS = [
  {},
  { linkData: "first" },
  { checksum: true },
  { align: 4096 },
  { like: "gnu" },
  { align: 512, checksum: true, padding: "none" },
] as const;

async function forAll(judge: (recipe: Recipe, way: (typeof WAYS)[number]) => Promise<void>, offset: number): Promise<void> {
  await fc.assert(fc.asyncProperty(recipes, fc.constantFrom(...WAYS), judge), { numRuns: RUNS, seed: seed + offset });
}

describe(`random trees, seed ${seed}`, () => {
  test.skipIf(!able).each(["cpio", "bsdtar"] as const satisfies Unpacker[])(
    "%s unpacks exactly the tree",
    async (unpacker) => {
      await forAll(
        async (recipe, way) => {
          const archive = await buildCpio(treeOf(recipe), way).bytes();
          expect(await unpackedDifferences(archive, treeOf(recipe), unpacker)).toEqual([]);
        },
        unpacker === "cpio" ? 1 : 2,
      );
    },
    240_000,
  );

  test("our own reader finds the tree again", async () => {
    await forAll(async (recipe, way) => {
      const read = await fromCpio(await buildCpio(treeOf(recipe), way).bytes());
      const expected = asCpioHolds(takeSnapshot(treeOf(recipe)));
      expect(await compareTreesFully(takeSnapshot(read), expected)).toEqual([]);
      // And writes the same bytes again.
      expect(await buildCpio(read, way).sha256()).toBe(await buildCpio(treeOf(recipe), way).sha256());
    }, 3);
  });
});

// Found by the trees above: libarchive took a directory's second entry for a hard link of the first one to itself.
test.skipIf(!able)("a directory that comes twice for the sake of alignment is no hard link to itself", async () => {
  const tree = new Tree();
  for (let i = 0; i < 60; i++) tree.file(`/d/${"n".repeat(200)}${i}`, "x".repeat(1 + i * 70)).directory(`/d/sub${i}`);
  const archive = await buildCpio(tree, { align: 4096 }).bytes();
  expect(await unpackedDifferences(archive, tree, "bsdtar")).toEqual([]);
  expect(await unpackedDifferences(archive, tree, "cpio")).toEqual([]);
});

describe("like gnu", () => {
  test.skipIf(!able)(
    "are the bytes of cpio -o -H newc --reproducible, given the same names in the same order",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "fsynth-gnu-"));
      let count = 0;
      try {
        await fc.assert(
          fc.asyncProperty(recipes, async (recipe) => {
            const root = join(folder, String(count++));
            mkdirSync(root);
            const packed = join(folder, "packed.cpio");
            writeFileSync(packed, await buildCpio(treeOf(recipe)).bytes());
            runOk("bsdtar", ["-xPpf", packed, "--numeric-owner"], { cwd: root });
            const tree = fromDirectory(root, { xattrs: "none" });
            // Our order, as a plain archive shows it: bsdtar spells names like a shell would, our own reader does not list.
            const names = Buffer.concat(order(await buildCpio(tree).bytes()));
            const list = join(folder, "names");
            writeFileSync(list, names);
            const gnu = runOk("sh", ["-c", `cpio --quiet -0 -o -H newc --reproducible < "${list}"`], { cwd: root });
            const ours = Buffer.from(await buildCpio(tree, { like: "gnu" }).bytes());
            expect(ours.equals(gnu), `${ours.length} bytes, expected ${gnu.length}`).toBe(true);
            rmSync(root, { recursive: true, force: true });
          }),
          { numRuns: 100, seed: seed + 4 },
        );
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    120_000,
  );
});

/** Names of a newc archive in their order, each with its NUL. */
function order(archive: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  const hex = (at: number): number => Number.parseInt(Buffer.from(archive.subarray(at, at + 8)).toString("latin1"), 16);
  for (let at = 0; ; ) {
    const size = hex(at + 94);
    const name = archive.subarray(at + 110, at + 110 + size);
    if (Buffer.from(name).toString("latin1") === "TRAILER!!!\0") return names;
    names.push(name);
    at = Math.ceil((Math.ceil((at + 110 + size) / 4) * 4 + hex(at + 54)) / 4) * 4;
  }
}
