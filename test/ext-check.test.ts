// The check of ext images: silent about sound ones, whoever made them; and for each thing that can be wrong an image that is
// wrong in that way alone.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkExt } from "../formats/ext/check/check.ts";
import { Superblock } from "../formats/ext/disk/superblock.ts";
import { refuse } from "../formats/ext/read/fault.ts";
import type { InodeRecord } from "../formats/ext/read/inodes.ts";
import { viewOf } from "../src/bytes/struct.ts";
import { FsynthError } from "../src/error.ts";
import type { Image } from "../src/image/image.ts";
import { checkImage } from "../src/sources/check.ts";
import { bytesContent, sparseContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { type Recipe, treeOf } from "./arbitrary/tree.ts";
import {
  buildArbitrary,
  buildExt,
  type ExtBuildOptions,
  type ExtProfileName,
  needTools,
  PROFILES,
  runSeed,
} from "./judge/ext.ts";
import { complaintsOf, memoryImage, Sites } from "./judge/ext-damage.ts";
import { OUR_PATIENTS } from "./judge/ext-patients.ts";
import { numbers } from "./judge/ext-verdicts.ts";
import { mountedWritable } from "./judge/mount.ts";
import { need, needLoopMount, runOk } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-check-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tools = needTools();
const seed = runSeed();

function problems(bytes: Uint8Array): string[] {
  return checkExt(memoryImage(bytes)).map(
    ({ code, place, found, expected }) => `${code}: ${place}: ${found}, expected ${expected}`,
  );
}

function codes(bytes: Uint8Array): string[] {
  return [...new Set(checkExt(memoryImage(bytes)).map(({ code }) => code))];
}

/** An image, unless its size is refused: which sizes there are is the matter of ext-size.test.ts. */
function built(profile: ExtProfileName, recipe: Recipe, options: ExtBuildOptions): Image {
  try {
    return buildExt(profile, treeOf(recipe), options);
  } catch (error) {
    fc.pre(!(error instanceof FsynthError && error.where.needed !== undefined));
    throw error;
  }
}

describe("silent about images of ours", () => {
  test.each(PROFILES)("%s: random trees", async (profile) => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1024, 2048, 4096, 16384, 65536).chain((blockSize) => buildArbitrary(profile, blockSize, 60)),
        async ([options, recipe]) => {
          const path = join(folder, `${profile}.img`);
          await built(profile, recipe, options).writeTo(path);
          expect(await checkImage(path)).toEqual([]);
        },
      ),
      { numRuns: 12, seed },
    );
  });

  test.each(OUR_PATIENTS)("$name", async ({ make }) => {
    expect(problems(await make(folder))).toEqual([]);
  });
});

const MADE: readonly (readonly string[])[] = [
  ["-t", "ext2"],
  ["-t", "ext2", "-r", "0", "-O", "none"],
  ["-t", "ext3", "-b", "1024", "-g", "2048"],
  ["-t", "ext4"],
  ["-t", "ext4", "-b", "1024", "-I", "512"],
  ["-t", "ext4", "-b", "2048", "-O", "^metadata_csum,uninit_bg"],
  ["-t", "ext4", "-O", "inline_data"],
  ["-t", "ext4", "-O", "bigalloc", "-C", "16384"],
  ["-t", "ext4", "-O", "bigalloc", "-b", "1024"],
  ["-t", "ext4", "-O", "meta_bg,^resize_inode,metadata_csum_seed", "-b", "1024"],
  ["-t", "ext4", "-O", "sparse_super2,^resize_inode", "-b", "1024"],
  ["-t", "ext4", "-O", "orphan_file,large_dir,ea_inode,project,quota"],
  ["-t", "ext4", "-O", "mmp,casefold,encrypt,verity,stable_inodes"],
  ["-t", "ext4", "-O", "^flex_bg,^64bit,^resize_inode"],
  ["-t", "ext4", "-b", "65536"],
];

