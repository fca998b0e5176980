// Files that have no name: what QEMU reads besides the user's own files it gets as open descriptors, so that nothing is left
// behind whatever happens to us.

import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Image } from "../index.ts";

/** An open file without a name. */
export interface NamelessFile {
  readonly descriptor: number;
  close(): void;
}

/** Where small files go: first to memory, where Linux has a folder for files in it. */
function smallPlaces(): string[] {
  return process.platform === "linux" ? ["/dev/shm", tmpdir()] : [tmpdir()];
}

/** A nameless file that holds `bytes`, in the first of `places` that takes it. Throws `io`. */
export function namelessFile(bytes: Uint8Array, places: readonly string[] = smallPlaces()): Promise<NamelessFile> {
  return madeIn(places, (path) => {
    const descriptor = openSync(path, "wx+", 0o600);
    try {
      writeAll(descriptor, bytes, 0);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    unlinkSync(path);
    return descriptor;
  });
}

/** A nameless file with an image, sparse as its own file would be, in the first of `places` that takes it. Throws `io`. */
export function namelessImage(image: Image, places: readonly string[] = smallPlaces()): Promise<NamelessFile> {
  return madeIn(places, async (path) => {
    await image.writeTo(path, { compress: "none" });
    return openSync(path, "r+");
  });
}

/** A nameless file of all that `chunks` bring, on the disk; runs of zeros become holes. Throws `io`, and what `chunks` throws. */
export function namelessStream(chunks: AsyncIterable<Uint8Array>): Promise<NamelessFile> {
  return madeIn([tmpdir()], async (path) => {
    const descriptor = openSync(path, "wx+", 0o600);
    try {
      // Nothing of its size is left behind by a kill in the middle.
      unlinkSync(path);
      let at = 0;
      for await (const chunk of chunks) {
        if (chunk.some((byte) => byte !== 0)) writeAll(descriptor, chunk, at);
        at += chunk.length;
      }
      ftruncateSync(descriptor, at);
      return descriptor;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  });
}

function writeAll(descriptor: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done, bytes.length - done, at + done);
}

async function madeIn(places: readonly string[], make: (path: string) => number | Promise<number>): Promise<NamelessFile> {
  const [place = tmpdir(), ...others] = places;
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(place, "fsynth-boot-"));
    return held(await make(join(folder, "file")));
  } catch (cause) {
    const error = ioError(place, cause);
    // Memory for files may be little: many containers have 64 MB of it.
    if (others.length > 0 && error instanceof FsynthError && error.code === "io") return await madeIn(others, make);
    throw error;
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** What the system says, in our words; anything else as it is. */
function ioError(place: string, cause: unknown): unknown {
  if (cause instanceof FsynthError || !(cause instanceof Error) || !("syscall" in cause)) return cause;
  const why = "code" in cause && cause.code === "ENOENT" ? "there is no such folder" : cause.message;
  const what = `cannot make a temporary file in ${quoteName(place)} (TMPDIR names the folder): ${why}`;
  return new FsynthError("io", what, { path: place }, { cause });
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
