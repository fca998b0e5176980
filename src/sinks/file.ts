// The file sink: sparse, and atomic by a temporary name in the same folder. Devices and pipes are written through.

import { host } from "#host";
import { checkKeys, checkText, checkWord } from "../arguments.ts";
import { quoteName } from "../bytes/names.ts";
import { isZero } from "../bytes/zero.ts";
import { FsynthError } from "../error.ts";
import type { WriteHandle } from "../host/port.ts";
import type { WriteToOptions, Written } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import { checkParts, compressionFor } from "./compress.ts";
import type { Piece } from "./emit.ts";
import { encoded } from "./encoded.ts";
import { resolveOutput } from "./output.ts";
import { makeTemporary } from "./temporary.ts";

/** Unit of what is left out of the file when it holds nothing but zeros: the block of nearly every file system. */
const BLOCK = 4096;

/**
 * Writes an image to `path`: see `Image.writeTo`.
 *
 * Throws `usage` when `path` is a folder, a block device without `force`, or too small a device; `io` when the system fails; what
 * reading the contents throws, with the path of the file in the tree. Then nothing is left, and an older file is as it was.
 */
export async function writeImage(plan: Plan, path: string, options: WriteToOptions = {}): Promise<Written> {
  checkText("the path to write to", path);
  checkKeys("writeTo", options, ["onProgress", "fsync", "compress", "force", "sha256", "beforeCommit"]);
  checkWord("writeTo: compress", options.compress, ["none", "gzip", "zstd"]);
  const how = compressionFor(path, options.compress);
  checkParts(plan, how);
  const output = resolveOutput(path, options.force);
  const { pieces, chunks, digests } = encoded(plan, how, options);
  const written = (): Written => {
    const result = { path, size: plan.size, ...digests() };
    options.beforeCommit?.(result);
    return result;
  };
  if (output.kind === "outlet") {
    const outlet = await host.files.openOutlet(output.to);
    try {
      for await (const chunk of chunks) await outlet.write(chunk);
    } finally {
      outlet.close();
    }
    return written();
  }
  if (output.kind === "device") {
    if (how === "none") checkDevice(output.path, plan.size);
    const device = host.files.openDevice(output.path);
    try {
      await append(device, chunks);
      if (options.fsync) device.sync();
    } finally {
      device.close();
    }
    return written();
  }
  const file = makeTemporary(output);
  try {
    if (how === "none") await fillFile(file.handle, plan.size, pieces);
    else await append(file.handle, chunks);
    const result = written();
    file.commit(options.fsync === true);
    return result;
  } catch (error) {
    file.discard();
    throw error;
  }
}

async function fillFile(file: WriteHandle, size: number, pieces: AsyncIterable<Piece>): Promise<void> {
  // The size first: a file system that cannot hold so large a file says so before the work. What is never written stays a hole.
  file.truncate(size);
  for await (const { offset, bytes } of pieces) if (bytes) writeSparse(file, offset, bytes);
}

async function append(file: WriteHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let at = 0;
  for await (const chunk of chunks) {
    file.writeAt(at, chunk);
    at += chunk.length;
  }
}

/** Writes all runs of blocks that hold something. */
function writeSparse(file: WriteHandle, offset: number, bytes: Uint8Array): void {
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + BLOCK - ((offset + at) % BLOCK), bytes.length);
    if (isZero(bytes, at, end)) {
      if (from < at) file.writeAt(offset + from, bytes.subarray(from, at));
      from = end;
    }
    at = end;
  }
  if (from < bytes.length) file.writeAt(offset + from, bytes.subarray(from));
}

/** Throws unless the device holds `size` bytes: the last of them can be read. */
function checkDevice(path: string, size: number): void {
  const device = host.files.openRead(path);
  try {
    const holds = (bytes: number): boolean => bytes === 0 || device.readAt(bytes - 1, new Uint8Array(1)) === 1;
    if (holds(size)) return;
    let least = 0;
    for (let most = size; least + 1 < most; ) {
      const middle = Math.floor((least + most) / 2);
      if (holds(middle)) least = middle;
      else most = middle;
    }
    throw new FsynthError("usage", `the device ${quoteName(path)} has ${least} bytes, the image needs ${size}`, {
      path,
      needed: size,
    });
  } finally {
    device.close();
  }
}