describe.skipIf(!tools || !need("mke2fs"))("silent about images of mke2fs", () => {
  const source = join(folder, "source");
  beforeAll(() => {
    mkdirSync(join(source, "many"), { recursive: true });
    for (let i = 0; i < 400; i++)
      writeFileSync(join(source, "many", `a name that fills directories ${i}`), i % 7 === 0 ? "x".repeat(i * 20) : "");
    writeFileSync(join(source, "data"), new Uint8Array(300_000).fill(7));
  });

  test.each(MADE)("%s %s %s %s %s %s", async (...args) => {
    const path = join(folder, "made");
    rmSync(path, { force: true });
    // With quotas, mke2fs -d leaves counts that e2fsck objects to; check does not compare them.
    runOk("mke2fs", ["-q", "-F", "-d", source, ...args, path, args.includes("65536") ? "200M" : "40M"]);
    if (!args.join().includes("quota") && !args.join().includes("mmp")) expect(complaintsOf(path)).toEqual([]);
    expect(await checkImage(path)).toEqual([]);
  });
});

describe.skipIf(!tools || !need("mke2fs", "setfattr", "fallocate") || !needLoopMount())("silent about what Linux wrote", () => {
  test.each([
    ["-t", "ext2", "-b", "1024"],
    ["-t", "ext3", "-b", "2048"],
    ["-t", "ext4", "-b", "1024"],
    ["-t", "ext4", "-O", "inline_data,ea_inode,orphan_file,fast_commit"],
    ["-t", "ext4", "-O", "bigalloc,large_dir", "-C", "16384"],
  ])("%s %s %s %s", async (...args) => {
    const path = join(folder, "written");
    rmSync(path, { force: true });
    runOk("mke2fs", ["-q", "-F", ...args, path, "64M"]);
    await mountedWritable(path, (root) => {
      runOk(
        "sh",
        [
          "-ec",
          `mkdir -p a/b/c many; for i in $(seq 1500); do echo $i > many/some-name-$i; done
         for i in $(seq 1 2 1500); do rm many/some-name-$i; done
         for i in $(seq 0 2 200); do dd if=/dev/zero of=holes bs=4k count=1 seek=$i conv=notrunc status=none; done
         truncate -s 3G sparse; ln holes a/hard; ln -s ${"z".repeat(200)} long; ln -s short fast; mkfifo fifo; mknod null c 1 3
         case "${args[1]}" in ext4) touch kept; fallocate -n -l 2M kept; fallocate -l 1M set-aside;; esac
         setfattr -n user.name -v value holes; setfattr -n user.long -v ${"v".repeat(700)} a/b; cp -a a copy; rm -r a/b/c; mv many a/`,
        ],
        { cwd: root },
      );
    });
    expect(complaintsOf(path)).toEqual([]);
    expect(await checkImage(path)).toEqual([]);
  });
});

/** A patient, its fields, and what is found after `value` was written to one of them. */
class Case {
  static readonly #known = new Map<string, Uint8Array>();

  static async of(name: string): Promise<Case> {
    const recipe = OUR_PATIENTS.find((one) => one.name === name);
    if (!recipe) throw new Error(`no patient ${name}`);
    const known = Case.#known.get(name) ?? (await recipe.make(folder));
    Case.#known.set(name, known);
    return new Case(known.slice());
  }

  readonly #sites: Sites;

  constructor(readonly bytes: Uint8Array) {
    this.#sites = new Sites(bytes);
  }

