// One compressed part among others in a file: it ends where its gzip member or zstd frame ends, whatever follows.

import { host } from "#host";
import { FsynthError } from "../error.ts";
import type { Input } from "./input.ts";

export type PartCompression = "gzip" | "zstd";

/** Decompresses the gzip member or zstd frame that `source` starts with. `onEnd` is told how many bytes of the source that took. */
export async function* decompressPart(
  source: AsyncIterable<Uint8Array>,
  how: PartCompression,
  onEnd: (length: number) => void,
): AsyncGenerator<Uint8Array> {
  if (how === "gzip") {
    const { inflateMember } = await import("../host/gunzip-member.ts");
    yield* inflateMember(source, onEnd);
    return;
  }
  const { zstdFramesOf } = await import("../host/zstd-frames.ts");
  for await (const frame of zstdFramesOf(source)) {
    let length = frame.offset;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of frame.pieces) {
        length += piece.length;
        yield piece;
      }
    };
    yield* host.unzstd(counted());
    onEnd(length);
    return;
  }
  throw new FsynthError("corrupt", "nothing but skippable zstd frames", { format: "zstd" });
}

/** Input that surely holds the first block of what is compressed. */
const FRONT = 320 * 1024;

/** The first bytes, up to `most`, of what `input` holds once decompressed; nothing where it is damaged. Takes nothing of it. */
export async function frontOf(input: Input, how: PartCompression, most: number): Promise<Uint8Array> {
  const head = await input.head(FRONT);
  try {
    if (how === "gzip") return (await import("../host/gunzip-member.ts")).inflateFront(head, most);
    const { unzstdPlain } = await import("../host/zstd-decode.ts");
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield head;
    };
    for await (const chunk of unzstdPlain(pieces())) return chunk.subarray(0, most);
  } catch (error) {
    // Whoever reads it as what it seems to be will say so.
    if (!(error instanceof FsynthError)) throw error;
  }
  return new Uint8Array(0);
}
