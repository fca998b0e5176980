/**
 * Filesystem images made in-process. Sources lay trees over a {@link Tree}; `build…` plans an image of it, purely and at once; sinks
 * write it, stream it, or answer any range of it. The same tree gives the same bytes everywhere.
 *
 * Everything here runs in Node, Bun, Deno and browsers; where a runtime has no files, what needs them throws `unsupported`. Sizes and
 * offsets are in bytes, times in seconds and nanoseconds since 1970-01-01 UTC, owners are numbers. All errors are
 * {@link FsynthError}.
 *
 * @example
 * ```ts
 * import { buildExt4, fromTar } from "fsynth";
 * const tree = await fromTar("rootfs.tar.zst");
 * tree.file("/etc/motd", "hello\n", { mode: 0o644 });
 * const image = buildExt4(tree, { size: "fit+10%", label: "root" });
 * await image.writeTo("root.ext4");
 * ```
 *
 * @packageDocumentation
 */

export type { CpioPart } from "../formats/cpio/index.ts";
export {
  type BuildOptions,
  buildCpio,
  buildExt2,
  buildExt3,
  buildExt4,
  buildFfs,
  buildImage,
  buildTar,
  type CpioBuildOptions,
  type ExtBuildOptions,
  type ExtImage,
  type FfsBuildOptions,
  type TarBuildOptions,
} from "./build.ts";
export type { ByteDifferences, ByteRange } from "./compare/bytes.ts";
export { type DiffOptions, diffImages, type ImageDifferences, type NotCompared } from "./compare/images.ts";
export type { Comparable, SideOptions } from "./compare/side.ts";
export { type DiffTreesOptions, diffTrees, FIELDS as treeFields, type Field, type TreeDifference } from "./compare/trees.ts";
export { type ErrorCode, type ErrorPlace, FsynthError } from "./error.ts";
export type { Capabilities, Format, OptionInputs, OptionTable, OptionValues, PlanContext, Profile } from "./image/format.ts";
export type { CompressedDigest, Image, Progress, WriteOptions, WriteToOptions, Written } from "./image/image.ts";
export { type IdMap, type Option, type Owner, treeOptions } from "./image/options.ts";
export type { Part, Plan, Summary, Warning } from "./image/plan.ts";
export type { ImageRecord, RecordFields, RecordValue } from "./image/records.ts";
export type { BytesRegion, ContentRegion, HoleRegion, Region, Span } from "./image/region.ts";
export type { InodesSpec, SizeSpec } from "./image/size.ts";
export type {
  ImageBytes,
  Inspection,
  KeptTimes,
  Owned,
  Problem,
  UsedRun,
  Volume,
  VolumeEntry,
  VolumeNode,
  VolumeReader,
} from "./image/volume.ts";
export { type Extracted, type ExtractOptions, extractTree } from "./sinks/extract.ts";
export type { Source, SourceOptions } from "./sources/any-source.ts";
export { checkImage } from "./sources/check.ts";
export { addCpio, type CpioOptions, type CpioSource, fromCpio } from "./sources/cpio.ts";
export { addDirectory, type DirectoryOptions, fromDirectory } from "./sources/directory.ts";
export { addImage, fromImage, type ImageOptions, type ImageSource, type OpenOptions, openImage } from "./sources/image.ts";
export type { SpoolOptions } from "./sources/image-bytes.ts";
export type { ByteSource } from "./sources/input.ts";
export { addSource } from "./sources/source.ts";
export { addTar, fromTar, type TarOptions, type TarSource } from "./sources/tar.ts";
export { fromTarStream, type TarStreamEntry, type TarStreamHeader } from "./sources/tar-stream.ts";
export { bytesContent, type Content, type Extent, sparseContent } from "./tree/content.ts";
export { contentSeed } from "./tree/content-seed.ts";
export { treeDigest } from "./tree/digest.ts";
export { detectHoles } from "./tree/holes.ts";
export type { MetadataInput, TimeInput } from "./tree/metadata.ts";
export {
  type DeviceNode,
  type DirectoryNode,
  type FileNode,
  imageTime,
  type Kind,
  type Metadata,
  type Node,
  type SpecialNode,
  type SymlinkNode,
  type Time,
  type Xattrs,
} from "./tree/node.ts";
export type { PathParts } from "./tree/path.ts";
export type { Snapshot, SnapshotOptions } from "./tree/snapshot.ts";
export type { SnapshotNode, Xattr } from "./tree/snapshot-node.ts";
export { type OverlayRules, Tree } from "./tree/tree.ts";
export { type ReadTreeTextOptions, readTreeText } from "./tree/tree-text.ts";
export { type ContentSpelling, type WriteTreeTextOptions, writeTreeText } from "./tree/tree-text-write.ts";
