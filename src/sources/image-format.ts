// Which format reads an image, told by its content.

import { formats } from "../../formats/index.ts";
import { FsynthError } from "../error.ts";
import type { Format } from "../image/format.ts";
import type { ImageBytes } from "../image/volume.ts";
import type { OpenedBytes } from "./image-bytes.ts";
import { HEAD, otherName } from "./recognise.ts";

/** The parts of a format that use an image, and in words what they do with it. */
const DONE = { open: "opened", check: "checked", records: "shown record by record" } as const;

/**
 * What the format of an image makes of it: `use` names the part of the format that is called. The bytes are closed when it throws.
 *
 * Throws `unsupported` for what is no image that can be used so; errors start with `label`.
 */
export function useFormat<K extends keyof typeof DONE>(
  opened: OpenedBytes,
  label: string,
  use: K,
): ReturnType<NonNullable<Format[K]>> {
  const { image } = opened;
  try {
    const part = formats.find((format) => format[use] && format.recognises?.(image))?.[use];
    if (part) return (part as (image: ImageBytes) => ReturnType<NonNullable<Format[K]>>)(image); // all parts take an image
    const head = new Uint8Array(Math.min(image.size, HEAD.all));
    image.readAt(0, head);
    const readable = formats.filter((format) => format[use]).flatMap(({ profiles }) => profiles.map(({ name }) => name));
    throw new FsynthError(
      "unsupported",
      `${label}: ${image.size === 0 ? "it is empty" : `found ${otherName(head) ?? "something else"}`}; images of ${readable.join(", ")} can be ${DONE[use]}`,
    );
  } catch (error) {
    opened.close();
    if (!(error instanceof FsynthError) || error.where.format === undefined) throw error;
    throw new FsynthError(error.code, `${label}: ${error.message}`, error.where, { cause: error });
  }
}
