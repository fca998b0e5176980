// gzip by pako: the same bytes on every runtime, which node:zlib's encoder does not promise.

import { Deflate, Inflate } from "pako";
import { FsynthError } from "../error.ts";

/** How much pako sees at once; part of what makes the output independent of how the input was cut. */
const PIECE = 64 * 1024;

/** One gzip member of everything in `source`: OS byte 3, no name, no time. */
export async function* gzipFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  void source;
  void Deflate;
  void PIECE;
  throw new FsynthError("unsupported", "gzip output is not wired up");
  yield new Uint8Array(0);
}

/** Decompresses all members of `source`. */
export async function* inflateMembers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  void source;
  void Inflate;
  throw new FsynthError("unsupported", "gzip input is not wired up");
  yield new Uint8Array(0);
}
