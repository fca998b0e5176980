// The range sink: any bytes of an image without producing the rest, so that it can be served before it exists.

import { FsynthError } from "../error.ts";
import { Turns } from "../host/turn.ts";
import type { Plan } from "../image/plan.ts";
import type { BytesRegion } from "../image/region.ts";
import { checkedRead } from "../tree/watch.ts";
import { read } from "./emit.ts";
import { allocate } from "./memory.ts";

/** How much metadata is kept by default, in bytes: that of an image of a hundred thousand files is twice as much. */
const CACHE = 32 << 20;

/** How much is read between two looks at the clock, in bytes. */
const SLICE = 1 << 20;

/** Reads a plan anywhere and in any order. Metadata that was made is kept, up to a limit. */
export class RangeReader {
  /** By the offset of the region; the least recently used first. */
  readonly #kept = new Map<number, Uint8Array>();
  #size = 0;

  constructor(
    readonly plan: Plan,
    readonly cache: number = CACHE,
  ) {}

  /**
   * Fills `target` from `offset`; the range lies within the image. At once where all contents are at hand.
   *
   * Throws what reading the contents throws, with the path of the file: `source` where what they are read from changed since
   * the tree was made. Bytes that it gave are never mixed with later ones.
   */
  readInto(offset: number, target: Uint8Array): void | Promise<void> {
    const pending: Promise<void>[] = [];
    checkedRead(() => this.#read(offset, target, pending));
    if (pending.length > 0) return Promise.all(pending).then(() => undefined);
  }

  #read(offset: number, target: Uint8Array, pending: Promise<void>[]): void {
    const end = offset + target.length;
    if (offset === end) return;
    for (const region of this.plan.regions(offset)) {
      const from = Math.max(region.offset, offset);
      const to = Math.min(region.offset + region.length, end);
      const part = target.subarray(from - offset, to - offset);
      if (region.kind === "hole") part.fill(0);
      else {
        const done =
          region.kind === "content"
            ? read(region, region.start + from - region.offset, part)
            : this.#bytes(region, from - region.offset, part);
        if (done) pending.push(done);
      }
      if (to === end) return;
    }
  }

  #bytes(region: BytesRegion, from: number, part: Uint8Array): void | Promise<void> {
    const kept = this.#kept.get(region.offset);
    if (kept) {
      this.#kept.delete(region.offset);
      this.#kept.set(region.offset, kept);
      part.set(kept.subarray(from, from + part.length));
      return;
    }
    const whole = new Uint8Array(region.length);
    const finish = (): void => {
      part.set(whole.subarray(from, from + part.length));
      this.#keep(region.offset, whole);
    };
    const done = checkedRead(() => region.fill(whole));
    if (done) return done.then(finish);
    finish();
  }

  #keep(offset: number, bytes: Uint8Array): void {
    if (this.#kept.has(offset)) return;
    this.#kept.set(offset, bytes);
    this.#size += bytes.length;
    for (const [oldest, its] of this.#kept) {
      if (this.#size <= this.cache) return;
      this.#kept.delete(oldest);
      this.#size -= its.length;
    }
  }

  /** `length` bytes from `offset`; fewer, or none, only behind the end of the image. Throws `usage` for numbers that are no range. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
      throw new FsynthError("usage", `a range of an image is an offset and a length from 0 up; found ${offset} and ${length}`);
    }
    const from = Math.min(offset, this.plan.size);
    const all = allocate(Math.min(offset + length, this.plan.size) - from);
    const turns = new Turns();
    for (let at = 0; at < all.length; at += SLICE) {
      const pending = this.readInto(from + at, all.subarray(at, at + SLICE));
      if (pending) await pending;
      if (turns.due()) await turns.take();
    }
    return all;
  }
}
