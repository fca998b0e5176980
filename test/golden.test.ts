// Golden images: every case is built and compared, byte for byte; together they use every profile, option and record.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import * as cpioHeaders from "../formats/cpio/disk/headers.ts";
import * as dirents from "../formats/ext/disk/dirent.ts";
import * as extents from "../formats/ext/disk/extent.ts";
import * as groups from "../formats/ext/disk/group.ts";
import * as inodes from "../formats/ext/disk/inode.ts";
import * as journals from "../formats/ext/disk/journal.ts";
import * as superblocks from "../formats/ext/disk/superblock.ts";
import * as xattrs from "../formats/ext/disk/xattr.ts";
import { ffsRecords } from "../formats/ffs/disk/records.ts";
import { formats } from "../formats/index.ts";
import * as tarRecords from "../formats/tar/records.ts";
import { readGolden } from "../golden-images/build.ts";
import {
  buildCase,
  compareCase,
  compareList,
  goldenCases,
  planCase,
  sourcesOf,
  updateCase,
  updateList,
} from "../golden-images/cases.ts";
import { unifiedDiff } from "../golden-images/diff.ts";
import { dumpGolden } from "../golden-images/dump.ts";
import { treeOptions } from "../src/image/options.ts";
import type { RecordTable } from "../src/image/records.ts";
import { requireFreshBuild } from "./cli-run.ts";
import { foreignCases, foreignImage } from "./judge/foreign.ts";

const top = fileURLToPath(new URL("../golden-images", import.meta.url));
const cases = goldenCases(top);
const temporary = mkdtempSync(join(tmpdir(), "fsynth-golden-"));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

test.each(cases)("$name", async (golden) => {
  expect(compareCase(golden, await buildCase(golden))).toBeUndefined();
});

test("the cases are those that are listed, and one that is gone is missed", () => {
  expect(compareList(top, cases)).toBeUndefined();
  updateList(temporary, cases);
  expect(compareList(temporary, cases)).toBeUndefined();
  expect(compareList(temporary, cases.slice(1))).toMatch(/^cases.txt and the folders differ\n@@ -1 \+1 @@\n-ext\/bare\n/);
});

describe("together they use", () => {
  const requests = cases.map((golden) => readGolden(sourcesOf(golden)));
  const used = (name: string): readonly unknown[] => requests.map(({ options }) => (options as Record<string, unknown>)[name]);

  test("every profile, each format in at least twelve cases", () => {
    const profiles = new Set(requests.map(({ profile }) => profile));
    for (const format of formats) {
      expect(format.profiles.map(({ name }) => name).filter((name) => !profiles.has(name))).toEqual([]);
      expect(requests.filter((request) => request.format === format).length, format.name).toBeGreaterThanOrEqual(12);
    }
  });

  test("every option", () => {
    for (const format of formats) {
      const given = new Set(
        requests.filter((request) => request.format === format).flatMap(({ options }) => Object.keys(options)),
      );
      expect(
        Object.keys(format.options).filter((name) => !given.has(name)),
        format.name,
      ).toEqual([]);
      for (const { options } of requests.filter((request) => request.format === format)) {
        for (const [name, option] of Object.entries(format.options)) {
          const input = (options as Record<string, unknown>)[name];
          if (input !== undefined) expect(option.accept(input as never), name).not.toEqual(option.default);
        }
      }
    }
    expect(Object.keys(treeOptions).filter((name) => used(name).every((value) => value === undefined))).toEqual([]);
  });

  test("every block size, inode size, byte order, and every feature that can be written", () => {
    const ext = new Set(used("blockSize"));
    for (const size of [1024, 2048, 8192, 16384, 32768, 65536]) expect(ext).toContain(size);
    for (const size of [128, 512, 1024]) expect(used("inodeSize")).toContain(size);
    expect(used("byteOrder")).toContain("big");
    const features = new Set(
      dumpsOf("ext").flatMap((dump) =>
        [...dump.matchAll(/s_feature_\w+=(\S+)/g)].flatMap(([, list]) => (list as string).split(",")),
      ),
    );
    const writable = /: ((?:\S+, )+\S+)\.$/.exec(formats[0]?.options.features?.help ?? "")?.[1]?.split(", ") ?? [];
    expect(writable.length).toBeGreaterThan(20);
    expect(writable.filter((name) => !features.has(name))).toEqual([]);
  });

  test("every depth of indexes, extent trees and block pointers, xattrs of every place", () => {
    const all = dumpsOf("ext").join("");
    for (const levels of [0, 1, 2]) expect(all).toContain(`indirect_levels=${levels}`);
    for (const depth of [0, 1, 2]) expect(all).toMatch(new RegExp(`i_block \\(ext4_extent_header\\): .* eh_depth=${depth}`));
    for (const level of [0, 1, 2]) expect(all).toMatch(new RegExp(`indirect block \\d+ of level ${level}: `));
    for (const place of ["xattrs in the inode", "shared with inode", "e_value_inum=1", "i_flags=EXTENTS,EA_INODE"])
      expect(all).toContain(place);
    for (const flag of ["INLINE_DATA", "INDEX", "INODE_UNINIT", "BLOCK_UNINIT"]) expect(all).toContain(flag);
    for (const pointers of ["di_ib=[0 0 ", "di_ib=[0 "]) expect(dumpsOf("ffs").join("")).toContain(pointers);
  });

  test("every record, with what others write", () => {
    const foreign = foreignCases().map((one) => dumpGolden(foreignImage(one)));
    const told = [...cases.map((golden) => readFileSync(join(golden.folder, "dump.txt"), "utf8")), ...foreign].join("");
    const modules = [
      cpioHeaders,
      dirents,
      extents,
      groups,
      inodes,
      journals,
      superblocks,
      xattrs,
      tarRecords,
      ffsRecords("little"),
    ];
    const tables = modules.flatMap((module) => Object.values(module).filter(isTable));
    expect(tables.length).toBeGreaterThan(30);
    expect(tables.filter(({ name }) => !told.includes(`(${name})`)).map(({ name }) => name)).toEqual(ABSENT);
  });

  function dumpsOf(format: string): string[] {
    return cases
      .filter(({ name }) => name.startsWith(`${format}/`))
      .map(({ folder }) => readFileSync(join(folder, "dump.txt"), "utf8").replaceAll(/\n {4,}(?=\S)/g, " "));
  }
});

