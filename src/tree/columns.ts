// Columns that grow in pieces: nothing is copied before all of it is there. Array buffers that grow by doubling are what makes
// garbage collectors run on large trees.

import { encodeName } from "../bytes/names.ts";

/** Numbers of a piece. */
const NUMBERS = 16 * 1024;
/** Bytes of a piece. */
const NAMES = 256 * 1024;

/** 32-bit numbers one behind the other. */
export class Numbers {
  count = 0;
  readonly #full: Uint32Array[] = [];
  #last = new Uint32Array(64);
  #used = 0;

  push(value: number): void {
    if (this.#used === this.#last.length) {
      this.#full.push(this.#last);
      this.#last = new Uint32Array(NUMBERS);
      this.#used = 0;
    }
    this.#last[this.#used++] = value;
    this.count++;
  }

  /** All of them, in an array of their own. */
  all(): Uint32Array {
    const all = new Uint32Array(this.count);
    let at = 0;
    for (const piece of this.#full) {
      all.set(piece, at);
      at += piece.length;
    }
    all.set(this.#last.subarray(0, this.#used), at);
    return all;
  }
}

/** Names one behind the other, as bytes. */
export class Names {
  /** Bytes. */
  length = 0;
  readonly #full: Uint8Array[] = [];
  #last = new Uint8Array(1024);
  #used = 0;

  push(name: string): void {
    // Three bytes at most for a unit of UTF-16.
    if (this.#used + name.length * 3 > this.#last.length) {
      this.#full.push(this.#last.subarray(0, this.#used));
      this.#last = new Uint8Array(Math.max(NAMES, name.length * 3));
      this.#used = 0;
    }
    const start = this.#used;
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      if (code >= 0x80) {
        const bytes = encodeName(name);
        this.#last.set(bytes, start);
        this.#used = start + bytes.length;
        break;
      }
      this.#last[this.#used++] = code;
    }
    this.length += this.#used - start;
  }

  /** All of them, in an array of their own. */
  all(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const piece of [...this.#full, this.#last.subarray(0, this.#used)]) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}
