// A plan: everything about an image before its first byte is written.

import type { Region } from "./region.ts";

/** Something the user should know though the image is right. */
export interface Warning {
  /** Stable name, such as `time-looks-wrapped`. */
  readonly code: string;
  /** One sentence, for people. */
  readonly message: string;
}

/** Figures of an image; what a format has no notion of is left out. */
export interface Summary {
  /** The profile, such as `ext4`. */
  readonly format: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes. */
  readonly blockSize?: number;
  /** All blocks of the image. */
  readonly blocks?: number;
  /** Those that hold nothing at all. */
  readonly freeBlocks?: number;
  /** All inodes, those that the format keeps for itself included. */
  readonly inodes?: number;
  /** Those that nothing uses. */
  readonly freeInodes?: number;
  /** Block groups, or cylinder groups. */
  readonly groups?: number;
  /** Blocks of the journal. */
  readonly journalBlocks?: number;
  /** The volume name. */
  readonly label?: string;
  /** In the usual spelling, lower case. */
  readonly uuid?: string;
  /** By name; those of ext as dumpe2fs shows them. */
  readonly features?: readonly string[];
  /** Files, directories, symlinks, … of the tree. */
  readonly entries?: number;
}

/** A part of an image that its readers take for itself, such as one of the archives of an initramfs. */
export interface Part {
  /** Bytes. What lies between two parts is zeros. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** Compressed output takes it as it is. */
  readonly stored: boolean;
}

/**
 * A complete plan. It knows the size, every inode number and every block run, and has read no content.
 */
export interface Plan {
  /** Bytes. */
  readonly size: number;
  /** In the usual spelling; undefined for formats without one. */
  readonly uuid: string | undefined;
  /** The figures of the image. */
  readonly summary: Summary;
  /** What was lost by `allowLoss`, and what looks odd though it is right. */
  readonly warnings: readonly Warning[];
  /**
   * Given where compressed output must be one gzip member or one zstd frame for each of these, ascending parts, as kernels
   * want it. A zstd frame is made in memory, of at most `zstdLimit` bytes.
   */
  readonly parts?: { readonly list: readonly Part[]; readonly zstdLimit: number };
  /**
   * The image's regions in ascending order without gaps, from the one that holds byte `from` (default 0) to the end.
   * Reached by search, so a region far inside costs no more than the first.
   */
  regions(from?: number): Iterable<Region>;
}
