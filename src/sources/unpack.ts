// Compressed sources as the stream of what is in them.

import { host } from "#host";
import { FsynthError } from "../error.ts";
import { type Input, StreamInput } from "./input.ts";
import { type Compression, compressionOf, HEAD } from "./recognise.ts";

/** What `input` holds: itself when it is not compressed. Throws `unsupported` for compressions that are not read. */
export async function unpacked(input: Input): Promise<Input> {
  const compression = compressionOf(await input.head(HEAD.compression));
  if (compression === undefined) return input;
  if (compression === "gzip") return new StreamInput(input.label, named(input.label, host.gunzip(input.chunks())));
  if (compression === "zstd") return new StreamInput(input.label, named(input.label, host.unzstd(input.chunks())));
  throw unsupported(input.label, compression);
}

/** Decoders do not know what they read. */
async function* named(label: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    if (!(error instanceof FsynthError) || error.where.format === undefined) throw error;
    throw new FsynthError(error.code, `${label}: ${error.message}`, error.where, { cause: error });
  }
}

function unsupported(label: string, compression: Compression): FsynthError {
  return new FsynthError(
    "unsupported",
    `${label}: compressed by ${compression}; gzip and zstd are read (pipe it through \`${compression} -dc\`)`,
  );
}
