// gzip by pako: the same bytes on every runtime, which node:zlib's encoder does not promise.

import { Deflate } from "pako";
import { assert } from "../error.ts";
import { piecesOf } from "./pieces.ts";
import { Turns } from "./turn.ts";

/** How much pako sees at once; part of what makes the output independent of how the input was cut. */
const PIECE = 64 * 1024;

/** One gzip member of everything in `source` (RFC 1952): OS byte 3, no name, no time, level 6. */
export async function* gzipMember(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const deflate = new Deflate({ gzip: true, level: 6, chunkSize: PIECE });
  let ready: Uint8Array[] = [];
  deflate.onData = (chunk) => void ready.push(chunk);
  const turns = new Turns();
  for await (const piece of piecesOf(source, PIECE)) {
    deflate.push(piece, false);
    const chunks = ready;
    ready = [];
    yield* chunks;
    if (turns.due()) await turns.take();
  }
  deflate.push(new Uint8Array(0), true);
  assert(deflate.err === 0, `gzip: ${deflate.msg}`);
  yield* ready;
}
