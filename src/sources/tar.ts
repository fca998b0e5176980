// tar archives as trees: from a file (content stays in it), from bytes in memory (content refers to them), and from
// streams and compressed archives (content is spooled).

import type { TarEntry } from "../../formats/tar/entry.ts";
import { TarLayer } from "../../formats/tar/layer.ts";
import { TarReader } from "../../formats/tar/read.ts";
import { FsynthError } from "../error.ts";
import type { Warning } from "../image/plan.ts";
import type { Content } from "../tree/content.ts";
import { Tree } from "../tree/tree.ts";
import { ArchiveFile } from "./archive-file.ts";
import {
  type ByteSource,
  type BytesInput,
  closeInput,
  type FileInput,
  type Input,
  openInput,
  type StreamInput,
} from "./input.ts";
import { checkSourceOptions } from "./options.ts";
import { ContentSpool } from "./spool.ts";
import { unpacked } from "./unpack.ts";

/** A tar archive, plain or compressed by gzip or zstd: a path, bytes, or a stream of bytes (Node streams too). */
export type TarSource = ByteSource;

/** How a tar archive is read. */
export interface TarOptions {
  /** Where content of streams and compressed archives is kept until the image is written. Default: the system's folder for temporary files. */
  readonly spoolDirectory?: string | undefined;
  /**
   * How many bytes a stream or a decompressed archive may have, against archives made to fill the disk. Holes are not
   * stored and do not count. Default 64 GiB.
   */
  readonly maxBytes?: number | undefined;
  /** Globs of what stays out; one without a slash matches names at any depth. */
  readonly exclude?: readonly string[] | undefined;
  /** A directory laid over a symlink replaces it, as tar does, instead of merging with the directory that it leads to. Default false. */
  readonly replaceSymlinks?: boolean | undefined;
  /** Called for what the user should know. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

const MAX_BYTES = 64 * 2 ** 30;

/**
 * The tree of a tar archive, or of several laid one over the other, left to right.
 *
 * Reads every dialect in use (formats/tar/README.md), gzip and zstd recognised by content. A plain archive on the disk is
 * not copied: it must stay as it is until the image is written.
 *
 * Throws `corrupt` for a damaged archive and `source` for entries that cannot be, with the entry's path and its offset.
 *
 * @example
 * ```ts
 * import { buildExt4, fromTar } from "fsynth";
 * const tree = await fromTar(["base.tar.zst", "overlay.tar"]);
 * await buildExt4(tree).writeTo("root.ext4");
 * ```
 */
export async function fromTar(source: TarSource | readonly TarSource[], options: TarOptions = {}): Promise<Tree> {
  const tree = new Tree();
  const layers = Array.isArray(source) ? (source as readonly TarSource[]) : [source as TarSource]; // isArray does not narrow readonly arrays
  for (const layer of layers) await addTar(tree, layer, options);
  return tree;
}

/**
 * Lays a tar archive over `tree`. Otherwise as {@link fromTar}. When it throws, the tree may hold a part of the archive.
 *
 * @example
 * ```ts
 * import { addTar, Tree } from "fsynth";
 * const tree = new Tree().file("/etc/motd", "hello\n");
 * await addTar(tree, "overlay.tar", { exclude: ["*.pyc"] });
 * ```
 */
export async function addTar(tree: Tree, source: TarSource, options: TarOptions = {}): Promise<void> {
  checkSourceOptions("a tar source", options);
  await addTarInput(tree, openInput(source), options);
}

/** {@link addTar} for an input that is open already; it is closed in the end, unless content refers to it. */
export async function addTarInput(tree: Tree, input: Input, options: TarOptions): Promise<void> {
  const limit = byteLimit(options);
  const layer = new TarLayer(tree, input.label, options);
  let keep = false;
  try {
    const plain = await unpacked(input);
    if (plain.kind === "file") keep = addFile(layer, plain, options);
    else if (plain.kind === "bytes") addBytes(layer, plain, options);
    else await addStream(layer, plain, limit, options);
    await layer.finish();
  } finally {
    if (!keep) await closeInput(input);
  }
}

/** The limit that the options set, in bytes. Throws `usage`. */
export function byteLimit(options: TarOptions): number {
  const limit = options.maxBytes ?? MAX_BYTES;
  if (!(limit >= 0)) throw new FsynthError("usage", `maxBytes is ${String(limit)}; expected a number of bytes`);
  return limit;
}

function addBytes(layer: TarLayer, { bytes, label }: BytesInput, options: TarOptions): void {
  const contentOf = (entry: TarEntry): Content => new BytesRange(bytes, entry.data, entry.stored);
  const reader = new TarReader(label, { onEntry: (entry) => layer.add(entry, contentOf), onWarning: options.onWarning });
  while (reader.want > 0 && reader.position + reader.want <= bytes.length) reader.take(bytes, reader.position);
  reader.end(bytes.length, bytes.subarray(reader.position));
}

/** A range of bytes in memory. Where the archive is cut, it is refused before the range is read. */
class BytesRange implements Content {
  constructor(
    readonly bytes: Uint8Array,
    readonly start: number,
    readonly size: number,
  ) {}
  read(offset: number, target: Uint8Array): void {
    const at = this.start + offset;
    target.set(this.bytes.subarray(at, at + target.length));
  }
}

// How much of a file is read at once: much while headers lie close together, little while contents are jumped over.
const LEAST = 512;
const MOST = 256 * 1024;
/**
 * Contents are left unread: who serves or boots an image of a tar reads nothing but headers before it is asked. In archives of
 * more entries than a root file system has, the calls would be felt, and gaps up to this length are read with the headers.
 */
const NEAR = 8 * 1024;
const MANY = 32 * 1024;

/** Reads the headers of a file; tells whether content refers to it. */
function addFile(layer: TarLayer, { path, handle, label }: FileInput, options: TarOptions): boolean {
  const archive = new ArchiveFile(path, handle);
  let keep = false;
  try {
    const contentOf = (entry: TarEntry): Content => archive.content(entry.data, entry.stored);
    const reader = new TarReader(label, { onEntry: (entry) => layer.add(entry, contentOf), onWarning: options.onWarning });
    readHeaders(reader, handle, archive.size);
    archive.check();
    keep = archive.hasContents;
  } finally {
    if (!keep) archive.forget();
  }
  return keep;
}

function readHeaders(reader: TarReader, handle: FileInput["handle"], size: number): void {
  let window = new Uint8Array(MOST);
  let ahead = LEAST;
  let start = 0;
  let end = 0;
  let reads = 0;
  while (reader.want > 0) {
    const { position, want } = reader;
    if (position + want > size) {
      const rest = new Uint8Array(Math.max(0, size - position));
      handle.readAt(position, rest);
      reader.end(size, rest);
      return;
    }
    if (position < start || position + want > end) {
      ahead = position - end <= (++reads > MANY ? NEAR : 0) ? Math.min(ahead * 2, MOST) : Math.max(ahead / 4, LEAST);
      const length = Math.max(want, Math.min(ahead, size - position));
      if (length > window.length) window = new Uint8Array(length);
      start = position;
      end = position + handle.readAt(position, window.subarray(0, length));
      // Became shorter meanwhile; the check of the archive says so.
      if (end < position + want) return;
    }
    reader.take(window, position - start);
  }
}

async function addStream(layer: TarLayer, input: StreamInput, limit: number, options: TarOptions): Promise<void> {
  const spool = new ContentSpool(options.spoolDirectory);
  const feeder = new StreamFeeder(layer, input.label, spool, options);
  let total = 0;
  try {
    for await (const chunk of input.chunks()) {
      total += chunk.length;
      if (total > limit) {
        throw new FsynthError(
          "source",
          `${input.label}: more than ${limit} bytes of tar archive; the limit (maxBytes) can be raised for an archive that is to be trusted`,
          { format: "tar", offset: limit },
        );
      }
      feeder.push(chunk);
    }
    feeder.end();
    spool.finish();
  } catch (error) {
    spool.discard();
    throw error;
  }
}

/** Feeds a reader from chunks, and spools what the reader passes over. */
class StreamFeeder {
  readonly #reader: TarReader;
  readonly #spool: ContentSpool;
  /** Offset of the next byte of the archive. */
  #at = 0;
  /** Wanted bytes that came in different chunks; they stand at the reader's position. */
  #held = new Uint8Array(64 * 1024);
  #heldLength = 0;
  /** The stored bytes of the entry at hand. */
  #dataStart = 0;
  #dataEnd = 0;

