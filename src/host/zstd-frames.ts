// zstd streams taken apart into frames and blocks (RFC 8878, section 3.1). Decoders see exactly one frame each, complete
// to its last byte: some stop silently behind the first frame, and some take a cut one for whole.

import { FsynthError } from "../error.ts";

/** The largest window that is decoded: that of `zstd --long=27`, the most that the zstd tool takes without being asked. */
export const MAX_WINDOW = 2 ** 27;

/** Largest content of a block. */
export const MAX_BLOCK = 128 * 1024;
const MAGIC = 0xfd2f_b528;
/** Sixteen magic numbers, told apart by their low four bits. */
const SKIPPABLE = 0x184d_2a50;

export interface FrameHeader {
  /** Size of the decoded content in bytes, where the frame tells. */
  readonly contentSize: number | undefined;
  /** Bytes that a decoder must remember. */
  readonly window: number;
  /** Whether the low 32 bits of XXH64 of the content end the frame. */
  readonly checksum: boolean;
}

export interface Frame {
  readonly header: FrameHeader;
  /** Offset of the frame in the compressed stream. */
  readonly offset: number;
  /** All bytes of the frame, in pieces: its header, then one piece a block, the last one with the checksum if there is one. To be read to its end. */
  readonly pieces: AsyncGenerator<Uint8Array>;
}

/** The frames of `source`, skippable ones left out. Throws `corrupt` for what is cut or no frame, `unsupported` for windows too large and dictionaries. */
export async function* zstdFramesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  const input = new Cursor(source);
  try {
    for (let count = 0; ; count++) {
      const offset = input.offset;
      const magic = await input.take(4, count === 0 ? "must" : "may");
      if (!magic) return;
      const word = le32(magic, 0);
      if ((word & 0xffff_fff0) >>> 0 === SKIPPABLE) {
        await input.skip(le32(await input.take(4), 0));
        continue;
      }
      if (word !== MAGIC) {
        throw damaged(
          `no zstd frame but 0x${word.toString(16).padStart(8, "0")}${count > 0 ? " behind the last one" : ""}`,
          offset,
        );
      }
      const bytes = [magic, await input.take(1)];
      const header = await readHeader(input, bytes, offset);
      const pieces = blocks(input, join(bytes), header);
      yield { header, offset, pieces };
      // Whoever decodes stops at the last block; the cursor stands behind it.
      for await (const _ of pieces) throw damaged("bytes of a frame are left over", offset);
    }
  } finally {
    await input.close();
  }
}

/** Section 3.1.1.1. `bytes` holds the magic and the descriptor, and gets the rest of the header. */
async function readHeader(input: Cursor, bytes: Uint8Array[], offset: number): Promise<FrameHeader> {
  const descriptor = (bytes[1] as Uint8Array)[0] as number; // one byte
  const single = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw damaged("a reserved bit of its frame header is set", offset);
  let window = 0;
  if (!single) {
    const byte = await input.take(1);
    bytes.push(byte);
    const base = 2 ** (10 + ((byte[0] as number) >>> 3));
    window = base + (base / 8) * ((byte[0] as number) & 7);
  }
  const dictionary = await input.take([0, 1, 2, 4][descriptor & 3] as number);
  bytes.push(dictionary);
  if (dictionary.some((byte) => byte !== 0)) {
    throw new FsynthError("unsupported", `the zstd frame at byte ${offset} needs a dictionary`, { format: "zstd", offset });
  }
  const width = [single ? 1 : 0, 2, 4, 8][descriptor >>> 6] as number;
  const field = await input.take(width);
  bytes.push(field);
  let contentSize: number | undefined;
  if (width > 0) {
    contentSize = width === 2 ? 256 : 0;
    for (let i = 0; i < width; i++) contentSize += (field[i] as number) * 2 ** (8 * i); // field has `width` bytes
  }
  if (single) window = contentSize as number; // a single segment always tells
  if (window > MAX_WINDOW) {
    throw new FsynthError(
      "unsupported",
      `the zstd frame at byte ${offset} needs a window of ${window} bytes; ${MAX_WINDOW} is the most (--long=27)`,
      { format: "zstd", offset },
    );
  }
  return { contentSize, window, checksum: (descriptor & 0x04) !== 0 };
}

/** Section 3.1.1.2. */
async function* blocks(input: Cursor, first: Uint8Array, header: FrameHeader): AsyncGenerator<Uint8Array> {
  yield first;
  const most = Math.min(MAX_BLOCK, header.window);
  for (let last = false; !last; ) {
    const head = await input.peek(3);
    const word = (head[0] as number) | ((head[1] as number) << 8) | ((head[2] as number) << 16); // three bytes
    last = (word & 1) !== 0;
    const type = (word >>> 1) & 3;
    const size = word >>> 3;
    if (type === 3) throw damaged("a block of the reserved type", input.offset);
    if (size > most) throw damaged(`a block of ${size} bytes; ${most} is the most`, input.offset);
    yield await input.take(3 + (type === 1 ? 1 : size) + (last && header.checksum ? 4 : 0));
  }
}

/** Bytes in order out of chunks. */
class Cursor {
  /** Offset of the next byte. */
  offset = 0;
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  /** What follows `#chunk`, as far as it was read. */
  #more: Uint8Array | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** The next `length` bytes. With `may`, undefined when there is not one left. */
  take(length: number): Promise<Uint8Array>;
  take(length: number, how: "must" | "may"): Promise<Uint8Array | undefined>;
  async take(length: number, how: "must" | "may" = "must"): Promise<Uint8Array | undefined> {
    if (!(await this.#fill(length, how))) return undefined;
    const taken = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    this.offset += length;
    return taken;
  }

  /** The next `length` bytes, which stay where they are. */
  async peek(length: number): Promise<Uint8Array> {
    await this.#fill(length, "must");
    return this.#chunk.subarray(0, length);
  }

  /** Sees to it that `length` bytes lie in one piece; only those that come in different chunks are copied. */
  async #fill(length: number, how: "must" | "may"): Promise<boolean> {
    if (this.#chunk.length >= length) return true;
    const parts = this.#chunk.length > 0 ? [this.#chunk] : [];
    for (let have = this.#chunk.length; have < length; ) {
      const more = this.#more ?? (await this.#read());
      if (!more) {
        if (how === "may" && have === 0) return false;
        const end = this.offset + have;
        throw damaged(`it ends at byte ${end}, within a frame; it is truncated`, end);
      }
      const part = more.subarray(0, length - have);
      parts.push(part);
      have += part.length;
      this.#more = part.length < more.length ? more.subarray(part.length) : undefined;
    }
    this.#chunk = join(parts);
    return true;
  }

  async #read(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#iterator.next();
    return done ? undefined : value;
  }

  async skip(length: number): Promise<void> {
    const most = 64 * 1024;
    for (let left = length; left > 0; left -= most) await this.take(Math.min(left, most));
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function le32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
}

/** The error for zstd data that breaks the rules. */
export function damaged(found: string, offset: number, cause?: unknown): FsynthError {
  return new FsynthError("corrupt", `zstd data: at byte ${offset}: ${found}`, { format: "zstd", offset }, { cause });
}
