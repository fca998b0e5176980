// Features by the names of tune2fs and mke2fs, with their words and bits, and what fsynth can write of them.
// Specification: Linux Documentation/filesystems/ext4/super.rst; lib/e2p/feature.c of e2fsprogs for the names.

import { FsynthError } from "../../../src/error.ts";

export type FeatureWord = "compat" | "incompat" | "ro_compat";

interface Feature {
  readonly word: FeatureWord;
  readonly bit: number;
  /** Whether the writer can make it. */
  readonly writes: boolean;
  /** Features without which it means nothing. */
  readonly needs?: readonly FeatureName[];
  /** Features that exclude it. */
  readonly excludes?: readonly FeatureName[];
}

export type FeatureName = keyof typeof FEATURES;

const FEATURES = {
  dir_prealloc: { word: "compat", bit: 0x1, writes: false },
  imagic_inodes: { word: "compat", bit: 0x2, writes: false },
  has_journal: { word: "compat", bit: 0x4, writes: true },
  ext_attr: { word: "compat", bit: 0x8, writes: true },
  // The resize inode is itself larger than 2 GiB.
  resize_inode: { word: "compat", bit: 0x10, writes: true, needs: ["large_file"], excludes: ["meta_bg"] },
  dir_index: { word: "compat", bit: 0x20, writes: true },
  lazy_bg: { word: "compat", bit: 0x40, writes: false },
  snapshot_bitmap: { word: "compat", bit: 0x100, writes: false },
  sparse_super2: { word: "compat", bit: 0x200, writes: true, excludes: ["sparse_super", "resize_inode", "meta_bg"] },
  fast_commit: { word: "compat", bit: 0x400, writes: false },
  stable_inodes: { word: "compat", bit: 0x800, writes: true },
  orphan_file: { word: "compat", bit: 0x1000, writes: false },

  compression: { word: "incompat", bit: 0x1, writes: false },
  filetype: { word: "incompat", bit: 0x2, writes: true },
  needs_recovery: { word: "incompat", bit: 0x4, writes: false },
  journal_dev: { word: "incompat", bit: 0x8, writes: false },
  meta_bg: { word: "incompat", bit: 0x10, writes: true, excludes: ["resize_inode", "sparse_super2"] },
  extent: { word: "incompat", bit: 0x40, writes: true },
  "64bit": { word: "incompat", bit: 0x80, writes: true, needs: ["extent"] },
  mmp: { word: "incompat", bit: 0x100, writes: false },
  flex_bg: { word: "incompat", bit: 0x200, writes: true },
  ea_inode: { word: "incompat", bit: 0x400, writes: true, needs: ["ext_attr"] },
  dirdata: { word: "incompat", bit: 0x1000, writes: false },
  metadata_csum_seed: { word: "incompat", bit: 0x2000, writes: true, needs: ["metadata_csum"] },
  large_dir: { word: "incompat", bit: 0x4000, writes: true, needs: ["dir_index"] },
  inline_data: { word: "incompat", bit: 0x8000, writes: true, needs: ["ext_attr"] },
  encrypt: { word: "incompat", bit: 0x1_0000, writes: false },
  casefold: { word: "incompat", bit: 0x2_0000, writes: false },

  sparse_super: { word: "ro_compat", bit: 0x1, writes: true, excludes: ["sparse_super2"] },
  large_file: { word: "ro_compat", bit: 0x2, writes: true },
  huge_file: { word: "ro_compat", bit: 0x8, writes: true, needs: ["large_file"] },
  uninit_bg: { word: "ro_compat", bit: 0x10, writes: true, excludes: ["metadata_csum"] },
  dir_nlink: { word: "ro_compat", bit: 0x20, writes: true },
  extra_isize: { word: "ro_compat", bit: 0x40, writes: true },
  snapshot: { word: "ro_compat", bit: 0x80, writes: false },
  quota: { word: "ro_compat", bit: 0x100, writes: false },
  bigalloc: { word: "ro_compat", bit: 0x200, writes: false },
  metadata_csum: { word: "ro_compat", bit: 0x400, writes: true, excludes: ["uninit_bg"] },
  replica: { word: "ro_compat", bit: 0x800, writes: false },
  "read-only": { word: "ro_compat", bit: 0x1000, writes: true },
  project: { word: "ro_compat", bit: 0x2000, writes: false },
  shared_blocks: { word: "ro_compat", bit: 0x4000, writes: false },
  verity: { word: "ro_compat", bit: 0x8000, writes: false },
  orphan_present: { word: "ro_compat", bit: 0x1_0000, writes: false },
} as const satisfies Record<
  string,
  { word: FeatureWord; bit: number; writes: boolean; needs?: readonly string[]; excludes?: readonly string[] }
