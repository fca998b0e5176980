// Images before a check of our own.

import type { Problem } from "../image/volume.ts";
import type { ImageSource, OpenOptions } from "./image.ts";
import { openImageBytes } from "./image-bytes.ts";
import { useFormat } from "./image-format.ts";

/**
 * Everything that is wrong with an image of any format that fsynth reads, told by its content; empty for a sound one. The image
 * is not changed. An unclean journal is replayed in memory first.
 *
 * Throws `unsupported` for what is no such image and for features that fsynth does not know, `corrupt` for an image without
 * anything to start from, and `io` for what cannot be read.
 *
 * @example
 * ```ts
 * import { checkImage } from "fsynth";
 * for (const { place, found, expected } of await checkImage("root.ext4")) console.log(`${place}: ${found}, expected ${expected}`);
 * ```
 */
export async function checkImage(source: ImageSource, options: OpenOptions = {}): Promise<readonly Problem[]> {
  const opened = await openImageBytes(source, options);
  const problems = useFormat(opened, typeof source === "string" ? source : "the image", "check");
  opened.close();
  return problems;
}
