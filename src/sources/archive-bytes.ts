// Bytes of an archive that can be looked at anywhere, and whose ranges become content: of a file, in memory, or spooled.

import type { ReadHandle } from "../host/port.ts";
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

// How much is read at once: much while headers lie close together, little while contents are jumped over.
const LEAST = 4 * 1024;
const MOST = 256 * 1024;
/** A gap that is cheaper to read than to jump over. */
const NEAR = 8 * 1024;

/** A window over bytes that cost a call each time. */
class Windowed {
  #window = new Uint8Array(MOST);
  #start = 0;
  #end = 0;
  #ahead = 8 * LEAST;

  constructor(
    readonly size: number,
    readonly read: (offset: number, target: Uint8Array) => void,
  ) {}

  view(offset: number, length: number): Uint8Array {
    if (offset < this.#start || offset + length > this.#end) {
      const gap = offset - this.#end;
      this.#ahead = gap >= 0 && gap <= NEAR ? Math.min(this.#ahead * 2, MOST) : Math.max(this.#ahead / 4, LEAST);
      const count = Math.max(length, Math.min(this.#ahead, this.size - offset));
      if (count > this.#window.length) this.#window = new Uint8Array(count);
      this.read(offset, this.#window.subarray(0, count));
      this.#start = offset;
      this.#end = offset + count;
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }
}

/** A file that stays as it is until its contents are read. */
export class FileBytes implements LookedAt {
  readonly size: number;
  readonly archive: ArchiveFile;
  readonly #window: Windowed;

  constructor(path: string, handle: ReadHandle) {
    this.archive = new ArchiveFile(path, handle);
    this.size = this.archive.size;
    this.#window = new Windowed(this.size, (offset, target) => {
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
  const window = new Windowed(spool.size, (offset, target) => spool.read(offset, target));
  return {
    size: spool.size,
    view: (offset, length) => window.view(offset, length),
    content: (offset, length) => spool.content(offset, length),
  };
}

/** The bytes from `offset` on, in pieces of their own. */
export async function* piecesFrom(bytes: LookedAt, offset: number): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < bytes.size; at += MOST) yield bytes.view(at, Math.min(MOST, bytes.size - at)).slice();
}
