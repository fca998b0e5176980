// Compressed output: which kind, and the compressed bytes of an image.

import { host } from "#host";
import { FsynthError } from "../error.ts";
import type { Part, Plan } from "../image/plan.ts";

export type Compression = "none" | "gzip" | "zstd";

/** The compression asked for, else the one that the ending `.gz` or `.zst` of the path names. Throws `usage` for any other word. */
export function compressionFor(path: string, asked: Compression | undefined): Compression {
  if (asked === undefined) return path.endsWith(".gz") ? "gzip" : path.endsWith(".zst") ? "zstd" : "none";
  if (!["none", "gzip", "zstd"].includes(asked)) {
    throw new FsynthError("usage", `compress is "${String(asked)}"; expected none, gzip or zstd`, { option: "compress" });
  }
  return asked;
}

/**
 * Names the encoder behind compressed output, with all that its bytes depend on. A test holds it against the packages that
 * are installed. `parts`: each part of the plan is compressed on its own.
 */
export function codecOf(how: Exclude<Compression, "none">, parts: boolean): string {
  if (how === "gzip") return "gzip-pako-3.0.3-level6";
  // @mongodb-js/zstd 1.2.2 is libzstd 1.5.2, and has no other level.
  return `zstd-libzstd-1.5.2-level3-${parts ? "frame-per-archive" : "frames-of-4MiB"}`;
}

/** `chunks` compressed: one gzip member, or zstd frames of 4 MiB of input each. The same bytes wherever and however it runs. */
export function compressed(chunks: AsyncIterable<Uint8Array>, how: Compression): AsyncIterable<Uint8Array> {
  if (how === "gzip") return host.gzip(chunks);
  if (how === "zstd") return host.zstd(chunks);
  return chunks;
}

/** Throws `unsupported` for a part that is too large to become one zstd frame. */
export function checkParts({ parts, summary }: Plan, how: Compression): void {
  if (how !== "zstd" || parts === undefined) return;
  for (const { length, stored } of parts.list) {
    if (stored || length <= parts.zstdLimit) continue;
    throw new FsynthError(
      "unsupported",
      `${summary.format}: an archive of ${length} bytes would be one zstd frame, which is made in memory; ${parts.zstdLimit} bytes are the limit (zstdLimit), and gzip has none`,
      { format: summary.format, option: "zstdLimit", needed: length },
    );
  }
}

/**
 * The parts of an image, each one gzip member or one zstd frame, or stored as it is, at multiples of 4: that is where Linux
 * expects what is not compressed. `bytes` gives a range of the image and is called in order, for the zeros between parts too.
 */
export async function* compressedParts(
  parts: readonly Part[],
  how: Exclude<Compression, "none">,
  bytes: (from: number, to: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let at = 0;
  let written = 0;
  for (const { offset, length, stored } of parts) {
    // Zeros of the image; how many of them the output needs is another matter.
    for await (const chunk of bytes(at, offset)) void chunk;
    if (written % 4 !== 0) {
      const zeros = new Uint8Array(4 - (written % 4));
      written += zeros.length;
      yield zeros;
    }
    const chunks = bytes(offset, offset + length);
    for await (const chunk of stored ? chunks : how === "gzip" ? host.gzip(chunks) : oneFrame(chunks, length)) {
      written += chunk.length;
      yield chunk;
    }
    at = offset + length;
  }
}

async function* oneFrame(chunks: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array, void, void> {
  const all = new Uint8Array(length);
  let at = 0;
  for await (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  yield await host.zstdFrame(all);
}
