// zstd frames decoded in plain JavaScript, block by block, in memory that depends on the window alone (RFC 8878).

import { Xxh64 } from "../bytes/xxh64.ts";
import { Turns } from "./turn.ts";
import { damaged, type Frame, MAX_BLOCK, zstdFramesOf } from "./zstd-frames.ts";
import { emptyHuffman, readHuffman, readLiterals } from "./zstd-huffman.ts";
import { Sequences } from "./zstd-sequences.ts";

/** How much comes out at once. */
const PIECE = 512 * 1024;
/** How much is decoded before the window is moved to the front of its buffer. */
const LEAST_SLACK = 1024 * 1024;
const MOST_SLACK = 8 * 1024 * 1024;
/** Bit readers look at four bytes from any byte of a block. */
const PADDING = 8;

/** Decompresses all frames of `source`. */
export async function* unzstdPlain(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const frame of zstdFramesOf(source)) yield* decodeFrame(frame);
}

/** The content of one frame. Throws `corrupt` when it is damaged, or its size or checksum is not what the frame says. */
export async function* decodeFrame(frame: Frame): AsyncGenerator<Uint8Array> {
  const { header, offset, pieces } = frame;
  const hash = header.checksum ? new Xxh64() : undefined;
  const decoder = new BlockDecoder(header.window, header.contentSize);
  const turns = new Turns();
  let tail: Uint8Array | undefined;
  let isHeader = true;
  for await (const piece of pieces) {
    if (isHeader) {
      isHeader = false;
      continue;
    }
    tail = piece;
    const reason = decoder.decode(piece);
    if (reason !== undefined) throw damaged(`a block of the frame that starts here is damaged: ${reason}`, offset);
    if (header.contentSize !== undefined && decoder.produced > header.contentSize) {
      throw damaged(`the frame that starts here holds more than the ${header.contentSize} bytes it tells of`, offset);
    }
    if (decoder.waiting >= PIECE) {
      const ready = decoder.take();
      hash?.update(ready);
      yield ready;
      if (turns.due()) await turns.take();
    }
  }
  const ready = decoder.take();
  hash?.update(ready);
  if (header.contentSize !== undefined && decoder.produced !== header.contentSize) {
    throw damaged(`the frame that starts here holds ${decoder.produced} bytes, expected ${header.contentSize}`, offset);
  }
  if (hash && tail) {
    const found = hash.low32();
    const expected = new DataView(tail.buffer, tail.byteOffset + tail.length - 4, 4).getUint32(0, true);
    if (found !== expected) {
      throw damaged(
        `the frame that starts here has the checksum 0x${found.toString(16)}, expected 0x${expected.toString(16)}`,
        offset,
      );
    }
  }
  if (ready.length > 0) yield ready;
}

/** Decodes the blocks of one frame into a buffer that holds its window. */
class BlockDecoder {
  /** Bytes of the frame so far. */
  produced = 0;
  readonly #window: number;
  readonly #out: Uint8Array;
  /** Where the next byte goes, and from where on nobody took what is there. */
  #at = 0;
  #taken = 0;
  /** The block at hand, with room to look beyond its end. */
  readonly #block = new Uint8Array(MAX_BLOCK + PADDING);
  readonly #view = new DataView(this.#block.buffer);
  readonly #literals = new Uint8Array(MAX_BLOCK);
  readonly #huffman = emptyHuffman();
  readonly #sequences = new Sequences();

  constructor(window: number, contentSize: number | undefined) {
    this.#window = window;
    const room = window + Math.min(Math.max(window, LEAST_SLACK), MOST_SLACK) + MAX_BLOCK;
    // One block may claim more than the content: that is found behind it.
    this.#out = new Uint8Array(Math.min(room, (contentSize ?? room) + MAX_BLOCK));
  }

  /** How many bytes nobody took yet. */
  get waiting(): number {
    return this.#at - this.#taken;
  }

  take(): Uint8Array {
    const bytes = this.#out.slice(this.#taken, this.#at);
    this.#taken = this.#at;
    return bytes;
  }

