// Bytes of an archive that can be looked at anywhere, and whose ranges become content: of a file, in memory, or spooled.

import type { ReadHandle } from "../host/port.ts";
import { Window } from "../image/window.ts";
import { bytesContent, type Content } from "../tree/content.ts";
import { ArchiveFile } from "./archive-file.ts";
import type { ContentSpool } from "./spool.ts";

export interface LookedAt {
  readonly size: number;
  /** The `length` bytes from `offset`, which lie within `size`. They hold until the next call. */
  view(offset: number, length: number): Uint8Array;
  content(offset: number, length: number): Content;
}

/** Bytes in memory; contents refer to them. */
export function memoryBytes(bytes: Uint8Array): LookedAt {
  return {
    size: bytes.length,
    view: (offset, length) => bytes.subarray(offset, offset + length),
    content: (offset, length) => bytesContent(bytes.subarray(offset, offset + length)),
  };
}

/** A file that stays as it is until its contents are read. */
export class FileBytes implements LookedAt {
  readonly size: number;
  readonly archive: ArchiveFile;
  readonly #window: Window;

  constructor(path: string, handle: ReadHandle) {
    this.archive = new ArchiveFile(path, handle);
    this.size = this.archive.size;
    this.#window = new Window(this.size, (offset, target) => {
      // Became shorter meanwhile: the check says so.
      if (handle.readAt(offset, target) < target.length) this.archive.check();
    });
  }

  view(offset: number, length: number): Uint8Array {
    return this.#window.view(offset, length);
  }

  content(offset: number, length: number): Content {
    return this.archive.content(offset, length);
  }
}

/** Bytes that were spooled. */
export function spooledBytes(spool: ContentSpool): LookedAt {
  const window = new Window(spool.size, (offset, target) => spool.read(offset, target));
  return {
    size: spool.size,
    view: (offset, length) => window.view(offset, length),
    content: (offset, length) => spool.content(offset, length),
  };
}

/** Bytes of a piece. */
const STEP = 256 * 1024;

/** The bytes from `offset` on, in pieces of their own. */
export async function* piecesFrom(bytes: LookedAt, offset: number): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < bytes.size; at += STEP) yield bytes.view(at, Math.min(STEP, bytes.size - at)).slice();
}