/** The fast commits of a running kernel, which no tool writes; and star, which Debian has not. */
const ABSENT = ["ext4_fc_tl", "star_header"];

function isTable(value: unknown): value is RecordTable {
  return typeof value === "object" && value !== null && "f" in value && "dump" in value;
}

describe("a case", () => {
  const made = (name: string, tree: string | undefined, options: string | undefined) => {
    const folder = join(temporary, "ext", name);
    mkdirSync(folder, { recursive: true });
    if (tree !== undefined) writeFileSync(join(folder, "tree.txt"), tree);
    if (options !== undefined) writeFileSync(join(folder, "options.json"), options);
    return { name: `ext/${name}`, folder };
  };

  test("that lacks a file is an error that names it", async () => {
    expect(() => planCase(made("no-tree", undefined, "{}"))).toThrow("ext/no-tree lacks tree.txt");
    expect(() => planCase(made("no-options", "#fsynth-tree 1\n", undefined))).toThrow("ext/no-options lacks options.json");
    expect(() => planCase(made("no-format", "#fsynth-tree 1\n", '{ "format": "ntfs" }'))).toThrow(
      'no format has the profile "ntfs"',
    );
    const golden = made("new", "#fsynth-tree 1\n/a file\n", '{ "format": "tar" }');
    expect(compareCase(golden, await buildCase(golden))).toBe("ext/new lacks image.sha256");
  });

  test("that differs shows the fields that do, or says that it is content", async () => {
    const before = made("changed", '#fsynth-tree 1\n/a file time=5 text="x"\n', '{ "format": "tar" }');
    updateCase(before, await buildCase(before));
    expect(compareCase(before, await buildCase(before))).toBeUndefined();
    made("changed", '#fsynth-tree 1\n/a file time=5 mode=0600 text="x"\n', undefined);
    const told = compareCase(before, await buildCase(before));
    expect(told).toMatch(/^ext\/changed: the image has the sha256 [0-9a-f]{64}, expected [0-9a-f]{64}\n@@ /);
    expect(told).toMatch(/^- .* mode="0000644" .*\n\+ .* mode="0000600" /m);
    made("changed", '#fsynth-tree 1\n/a file time=5 text="y"\n', undefined);
    expect(compareCase(before, await buildCase(before))).toContain("no record differs: it is content");
  });

  test("whose digest was edited says so", async () => {
    const golden = made("edited", "#fsynth-tree 1\n/a file time=5\n", '{ "format": "tar" }');
    const result = await buildCase(golden);
    for (const text of [`${result.sha256}\nmore\n`, result.sha256, `${result.sha256.toUpperCase()}\n`, ""]) {
      updateCase(golden, result);
      writeFileSync(join(golden.folder, "image.sha256"), text);
      expect(compareCase(golden, result)).toContain("ext/edited: image.sha256 is no sha256: it has ");
    }
    writeFileSync(join(golden.folder, "image.sha256"), `${"0".repeat(64)}\n`);
    expect(compareCase(golden, result)).toContain(`the image has the sha256 ${result.sha256}, expected ${"0".repeat(64)}\n`);
  });

  test("that differs within a long row names the records that do", async () => {
    const rows = (mode: string): string =>
      Array.from({ length: 200 }, (_, i) => `/f${i} fifo time=5 mode=${i === 120 ? mode : "0644"}\n`).join("");
    const before = made("row", `#fsynth-tree 1\n${rows("0644")}`, '{ "format": "cpio" }');
    updateCase(before, await buildCase(before));
    expect(readFileSync(join(before.folder, "dump.txt"), "utf8")).not.toContain('f120"');
    made("row", `#fsynth-tree 1\n${rows("0600")}`, undefined);
    expect(compareCase(before, await buildCase(before))).toMatch(/^\+.*f120/m);
  });

  test.each([
    [["ext/empty", "ext/emtpy"], 2, "no case is called ext/emtpy, nor starts so\n"],
    [["--udpate"], 2, "there is no option --udpate; the only one is --update\n"],
    [["tar/empty"], 0, ""],
  ])("is chosen by words: %j", (args, status, said) => {
    requireFreshBuild();
    const main = fileURLToPath(new URL("../dist/golden-images/main.js", import.meta.url));
    const done = spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
    expect({ status: done.status, stderr: done.stderr }).toEqual({ status, stderr: said });
  });
});

test("differences of texts are those of diff -u", () => {
  expect(unifiedDiff("a\nb\nc", "a\nb\nc")).toBe("");
  const before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12";
  expect(unifiedDiff(before, before.replace("6", "six"))).toBe("@@ -3 +3 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9");
  expect(unifiedDiff("a\nb", "b\nc")).toBe("@@ -1 +1 @@\n-a\n b\n+c");
});
