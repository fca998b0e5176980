// The stream sink: an image as a web stream that makes a chunk when one is asked for.

import type { WriteOptions } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import { emit } from "./emit.ts";

/** Bytes of a chunk, but for the last one and those before holes. */
const CHUNK = 1 << 20;

/** Chunks that belong to whoever takes them; holes come as zeros. */
export async function* imageChunks(plan: Plan, options: WriteOptions = {}): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const arena = (offset: number): Uint8Array => new Uint8Array(Math.min(CHUNK, plan.size - offset));
  for await (const { offset, length, bytes } of emit(plan, { arena, onProgress: options.onProgress })) {
    // The arena is new for every piece, so it can be given away.
    if (bytes)
      yield bytes as Uint8Array<ArrayBuffer>; // made by `arena` above
    else for (let at = offset; at < offset + length; at += CHUNK) yield new Uint8Array(Math.min(CHUNK, offset + length - at));
  }
}

/** The image as a stream. Cancelling it stops the work. */
export function imageStream(plan: Plan, options: WriteOptions = {}): ReadableStream<Uint8Array> {
  const chunks = imageChunks(plan, options);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await chunks.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await chunks.return();
      },
    },
    // Nothing is made before it is asked for.
    { highWaterMark: 0 },
  );
}
