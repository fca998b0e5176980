// The blocks of an opened image as they are once its journal is replayed. The image itself is never changed: a block that the
// journal holds a newer version of is read from there.

import { FsynthError } from "../../../src/error.ts";
import type { ImageBytes } from "../../../src/image/volume.ts";
import type { Super } from "./superblock.ts";

/** A block's newer version in the journal. */
export interface Replacement {
  /** Byte offset of that version in the image. */
  readonly offset: number;
  /** Its first four bytes, which read like a journal header, are stored as zeros. */
  readonly escaped: boolean;
}

/** What a journal replaces, by block. */
export type Overlay = ReadonlyMap<number, Replacement>;

const NOTHING: Overlay = new Map();

/** Blocks of an image. Reading behind the image's end throws `corrupt`. */
export class Disk implements ImageBytes {
  readonly size: number;

  constructor(
    readonly image: ImageBytes,
    readonly superblock: Super,
    readonly overlay: Overlay = NOTHING,
  ) {
    this.size = image.size;
  }

  readAt(offset: number, target: Uint8Array): void {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + target.length > this.size) {
      throw new FsynthError("corrupt", `ext: bytes ${offset} to ${offset + target.length} are behind the image's ${this.size}`, {
        format: "ext",
        offset,
      });
    }
    this.image.readAt(offset, target);
    if (this.overlay.size > 0) this.#patch(offset, target);
  }

  /** A copy of block `number`. */
  block(number: number): Uint8Array<ArrayBuffer> {
    const { blockSize } = this.superblock;
    const bytes = new Uint8Array(blockSize);
    this.readAt(number * blockSize, bytes);
    return bytes;
  }

  /** Whether all of `count` blocks from `first` on can belong to somebody. */
  holds(first: number, count: number): boolean {
    const { firstBlock, blocks } = this.superblock;
    // Block 0 is nobody's: with large blocks it holds the superblock, and a pointer of 0 is a hole.
    return first >= Math.max(1, firstBlock) && count >= 1 && first + count <= blocks;
  }

  #patch(offset: number, target: Uint8Array): void {
    const { blockSize } = this.superblock;
    const end = offset + target.length;
    for (let block = Math.floor(offset / blockSize); block * blockSize < end; block++) {
      const newer = this.overlay.get(block);
      if (!newer) continue;
      const bytes = new Uint8Array(blockSize);
      this.image.readAt(newer.offset, bytes);
      if (newer.escaped) bytes.set([0xc0, 0x3b, 0x39, 0x98]);
      const from = Math.max(offset, block * blockSize);
      const to = Math.min(end, (block + 1) * blockSize);
      target.set(bytes.subarray(from - block * blockSize, to - block * blockSize), from - offset);
    }
  }
}
