// The bytes of an image wherever they are: in memory, in a file or device of the host, or spooled because they came as a stream
// or compressed.

import { host } from "#host";
import { FsynthError } from "../error.ts";
import type { ReadHandle } from "../host/port.ts";
import type { ImageBytes } from "../image/volume.ts";
import { ArchiveFile } from "./archive-file.ts";
import { closeInput, FileInput, type Input, openInput } from "./input.ts";
import { ContentSpool } from "./spool.ts";
import { byteLimit } from "./tar.ts";
import { unpacked } from "./unpack.ts";

/** What becomes of images that are not plain files. */
export interface SpoolOptions {
  /** Where images of streams and compressed ones are kept. Default: the system's folder for temporary files. */
  readonly spoolDirectory?: string | undefined;
  /** How many bytes a stream, and what is decompressed, may have. Default 64 GiB. */
  readonly maxBytes?: number | undefined;
}

/** Opened bytes. They stay open until nobody refers to them, or {@link close} is called. */
export interface OpenedBytes {
  readonly image: ImageBytes;
  close(): void;
}

/** The bytes of `source`, decompressed: a path, a block device's path, bytes, or a stream. */
export async function openImageBytes(source: Parameters<typeof openInput>[0], options: SpoolOptions): Promise<OpenedBytes> {
  if (typeof source === "string" && host.files.stat(source)?.kind === "block-device") return deviceBytes(source);
  return await inputBytes(openInput(source), options);
}

/** The bytes of an input that is open already; it is closed in the end, unless they refer to it. */
export async function inputBytes(input: Input, options: SpoolOptions): Promise<OpenedBytes> {
  let keep = false;
  try {
    const plain = await unpacked(input);
    if (plain.kind === "stream") return await spooled(plain, options);
    keep = true;
    return plain instanceof FileInput ? fileBytes(plain) : memoryBytes(plain.bytes);
  } finally {
    if (!keep) await closeInput(input);
  }
}

function memoryBytes(bytes: Uint8Array): OpenedBytes {
  return {
    image: {
      size: bytes.length,
      readAt(offset, target) {
        if (offset + target.length > bytes.length) throw endsBefore(offset + target.length, bytes.length);
        target.set(bytes.subarray(offset, offset + target.length));
      },
    },
    close() {},
  };
}

/** A file that changes while it is in use is refused, as archives are. */
function fileBytes({ path, handle }: FileInput): OpenedBytes {
  const file = new ArchiveFile(path, handle);
  const all = file.content(0, file.size);
  return {
    image: {
      size: file.size,
      readAt(offset, target) {
        if (offset + target.length > file.size) throw endsBefore(offset + target.length, file.size);
        void all.read(offset, target); // of a file: done at once
      },
    },
    close() {
      file.forget();
      handle.close();
    },
  };
}

async function spooled(input: Input, options: SpoolOptions): Promise<OpenedBytes> {
  const limit = byteLimit(options);
  const spool = new ContentSpool(options.spoolDirectory);
  try {
    for await (const chunk of input.chunks()) {
      if (spool.size + chunk.length > limit) {
        throw new FsynthError(
          "source",
          `${input.label}: more than ${limit} bytes; the limit (maxBytes) can be raised for images that are to be trusted`,
          { offset: limit },
        );
      }
      spool.append(chunk);
    }
    spool.finish();
  } catch (error) {
    spool.discard();
    throw error;
  }
  const { size } = spool;
  return {
    image: {
      size,
      readAt(offset, target) {
        if (offset + target.length > size) throw endsBefore(offset + target.length, size);
        spool.read(offset, target);
      },
    },
    close: () => spool.discard(),
  };
}

// A volume that is dropped takes the open device with it.
const devices = new FinalizationRegistry<ReadHandle>((handle) => handle.close());

function deviceBytes(path: string): OpenedBytes {
  const handle = host.files.openRead(path);
  const size = deviceSize(handle);
  const image: ImageBytes = {
    size,
    readAt(offset, target) {
      const count = handle.readAt(offset, target);
      if (count < target.length) throw endsBefore(offset + target.length, offset + count);
    },
  };
  devices.register(image, handle, image);
  return {
    image,
    close() {
      devices.unregister(image);
      handle.close();
    },
  };
}

/** A device does not tell its size, but reading does: the last byte that can be read is searched for. */
function deviceSize(handle: ReadHandle): number {
  const byte = new Uint8Array(1);
  const has = (size: number): boolean => size === 0 || handle.readAt(size - 1, byte) === 1;
  let low = 0;
  let high = 512;
  while (has(high) && high < 2 ** 52) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (has(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function endsBefore(wanted: number, size: number): FsynthError {
  return new FsynthError("corrupt", `the image ends at byte ${size}, expected at least ${wanted}`, { offset: size });
}
