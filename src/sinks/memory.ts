// The memory sink: an image, or a range of it, as one array.

import { FsynthError } from "../error.ts";
import type { WriteOptions } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import { emit } from "./emit.ts";

/** The whole image. Throws `unsupported` when this runtime has no array as long as that. */
export function imageBytes(plan: Plan, options: WriteOptions = {}): Promise<Uint8Array> {
  return collect(plan, 0, plan.size, options);
}

/** The bytes from `from` to `to`, made in place: nothing is copied, holes are never touched. */
export async function collect(plan: Plan, from: number, to: number, options: WriteOptions = {}): Promise<Uint8Array> {
  const all = allocate(to - from);
  const pieces = emit(plan, { from, to, arena: (offset) => all.subarray(offset - from), onProgress: options.onProgress });
  for await (const piece of pieces) void piece;
  return all;
}

function allocate(length: number): Uint8Array {
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
