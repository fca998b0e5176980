// The same tree gives the same bytes whatever the host is like; hosts.long.ts asks many more hosts.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { host } from "#host";
import { type BuildOptions, buildImage } from "../src/build.ts";
import { fromTar } from "../src/sources/tar.ts";
import { type Recipe, recipeArbitrary, type TreeLimits, treeOf } from "./arbitrary/tree.ts";
import { requireFreshBuild } from "./cli-run.ts";
import { type Profile, profiles, SameSource, said } from "./hosts/hosts.ts";
import { runSeed } from "./judge/ext.ts";

const seed = runSeed();
const sources = new SameSource();
beforeAll(async () => {
  requireFreshBuild();
  await sources.archives();
});
afterAll(() => sources.remove());

describe("other hosts are other", () => {
  const year = 365 * 86_400_000;

  test("clock, umask and random numbers", () => {
    const script =
      "console.log(JSON.stringify([Date.now(), new Date().getTime(), performance.now(), process.umask(), Math.random()]))";
    const [now, date, since, umask, random] = JSON.parse(said({ shift: year, umask: 0o27, shuffle: 1 }, {}, script)) as number[];
    expect(now).toBeGreaterThan(Date.now() + year - 60_000);
    expect(date).toBeGreaterThan(Date.now() + year - 60_000);
    expect(since).toBeGreaterThan(year - 60_000);
    expect(umask).toBe(0o27);
    expect(random).toBe(JSON.parse(said({ shuffle: 1 }, {}, script))[4]);
  });

  test("locale and time zone", () => {
    const script = 'console.log(["z", "ä"].sort((a, b) => a.localeCompare(b)).join(), new Date(0).getHours())';
    expect(said({}, { LC_ALL: "sv_SE.UTF-8", TZ: "Asia/Tokyo" }, script)).toBe("z,ä 9\n");
    expect(said({}, { LC_ALL: "C", TZ: "UTC" }, script)).toBe("ä,z 0\n");
  });

  test("the order of folders, and how much a read gives", () => {
    const folder = mkdtempSync(join(tmpdir(), "fsynth-hosts-"));
    try {
      mkdirSync(join(folder, "many"));
      for (let i = 0; i < 50; i++) writeFileSync(join(folder, "many", String(i)), "x".repeat(100));
      const script = `import * as fs from "node:fs"; import { openSync, readSync } from "node:fs";
        console.log(fs.readdirSync("${folder}/many").join());
        console.log(readSync(openSync("${folder}/many/1", "r"), new Uint8Array(100), 0, 100, 0));`;
      const [plain, one, two] = [{}, { shuffle: 1, short: 7 }, { shuffle: 2, short: 7 }].map((on) =>
        said(on, {}, script).split("\n"),
      );
      expect(new Set([plain?.[0], one?.[0], two?.[0]]).size).toBe(3);
      expect(one?.[0]?.split(",").sort()).toEqual(plain?.[0]?.split(",").sort());
      expect([plain?.[1], one?.[1]]).toEqual(["100", "7"]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("the same bytes on other hosts", () => {
  test.each(profiles)("$profile", async (profile) => {
    await sources.checkHosts(profile, 2, seed);
  });

  test("other bytes are noticed", async () => {
    const [profile] = profiles;
    const other = new SameSource();
    try {
      await other.archives();
      await other.checkHosts(profile as Profile, 1, seed);
      other.spoil();
      const thrown = await other.checkHosts(profile as Profile, 1, seed, { endOnFailure: true }).catch((error: unknown) => error);
      expect(String((thrown as Error).cause)).toMatch(/expected [0-9a-f]{64}/);
    } finally {
      other.remove();
    }
  });
});

/** What all profiles hold, if need be with loss. */
const LIMITS: TreeLimits = {
  blockSize: 4096,
  xattrBytes: 1000,
  maxTarget: 1000,
  maxMajor: 255,
  maxMinor: 255,
  minTime: 0,
  maxTime: 2 ** 31 - 1,
  maxFile: 2 ** 20,
  maxCrowd: 60,
};

/** A recipe in another order; names for what is there already come behind all else. */
function reordered(recipe: Recipe, keys: readonly number[]): Recipe {
  const key = (i: number): number => keys[i % keys.length] as number;
  return recipe
    .map((entry, i) => ({ entry, order: (entry.kind === "link" ? 2 ** 32 : 0) + ((Math.imul(key(i), i + 1) >>> 0) % 2 ** 31) }))
    .sort((a, b) => a.order - b.order)
    .map(({ entry }) => entry);
}

describe("the same bytes in any order and in any pieces", () => {
  const keys = fc.array(fc.integer({ min: 1, max: 2 ** 31 }), { minLength: 20, maxLength: 20 });

  test.each(profiles)("$profile: entries added in any order", async ({ format, profile }) => {
    await fc.assert(
      fc.asyncProperty(recipeArbitrary(LIMITS), keys, async (recipe, order) => {
        const digest = (of: Recipe): Promise<string> =>
          buildImage(format, profile, treeOf(of), { allowLoss: true } as BuildOptions).sha256();
        expect(await digest(reordered(recipe, order))).toBe(await digest(recipe));
      }),
      { numRuns: 12, seed },
    );
  });

  const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 0, max: 300_000 })), {
    minLength: 1,
    maxLength: 30,
  });

  /** `bytes` in pieces of these sizes, over and over. Each piece is overwritten once it is taken, which is the taker's affair. */
  async function* pieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const length = Math.max(lengths[i % lengths.length] as number, i % lengths.length === 0 ? 1 : 0);
      yield bytes.slice(at, at + length);
      at += length;
    }
  }

  test("compressed output and compressed sources in any pieces", async () => {
    const tar = await buildImage(...tarFormat(), treeOf([{ path: "/", kind: "directory" }, ...many(40)])).bytes();
    const all = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
      const list: Uint8Array[] = [];
      for await (const chunk of stream) list.push(chunk.slice());
      return Buffer.concat(list);
    };
    const whole = [0x7fff_ffff];
    const packed = { gzip: await all(host.gzip(pieces(tar, whole))), zstd: await all(host.zstd(pieces(tar, whole))) };
    const digest = async (bytes: Uint8Array, lengths: readonly number[]): Promise<string> =>
      await buildImage(...ext(), await fromTar(pieces(bytes, lengths))).sha256();
    const wanted = await digest(tar, whole);
    await fc.assert(
      fc.asyncProperty(sizes, async (lengths) => {
        expect((await all(host.gzip(pieces(tar, lengths)))).equals(packed.gzip)).toBe(true);
        expect((await all(host.zstd(pieces(tar, lengths)))).equals(packed.zstd)).toBe(true);
        for (const bytes of [tar, packed.gzip, packed.zstd]) expect(await digest(bytes, lengths)).toBe(wanted);
      }),
      { numRuns: 12, seed },
    );
  });

  test("ranges of an image are the image", async () => {
    const image = buildImage(...ext(), treeOf([{ path: "/", kind: "directory" }, ...many(20)]));
    const bytes = await image.bytes();
    await fc.assert(
      fc.asyncProperty(fc.nat(image.size), fc.nat(100_000), async (offset, length) => {
        expect(Buffer.compare(await image.read(offset, length), bytes.subarray(offset, offset + length))).toBe(0);
      }),
      { numRuns: 50, seed },
    );
  });
});

function many(count: number): Recipe {
  return Array.from({ length: count }, (_, i) => ({
    path: `/d/${i}`,
    kind: "file" as const,
    size: i * 997,
    fill: i,
    mtime: "1600000000",
  }));
}

function find(profile: string): [(typeof profiles)[number]["format"], string] {
  const found = profiles.find((one) => one.profile === profile);
  if (!found) throw new Error(`no profile ${profile}`);
  return [found.format, profile];
}

const tarFormat = (): ReturnType<typeof find> => find("tar");
const ext = (): ReturnType<typeof find> => find("ext4");
