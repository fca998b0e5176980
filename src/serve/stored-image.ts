// An image that exists already, to be served as it is.

import { host } from "#host";
import { FsynthError } from "../error.ts";
import type { Image } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import type { Region } from "../image/region.ts";
import { makeImage } from "../sinks/image.ts";
import { openImageBytes, type SpoolOptions } from "../sources/image-bytes.ts";
import { HEAD, kindOf } from "../sources/recognise.ts";
import type { Content } from "../tree/content.ts";
import { ZeroMap } from "./zeros.ts";

/**
 * The bytes of a file or block device, decompressed where they are compressed by gzip or zstd, as an image: a file system of
 * any kind, or a whole disk. They must stay as they are while the image is in use.
 * What is zeros in a file with holes, or in a compressed one, is told to clients as holes.
 *
 * Throws `source` for archives, of which an image has to be built first, and `io` for what cannot be read.
 *
 * @example
 * ```ts
 * import { serveImage, storedImage } from "fsynth/serve";
 * const server = await serveImage(await storedImage("root.ext4"), { socket: "stored.sock" });
 * await server.close();
 * ```
 */
export async function storedImage(path: string, options: SpoolOptions = {}): Promise<Image> {
  const { image } = await openImageBytes(path, options);
  const { size } = image;
  const head = new Uint8Array(Math.min(size, HEAD.all));
  image.readAt(0, head);
  const kind = kindOf(head);
  if (kind === "tar" || kind === "cpio" || kind === "tree.txt" || kind === "empty") {
    const what = kind === "empty" ? "it is empty" : `found ${kind}`;
    throw new FsynthError("source", `${path}: ${what}, expected an image; of other sources one has to be made of some format`, {
      path,
    });
  }
  const content: Content = { size, read: (offset, target) => image.readAt(offset, target) };
  const format = kind ?? "disk";
  // Of a file that takes less room than it is long, something is holes, or was compressed; in others there is little to find.
  const stat = host.files.stat(path);
  const zeros = stat?.kind === "file" && stat.allocated < size ? new ZeroMap(image) : undefined;
  const plan: Plan & { readonly zeros: ZeroMap | undefined } = {
    zeros,
    size,
    uuid: undefined,
    summary: { format, size },
    warnings: [],
    *regions(from = 0): Generator<Region> {
      if (from < size) yield { kind: "content", offset: 0, length: size, content, start: 0, path: () => path };
    },
  };
  return makeImage(plan);
}
