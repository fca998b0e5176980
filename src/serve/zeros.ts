// Where a stored image holds zeros. Systems do not tell a program in JavaScript where a sparse file has holes; but it can look.

import { isZero } from "../bytes/zero.ts";
import type { ImageBytes } from "../image/volume.ts";
import { checkedRead } from "../tree/watch.ts";
import type { Run } from "./disk.ts";

/** What is all zeros or not, bytes. */
const PIECE = 64 * 1024;

/** How much is looked at for one answer, bytes. */
const EFFORT = 16 << 20;

const UNKNOWN = 0;
const DATA = 1;
const ZEROS = 2;

/** What is known of the zeros of an image; pieces are looked at when somebody asks, once. */
export class ZeroMap {
  readonly #image: ImageBytes;
  readonly #states: Uint8Array;
  readonly #room = new Uint8Array(PIECE);

  constructor(image: ImageBytes) {
    this.#image = image;
    this.#states = new Uint8Array(Math.ceil(image.size / PIECE));
  }

  /** The range in runs; fewer than all of it where much has to be looked at. Throws what reading throws. */
  *runs(from: number, to: number): Generator<Run> {
    let effort = EFFORT;
    for (let at = from; at < to; ) {
      const piece = Math.floor(at / PIECE);
      if (this.#states[piece] === UNKNOWN) {
        if (effort === 0) return;
        this.#look(piece);
        effort -= PIECE;
      }
      const end = Math.min((piece + 1) * PIECE, to);
      yield { offset: at, length: end - at, hole: this.#states[piece] === ZEROS };
      at = end;
    }
  }

  #look(piece: number): void {
    const bytes = this.#room.subarray(0, Math.min(PIECE, this.#image.size - piece * PIECE));
    checkedRead(() => this.#image.readAt(piece * PIECE, bytes));
    this.#states[piece] = isZero(bytes, 0, bytes.length) ? ZEROS : DATA;
  }
}
