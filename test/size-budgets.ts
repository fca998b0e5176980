// How large the package and what bundlers make of it may become. A few percent above what was measured; whoever needs more
// raises a number here and says in the commit what the bytes are for.

/** Bytes of a bundle for browsers, minified: what runs at the start, and one file that has in it what is loaded when it is asked for. */
export interface BundleBudget {
  /** The program that is bundled. */
  readonly code: string;
  readonly start: { readonly minified: number; readonly gzip: number };
  readonly whole: { readonly minified: number; readonly gzip: number };
  /** Modules of fsynth that are not in it: beginnings of paths. */
  readonly without: readonly string[];
}

const READERS = [
  "formats/ext/read/",
  "formats/ext/check/",
  "formats/ffs/check/",
  "src/compare/",
  "src/cli/",
  "src/qemu/",
  "src/page/",
];

export const bundleBudgets: readonly BundleBudget[] = [
  {
    code: 'export { Tree } from "fsynth";',
    start: { minified: 10_300, gzip: 4_250 },
    whole: { minified: 10_300, gzip: 4_150 },
    without: ["formats/", "src/sinks/", "src/sources/", "src/compare/"],
  },
  {
    code: 'export { buildExt4, Tree } from "fsynth";',
    start: { minified: 134_500, gzip: 49_500 },
    whole: { minified: 196_000, gzip: 70_000 },
    without: [...READERS, "formats/ffs/", "formats/cpio/", "formats/tar/", "src/sources/"],
  },
  {
    code: 'export { buildFfs, Tree } from "fsynth";',
    start: { minified: 110_000, gzip: 41_200 },
    whole: { minified: 171_500, gzip: 61_800 },
    without: [...READERS, "formats/ext/", "formats/cpio/", "formats/tar/", "src/sources/"],
  },
  {
    code: 'export { buildCpio, Tree } from "fsynth";',
    start: { minified: 81_000, gzip: 30_800 },
    whole: { minified: 142_500, gzip: 51_300 },
    without: [...READERS, "formats/ext/", "formats/ffs/", "formats/tar/", "src/sources/"],
  },
  {
    code: 'export * from "fsynth";',
    start: { minified: 475_000, gzip: 169_000 },
    whole: { minified: 539_000, gzip: 190_500 },
    without: ["src/cli/", "src/qemu/", "src/page/"],
  },
];

/** Of the tarball that npm publishes: the files in it, its bytes, and those of what is in it. */
export const packageBudget = { files: 1_850, packed: 1_560_000, unpacked: 6_450_000 };
