// The same sources on other hosts: the digests that they must give, and those that they give there.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { compress } from "@mongodb-js/zstd";
import fc from "fast-check";
import { formats } from "../../formats/index.ts";
import { buildImage } from "../../src/build.ts";
import { fromDirectory } from "../../src/sources/directory.ts";
import { fromTar } from "../../src/sources/tar.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { digestOn, type Host, hostArbitrary } from "./host.ts";
import { makeSource } from "./source.ts";

export const profiles = formats.flatMap((format) => format.profiles.map(({ name }) => ({ format, profile: name })));

export type Profile = (typeof profiles)[number];

/** Folders to make sources in: of the usual file system, and of one that keeps folders in another order, where there is one. */
const places = [tmpdir(), "/dev/shm"].filter((place) => {
  try {
    fs.accessSync(place, fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
});

/** Ways to hand the one tree over. */
const WAYS = ["directory", "tar", "tar.gz", "tar.zst"] as const;

export class SameSource {
  readonly #folders: string[];
  readonly #expected = new Map<string, string>();
  #made = 0;

  constructor() {
    this.#folders = places.map((place) => fs.mkdtempSync(join(place, "fsynth-hosts-")));
  }

  remove(): void {
    for (const folder of this.#folders) fs.rmSync(folder, { recursive: true, force: true });
  }

  /** From now on what is expected is wrong by one digit. */
  spoil(): void {
    for (const [key, digest] of this.#expected)
      this.#expected.set(
        key,
        digest.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
      );
  }

  /** A folder made in another order and place each time. */
  directory(seed: number): string {
    const folder = join(this.#folders[seed % this.#folders.length] as string, String(this.#made++));
    fs.mkdirSync(folder);
    return makeSource(join(folder, `source-${seed}`), seed);
  }

  /** Archives of it, from one directory of it. */
  async archives(): Promise<void> {
    const folder = this.#folders[0] as string;
    await buildImage(tarFormat, "tar", fromDirectory(this.directory(0), { xattrs: "none" })).writeTo(join(folder, "source.tar"));
    const tar = fs.readFileSync(join(folder, "source.tar"));
    fs.writeFileSync(join(folder, "source.tar.gz"), gzipSync(tar));
    fs.writeFileSync(join(folder, "source.tar.zst"), await compress(tar));
  }

  /** What `profile` compressed by `compress` must be, made in this process. */
  async expected({ format, profile }: Profile, compress: "none" | "gzip" | "zstd", way: (typeof WAYS)[number]): Promise<string> {
    const piped = way === "directory" ? "directory" : "tar";
    const key = `${profile} ${compress} ${piped}`;
    let digest = this.#expected.get(key);
    if (digest === undefined) {
      const tree: Tree =
        piped === "directory"
          ? fromDirectory(this.directory(1), { xattrs: "none" })
          : await fromTar(join(this.#folders[0] as string, "source.tar"));
      const path = join(this.#folders[0] as string, "expected");
      await buildImage(format, profile, tree).writeTo(path, { compress });
      digest = createHash("sha256").update(fs.readFileSync(path)).digest("hex");
      this.#expected.set(key, digest);
    }
    return digest;
  }

  /** Builds `profile` on `runs` hosts; throws with the host that gives other bytes. */
  async checkHosts(profile: Profile, runs: number, seed: number, parameters: { endOnFailure?: true } = {}): Promise<void> {
    const compress = fc.constantFrom("none" as const, "gzip" as const, "zstd" as const);
    await fc.assert(
      fc.asyncProperty(
        hostArbitrary,
        fc.constantFrom(...WAYS),
        compress,
        fc.boolean(),
        fc.nat(1e6),
        async (host, way, how, piped, order) => {
          const found = await this.#on(host, profile, way, how, piped && way !== "directory", order);
          const wanted = await this.expected(profile, how, way);
          if (found !== wanted) throw new Error(`${profile.profile} is ${found}, expected ${wanted}`);
        },
      ),
      { numRuns: runs, seed, ...parameters },
    );
  }

  async #on(host: Host, { profile }: Profile, way: string, how: string, piped: boolean, order: number): Promise<string> {
    const args = ["-f", profile, "--xattrs", "none", "--compress", how];
    const path = way === "directory" ? this.directory(order) : join(this.#folders[0] as string, `source.${way}`);
    try {
      return await digestOn(host, args, { path, piped });
    } finally {
      if (way === "directory") fs.rmSync(join(path, ".."), { recursive: true, force: true });
    }
  }
}

const tarFormat = formats.find(({ name }) => name === "tar") as (typeof formats)[number]; // it is listed

/** What a script says on a host that {@link digestOn} could have. */
export function said(host: object, environment: Readonly<Record<string, string>>, script: string): string {
  const preload = new URL("preload.mjs", import.meta.url).href;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--import", preload, "--input-type=module", "-e", script], {
    env: { ...process.env, ...environment, FSYNTH_HOST: JSON.stringify(host) },
  });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout.toString();
}
