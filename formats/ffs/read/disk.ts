// The fragments of an opened image.

import { FsynthError } from "../../../src/error.ts";
import type { ImageBytes } from "../../../src/image/volume.ts";
import { groupRange, groupStart, type Super } from "./superblock.ts";

/** Fragments of an image. Reading behind the image's end throws `corrupt`. */
export class Disk implements ImageBytes {
  readonly size: number;

  constructor(
    readonly image: ImageBytes,
    readonly superblock: Super,
  ) {
    this.size = image.size;
  }

  readAt(offset: number, target: Uint8Array): void {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + target.length > this.size) {
      throw new FsynthError("corrupt", `ffs: bytes ${offset} to ${offset + target.length} are behind the image's ${this.size}`, {
        format: "ffs",
        offset,
      });
    }
    this.image.readAt(offset, target);
  }

  /** A copy of `count` fragments from `first` on. */
  frags(first: number, count: number): Uint8Array<ArrayBuffer> {
    const { fragmentSize } = this.superblock;
    const bytes = new Uint8Array(count * fragmentSize);
    this.readAt(first * fragmentSize, bytes);
    return bytes;
  }

  /** Whether all of `count` fragments from `first` on can belong to a file: within one group, and none of its metadata. */
  holds(first: number, count: number): boolean {
    const { superblock: sb } = this;
    if (!Number.isSafeInteger(first) || first <= 0 || count < 1 || first + count > sb.size) return false;
    const group = Math.floor(first / sb.fpg);
    const [, end] = groupRange(sb, group);
    if (first + count > end) return false;
    const start = groupStart(sb, group);
    const from = group === 0 ? 0 : start + sb.sblkno;
    return first + count <= from || first >= start + sb.dblkno;
  }
}
