// A window over bytes that cost a call each time they are read: archives are looked at in many small pieces.

// How much is read at once: much while headers lie close together, little while contents are jumped over.
const LEAST = 4 * 1024;
const MOST = 256 * 1024;
/** A gap that is cheaper to read than to jump over. */
const NEAR = 8 * 1024;

/** The bytes of something of `size`, as `read` fills them in. */
export class Window {
  #window = new Uint8Array(MOST);
  #start = 0;
  #end = 0;
  #ahead = 8 * LEAST;

  constructor(
    readonly size: number,
    readonly read: (offset: number, target: Uint8Array) => void,
  ) {}

  /** The `length` bytes from `offset`, which lie within `size`. They hold until the next call. */
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
