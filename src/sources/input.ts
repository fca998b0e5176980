// Where bytes come from: a path, bytes in memory, or a stream. What stands at the front can be looked at without taking it.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { ReadHandle } from "../host/port.ts";
import { blobHandle } from "./blob.ts";

/**
 * A path, bytes, a Blob (such as the File of a web page), or a stream of bytes: web streams, Node streams, and anything iterable
 * that gives chunks. In a web worker a Blob is not copied: what is asked for is read.
 */
export type ByteSource =
  | string
  | Uint8Array
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | Iterable<Uint8Array>;

/** An opened {@link ByteSource}. */
export type Input = FileInput | BytesInput | StreamInput;

interface Peekable {
  /** Names the source in messages. */
  readonly label: string;
  /** The first bytes, at most `length`, fewer only when there are no more. They are not taken. */
  head(length: number): Promise<Uint8Array>;
  /** All bytes from the first on; to be called once. Nobody changes a chunk later. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** How much of a file is read at once to be decompressed. */
const CHUNK = 256 * 1024;

/** A regular file of the host, or a Blob that can be read anywhere. */
export class FileInput implements Peekable {
  readonly kind = "file";
  readonly label: string;
  constructor(
    readonly path: string,
    readonly handle: ReadHandle,
  ) {
    this.label = path;
  }

  head(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    return Promise.resolve(bytes.subarray(0, this.handle.readAt(0, bytes)));
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let offset = 0; ; ) {
      const bytes = new Uint8Array(CHUNK);
      const count = this.handle.readAt(offset, bytes);
      if (count > 0) yield bytes.subarray(0, count);
      if (count < CHUNK) return;
      offset += count;
    }
  }
}

/** Bytes in memory. */
export class BytesInput implements Peekable {
  readonly kind = "bytes";
  constructor(
    readonly label: string,
    readonly bytes: Uint8Array,
  ) {}

  head(length: number): Promise<Uint8Array> {
    return Promise.resolve(this.bytes.subarray(0, length));
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.bytes.length; at += CHUNK) yield this.bytes.subarray(at, at + CHUNK);
  }
}

/** A stream; what {@link head} looked at is kept until it is taken. */
export class StreamInput implements Peekable {
  readonly kind = "stream";
  readonly #iterator: AsyncIterator<Uint8Array>;
  #kept: Uint8Array[] = [];
  #ended = false;

  constructor(
    readonly label: string,
    source: AsyncIterable<Uint8Array>,
  ) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  async head(length: number): Promise<Uint8Array> {
    let have = this.#kept.reduce((sum, chunk) => sum + chunk.length, 0);
    while (have < length) {
      const chunk = await this.#next();
      if (!chunk) break;
      this.#kept.push(chunk);
      have += chunk.length;
    }
    const all = new Uint8Array(have);
    let at = 0;
    for (const chunk of this.#kept) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#kept = [all];
    return all.subarray(0, length);
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#kept;
      this.#kept = [];
      for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk;
    } finally {
      await this.close();
    }
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#iterator.return?.();
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const { done, value } = await this.#iterator.next();
    if (done) {
      this.#ended = true;
      return undefined;
    }
    if (!(value instanceof Uint8Array)) {
      await this.close();
      throw new FsynthError("usage", `${this.label} gave a ${typeof value}; expected chunks of bytes (Uint8Array)`);
    }
    return value;
  }
}

/** Opens a source. Throws `usage` for what is none, `source` for a directory and `io` for what cannot be opened. */
export function openInput(source: ByteSource): Input {
  if (typeof source === "string") return openPath(source);
  if (source instanceof Uint8Array) return new BytesInput("the bytes given", source);
  if (source instanceof Blob) return openBlob(source);
  if (typeof source === "object" && source !== null) {
    if (Symbol.asyncIterator in source) return new StreamInput("the stream", source);
    // Narrowing sees an iterable with a getReader in it.
    if ("getReader" in source)
      return new StreamInput("the stream", readerChunks(source as unknown as ReadableStream<Uint8Array>));
    if (Symbol.iterator in source) return new StreamInput("the stream", fromIterable(source));
  }
  throw new FsynthError("usage", `a source is a path, a Uint8Array or a stream of them; found ${String(source)}`);
}

/** Gives back what an input holds open, unless content still refers to it. */
export async function closeInput(input: Input): Promise<void> {
  if (input.kind === "file") input.handle.close();
  else if (input.kind === "stream") await input.close();
}

function openPath(path: string): Input {
  const stat = host.files.stat(path);
  if (stat === undefined) throw new FsynthError("io", `${quoteName(path)}: there is no such file`, { path });
  if (stat.kind === "directory") {
    throw new FsynthError("source", `${quoteName(path)} is a directory, expected a file`, { path });
  }
  // A pipe or a device has no size and may not be read twice.
  if (stat.kind !== "file") return new StreamInput(path, host.files.readStream(path));
  return new FileInput(path, host.files.openRead(path));
}

function openBlob(blob: Blob): Input {
  const label = "name" in blob && typeof blob.name === "string" ? blob.name : "the Blob";
  const handle = blobHandle(blob, label);
  return handle ? new FileInput(label, handle) : new StreamInput(label, readerChunks(blob.stream()));
}

/** For runtimes whose ReadableStream is not iterable. */
async function* readerChunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel();
  }
}

async function* fromIterable(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
