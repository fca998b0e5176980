// Building: options resolved, snapshot taken, plan made. Pure and synchronous; nothing is read or written but the tree.

import { host } from "#host";
import type { cpioOptions } from "../formats/cpio/options.ts";
import { cpioWriter } from "../formats/cpio/writer.ts";
import type { extOptions } from "../formats/ext/options.ts";
import { extWriter } from "../formats/ext/writer.ts";
import type { ffsOptions } from "../formats/ffs/options.ts";
import { ffsWriter } from "../formats/ffs/writer.ts";
import type { tarOptions } from "../formats/tar/write/options.ts";
import { tarWriter } from "../formats/tar/writer.ts";
import { checkKeys, shown } from "./arguments.ts";
import { FsynthError } from "./error.ts";
import type { Format } from "./image/format.ts";
import type { Image } from "./image/image.ts";
import { type OptionInputs, type OptionTable, resolveOptions, treeOptions } from "./image/options.ts";
import { deriveBytes, metadataSeed } from "./image/seed.ts";
import { makeImage } from "./sinks/image.ts";
import { type SnapshotOptions, takeSnapshot } from "./tree/snapshot.ts";
import { Tree } from "./tree/tree.ts";

/** Options of a build: those of every format, and those of the format `T`. */
export type BuildOptions<T extends OptionTable = OptionTable> = OptionInputs<typeof treeOptions> &
  OptionInputs<T> & {
    /** Mixed into everything that is derived from the tree (UUIDs, hash seeds): `await contentSeed(tree)` for `--uuid content`. */
    readonly seed?: Uint8Array | undefined;
  };

/**
 * Plans an image of `profile` of `format`. The tree may be changed afterwards; the image stays.
 *
 * Throws `usage` for unknown profiles and options, values out of range and sizes that are too small (`where.needed` is the
 * size that would do), `source` for a tree that is none, and `unsupported` with every violation for one that does not fit.
 *
 * @example
 * ```ts
 * import { buildImage, Tree } from "fsynth";
 * import { ext } from "fsynth/formats/ext"; // a bundler takes this format alone
 * const image = buildImage(ext, "ext4-nojournal", new Tree().directory("/srv"), { label: "data" });
 * console.log(await image.sha256());
 * ```
 */
export function buildImage<T extends OptionTable>(
  format: Format<T>,
  profile: string,
  tree: Tree,
  options: BuildOptions<T> = {} as BuildOptions<T>, // every option may be left out
): Image {
  if (typeof format !== "object" || format === null) {
    throw new FsynthError(
      "usage",
      `buildImage: the format is ${shown(format)}, expected a Format such as those of fsynth/formats/*`,
    );
  }
  if (!format.profiles.some(({ name }) => name === profile)) {
    const names = format.profiles.map(({ name }) => name).join(", ");
    throw new FsynthError("usage", `format ${format.name} has no profile "${profile}"; it has ${names}`, { format: format.name });
  }
  const given: unknown = tree; // callers in plain JavaScript forget an await
  if (!(given instanceof Tree)) {
    const hint = given instanceof Promise ? "a promise (await it first)" : String(given);
    throw new FsynthError("usage", `${profile}: expected a Tree, found ${hint}`, { format: profile });
  }
  checkKeys(profile, options, [...Object.keys(treeOptions), ...Object.keys(format.options), "seed"]);
  const { seed, ...inputs } = options;
  if (seed !== undefined && !(seed instanceof Uint8Array)) {
    throw new FsynthError("usage", `option seed is ${shown(seed)}, expected a Uint8Array`, { option: "seed" });
  }
  const { allowLoss, ...treeValues } = resolveOptions(treeOptions, picked(inputs, treeOptions), profile);
  const values = resolveOptions(format.options, omitted(inputs, treeOptions), profile);
  const snapshot = takeSnapshot(tree, treeValues satisfies SnapshotOptions);
  let mixed: Uint8Array | undefined;
  const plan = format.plan(profile, snapshot, values, {
    allowLoss,
    derive(purpose, length) {
      mixed ??= mixedSeed(metadataSeed(snapshot, canonicalText([format.name, profile, values])), seed);
      return deriveBytes(mixed, purpose, length);
    },
  });
  return makeImage(plan);
}

/** An ext image: it always has a UUID. */
export interface ExtImage extends Image {
  /** In the usual spelling, lower case. */
  readonly uuid: string;
}

/** Options of the ext formats. */
export type ExtBuildOptions = BuildOptions<typeof extOptions>;

/**
 * Plans an ext2 image: indexed directories, no journal. Awaiting the result does no harm.
 *
 * @example
 * ```ts
 * import { buildExt2, Tree } from "fsynth";
 * const tree = new Tree().file("/etc/motd", "hello\n");
 * const image = buildExt2(tree, { size: "fit+10%", label: "root" });
 * await image.writeTo("root.ext2");
 * ```
 *
 * Throws what {@link buildImage} throws.
 */
export function buildExt2(tree: Tree, options: ExtBuildOptions = {}): ExtImage {
  return buildImage(extWriter, "ext2", tree, options) as ExtImage; // ext plans always have a UUID
}

