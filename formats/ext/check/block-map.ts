// Sets of blocks (or clusters): a bit each, kept in pieces, so that the empty parts of a large image cost nothing.

const PIECE_BITS = 2 ** 15;

export class BlockMap {
  readonly #pieces = new Map<number, Uint8Array>();
  #lastIndex = -1;
  #last: Uint8Array | undefined;

  /** Whether nothing was ever added. */
  get empty(): boolean {
    return this.#pieces.size === 0;
  }

  has(block: number): boolean {
    const piece = this.#piece(Math.floor(block / PIECE_BITS));
    return piece !== undefined && ((piece[(block % PIECE_BITS) >>> 3] as number) & (1 << (block & 7))) !== 0;
  }

  /** Adds a block; false when it was there. */
  add(block: number): boolean {
    const index = Math.floor(block / PIECE_BITS);
    const piece = this.#piece(index) ?? this.#make(index);
    const at = (block % PIECE_BITS) >>> 3;
    const bit = 1 << (block & 7);
    const before = piece[at] as number; // at is within the piece
    piece[at] = before | bit;
    return (before & bit) === 0;
  }

  /** The eight bits from `block` on, the first one lowest. */
  byteAt(block: number): number {
    const shift = block & 7;
    const low = this.#byte(block - shift);
    return shift === 0 ? low : ((low | (this.#byte(block - shift + 8) << 8)) >>> shift) & 0xff;
  }

  #byte(block: number): number {
    const piece = this.#piece(Math.floor(block / PIECE_BITS));
    return piece === undefined ? 0 : (piece[(block % PIECE_BITS) >>> 3] as number);
  }

  #piece(index: number): Uint8Array | undefined {
    if (index !== this.#lastIndex) {
      this.#last = this.#pieces.get(index);
      this.#lastIndex = index;
    }
    return this.#last;
  }

  #make(index: number): Uint8Array {
    const piece = new Uint8Array(PIECE_BITS / 8);
    this.#pieces.set(index, piece);
    this.#last = piece;
    return piece;
  }
}

/** Who claims what: clusters in use, and those that are claimed more than once. */
export class Claims {
  readonly used = new BlockMap();
  readonly shared = new BlockMap();
  #asked = 0;

  /** More claims than `most` are no news: they are for clusters that others claim many times over. */
  constructor(readonly most: number) {}

  claim(cluster: number): void {
    if (!this.used.add(cluster)) this.shared.add(cluster);
  }

  claimAll(first: number, count: number): void {
    this.#asked += count;
    if (this.#asked > this.most) return;
    const end = first + count;
    for (let at = first; at < end; ) {
      // What many claim already costs no more for each of them.
      if ((at & 7) === 0 && at + 8 <= end && this.shared.byteAt(at) === 0xff) at += 8;
      else this.claim(at++);
    }
  }
}
