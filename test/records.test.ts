// The records of images as text (`fsynth inspect --records`, golden images): what is folded, what stands for what, and that damage
// ends in a result or in a FsynthError.

import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readGolden } from "../golden-images/build.ts";
import { goldenCases, planCase, sourcesOf } from "../golden-images/cases.ts";
import { be16, le32, raw, row, struct, viewOf } from "../src/bytes/struct.ts";
import { FsynthError } from "../src/error.ts";
import { recordText } from "../src/image/record-text.ts";
import { bitRanges, type ImageRecord, recordAt, spellBytes } from "../src/image/records.ts";
import { makeVolume } from "../src/image/volume.ts";
import { imageOf, patched, patchesArbitrary } from "./judge/broken.ts";

describe("text", () => {
  const Small = struct("small", 8, { s_one: [0, le32], s_flags: [4, be16], s_rest: [6, raw(2)] });
  const Large = struct("large", 48, {
    l_magic: [0, le32],
    l_b: [4, le32],
    l_c: [8, le32],
    l_row: [12, row(le32, 6)],
    l_name: [36, raw(4)],
    l_e: [40, le32],
    l_f: [44, le32],
  });
  const bytes = new Uint8Array(64);
  const view = viewOf(bytes);
  const lines = (records: readonly ImageRecord[], most?: number): string[] => [...recordText(records, { most })];
  const small = (what: string, depth = 0): ImageRecord => recordAt(Small, view, 0, { offset: 7, what, depth });

  test("short records take a line, long ones name their zeros once", () => {
    bytes.set([1, 0, 0, 0, 0x12, 0x34, 0x41, 0]);
    expect(lines([small("a")])).toEqual(['7 a (small): s_one=1 s_flags=4660 s_rest="A"']);
    bytes.fill(0);
    bytes.set([0x53, 0xef], 0);
    bytes.set([5, 0, 0, 0, 6, 0, 0, 0, 7], 12);
    bytes.set([0xff, 0xfe], 36);
    const large = (what: string): ImageRecord => recordAt(Large, view, 0, { offset: 0, what });
    expect(lines([large("x"), large("y")])).toEqual([
      "0 x (large):",
      "    l_magic=0xef53 l_row=[5..7 0*3] l_name=0xfffe",
      "    zero: l_b l_c l_e l_f",
      "0 y (large): l_magic=0xef53 l_row=[5..7 0*3] l_name=0xfffe",
    ]);
    const changed = { ...large("z"), copyOf: { ...large("x"), fields: { ...large("x").fields, l_e: 9 } } };
    expect(lines([changed])).toEqual(["0 z (large): as x, but l_e=0"]);
    expect(lines([{ ...large("z"), copyOf: large("x") }])).toEqual(["0 z (large): as x"]);
  });

  test("the same in a row is counted, long rows are cut where that is asked for", () => {
    expect(lines([small("a"), small("b"), small("c"), small("d")])).toEqual([
      expect.stringContaining("7 a (small)"),
      "… and 3 the same, up to d",
    ]);
    const many = Array.from({ length: 9 }, (_, i) => ({ ...small(`n${i}`, 1), fields: { n: i } }));
    const cut = lines([small("top"), ...many], 3);
    expect(cut).toHaveLength(6);
    expect(cut[4]).toMatch(/^ {2}… 5 more, up to n7, whose text has the checksum 0x[0-9a-f]{8}$/);
    expect(cut[5]).toBe("  7 n8 (small): n=8");
    // What is not shown is in the checksum.
    const other = lines([small("top"), ...many.map((one, i) => (i === 5 ? { ...one, fields: { n: 50 } } : one))], 3);
    expect(other.filter((line, i) => line !== cut[i])).toHaveLength(1);
    expect(lines([small("top"), ...many])).toHaveLength(10);
  });

  test("of long rows each range has a checksum, behind which its records are told where that is asked for", () => {
    const many = Array.from({ length: 200 }, (_, i) => ({ ...small(`n${i}`), fields: { n: i } }));
    const cut = lines(many, 3);
    expect(cut.filter((line) => line.startsWith("…")).map((line) => line.replace(/,[^,]*$/, ""))).toEqual([
      "… 64 more, up to n66",
      "… 64 more, up to n130",
      "… 64 more, up to n194",
      "… 4 more, up to n198",
    ]);
    const other = many.map((one, i) => (i === 100 ? { ...one, fields: { n: 5 } } : one));
    const unfolded = [...recordText(other, { most: 3, unfold: (line) => line.startsWith("…") && !cut.includes(line) })];
    const added = unfolded.filter((line) => !cut.includes(line));
    expect(added).toHaveLength(1 + 64);
    expect(added).toContain("7 n100 (small): n=5");
    // However long the row is, there are no more checksums than 64.
    const longest = Array.from({ length: 9000 }, (_, i) => ({ ...small(`n${i}`), fields: { n: i } }));
    expect(lines(longest, 3).length).toBeLessThan(4 + 64 + 1);
  });

  test("bits and bytes", () => {
    expect(bitRanges(Uint8Array.of(0b1110_0011, 0b1), 9, 100)).toBe("100..101 105..108");
    expect(bitRanges(Uint8Array.of(0), 8)).toBe("none");
    expect(spellBytes(Uint8Array.of(0x61, 0, 0x62, 0, 0))).toBe('"a\\0b"');
    expect(spellBytes(new Uint8Array(3))).toBe("0");
    expect(spellBytes(Uint8Array.of(1, 2, 0))).toBe("0x0102");
  });
});

describe("damaged images", () => {
  const names = [
    "ext/ext2",
    "ext/xattrs",
    "ext/indirect",
    "ext/htree-ext2",
    "ffs/ffs1-big",
    "ffs/ffs2ea",
    "ffs/directories",
    "cpio/crc",
    "tar/sparse",
  ];
  const cases = goldenCases(fileURLToPath(new URL("../golden-images", import.meta.url)));

  test.each(names)("the records of %s end in a text or in a FsynthError", async (name) => {
    const golden = cases.find((one) => one.name === name);
    if (!golden) throw new Error(`there is no case ${name}`);
    const { format } = readGolden(sourcesOf(golden));
    const bytes = await planCase(golden).bytes();
    const lines = (image: Uint8Array): number => [...recordText(format.records?.(imageOf(image)) ?? [])].length;
    const sound = lines(bytes);
    expect(sound).toBeGreaterThan(20);
    const volume = makeVolume(format.open?.(imageOf(bytes)) as ReturnType<NonNullable<typeof format.open>>); // every format opens
    let refused = 0;
    fc.assert(
      fc.property(patchesArbitrary(bytes, volume), (patches) => {
        try {
          lines(patched(bytes, patches));
        } catch (error) {
          if (!(error instanceof FsynthError)) throw error;
          refused++;
        }
      }),
      { numRuns: 60, seed: 7 },
    );
    expect(refused).toBeGreaterThan(0);
  });
});