  constructor(layer: TarLayer, label: string, spool: ContentSpool, options: TarOptions) {
    this.#spool = spool;
    const contentOf = (entry: TarEntry): Content => spool.content(spool.size, entry.stored);
    this.#reader = new TarReader(label, {
      onEntry: (entry) => {
        this.#dataStart = entry.data;
        this.#dataEnd = entry.data + entry.stored;
        layer.add(entry, contentOf);
      },
      onWarning: options.onWarning,
    });
  }

  push(chunk: Uint8Array): void {
    const reader = this.#reader;
    let i = 0;
    while (i < chunk.length && reader.want > 0) {
      if (this.#heldLength > 0) i = this.#fillHeld(chunk, i);
      else if (this.#at < reader.position) {
        const count = Math.min(reader.position - this.#at, chunk.length - i);
        this.#pass(chunk.subarray(i, i + count));
        i += count;
      } else if (chunk.length - i >= reader.want) reader.take(chunk, i);
      else i = this.#fillHeld(chunk, i);
    }
    this.#at += chunk.length - i;
  }

  end(): void {
    // Between entries nothing is held that the reader has passed.
    this.#reader.end(this.#at + this.#heldLength, this.#held.subarray(0, this.#heldLength));
  }

  /** Holds bytes until the reader has what it wants. */
  #fillHeld(chunk: Uint8Array, from: number): number {
    const reader = this.#reader;
    const count = Math.min(reader.want - this.#heldLength, chunk.length - from);
    if (this.#heldLength + count > this.#held.length) {
      const larger = new Uint8Array(Math.max(this.#heldLength + count, Math.min(this.#held.length * 2, reader.want)));
      larger.set(this.#held.subarray(0, this.#heldLength));
      this.#held = larger;
    }
    this.#held.set(chunk.subarray(from, from + count), this.#heldLength);
    this.#heldLength += count;
    if (this.#heldLength === reader.want) {
      const position = reader.position;
      // The same block may be wanted a second time.
      do reader.take(this.#held, 0);
      while (reader.position === position && reader.want === this.#heldLength);
      this.#pass(this.#held.subarray(0, this.#heldLength));
      this.#heldLength = 0;
    }
    return from + count;
  }

  /** Bytes that the reader is done with: those that are content are kept. */
  #pass(bytes: Uint8Array): void {
    const from = Math.max(this.#dataStart - this.#at, 0);
    const to = Math.min(this.#dataEnd - this.#at, bytes.length);
    if (to > from) this.#spool.append(bytes.subarray(from, to));
    this.#at += bytes.length;
  }
}
