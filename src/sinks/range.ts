// The range sink: any bytes of an image without producing the rest, so that it can be served before it exists.

import { FsynthError } from "../error.ts";
import type { Plan } from "../image/plan.ts";
import { collect } from "./memory.ts";

/** `length` bytes from `offset`; fewer, or none, only behind the end of the image. Throws `usage` for numbers that are no range. */
export async function readRange(plan: Plan, offset: number, length: number): Promise<Uint8Array> {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new FsynthError("usage", `a range of an image is an offset and a length from 0 up; found ${offset} and ${length}`);
  }
  const from = Math.min(offset, plan.size);
  return collect(plan, from, Math.min(offset + length, plan.size));
}
