// What an output consists of: the pieces of an image, or its bytes compressed, with their digests taken on the way.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";
import type { CompressedDigest, Progress, WriteOptions } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import { type Compression, codecOf, compressed, compressedParts } from "./compress.ts";
import { PieceHash } from "./digest.ts";
import { ARENA, emit, type Piece, zeros } from "./emit.ts";

/** Digests of an output, lower-case hex. */
export interface OutputDigests {
  readonly sha256?: string;
  readonly compressed?: CompressedDigest;
}

export interface Encoded {
  /**
   * The image itself; the bytes of a piece hold until the next but one is asked for. One of this and {@link chunks} is to be
   * read, once and to its end.
   */
  readonly pieces: AsyncIterable<Piece>;
  /** The bytes of the output, one behind the other; compressed where that was asked for. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** The digests, where they were asked for, of all that was read. */
  readonly digests: () => OutputDigests;
}

/** The output that `plan` compressed by `how` is. */
export function encoded(
  plan: Plan,
  how: Compression,
  options: WriteOptions & { readonly sha256?: boolean | undefined },
): Encoded {
  const hash = options.sha256 ? new PieceHash() : undefined;
  const pieces = tee(plan, options, hash, 0, plan.size);
  if (how === "none") {
    return { pieces, chunks: chunksOf(pieces), digests: () => (hash ? { sha256: hash.hex() } : {}) };
  }
  const { parts } = plan;
  const bytes = parts
    ? compressedParts(parts.list, how, (from, to) => chunksOf(tee(plan, options, hash, from, to)))
    : compressed(chunksOf(pieces), how);
  if (!hash) return { pieces, chunks: bytes, digests: () => ({}) };
  const outer = host.sha256();
  let size = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of bytes) {
      outer.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  return {
    pieces,
    chunks: counted(),
    digests: () => ({
      sha256: hash.hex(),
      compressed: { codec: codecOf(how, parts !== undefined), size, sha256: toHex(outer.digest()) },
    }),
  };
}

/** The digests of what {@link encoded} gives, kept nowhere. */
export async function digestOutput(plan: Plan, how: Compression, options: WriteOptions = {}): Promise<OutputDigests> {
  const { chunks, digests } = encoded(plan, how, { ...options, sha256: true });
  for await (const chunk of chunks) void chunk;
  return digests();
}

/** The pieces from byte `from` to byte `to`; asked for in order, all of them are in the hash. */
async function* tee(
  plan: Plan,
  options: WriteOptions,
  hash: PieceHash | undefined,
  from: number,
  to: number,
): AsyncGenerator<Piece, void, void> {
  const arena = new Uint8Array(Math.min(ARENA, to - from));
  const onProgress =
    options.onProgress && (({ done }: Progress) => options.onProgress?.({ done: from + done, total: plan.size }));
  for await (const piece of emit(plan, { from, to, arena: () => arena, onProgress })) {
    if (hash) await hash.update(piece);
    yield piece;
  }
}

/** The bytes of all pieces one behind the other, holes as zeros. */
async function* chunksOf(pieces: AsyncIterable<Piece>): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of pieces) {
    if (piece.bytes) yield piece.bytes;
    else yield* zeros(piece.length);
  }
}
