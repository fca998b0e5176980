// The cases that need files: directories as sources, sparse and compressed outputs, extraction. On Node, Bun and Deno.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  buildExt4,
  buildTar,
  extractTree,
  FsynthError,
  fromDirectory,
  fromTar,
  type Image,
  openImage,
  treeDigest,
} from "../../src/index.ts";
import { type Outcome, outcome } from "./suite.ts";

/** What {@link runFiles} finds: a directory, and an archive in three forms. */
export interface Prepared {
  readonly directory: string;
  /** A directory with times to the nanosecond; all others have them to the millisecond. */
  readonly exact: string;
  /** A directory with a name that is not UTF-8 and a time before 1970. */
  readonly odd: string;
  readonly tar: string;
  readonly gzip: string;
  readonly zstd: string;
}

/** Runs all of them; `scratch` is an empty folder of this runtime. */
export async function runFiles(prepared: Prepared, scratch: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, work] of Object.entries(fileCases(prepared, scratch))) outcomes.push(await outcome(`files/${name}`, work));
  return outcomes;
}

function fileCases(
  { directory, exact, odd, tar, gzip, zstd }: Prepared,
  scratch: string,
): Readonly<Record<string, () => Promise<string>>> {
  const written = async (image: Image, name: string): Promise<string> => {
    const path = join(scratch, name);
    await image.writeTo(path);
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  };
  const source = (path: string) => async (): Promise<string> => await buildExt4(await fromTar(path)).sha256();
  return {
    directory: () => written(buildExt4(fromDirectory(directory), { size: "64M" }), "directory.ext4"),
    "directory to tar": () => written(buildTar(fromDirectory(directory)), "directory.tar"),
    // Deno tells milliseconds, so that it makes another image, and says so.
    "times of a directory": async () => {
      const warnings: string[] = [];
      const digest = await treeDigest(fromDirectory(exact, { xattrs: "none", onWarning: ({ code }) => warnings.push(code) }));
      return warnings.length > 0 ? warnings.join(" ") : digest;
    },
    // Deno has no such names.
    "name of bytes": async () => {
      try {
        return await written(buildExt4(fromDirectory(odd)), "odd.ext4");
      } catch (error) {
        if (error instanceof FsynthError && error.code === "unsupported") return error.code;
        throw error;
      }
    },
    tar: source(tar),
    ".tar.gz": source(gzip),
    ".tar.zst": source(zstd),
    "sparse file": async () => {
      const digest = await written(buildExt4(await fromTar(tar), { size: "256M" }), "sparse.ext4");
      const { size, blocks } = statSync(join(scratch, "sparse.ext4"));
      if (blocks * 512 > size / 4) throw new Error(`the file of ${size} bytes takes ${blocks * 512}`);
      return digest;
    },
    ".gz output": async () => await written(buildExt4(await fromTar(tar)), "image.ext4.gz"),
    ".zst output": async () => await written(buildExt4(await fromTar(tar)), "image.ext4.zst"),
    "volume of a file": async () => {
      await buildExt4(fromDirectory(directory)).writeTo(join(scratch, "volume.ext4"));
      const volume = await openImage(join(scratch, "volume.ext4"));
      return createHash("sha256").update(volume.read("/etc/poem")).update(JSON.stringify(volume.inspect())).digest("hex");
    },
    "extracted files": async () => {
      const folder = join(scratch, "extracted");
      mkdirSync(folder);
      await extractTree(fromDirectory(directory), folder);
      return await treeDigest(fromDirectory(folder));
    },
  };
}
