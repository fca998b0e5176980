// Blobs as files that can be read anywhere. Only web workers have a way to do so without waiting, FileReaderSync
// (https://w3c.github.io/FileAPI/#FileReaderSyncSync).

import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { FileStat, ReadHandle } from "../host/port.ts";

/** A Blob as an open file; undefined where its bytes only come by promises. `label` is for messages. */
export function blobHandle(blob: Blob, label: string): ReadHandle | undefined {
  if (!("FileReaderSync" in globalThis)) return undefined;
  const reader = new FileReaderSync();
  return {
    size: blob.size,
    readAt(offset, target) {
      const bytes = new Uint8Array(read(reader, blob.slice(offset, offset + target.length), label));
      target.set(bytes);
      return bytes.length;
    },
    stat: () => statOf(blob),
    close() {},
  };
}

function read(reader: FileReaderSync, part: Blob, label: string): ArrayBuffer {
  try {
    return reader.readAsArrayBuffer(part);
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
    allocated: size,
  };
}
