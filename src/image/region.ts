// Regions: the ascending, gap-free pieces that an image is made of.

import type { Content } from "../tree/content.ts";

/** Where a region lies. */
export interface Span {
  /** Bytes from the start of the image. */
  readonly offset: number;
  /** Bytes, at least 1. */
  readonly length: number;
}

/** Zeros that nobody stored. */
export interface HoleRegion extends Span {
  /** Tells regions apart. */
  readonly kind: "hole";
}

/** Bytes that the format makes: metadata. At most 1 MiB, since sinks keep one in memory. */
export interface BytesRegion extends Span {
  /** Tells regions apart. */
  readonly kind: "bytes";
  /** Makes all of the region in `target`, which has its length and holds zeros. A promise only where content must be read. */
  fill(target: Uint8Array): void | Promise<void>;
}

/** A range of a file's content. */
export interface ContentRegion extends Span {
  /** Tells regions apart. */
  readonly kind: "content";
  /** The content of the file. */
  readonly content: Content;
  /** Where the range starts within the content, in bytes. */
  readonly start: number;
  /** The file's path in the tree, for errors. */
  path(): string;
}

/** A piece of an image. */
export type Region = HoleRegion | BytesRegion | ContentRegion;

/** Longest bytes region: sinks keep one in memory. */
export const MAX_BYTES_REGION = 1 << 20;
