// The records of an image of any format, as text.

import { recordText } from "../image/record-text.ts";
import type { ImageSource, OpenOptions } from "./image.ts";
import { openImageBytes } from "./image-bytes.ts";
import { useFormat } from "./image-format.ts";

/**
 * Every record of an image by name with every field by name, line by line without newlines; fields that are zero stand with the
 * first record of their kind alone.
 *
 * Throws `unsupported` for what is no image that fsynth reads, and `corrupt` at the record that cannot be one.
 */
export async function* recordLines(source: ImageSource, options: OpenOptions = {}): AsyncGenerator<string> {
  const opened = await openImageBytes(source, options);
  const records = useFormat(opened, typeof source === "string" ? source : "the image", "records");
  try {
    yield* recordText(records);
  } finally {
    opened.close();
  }
}