/**
 * Plans an ext3 image: ext2 with an internal journal. Throws what {@link buildImage} throws.
 *
 * @example
 * ```ts
 * import { buildExt3, Tree } from "fsynth";
 * const image = buildExt3(new Tree().file("/etc/motd", "hello\n"), { size: "64M" });
 * for await (const chunk of image.stream()) console.log(chunk.length);
 * ```
 */
export function buildExt3(tree: Tree, options: ExtBuildOptions = {}): ExtImage {
  return buildImage(extWriter, "ext3", tree, options) as ExtImage;
}

/**
 * Plans an ext4 image: extents, checksums, 64bit, flex_bg and a journal, as mke2fs makes it. Throws what {@link buildImage} throws.
 *
 * @example
 * ```ts
 * import { buildExt4, fromDirectory } from "fsynth";
 * const image = buildExt4(fromDirectory("rootfs"), { label: "root", mtime: 1_700_000_000, owner: { uid: 0, gid: 0 } });
 * console.log(image.size, image.uuid, image.plan.summary.freeBlocks);
 * await image.writeTo("root.ext4");
 * ```
 */
export function buildExt4(tree: Tree, options: ExtBuildOptions = {}): ExtImage {
  return buildImage(extWriter, "ext4", tree, options) as ExtImage;
}

/** Options of {@link buildCpio}. */
export type CpioBuildOptions = BuildOptions<typeof cpioOptions>;

/**
 * Plans a cpio archive in the newc form, such as an initramfs. Compressed, it is one gzip member or one zstd frame, as
 * Linux wants it.
 *
 * @example
 * ```ts
 * import { buildCpio, Tree } from "fsynth";
 * const tree = new Tree().directory("/dev").device("/dev/console", "c", 5, 1);
 * await buildCpio(tree, { align: 4096 }).writeTo("initrd.cpio.gz");
 * ```
 *
 * Throws what {@link buildImage} throws.
 */
export function buildCpio(tree: Tree, options: CpioBuildOptions = {}): Image {
  return buildImage(cpioWriter, "cpio", tree, options);
}

/** Options of {@link buildTar}. */
export type TarBuildOptions = BuildOptions<typeof tarOptions>;

/**
 * Plans a tar archive: ustar headers where they suffice, pax records for the rest (nanoseconds, xattrs, holes, long names).
 *
 * @example
 * ```ts
 * import { buildTar, fromImage } from "fsynth";
 * await buildTar(await fromImage("root.ext4")).writeTo("root.tar.zst");
 * ```
 *
 * Throws what {@link buildImage} throws.
 */
export function buildTar(tree: Tree, options: TarBuildOptions = {}): Image {
  return buildImage(tarWriter, "tar", tree, options);
}

/** Options of {@link buildFfs}. */
export type FfsBuildOptions = BuildOptions<typeof ffsOptions> & {
  /** UFS1, or UFS2 (the default). */
  readonly version?: 1 | 2 | undefined;
  /** UFS2 whose extended attributes NetBSD 10 and later use; others do not read it. Default false. */
  readonly extendedAttributes?: boolean | undefined;
};

/**
 * Plans an image of BSD's Fast File System, in either byte order.
 *
 * @example
 * ```ts
 * import { buildFfs, Tree } from "fsynth";
 * const tree = new Tree().file("/etc/motd", "hello\n");
 * await buildFfs(tree, { version: 2, byteOrder: "big", size: "fit+8M", inodes: "fit+100" }).writeTo("root.ffs");
 * ```
 *
 * Throws what {@link buildImage} throws.
 */
export function buildFfs(tree: Tree, options: FfsBuildOptions = {}): Image {
  const { version = 2, extendedAttributes = false, ...rest } = options;
  if (version !== 1 && version !== 2) {
    throw new FsynthError("usage", `ffs: version is ${String(version)}, expected 1 or 2`, { format: "ffs", option: "version" });
  }
  if (version === 1 && extendedAttributes) {
    throw new FsynthError("usage", "ffs: extended attributes need version 2", { format: "ffs", option: "extendedAttributes" });
  }
  return buildImage(ffsWriter, extendedAttributes ? "ffs2ea" : `ffs${version}`, tree, rest);
}

function picked(inputs: object, table: OptionTable): object {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => Object.hasOwn(table, name)));
}

function omitted(inputs: object, table: OptionTable): object {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => !Object.hasOwn(table, name)));
}

function mixedSeed(metadata: Uint8Array, more: Uint8Array | undefined): Uint8Array {
  if (!more) return metadata;
  const hash = host.sha256();
  hash.update(metadata);
  hash.update(more);
  return hash.digest();
}

/**
 * One text for one value: keys in order, absent ones left out. What normalisation did to the tree is no part of it, since
 * the tree shows it.
 */
function canonicalText(value: unknown): string {
  if (value instanceof Map) return canonicalText(["map", [...value].map(canonicalText).sort()]);
  if (value instanceof Set) return canonicalText(["set", [...value].map(canonicalText).sort()]);
  if (value instanceof Uint8Array) return canonicalText(["bytes", Array.from(value)]);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join()}]`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const entries = Object.entries(value).filter(([, held]) => held !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, held]) => `${JSON.stringify(name)}:${canonicalText(held)}`).join()}}`;
}