  /** Decodes one block with its header; gives the reason when it cannot be. Everything but the last pieces was taken. */
  decode(piece: Uint8Array): string | undefined {
    const word = (piece[0] as number) | ((piece[1] as number) << 8) | ((piece[2] as number) << 16); // a piece is a whole block
    const size = word >>> 3;
    if (this.#at + MAX_BLOCK > this.#out.length) this.#slide();
    const from = this.#at;
    const type = (word >>> 1) & 3;
    if (type === 0) {
      this.#out.set(piece.subarray(3, 3 + size), from);
      this.#at += size;
    } else if (type === 1) {
      this.#out.fill(piece[3] as number, from, from + size); // its one byte
      this.#at += size;
    } else {
      const reason = this.#decodeCompressed(piece.subarray(3, 3 + size));
      if (reason !== undefined) return reason;
    }
    this.produced += this.#at - from;
    return undefined;
  }

  /** Keeps the window and what nobody took. */
  #slide(): void {
    const keep = Math.min(this.#at, Math.max(this.#window, this.waiting));
    const from = this.#at - keep;
    this.#out.copyWithin(0, from, this.#at);
    this.#taken -= from;
    this.#at = keep;
  }

  #decodeCompressed(bytes: Uint8Array): string | undefined {
    this.#block.set(bytes);
    this.#block.fill(0, bytes.length, bytes.length + PADDING);
    if (bytes.length < 2) return "it is too short";
    const literals = this.#readLiterals(bytes.length);
    if (typeof literals === "string") return literals;
    const limit = this.#at + Math.min(MAX_BLOCK, this.#window);
    const end = this.#sequences.execute(
      this.#view,
      literals.next,
      bytes.length,
      this.#literals,
      literals.count,
      this.#out,
      this.#at,
      limit,
      this.produced,
      this.#window,
    );
    if (typeof end === "string") return end;
    this.#at = end;
    return undefined;
  }

  /** The literals section (3.1.1.3.1): where it ends and how many literals there are. */
  #readLiterals(end: number): { readonly next: number; readonly count: number } | string {
    const view = this.#view;
    const head = view.getUint32(0, true);
    const type = head & 3;
    const format = (head >>> 2) & 3;
    if (type < 2) {
      const [at, count] =
        format === 1 ? [2, (head >>> 4) & 0xfff] : format === 3 ? [3, (head >>> 4) & 0xf_ffff] : [1, (head >>> 3) & 0x1f];
      const stored = type === 0 ? count : 1;
      if (count > MAX_BLOCK || at + stored > end) return "its literals are more than it holds";
      if (type === 0) this.#literals.set(this.#block.subarray(at, at + count));
      else this.#literals.fill(view.getUint8(at), 0, count);
      return { next: at + stored, count };
    }
    const width = format < 2 ? 10 : format === 2 ? 14 : 18;
    let at = format < 2 ? 3 : format + 2;
    const mask = 2 ** width - 1;
    const count = (head >>> 4) & mask;
    const packed = format === 3 ? (head >>> 22) + view.getUint8(4) * 1024 : (head >>> (4 + width)) & mask;
    const next = at + packed;
    if (count > MAX_BLOCK || next > end) return "its literals are more than it holds";
    if (type === 2) {
      at = readHuffman(this.#huffman, view, at, next);
      if (at < 0) return "the Huffman tree of its literals breaks the rules";
    } else if (this.#huffman.bits === 0) return "it repeats a Huffman tree that there is not";
    const fine =
      format === 0 ? readLiterals(this.#huffman, view, at, next, this.#literals, 0, count) : this.#readFour(at, next, count);
    return fine ? { next, count } : "its literals are no Huffman stream";
  }

  /** Four streams behind a table of the sizes of the first three (3.1.1.3.1.6). */
  #readFour(at: number, end: number, count: number): boolean {
    const view = this.#view;
    const each = (count + 3) >> 2;
    if (at + 6 > end || 3 * each > count) return false;
    let from = at + 6;
    for (let i = 0; i < 4; i++) {
      const to = i < 3 ? from + view.getUint16(at + 2 * i, true) : end;
      const size = i < 3 ? each : count - 3 * each;
      if (to > end || !readLiterals(this.#huffman, view, from, to, this.#literals, i * each, size)) return false;
      from = to;
    }
    return true;
  }
}