>;

/** Spellings that other versions of the tools use. */
const ALIASES: Readonly<Record<string, FeatureName>> = {
  extents: "extent",
  gdt_csum: "uninit_bg",
  sparse_super_2: "sparse_super2",
};

/** Bits by name, of one word; for dumps and checks. */
export function featureBits(word: FeatureWord): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(FEATURES).flatMap(([name, f]) => (f.word === word ? [[name, f.bit]] : [])));
}

export type FeatureSet = ReadonlySet<FeatureName>;

/** The value of one feature word for a set. */
export function featureWord(set: FeatureSet, word: FeatureWord): number {
  let value = 0;
  for (const name of set) if (FEATURES[name].word === word) value |= FEATURES[name].bit;
  return value >>> 0;
}

/** Names in the order of the table, as dumpe2fs lists them. */
export function featureList(set: FeatureSet): FeatureName[] {
  return (Object.keys(FEATURES) as FeatureName[]).filter((name) => set.has(name));
}

/** Names that `--features` takes. */
export function writableFeatures(): FeatureName[] {
  return (Object.keys(FEATURES) as FeatureName[]).filter((name) => FEATURES[name].writes);
}

/**
 * `base` with the changes of `--features` applied from left to right: `name` adds, `^name` removes, `none` removes all.
 * A feature that is added takes out those that exclude it only if they are there by default; two asked for by name contradict.
 *
 * Throws `usage` for unknown names and contradictions, `unsupported` for features that the writer lacks.
 */
export function applyFeatures(base: readonly FeatureName[], changes: readonly string[], format: string): FeatureSet {
  const set = new Set<FeatureName>(base);
  const asked = new Set<FeatureName>();
  for (const change of changes) {
    if (change === "none") {
      set.clear();
      asked.clear();
      continue;
    }
    const removes = change.startsWith("^");
    const name = named(removes ? change.slice(1) : change, format);
    if (removes) {
      set.delete(name);
      asked.delete(name);
    } else {
      set.add(name);
      asked.add(name);
    }
  }
  for (const name of asked) {
    for (const other of (FEATURES[name] as Feature).excludes ?? []) {
      if (asked.has(other)) {
        throw new FsynthError("usage", `${format}: features ${name} and ${other} exclude each other`, {
          format,
          option: "features",
        });
      }
      set.delete(other);
    }
  }
  for (const name of set) {
    for (const needed of (FEATURES[name] as Feature).needs ?? []) {
      if (!set.has(needed)) {
        throw new FsynthError(
          "usage",
          `${format}: feature ${name} needs ${needed}; add ${needed}, or take ${name} out with ^${name}`,
          {
            format,
            option: "features",
          },
        );
      }
    }
  }
  return set;
}

function named(text: string, format: string): FeatureName {
  const name = (ALIASES[text] ?? text) as FeatureName;
  if (!Object.hasOwn(FEATURES, name)) {
    throw new FsynthError("usage", `${format}: unknown feature "${text}"; known are ${writableFeatures().join(", ")}`, {
      format,
      option: "features",
    });
  }
  if (!FEATURES[name].writes) {
    throw new FsynthError(
      "unsupported",
      `${format}: fsynth does not write the feature ${name}; it writes ${writableFeatures().join(", ")}`,
      {
        format,
        option: "features",
      },
    );
  }
  return name;
}
