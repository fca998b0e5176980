// Byte ranges of a record that may not overlap: what the parts of an xattr block or an inode's tail take.

export class Regions {
  readonly #taken: { readonly from: number; readonly to: number }[] = [];

  constructor(readonly end: number) {}

  /** Takes `length` bytes; false when some of them are taken or lie outside. */
  take(from: number, length: number): boolean {
    const to = from + length;
    if (from < 0 || to > this.end) return false;
    if (this.#taken.some((other) => from < other.to && other.from < to)) return false;
    this.#taken.push({ from, to });
    return true;
  }
}
