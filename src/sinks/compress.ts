// Compressed output: which kind, and the compressed bytes of an image.

import { host } from "#host";
import { FsynthError } from "../error.ts";

export type Compression = "none" | "gzip" | "zstd";

/** The compression asked for, else the one that the ending `.gz` or `.zst` of the path names. Throws `usage` for any other word. */
export function compressionFor(path: string, asked: Compression | undefined): Compression {
  if (asked === undefined) return path.endsWith(".gz") ? "gzip" : path.endsWith(".zst") ? "zstd" : "none";
  if (!["none", "gzip", "zstd"].includes(asked)) {
    throw new FsynthError("usage", `compress is "${String(asked)}"; expected none, gzip or zstd`, { option: "compress" });
  }
  return asked;
}

/** `chunks` compressed: one gzip member, or zstd frames of 4 MiB of input each. The same bytes wherever and however it runs. */
export function compressed(chunks: AsyncIterable<Uint8Array>, how: Compression): AsyncIterable<Uint8Array> {
  if (how === "gzip") return host.gzip(chunks);
  if (how === "zstd") return host.zstd(chunks);
  return chunks;
}
