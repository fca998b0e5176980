// What the page of `fsynth inspect --html` carries about the blocks of an image.

/** The data of the block map. Offsets and lengths are in units, which are bytes where nothing larger divides all. */
export interface PageData {
  /** Bytes. */
  readonly size: number;
  /** Bytes of a unit. */
  readonly unit: number;
  /** What a unit is called: `block`, `fragment`, `byte`. */
  readonly unitName: string;
  /** Words of the uses, by their numbers. */
  readonly uses: readonly string[];
  /** Paths by their numbers, spelled to be shown. */
  readonly paths: readonly string[];
  /** Runs without gaps, three numbers each: length, use, path + 1 or 0. */
  readonly runs: readonly number[];
  /** Where the groups start. */
  readonly groups: readonly number[];
}
