// The cases that need no files: they run in every runtime, browsers included.

import { sha256 } from "@noble/hashes/sha2.js";
import { buildGolden } from "../../golden-images/build.ts";
import { buildExt4, buildTar, checkImage, FsynthError, fromImage, fromTar, treeDigest } from "../../src/index.ts";
import { compressed } from "../../src/sinks/compress.ts";
import { type Outcome, outcome, type Suite, type SuiteGolden } from "./suite.ts";

/** Runs all goldens, and what differs between runtimes where there are no files. */
export async function runPortable(suite: Suite): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const golden of suite.goldens) outcomes.push(await outcome(golden.name, () => digestGolden(golden)));
  for (const [name, work] of Object.entries(memoryCases(suite))) outcomes.push(await outcome(`memory/${name}`, work));
  return outcomes;
}

function digestGolden({ tree, options, files }: SuiteGolden): Promise<string> {
  const content = (name: string): Uint8Array => {
    const encoded = files[name];
    if (encoded === undefined) throw new Error(`the case has no file ${name}`);
    return fromBase64(encoded);
  };
  return buildGolden({ tree, options, content }).sha256();
}

function memoryCases({ archives }: Suite): Readonly<Record<string, () => Promise<string>>> {
  const tar = fromBase64(archives.tar);
  const gzip = fromBase64(archives.gzip);
  const zstd = fromBase64(archives.zstd);
  return {
    "image of a tar": async () => await buildExt4(await fromTar(tar)).sha256(),
    "image of a .tar.gz": async () => await buildExt4(await fromTar(gzip)).sha256(),
    "image of a .tar.zst": async () => await buildExt4(await fromTar(zstd)).sha256(),
    "image of a Blob": async () => await buildExt4(await fromTar(new Blob([tar]))).sha256(),
    "image of a stream": async () => await buildExt4(await fromTar(pieces(gzip, 1000))).sha256(),
    "streamed image": async () => await digest(buildExt4(await fromTar(tar)).stream()),
    "image read back": async () => {
      const bytes = await buildExt4(await fromTar(tar)).bytes();
      const problems = await checkImage(bytes);
      if (problems.length > 0) throw new Error(JSON.stringify(problems));
      return await treeDigest(await fromImage(bytes));
    },
    "gzip output": async () => await digest(compressed(pieces(tar, 12_345), "gzip")),
    "zstd output": async () => {
      try {
        return await digest(compressed(pieces(tar, 12_345), "zstd"));
      } catch (error) {
        // Where there is no encoder, which is in browsers, that is what must be said.
        if (!("process" in globalThis) && error instanceof FsynthError && error.code === "unsupported") return "unsupported";
        throw error;
      }
    },
    "tar rewritten": async () => await buildTar(await fromTar(zstd)).sha256(),
  };
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function digest(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hasher = sha256.create();
  for await (const chunk of chunks) hasher.update(chunk);
  return Array.from(hasher.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
