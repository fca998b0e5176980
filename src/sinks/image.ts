// What a build gives: the plan with the sinks behind it.

import type { Image } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import { digestImage } from "./digest.ts";
import { writeImage } from "./file.ts";
import { imageBytes } from "./memory.ts";
import { RangeReader } from "./range.ts";
import { imageStream } from "./stream.ts";

/** The image of a plan. */
export function makeImage(plan: Plan): Image {
  let reader: RangeReader | undefined;
  return {
    size: plan.size,
    uuid: plan.uuid,
    plan,
    writeTo: (path, options) => writeImage(plan, path, options),
    sha256: (options) => digestImage(plan, options),
    bytes: (options) => imageBytes(plan, options),
    stream: (options) => imageStream(plan, options),
    read: (offset, length) => (reader ??= new RangeReader(plan)).read(offset, length),
  };
}
