// Reads small contents of one large file together with what lies behind them: a call for each would cost more than the copy.

/** Contents up to this length are read so. */
const SMALL = 32 * 1024;
const MOST_AHEAD = 256 * 1024;

export class ReadAhead {
  readonly #size: () => number;
  readonly #readAt: (offset: number, target: Uint8Array) => number;
  /** Bytes read ahead, from `#start` on, and how many of them were of use. */
  #window: Uint8Array | undefined;
  #start = 0;
  #length = 0;
  #used = 0;
  #ahead = SMALL;

  /** `readAt` fills its target as far as the file goes, and gives the count. The file may grow: `size` is what it has now. */
  constructor(size: () => number, readAt: (offset: number, target: Uint8Array) => number) {
    this.#size = size;
    this.#readAt = readAt;
  }

  /** Fills `target` from `offset`; gives the count, less than its length only at the end of the file. */
  read(offset: number, target: Uint8Array): number {
    // Of an empty file there is nothing to read, and no window.
    if (target.length === 0) return 0;
    if (target.length > SMALL) return this.#readAt(offset, target);
    if (offset < this.#start || offset + target.length > this.#start + this.#length) {
      this.#move(offset, target.length);
      if (this.#length < target.length) {
        const count = this.#length;
        this.#length = 0;
        return count;
      }
    }
    const at = offset - this.#start;
    target.set((this.#window as Uint8Array).subarray(at, at + target.length)); // made when it moved
    this.#used += target.length;
    return target.length;
  }

  /** The window: far ahead while that pays, no further than asked for when it does not. */
  #move(offset: number, least: number): void {
    this.#ahead = this.#used * 4 >= this.#length ? Math.min(this.#ahead * 2, MOST_AHEAD) : SMALL;
    this.#window ??= new Uint8Array(MOST_AHEAD);
    const length = Math.max(least, Math.min(this.#ahead, this.#size() - offset));
    this.#start = offset;
    this.#length = this.#readAt(offset, this.#window.subarray(0, length));
    this.#used = 0;
  }
}
