// Blobs as files that can be read anywhere. Only web workers have a way to do so without waiting, FileReaderSync
// (https://w3c.github.io/FileAPI/#FileReaderSyncSync).

import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { FileStat, ReadHandle } from "../host/port.ts";

// A reading goes through another process, so that a small one costs as much as this. Archives hold the files of a directory
// together, even where its names are in no order.
const PIECE = 256 * 1024;
const PIECES_KEPT = 64;

/** A Blob as an open file; undefined where its bytes only come by promises. `label` is for messages. */
export function blobHandle(blob: Blob, label: string): ReadHandle | undefined {
  if (!("FileReaderSync" in globalThis)) return undefined;
  const reader = new FileReaderSync();
  const read = (from: number, to: number): Uint8Array => readPart(reader, blob.slice(from, to), label);
  /** The last pieces that were asked for, by number, in the order of asking. */
  const kept = new Map<number, Uint8Array>();
  const piece = (number: number): Uint8Array => {
    const bytes = kept.get(number) ?? read(number * PIECE, (number + 1) * PIECE);
    kept.delete(number);
    kept.set(number, bytes);
    if (kept.size > PIECES_KEPT) kept.delete(kept.keys().next().value as number); // there is a first one
    return bytes;
  };
  return {
    size: blob.size,
    readAt(offset, target) {
      const end = Math.min(offset + target.length, blob.size);
      if (target.length >= PIECE) target.set(read(offset, end));
      else {
        for (let at = offset; at < end; ) {
          const number = Math.floor(at / PIECE);
          const stop = Math.min(end, (number + 1) * PIECE);
          target.set(piece(number).subarray(at - number * PIECE, stop - number * PIECE), at - offset);
          at = stop;
        }
      }
      return Math.max(0, end - offset);
    },
    stat: () => statOf(blob),
    close: () => kept.clear(),
  };
}

function readPart(reader: FileReaderSync, part: Blob, label: string): Uint8Array {
  try {
    return new Uint8Array(reader.readAsArrayBuffer(part));
  } catch (cause) {
    // Browsers do not read a file that changed since it was chosen.
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new FsynthError("io", `cannot read ${quoteName(label)}: ${message}`, { path: label }, { cause });
  }
}

/** A Blob never changes; whoever lets it be read watches over the file behind it. */
function statOf({ size }: Blob): FileStat {
  return {
    kind: "file",
    mode: 0o444,
    uid: 0,
    gid: 0,
    size,
    nlink: 1,
    dev: 0,
    ino: 0n,
    major: 0,
    minor: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
    ctimeSec: 0,
    ctimeNsec: 0,
    allocated: size,
  };
}
