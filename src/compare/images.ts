// Two images, archives, directories or trees compared: first what they hold, then their bytes.

import { checkKeys, checkWord } from "../arguments.ts";
import { FsynthError } from "../error.ts";
import type { Progress } from "../image/image.ts";
import { sourceOptionNames } from "../sources/options.ts";
import { type Snapshot, takeSnapshot } from "../tree/snapshot.ts";
import { type ByteDifferences, diffBytes } from "./bytes.ts";
import { type Comparable, openSide, type Side, type SideOptions } from "./side.ts";
import { checkIgnored, diffSnapshots, type Field, inSeconds, type TreeDifference } from "./trees.ts";

/** How two images are compared. */
export interface DiffOptions extends SideOptions {
  /**
   * `auto` (default): trees, and bytes where both are images of one profile. `trees`: nothing else. `bytes`: nothing but the
   * bytes of two images, also of different profiles.
   */
  readonly compare?: "auto" | "trees" | "bytes" | undefined;
  /** Fields of the trees that are not compared. */
  readonly ignore?: readonly Field[] | undefined;
  /** How many ranges of differing bytes are told of. Default 20. */
  readonly ranges?: number | undefined;
  /** Called now and then while `bytes` of the images or `contents` of files are read. */
  readonly onProgress?: ((what: "bytes" | "contents", progress: Progress) => void) | undefined;
}

/** Something that was not compared, and why. */
export interface NotCompared {
  /** A field of trees, `nanoseconds`, `trees`, or `bytes`. */
  readonly field: string;
  /** One sentence. */
  readonly why: string;
}

/** What {@link diffImages} found. */
export interface ImageDifferences {
  /** Whether nothing that was compared differs. */
  readonly same: boolean;
  /** What the sides are: a profile, `directory`, `tree.txt` or `tree`. */
  readonly formats: readonly [a: string, b: string];
  /** Bytes of the sides, where they are images or archives. */
  readonly sizes: readonly [a: number | undefined, b: number | undefined];
  /** Undefined where trees were not compared: they were not wanted, cannot be read, or all bytes are the same. */
  readonly trees: readonly TreeDifference[] | undefined;
  /** Undefined where bytes were not compared. */
  readonly bytes: ByteDifferences | undefined;
  /** What one side cannot tell, or was left alone for another reason. */
  readonly notCompared: readonly NotCompared[];
}

/**
 * Compares two images, archives, directories, tree.txt files or trees, in any mix: what they hold and, where both are images
 * of one profile, their bytes, each range with the record and field that it belongs to.
 *
 * Fields that one side has no place for (the atime of a cpio, nanoseconds of small inodes, birth times, holes and xattrs of a
 * host's directory) are not compared, and told in `notCompared`. Holes are compared between sides of one profile. A /lost+found
 * that a build makes again by itself counts only between images of one profile.
 *
 * Of a damaged image whose bytes were compared the tree may stay out, with the reason in `notCompared`.
 *
 * Throws otherwise what opening and reading the sides throws, and `usage` where `bytes` are wanted of what is no image.
 *
 * @example
 * ```ts
 * import { diffImages } from "fsynth";
 * const { same, trees, bytes } = await diffImages("one.ext4", "two.ext4");
 * for (const { offset, what } of bytes?.ranges ?? []) console.log(offset, what);
 * ```
 */
export async function diffImages(a: Comparable, b: Comparable, options: DiffOptions = {}): Promise<ImageDifferences> {
  const { compare, ignore, ranges, onProgress, ...sideOptions } = options;
  checkKeys("diffImages", options, [...sourceOptionNames, "holes", "compare", "ignore", "ranges", "onProgress"]);
  checkWord("diffImages: compare", compare, ["auto", "trees", "bytes"]);
  checkWord("diffImages: holes", options.holes, ["detect"]);
  checkIgnored("diffImages", ignore);
  if (ranges !== undefined && (!Number.isSafeInteger(ranges) || ranges < 0)) {
    throw new FsynthError("usage", `diffImages: ranges is ${ranges}; expected a whole number`, { option: "ranges" });
  }
  const sides: Side[] = [];
  try {
    for (const source of [a, b]) sides.push(await openSide(source, sideOptions));
    const [left, right] = sides as [Side, Side]; // both were pushed
    return await diffSides(left, right, { compare, ignore, ranges, onProgress });
  } finally {
    for (const side of sides) side.close();
  }
}

/** {@link diffImages} of sides that are open already. */
export async function diffSides(a: Side, b: Side, options: DiffOptions): Promise<ImageDifferences> {
  const { compare = "auto", onProgress } = options;
  const notCompared: NotCompared[] = [];
  let bytes: ByteDifferences | undefined;
  if (a.image && b.image && (compare === "bytes" || (compare === "auto" && a.format === b.format))) {
    bytes = await diffBytes(a.image, b.image, {
      ranges: options.ranges,
      onProgress: onProgress && ((progress) => onProgress("bytes", progress)),
    });
  } else if (compare === "bytes") {
    const side = a.image ? b : a;
    throw new FsynthError("usage", `bytes of images can be compared; found a ${side.format}`, { option: "compare" });
  } else if (compare === "auto" && a.image && b.image) {
    notCompared.push({ field: "bytes", why: `one is ${a.format}, the other ${b.format}` });
  }
  const sameBytes = bytes !== undefined && bytes.differing === 0 && bytes.sizes[0] === bytes.sizes[1];
  // Where all bytes are the same there is nothing left to find.
  let trees: readonly TreeDifference[] | undefined;
  try {
    if (compare !== "bytes" && !sameBytes) trees = await diffSideTrees(a, b, options, notCompared);
  } catch (error) {
    // Of a damaged image its bytes can still be told.
    if (!bytes || !(error instanceof FsynthError) || (error.code !== "corrupt" && error.code !== "unsupported")) throw error;
    notCompared.push({ field: "trees", why: error.message });
  }
  return {
    same: (bytes === undefined || sameBytes) && (trees === undefined || trees.length === 0),
    formats: [a.format, b.format],
    sizes: [a.image?.bytes.size, b.image?.bytes.size],
    trees,
    bytes,
    notCompared,
  };
}

async function diffSideTrees(
  a: Side,
  b: Side,
  { ignore = [], onProgress }: DiffOptions,
  notCompared: NotCompared[],
): Promise<TreeDifference[]> {
  const ignored = new Set<Field>(ignore);
  const leave = (field: Field, why: string): void => {
    if (!ignored.has(field)) notCompared.push({ field, why });
    ignored.add(field);
  };
  for (const field of ["atime", "ctime", "btime"] as const) {
    const lacking = [a, b].find(({ times }) => !times[field]);
    if (lacking) leave(field, `no field for it in ${lacking.format}`);
  }
  const coarse = [a, b].find(({ times }) => !times.nanoseconds);
  if (coarse) notCompared.push({ field: "nanoseconds", why: `whole seconds in ${coarse.format}` });
  if (!a.xattrs || !b.xattrs) leave("xattrs", "those of a directory were not read");
  if (!a.holes || !b.holes) leave("holes", "those of a directory are the host's");
  else if (a.format !== b.format) leave("holes", `one is ${a.format}, the other ${b.format}`);
  const whole = a.format === b.format;
  const read = async (side: Side): Promise<Snapshot> => {
    const snapshot = takeSnapshot(await side.tree(whole));
    return coarse ? inSeconds(snapshot) : snapshot;
  };
  return await diffSnapshots(await read(a), await read(b), {
    ignore: [...ignored],
    onProgress: onProgress && ((progress) => onProgress("contents", progress)),
  });
}
