// What every build gives: an image that is planned and not yet written.

import type { Plan } from "./plan.ts";

/** How far a write has come; bytes. */
export interface Progress {
  /** Bytes. */
  readonly done: number;
  /** Bytes. */
  readonly total: number;
}

/** How an image is produced. */
export interface WriteOptions {
  /** Called now and then, and once at the end with `done === total`. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** How an image is written to a file. */
export interface WriteToOptions extends WriteOptions {
  /** Flushes the file and its folder to the disk before the call returns. Default false. */
  readonly fsync?: boolean | undefined;
  /** `gzip` or `zstd`; default: by the ending `.gz` or `.zst` of the path, else none. */
  readonly compress?: "none" | "gzip" | "zstd" | undefined;
  /** Writes into a block device that exists. Default false. */
  readonly force?: boolean | undefined;
  /** Adds `sha256` of the image to the result, and of compressed output its own digest as `compressed`. Default false. */
  readonly sha256?: boolean | undefined;
  /**
   * Called when all is written, with the result, before a file gets its name. When it throws, the write fails with that and
   * leaves nothing: what belongs to the image can come to be together with it.
   */
  readonly beforeCommit?: ((written: Written) => void) | undefined;
}

/** What a finished write tells. */
export interface Written {
  /** Where the image is, as it was given. */
  readonly path: string;
  /** Size of the image, bytes. */
  readonly size: number;
  /** Of the image, not of its compressed form. Lower-case hex, when asked for. */
  readonly sha256?: string;
  /** Of compressed output, when digests were asked for. */
  readonly compressed?: CompressedDigest;
}

/** What compressed output came to. */
export interface CompressedDigest {
  /** The encoder with its version and settings: equal images give equal bytes where this is equal. */
  readonly codec: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** A planned image. Nothing of it exists before it is asked for; every call produces the same bytes. */
export interface Image {
  /** Bytes. */
  readonly size: number;
  /** In the usual spelling, lower case; undefined for formats without one. */
  readonly uuid: string | undefined;
  /** All that is known of the image before its first byte is made. */
  readonly plan: Plan;
  /**
   * Writes the image to a file: sparse, and atomically (a temporary name in the same folder, then rename). A device or
   * fifo is streamed to; a symlink's target is replaced. On failure nothing is left and an older file is untouched.
   */
  writeTo(path: string, options?: WriteToOptions): Promise<Written>;
  /** SHA-256 of the image's bytes, lower-case hex. */
  sha256(options?: WriteOptions): Promise<string>;
  /** The whole image in memory. */
  bytes(options?: WriteOptions): Promise<Uint8Array>;
  /** The image as a stream; holes come as zeros. */
  stream(options?: WriteOptions): ReadableStream<Uint8Array>;
  /** `length` bytes from `offset`, fewer only behind the end, without producing the rest. */
  read(offset: number, length: number): Promise<Uint8Array>;
}
