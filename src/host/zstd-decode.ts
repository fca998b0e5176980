// zstd frames decoded in plain JavaScript, by fzstd, block by block; what fzstd leaves unchecked is checked here.

import { Decompress } from "fzstd";
import { Xxh64 } from "../bytes/xxh64.ts";
import { FsynthError } from "../error.ts";
import { damaged, type Frame, zstdFramesOf } from "./zstd-frames.ts";

/** Decompresses all frames of `source`. */
export async function* unzstdPlain(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const frame of zstdFramesOf(source)) yield* decodeFrame(frame);
}

/** The content of one frame. Throws `corrupt` when it is damaged, or its size or checksum is not what the frame says. */
export async function* decodeFrame(frame: Frame): AsyncGenerator<Uint8Array> {
  const { header, offset, pieces } = frame;
  const hash = header.checksum ? new Xxh64() : undefined;
  let size = 0;
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((bytes) => {
    if (bytes.length === 0) return;
    size += bytes.length;
    hash?.update(bytes);
    ready.push(bytes);
  });
  // fzstd wants to be told which piece is the last.
  let held: Uint8Array | undefined;
  let tail: Uint8Array = new Uint8Array(0);
  const push = (piece: Uint8Array, last: boolean): Uint8Array[] => {
    try {
      decoder.push(piece, last);
    } catch (cause) {
      throw damaged(
        `the frame that starts here is damaged (${cause instanceof Error ? cause.message : String(cause)})`,
        offset,
        cause,
      );
    }
    if (header.contentSize !== undefined && size > header.contentSize) {
      throw damaged(`the frame that starts here holds more than the ${header.contentSize} bytes it tells of`, offset);
    }
    const chunks = ready;
    ready = [];
    return chunks;
  };
  for await (const piece of pieces) {
    if (held) yield* push(held, false);
    held = piece;
    tail = piece;
  }
  if (held) yield* push(held, true);
  if (header.contentSize !== undefined && size !== header.contentSize) {
    throw damaged(`the frame that starts here holds ${size} bytes, expected ${header.contentSize}`, offset);
  }
  if (hash) {
    const view = new DataView(tail.buffer, tail.byteOffset + tail.length - 4, 4);
    const found = hash.low32();
    const expected = view.getUint32(0, true);
    if (found !== expected) {
      throw new FsynthError(
        "corrupt",
        `zstd data: the frame at byte ${offset} has the checksum 0x${found.toString(16)}, expected 0x${expected.toString(16)}`,
        { format: "zstd", offset },
      );
    }
  }
}