  /** Puts a number, or what becomes of the one that is there, into the first field that fits; checksums are made right again. */
  set(record: string, field: string, value: number | ((before: number) => number), place = ""): this {
    const site = this.#sites.sites.find((one) => one.record === record && one.field === field && one.place.includes(place));
    if (!site) throw new Error(`no field ${record}.${field} at ${place}`);
    const big = record === "journal";
    const bytes = this.bytes.subarray(site.offset, site.offset + site.size);
    if (big) bytes.reverse();
    let before = 0;
    for (let i = site.size - 1; i >= 0; i--) before = before * 256 + (bytes[i] as number);
    let rest = typeof value === "number" ? value : value(before);
    for (let i = 0; i < site.size; i++, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
    if (big) bytes.reverse();
    site.seal?.(this.bytes);
    return this;
  }

  get codes(): string[] {
    return codes(this.bytes);
  }
}

const EXT2 = "ext2 of 1 KiB";
const EXT4 = "ext4 of 1 KiB";
const RICH = "ext4 with all of xattrs and data in inodes";
const UNINIT = "ext4 with uninit_bg";

type Change = readonly [record: string, field: string, value: number | ((before: number) => number), place?: string];

/** Each is wrong in one way; the code has to be among those that are told. */
const WRONG: readonly (readonly [code: string, patient: string, ...changes: Change[]])[] = [
  ["superblock-field", EXT4, ["superblock", "s_r_blocks_count", 1_000_000]],
  ["superblock-field", EXT4, ["superblock", "s_want_extra_isize", 7]],
  ["feature-unknown", EXT4, ["superblock", "s_feature_ro_compat", (word) => word + 0x4000_0000]],
  ["features-contradict", EXT4, ["superblock", "s_feature_ro_compat", (word) => word + 0x10]],
  ["features-missing", EXT2, ["superblock", "s_feature_ro_compat", 1], ["inode", "i_size", 0x9000_0000, "file"]],
  ["orphan-list", EXT4, ["superblock", "s_last_orphan", 7]],
  ["image-size", EXT2, ["superblock", "s_blocks_count", 4_000_000]],
  ["group-unused-inodes", UNINIT, ["group", "bg_itable_unused", 60000]],
  ["group-placement", EXT2, ["group", "bg_block_bitmap", 0x00ff_0000]],
  ["group-overlap", EXT2, ["group", "bg_inode_bitmap", 1]],
  ["group-uninit", EXT2, ["group", "bg_flags", 1]],
  ["group-unused-inodes", EXT4, ["group", "bg_itable_unused", 60000]],
  ["free-blocks", EXT4, ["group", "bg_free_blocks_count", (count) => count + 1]],
  ["free-inodes", EXT4, ["superblock", "s_free_inodes_count", (count) => count + 1]],
  ["directory-count", EXT4, ["group", "bg_used_dirs_count", (count) => count + 1]],
  ["block-bitmap", EXT4, ["block bitmap", "byte 1", (byte) => byte ^ 4]],
  ["inode-bitmap", EXT4, ["inode bitmap", "byte 1", (byte) => byte ^ 4]],
  ["bitmap-padding", EXT4, ["inode bitmap", "byte 1023", 0xfe]],
  ["block-bitmap-checksum", EXT4, ["group", "bg_block_bitmap_csum_lo", (sum) => sum ^ 1]],
  ["inode-bitmap-checksum", EXT4, ["group", "bg_inode_bitmap_csum_lo", (sum) => sum ^ 1]],
  ["inode-deleted", EXT4, ["inode", "i_dtime", 1_700_000_000, "file"]],
  ["inode-orphan", EXT4, ["inode", "i_dtime", 12, "file"]],
  ["inode-deleted", EXT4, ["inode", "i_links_count", 0, "symlink"]],
  ["inode-flags", EXT4, ["inode", "i_flags", 0x1008_0000, "file"]],
  ["inode-flags", EXT2, ["inode", "i_flags", 0x8_0000, "file"]],
  ["inode-flags", EXT4, ["inode", "i_flags", 0x10, "fifo"]],
  ["inode-kind", EXT2, ["inode", "i_mode", 0o170644, "fifo"]],
  ["inode-field", EXT2, ["inode", "i_faddr", 1, "file"]],
  ["inode-field", EXT2, ["inode", "l_i_blocks_hi", 1, "file"]],
  ["inode-extra-size", EXT4, ["inode", "i_extra_isize", 30, "file"]],
  ["inode-blocks", EXT4, ["inode", "i_blocks", (count) => count + 2, "file"]],
  ["inode-size", EXT2, ["inode", "i_size", (size) => size + 1, "directory"]],
  ["inode-size", EXT2, ["inode", "i_size", 10, "true true false"]],
  ["inode-reserved", EXT2, ["inode", "i_mode", 0o100644, "reserved 9"]],
  ["inode-links", EXT2, ["inode", "i_links_count", 7, "file"]],
  ["root", EXT2, ["inode", "i_mode", 0o100755, "reserved 2"]],
  ["special-size", EXT2, ["inode", "i_size", 5, "fifo"]],
  ["symlink", EXT2, ["inode", "i_size", 9, "symlink"]],
  ["inline-data", RICH, ["xattr entry", "name", 0x65, `file ${0x1000_0000}`]],
  ["extent-header", EXT4, ["extent header", "eh_magic", 0, "file"]],
  ["extent-header", EXT4, ["extent header", "eh_entries", 9, "file"]],
  ["extent-depth", EXT4, ["extent header", "eh_depth", 9, "file"]],
  ["extent-index", EXT4, ["extent index", "ei_block", 1, "file"]],
  ["extent-order", EXT4, ["extent", "ee_block", 0x00ff_ffff, "file 0 1"]],
  ["map-range", EXT4, ["extent", "ee_start_lo", 0x00ff_ffff, "file"]],
  ["map-range", EXT2, ["inode", "i_block[1]", 0x00ff_ffff, "file"]],
  ["map-metadata", EXT2, ["inode", "i_block[12]", 3, "true true"]],
  ["blocks-shared", EXT2, ["inode", "i_block[1]", 3, "file"]],
  ["bad-block", EXT2, ["inode", "i_block[0]", 3, "reserved 1"]],
  ["directory-hole", EXT2, ["inode", "i_block[1]", 0, "directory 4096"]],
  ["directory-entry", EXT2, ["entry", "rec_len", 13, "directory"]],
  ["directory-dots", EXT2, ["entry", "name", 0x61, "directory"]],
  ["directory-checksum", EXT4, ["entry tail", "det_checksum", 5], ["entry tail", "det_reserved_ft", 0]],
  ["index-root", EXT4, ["index root", "hash_version", 9]],
  ["index-count", EXT4, ["index count", "limit", 17]],
  ["index-order", EXT4, ["index entry", "hash", 0xffff_fff0]],
  ["index-hash", EXT4, ["index entry", "hash", (hash) => hash + 0x100]],
  ["index-reference", EXT4, ["index entry", "block", 2]],
  ["xattr-block", EXT4, ["xattr header", "h_magic", 0]],
  ["xattr-references", EXT4, ["xattr header", "h_refcount", 9]],
  ["xattr-entry", EXT4, ["xattr entry", "e_name_len", 250]],
  ["xattr-value", EXT4, ["xattr entry", "e_value_offs", 4]],
  ["xattr-hash", EXT4, ["xattr entry", "e_hash", 4]],
  ["resize-inode", EXT2, ["inode", "i_block[13]", 0, "reserved 7"]],
  ["journal-superblock", EXT4, ["journal", "s_maxlen", 5000]],
  ["journal-superblock", EXT4, ["journal", "s_blocksize", 512]],
  ["journal-dirty", EXT4, ["journal", "s_start", 1]],
  ["journal-error", EXT4, ["journal", "s_errno", 5]],
  ["journal-inode", EXT4, ["superblock", "s_journal_inum", 13]],
  ["journal-external", EXT4, ["superblock", "s_journal_uuid", 99]],
];

const CASES = WRONG.map(([code, patient, ...changes]) => ({
  code,
  patient,
  changes,
  fields: changes.map(([record, field]) => `${record}.${field}`).join(),
}));

test.each(CASES)("$code, in $patient: $fields", async ({ code, patient, changes }) => {
  const one = await Case.of(patient);
  for (const change of changes) one.set(...change);
  expect(one.codes).toContain(code);
});

test("without checksums made right again, each checksum is told of", async () => {
  for (const [record, field, code] of [
    ["superblock", "s_volume_name", "superblock-checksum"],
    ["group", "bg_reserved", "group-checksum"],
    ["inode", "i_ctime", "inode-checksum"],
    ["extent header", "eh_generation", "extent-checksum"],
    ["entry", "name", "directory-checksum"],
    ["index entry", "hash", "index-checksum"],
    ["xattr header", "h_hash", "xattr-checksum"],
  ] as const) {
    const recipe = OUR_PATIENTS.find(({ name }) => name === EXT4);
    const bytes = (await recipe?.make(folder)) as Uint8Array; // the table has it
    const depth = field === "eh_generation";
    const sites = new Sites(bytes).sites.filter((site) => site.record === record && site.field === field);
    // The last node of a tree is one of its blocks.
    const site = (depth ? sites.at(-1) : sites[0]) as (typeof sites)[number]; // every patient has them
    bytes[site.offset] = (bytes[site.offset] as number) ^ 0x20;
    expect(codes(bytes), `${record}.${field}`).toContain(code);
  }
});

/** Commands of debugfs and what they break. */
const BROKEN: readonly (readonly [commands: string, code: string, place: RegExp])[] = [
  ["clri /dir/name-3", "directory-inode", /^inode \d+ \(\/dir\)$/],
  ["clri /dir", "directory-inode", /^inode 2 \(\/\)$/],
  ["unlink /dir/name-3", "inode-unattached", /^inode \d+$/],
  ["unlink /dir/sub", "directory-unconnected", /^inode \d+$/],
  ["link /small /dir/again", "inode-links", /^inode \d+ \(\/(small|linked|dir\/again)\)$/],
  ["sif /small links_count 9", "inode-links", /^inode \d+ \(\/(small|linked)\)$/],
  ["sif /small mode 0120644", "symlink", /\((\/small|\/linked)\)$/],
  ["sif /blocks size 5", "inode-size", /\(\/blocks\)$/],
  ["sif /blocks blocks 2", "inode-blocks", /\(\/blocks\)$/],
  ["sif /blocks dtime 5", "inode-deleted", /\(\/blocks\)$/],
  ["sif /blocks file_acl 99999999", "xattr-block", /\(\/blocks\)$/],
  ["sif /dir/name-1 block[0] 40", "blocks-shared", /\(\/dir\/name-1\)$/],
  ["ssv free_blocks_count 7", "free-blocks", /^superblock$/],
  ["ssv free_inodes_count 7", "free-inodes", /^superblock$/],
  ["ssv reserved_gdt_blocks 9", "block-bitmap", /^group 0$/],
  ["ssv blocks_per_group 4096", "superblock-field", /^superblock$/],
  ["ssv feature_incompat 0x40000000", "", /./],
  ["set_bg 0 free_blocks_count 1", "free-blocks", /^group 0$/],
  ["freeb 100 3", "block-bitmap", /^group 0$/],
  ["freei /dir/name-1", "inode-bitmap", /^group 0$/],
];

describe.skipIf(!tools)("what debugfs broke", () => {
  test.each(BROKEN)("%s: %s", async (commands, code, place) => {
    const path = join(folder, "broken");
    const recipe = OUR_PATIENTS.find(({ name }) => name === EXT2);
    writeFileSync(path, (await recipe?.make(folder)) ?? "");
    writeFileSync(`${path}.commands`, commands);
    runOk("debugfs", ["-w", "-f", `${path}.commands`, path]);
    expect(complaintsOf(path)).not.toEqual([]);
    const bytes = new Uint8Array(readFileSync(path));
    if (code === "") expect(() => checkExt(memoryImage(bytes))).toThrow(/incompatible feature.*0x40000000/);
    else
      expect(checkExt(memoryImage(bytes)).filter((problem) => problem.code === code && place.test(problem.place))).not.toEqual(
        [],
      );
  });
});

test("a place is shown by its path, a problem by what was found and expected", async () => {
  const one = await Case.of(EXT2);
  one.set("inode", "i_links_count", 9, "fifo");
  expect(problems(one.bytes)).toEqual([
    expect.stringMatching(/^inode-links: inode \d+ \(\/fifo\): i_links_count is 9, expected 1$/),
  ]);
});

test("without a superblock there is nothing to check", async () => {
  const zeros = new Uint8Array(100_000);
  expect(() => checkExt(memoryImage(zeros))).toThrow(FsynthError);
  await expect(checkImage(zeros)).rejects.toThrow(/images of ext2, .* can be checked/);
  expect(() => checkExt(memoryImage(new Uint8Array(5)))).toThrow(/no magic/);
});

test("damage of any kind ends in problems or an FsynthError, and soon", async () => {
  const pick = numbers(seed);
  for (const { name, make } of OUR_PATIENTS) {
    const sound = await make(folder);
    for (let round = 0; round < 25; round++) {
      const bytes = sound.slice();
      const blocks = Math.floor(bytes.length / 1024);
      for (let i = 0; i < 1 + pick(6); i++) {
        const [from, to] = [pick(blocks) * 1024, pick(Math.min(blocks, 300)) * 1024];
        if (pick(2) === 0) bytes.copyWithin(to, from, from + 1024);
        else for (let k = 0; k < 1 + pick(20); k++) bytes[to + pick(1024)] = pick(256);
      }
      const started = performance.now();
      try {
        checkExt(memoryImage(bytes));
      } catch (error) {
        if (!(error instanceof FsynthError)) throw new Error(`${name}, round ${round} of seed ${seed}`, { cause: error });
      }
      expect(performance.now() - started, `${name}, round ${round} of seed ${seed}`).toBeLessThan(10_000);
    }
  }
});

test("thousands of inodes that claim the same large map end soon", async () => {
  const tree = new Tree();
  const extents = Array.from({ length: 3000 }, (_, i) => ({ offset: i * 2048, length: 1024 }));
  tree.file("/large", sparseContent(3000 * 2048, extents, bytesContent(new Uint8Array(3000 * 1024))));
  for (const features of [[], ["^extent", "^64bit"]]) {
    const image = buildExt("ext4-nojournal", tree, {
      blockSize: 1024,
      inodes: "fit+20000",
      features: [...features, "^metadata_csum"],
    });
    const bytes = await image.bytes();
    const { superblock: sb, inodes, descriptors } = new Sites(bytes).opened;
    const { offset } = inodes.read(12, refuse) as InodeRecord; // /large is the first behind lost+found
    for (let number = 13; number <= sb.inodes; number++) {
      bytes.copyWithin(inodes.locate(number, refuse) as number, offset, offset + sb.inodeSize); // within the table
    }
    for (let group = 0; group < sb.groups; group++) {
      const { offset: at } = descriptors.at(group, refuse);
      bytes.fill(0, at + 0x12, at + 0x14);
      bytes.fill(0, at + 0x1c, at + 0x1e);
    }
    const started = performance.now();
    expect(codes(bytes)).toEqual(expect.arrayContaining(["blocks-shared", "too-many"]));
    expect(performance.now() - started).toBeLessThan(20_000);
  }
});

test("a geometry of countless groups is refused before anything is counted", async () => {
  const recipe = OUR_PATIENTS.find(({ name }) => name === EXT2);
  const head = (await recipe?.make(folder)) as Uint8Array; // the table has it
  const view = viewOf(head);
  const { s_blocks_count, s_blocks_per_group, s_clusters_per_group, s_inodes_per_group, s_inodes_count } = Superblock.f;
  const blocks = 2 ** 31;
  s_blocks_count.set(view, 1024, blocks);
  s_blocks_per_group.set(view, 1024, 8);
  s_clusters_per_group.set(view, 1024, 8);
  s_inodes_per_group.set(view, 1024, 8);
  s_inodes_count.set(view, 1024, Math.ceil((blocks - 1) / 8) * 8);
  const image = {
    size: blocks * 1024,
    readAt(offset: number, target: Uint8Array) {
      target.fill(0);
      if (offset < head.length) target.set(head.subarray(offset, offset + target.length));
    },
  };
  expect(checkExt(image).map(({ found }) => found)).toEqual([expect.stringMatching(/^268435456 groups of 8 blocks/)]);
});
