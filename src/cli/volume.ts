// IMAGE and PATH of the commands that read.

import { escapeName, unescapeName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Volume, VolumeNode } from "../image/volume.ts";
import { openImage } from "../sources/image.ts";
import { usage } from "./failure.ts";
import { hostPath } from "./path.ts";
import { standardInput } from "./standard-input.ts";

/** Opens IMAGE; `-` is standard input. */
export async function openArgument(image: string | undefined): Promise<Volume> {
  return await openImage(imageArgument(image));
}

/** Where the bytes of IMAGE come from. */
export function imageArgument(image: string | undefined): string | NodeJS.ReadStream {
  if (image === undefined) throw usage("no IMAGE given: a file, a block device, or - for standard input");
  return image === "-" ? standardInput("an image") : hostPath(image);
}

/** The node at PATH, in which `\xNN` stands for a byte. Throws `source` when nothing is there. */
export function nodeArgument(volume: Volume, path: string, follow: boolean): VolumeNode {
  const inside = unescapeName(path.replaceAll(/\\(?!x[0-9a-fA-F]{2})/g, "\\\\"));
  const node = volume.lookup(inside, follow);
  if (node) return node;
  throw new FsynthError("source", `"${escapeName(inside)}": nothing is there`, { path: inside, format: volume.format });
}
