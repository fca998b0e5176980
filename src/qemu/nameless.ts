// Files that have no name: what QEMU reads besides the user's own files it gets as open descriptors, so that nothing is left
// behind whatever happens to us.

import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Image } from "../index.ts";

/** An open file without a name. */
export interface NamelessFile {
  readonly descriptor: number;
  close(): void;
}

/** A nameless file that holds `bytes`. */
export function namelessFile(bytes: Uint8Array): NamelessFile {
  return madeIn((path) => {
    const descriptor = openSync(path, "wx+", 0o600);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done, bytes.length - done, done);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return descriptor;
  });
}

/** A nameless file with an image, sparse as its own file would be. */
export async function namelessImage(image: Image): Promise<NamelessFile> {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-boot-"));
  try {
    const path = join(folder, "image");
    await image.writeTo(path, { compress: "none" });
    return held(openSync(path, "r+"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A nameless file of all that `chunks` bring; runs of zeros become holes. */
export async function namelessStream(chunks: AsyncIterable<Uint8Array>): Promise<NamelessFile> {
  const file = madeIn((path) => openSync(path, "wx+", 0o600));
  try {
    let at = 0;
    for await (const chunk of chunks) {
      if (chunk.some((byte) => byte !== 0)) {
        for (let done = 0; done < chunk.length; ) done += writeSync(file.descriptor, chunk, done, chunk.length - done, at + done);
      }
      at += chunk.length;
    }
    ftruncateSync(file.descriptor, at);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

function madeIn(make: (path: string) => number): NamelessFile {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-boot-"));
  try {
    const path = join(folder, "file");
    const descriptor = make(path);
    unlinkSync(path);
    return held(descriptor);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function held(descriptor: number): NamelessFile {
  let open = true;
  return {
    descriptor,
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}
