// The image that a record tells of, as it is now where it was written: a file or a device, compared with what is built again.

import { host } from "#host";
import { firstDifference } from "../bytes/difference.ts";
import { diffSides, type ImageDifferences } from "../compare/images.ts";
import { imageSide, openSide, type SideOptions } from "../compare/side.ts";
import { FsynthError } from "../error.ts";
import type { FileStat } from "../host/port.ts";
import type { Image } from "../image/image.ts";
import type { ImageBytes } from "../image/volume.ts";
import { RangeReader } from "../sinks/range.ts";
import { contentSha256 } from "../sources/digested.ts";
import { hostFileContent } from "../sources/host-file.ts";
import { type OpenedBytes, openImageBytes } from "../sources/image-bytes.ts";
import { hostPath } from "./path.ts";
import { type Compared, compared } from "./rebuild.ts";
import type { BuildRecord } from "./record.ts";

/** What stands at the place of the image. Follows symlinks, but for one that leads nowhere. */
function found(path: string): FileStat | undefined {
  return host.files.stat(path) ?? host.files.lstat(path);
}

/**
 * The digest of the image as it is now; undefined where nothing is, or where it went to standard output. A device is read as far
 * as the image reaches. Throws `io`, and `source` for a file that changes meanwhile.
 */
export async function imageNow({ image, compressed }: BuildRecord): Promise<Compared | undefined> {
  if (image.path === "-") return undefined;
  const path = hostPath(image.path);
  const stat = found(path);
  if (!stat) return undefined;
  const { size, sha256 } = compressed ?? image;
  const at = (now: string): Compared => compared(`file ${image.path}`, sha256, now);
  if (stat.kind === "file") return at(await contentSha256(hostFileContent(path, stat)));
  if (stat.kind !== "block-device") return at(stat.kind === "symlink" ? "a symlink that leads nowhere" : `a ${stat.kind}`);
  const opened = await openImageBytes(path, {});
  const device = opened.image;
  try {
    if (device.size < size) return at(`a block-device of ${device.size} bytes`);
    return at(await contentSha256({ size, read: (offset, target) => device.readAt(offset, target) }));
  } finally {
    opened.close();
  }
}

/**
 * In what the image as it is now (A) and the one that is built again (B) differ, of which nothing is written anywhere; undefined
 * where that cannot be told, with the reason in `notes`.
 */
export async function explained(
  record: BuildRecord,
  rebuilt: Image,
  spoolDirectory: string | undefined,
  notes: string[],
): Promise<ImageDifferences | undefined> {
  const path = hostPath(record.image.path);
  const kind = found(path)?.kind;
  if (kind !== "file" && kind !== "block-device") return undefined;
  try {
    if (kind === "block-device" && record.compressed) throw new FsynthError("unsupported", "it is compressed on a device");
    return await differences(path, record, rebuilt, {
      ...(spoolDirectory !== undefined && { spoolDirectory }),
      // A compressed file that was replaced must not fill the disk.
      maxBytes: Math.max(record.image.size, rebuilt.size, 1),
      onWarning: ({ message }) => void notes.push(`warning: ${message}`),
    });
  } catch (error) {
    if (!(error instanceof FsynthError)) throw error;
    notes.push(`what the file holds cannot be compared: ${error.message}`);
  }
  try {
    if (!record.compressed) notes.push(await firstDifferingByte(path, rebuilt));
  } catch (error) {
    if (!(error instanceof FsynthError)) throw error;
    notes.push(`nor can its bytes: ${error.message}`);
  }
  return undefined;
}

async function differences(
  path: string,
  { image: { size } }: BuildRecord,
  rebuilt: Image,
  options: SideOptions,
): Promise<ImageDifferences> {
  const device = host.files.stat(path)?.kind === "block-device" ? await openImageBytes(path, options) : undefined;
  // What a device holds behind the image is no part of it.
  const a = device ? await imageSide(cut(device, size), path, options) : await openSide(path, options);
  try {
    return await diffSides(a, await imageSide(bytesOf(rebuilt), "what is built now", options), {});
  } finally {
    a.close();
  }
}

function cut(opened: OpenedBytes, most: number): OpenedBytes {
  const { image } = opened;
  return {
    image: { size: Math.min(image.size, most), readAt: (offset, target) => image.readAt(offset, target) },
    close: () => opened.close(),
  };
}

/** The bytes of a planned image, made where they are asked for. */
function bytesOf({ plan }: Image): OpenedBytes {
  const reader = new RangeReader(plan);
  const image: ImageBytes = {
    size: plan.size,
    readAt(offset, target) {
      if (offset + target.length > plan.size) {
        throw new FsynthError("corrupt", `the image ends at byte ${plan.size}, expected at least ${offset + target.length}`, {
          offset: plan.size,
        });
      }
      const pending = reader.readInto(offset, target);
      if (!pending) return;
      pending.catch(() => {}); // nobody waits for it
      throw new FsynthError("unsupported", "what is built now cannot be read at once: contents of its sources are not at hand");
    },
  };
  return { image, close() {} };
}

/** Bytes compared at once. */
const WINDOW = 1 << 20;

/** Where a file that is no image any more first differs from the image. */
async function firstDifferingByte(path: string, image: Image): Promise<string> {
  const file = host.files.openRead(path);
  try {
    const size = host.files.stat(path)?.kind === "block-device" ? await deviceSize(path) : file.size;
    const common = Math.min(size, image.size);
    const window = new Uint8Array(Math.min(WINDOW, common));
    for (let at = 0; at < common; at += WINDOW) {
      const length = Math.min(WINDOW, common - at);
      file.readAt(at, window.subarray(0, length));
      const place = firstDifference(window, await image.read(at, length), 0, length);
      if (place < length) return `its first byte that differs from what is built now is ${at + place}`;
    }
    return `it has ${size} bytes, what is built now ${image.size}; those that both have are the same`;
  } finally {
    file.close();
  }
}

async function deviceSize(path: string): Promise<number> {
  const opened = await openImageBytes(path, {});
  opened.close();
  return opened.image.size;
}
