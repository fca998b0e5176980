// Beside makefs: its images are read, and for the same parameters our geometry is its, field by field, but for what is
// explained here.

import {
  chmodSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FfsRecords, ffsRecords } from "../formats/ffs/disk/records.ts";
import { ffs } from "../formats/ffs/index.ts";
import type { ByteOrder, Struct } from "../src/bytes/struct.ts";
import { fromDirectory } from "../src/sources/directory.ts";
import { fromImage } from "../src/sources/image.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { pattern } from "./arbitrary/tree.ts";
import { need, runOk } from "./judge/need.ts";
import { BYTE_ORDERS, buildFfsProfile } from "./judge/ufs.ts";

const here = need("makefs");
const folder = mkdtempSync(join(tmpdir(), "fsynth-makefs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const root = join(folder, "root");
const T = 1_700_000_000;

beforeAll(() => {
  const paths: string[] = [];
  const at = (path: string): string => {
    const full = join(root, path);
    paths.push(full);
    return full;
  };
  for (const directory of ["", "etc", "many", "deep", "deep/er", "deep/er/still"]) mkdirSync(at(directory), { recursive: true });
  for (const size of [0, 1, 700, 1024, 8192, 16_385, 98_304, 98_305, 200_000, 3_000_000]) {
    writeFileSync(at(`of-${size}`), pattern(size, size));
  }
  for (let i = 0; i < 300; i++) writeFileSync(at(`many/file-${i}`), String(i));
  symlinkSync("etc", at("short"));
  symlinkSync("x/".repeat(90), at("long"));
  linkSync(join(root, "of-700"), join(root, "etc/linked"));
  chmodSync(join(root, "of-1"), 0o4711);
  for (const path of paths.reverse()) lutimesSync(path, T, T);
});

const VARIANTS = [1, 2].flatMap((version) => BYTE_ORDERS.map((order) => [version as 1 | 2, order] as const));

function makefs(image: string, order: ByteOrder, more: readonly string[]): void {
  runOk("makefs", ["-t", "ffs", "-B", order === "little" ? "le" : "be", ...more, image, root]);
}

describe.each(VARIANTS)("UFS%i, %s-endian", (version, order) => {
  const image = join(folder, `${version}-${order}`);

  test.skipIf(!here).each([
    ["8192/1024", "bsize=8192,fsize=1024"],
    ["16384/2048", "bsize=16384,fsize=2048"],
    ["4096/512", "bsize=4096,fsize=512"],
    ["65536/8192", "bsize=65536,fsize=8192"],
  ])("an image of makefs in blocks of %s is its directory, and sound", async (_, sizes) => {
    makefs(image, order, ["-s", "16m", "-o", `version=${version},${sizes}`]);
    const found = takeSnapshot(await fromImage(image));
    const expected = takeSnapshot(fromDirectory(root, { xattrs: "none" }));
    const times = /^(atime|ctime|btime)$/;
    // The rest is as of now, and every reading changes access times.
    const differences = (await compareTreesFully(found, expected)).filter(({ field }) => !times.test(field));
    expect(differences).toEqual([]);
    const bytes = readFileSync(image);
    const reading = {
      size: bytes.length,
      readAt: (offset: number, target: Uint8Array) => target.set(bytes.subarray(offset, offset + target.length)),
    };
    expect(ffs.check?.(reading)).toEqual([]);
  });

  test.skipIf(!here).each([
    [8192, 1024],
    [16384, 2048],
    [32768, 4096],
  ])("our geometry in blocks of %i beside that of makefs", async (blockSize, fragmentSize) => {
    const size = 24 * 2 ** 20;
    makefs(image, order, ["-s", String(size), "-o", `version=${version},bsize=${blockSize},fsize=${fragmentSize},density=8192`]);
    const theirs = readFileSync(image);
    const tree = fromDirectory(root, { xattrs: "none" });
    const options = {
      byteOrder: order,
      blockSize,
      fragmentSize,
      size,
      density: 8192,
      ...(version === 2 && { superblock: 8192 }),
    };
    const ours = await buildFfsProfile(`ffs${version}`, tree, options).bytes();
    expect(ours.length).toBe(theirs.length);
    const records = ffsRecords(order);
    const place = 8192;
    const { fs_cblkno } = dump(records.Superblock, ours, place);
    expect(fieldsThatDiffer(records.Superblock, ours, theirs, place)).toEqual(
      [
        // Pointers of the running makefs, which got into the file.
        "fs_ocsp",
        // Identity: makefs takes the clock and random().
        "fs_id",
        "fs_time",
        // UFS1 has its time twice; of UFS2 makefs fills in a total that nobody reads.
        ...(version === 1 ? ["fs_old_time"] : ["fs_old_cstotal"]),
        // newfs(8) reckons with pointers of 8 bytes, makefs with 4 whatever the version.
        ...(version === 2 ? ["fs_maxbpg"] : []),
      ].sort(),
    );
    const header = Number(fs_cblkno) * fragmentSize;
    const allowed = new Set([
      // Where allocation went on last: makefs leaves its own, we start anew.
      "cg_rotor",
      "cg_frotor",
      "cg_irotor",
      // The clock.
      ...(version === 1 ? ["cg_old_time"] : ["cg_time"]),
      // makefs initialises one block of inodes ahead.
      ...(version === 2 ? ["cg_initediblk"] : []),
    ]);
    expect(fieldsThatDiffer(records.Cylinder, ours, theirs, header).filter((name) => !allowed.has(name))).toEqual([]);
  });
});

type Table = FfsRecords["Superblock"] | FfsRecords["Cylinder"];

function dump(table: Table, bytes: Uint8Array, at: number): Record<string, unknown> {
  return (table as Struct<never>).dump(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at);
}

function fieldsThatDiffer(table: Table, a: Uint8Array, b: Uint8Array, at: number): string[] {
  const x = dump(table, a, at);
  const y = dump(table, b, at);
  return Object.keys(x)
    .filter((name) => String(x[name]) !== String(y[name]))
    .sort();
}
