// zstd by libzstd 1.5.2: independent frames of a fixed amount of input, so that memory is bounded, frames are made
// side by side, and the bytes do not depend on how the input arrived.

import { FsynthError } from "../error.ts";
import { piecesOf } from "./pieces.ts";

/** Input bytes of one frame. Part of the output's definition: another value gives other bytes. */
const FRAME = 4 * 1024 * 1024;

/** Frames being made at one time: enough for the threads that Node keeps for such work. */
const AT_ONCE = 4;

/** One zstd frame for every 4 MiB of `source`, the last one shorter; one empty frame for no bytes. */
export async function* zstdFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { compress } = await loadEncoder();
  const queue: Promise<Uint8Array>[] = [];
  let empty = true;
  try {
    for await (const piece of piecesOf(source, FRAME)) {
      empty = false;
      const frame = compress(Buffer.from(piece.buffer, 0, piece.length));
      // A frame that fails while an earlier one is awaited is reported when its turn comes.
      frame.catch(() => {});
      queue.push(frame);
      if (queue.length >= AT_ONCE) yield await (queue.shift() as Promise<Uint8Array>); // not empty
    }
    if (empty) queue.push(compress(Buffer.alloc(0)));
    for (const frame of queue.splice(0)) yield await frame;
  } finally {
    await Promise.allSettled(queue);
  }
}

/** One frame of all of `bytes`. */
export async function zstdFrame(bytes: Uint8Array): Promise<Uint8Array> {
  const { compress } = await loadEncoder();
  return await compress(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
}

async function loadEncoder(): Promise<typeof import("@mongodb-js/zstd")> {
  try {
    const module = await import("@mongodb-js/zstd");
    return module.default ?? module;
  } catch (cause) {
    throw new FsynthError(
      "unsupported",
      `the zstd encoder does not load on ${process.platform} ${process.arch}; gzip works everywhere`,
      {},
      { cause },
    );
  }
}
