// The memory sink: an image as one array.

import { FsynthError } from "../error.ts";
import type { WriteOptions } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import { emit } from "./emit.ts";

/** The whole image, made in place: nothing is copied, holes are never touched. Throws `unsupported` when this runtime has no array as long as that. */
export async function imageBytes(plan: Plan, options: WriteOptions = {}): Promise<Uint8Array> {
  const all = allocate(plan.size);
  const pieces = emit(plan, { arena: (offset) => all.subarray(offset), onProgress: options.onProgress });
  for await (const piece of pieces) void piece;
  return all;
}

/** Zeros. Throws `unsupported` when this runtime has no array as long as that. */
export function allocate(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new FsynthError(
      "unsupported",
      `${length} bytes do not fit into one array of this runtime; write the image to a file or a stream, or read ranges of it`,
      {},
      { cause },
    );
  }
}
