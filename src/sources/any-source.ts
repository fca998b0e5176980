// Any source, recognised by what it is and never by its name. The readers of images, a third of all code, are handed in: the
// command line loads them when a source is one.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Content } from "../tree/content.ts";
import type { Tree } from "../tree/tree.ts";
import { readTreeText } from "../tree/tree-text.ts";
import { addCpioInput, type CpioOptions, startsCpio } from "./cpio.ts";
import { addDirectory, type DirectoryOptions } from "./directory.ts";
import { hostFileContent } from "./host-file.ts";
import type { ImageOptions } from "./image.ts";
import { type ByteSource, closeInput, type Input, openInput } from "./input.ts";
import { HEAD, kindOf, otherName, type SourceKind } from "./recognise.ts";
import { addTarInput, byteLimit, type TarOptions } from "./tar.ts";
import { unpacked } from "./unpack.ts";

/** A directory, a tar archive, a cpio archive (or several in one file), a tree.txt or an image, all but the first plain or compressed by gzip or zstd: a path, bytes or a stream. */
export type Source = ByteSource;

/** How sources are read; what does not concern a kind of source is left alone by it. */
export type SourceOptions = DirectoryOptions & TarOptions & CpioOptions & ImageOptions;

const ACCEPTED =
  "a source is a directory, a tar or cpio archive, a tree.txt or an image, all but the first also compressed by gzip or zstd";

/** The readers of images. */
export type Images = Pick<typeof import("./image.ts"), "addImage" | "addImageInput">;

/** Gives the readers of images, when a source is one. */
export type LoadImages = () => Images | Promise<Images>;

/** What a source turned out to be. */
export type ReadKind = "directory" | Exclude<SourceKind, "empty">;

/** Lays a source over `tree` as `addSource` does, and tells what it was. */
export async function addAny(tree: Tree, source: Source, options: SourceOptions, images: LoadImages): Promise<ReadKind> {
  if (typeof source === "string" && host.files.stat(source)?.kind === "directory") {
    addDirectory(tree, source, options);
    return "directory";
  }
  const input = openInput(source);
  // A device with an image can be read anywhere, not only once from its front.
  if (typeof source === "string" && host.files.stat(source)?.kind === "block-device") {
    const kind = kindOf(await input.head(HEAD.all));
    if (kind === "ext" || kind === "ffs") {
      await closeInput(input);
      await (await images()).addImage(tree, source, options);
      return kind;
    }
  }
  const folder = typeof source === "string" ? folderOf(source) : "";
  return await addInput(tree, input, (file) => fileContent(folder, file), options, images);
}

/** Lays what `input` holds over `tree`; it is closed in the end, unless content refers to it. `contentOf` finds the files of a tree.txt. */
export async function addInput(
  tree: Tree,
  input: Input,
  contentOf: (file: string) => Content,
  options: SourceOptions,
  images: LoadImages,
): Promise<ReadKind> {
  let plain: Input | undefined;
  try {
    // Parts of an initramfs are compressed each on its own, so its reader decompresses them.
    plain = (await startsCpio(input)) ? input : await unpacked(input);
    return await addPlain(tree, plain, contentOf, options, images);
  } finally {
    // What is not compressed is closed where it is read.
    if (plain !== input) await closeInput(input);
  }
}

/** Closes `input` in the end, unless content refers to it. */
async function addPlain(
  tree: Tree,
  input: Input,
  contentOf: (file: string) => Content,
  options: SourceOptions,
  images: LoadImages,
): Promise<ReadKind> {
  let handedOver = false;
  try {
    const head = await input.head(HEAD.all);
    const kind = kindOf(head);
    if (kind === "cpio" || (await startsCpio(input))) {
      handedOver = true;
      await addCpioInput(tree, input, options);
      return "cpio";
    }
    if (kind === "tar") {
      handedOver = true;
      await addTarInput(tree, input, options);
      return "tar";
    }
    if (kind === "tree.txt") {
      readTreeText(tree, await allBytes(input, byteLimit(options)), { contentOf });
      return "tree.txt";
    }
    if (kind === undefined || kind === "empty") {
      const found = kind === "empty" ? "it is empty" : `found ${otherName(head) ?? "something else"}`;
      throw new FsynthError("source", `${input.label}: ${found}; ${ACCEPTED}`);
    }
    const { addImageInput } = await images();
    handedOver = true;
    await addImageInput(tree, input, options);
    return kind;
  } finally {
    if (!handedOver) await closeInput(input);
  }
}

async function allBytes(input: Input, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input.chunks()) {
    size += chunk.length;
    if (size > limit) throw new FsynthError("source", `${input.label}: more than ${limit} bytes; the limit is maxBytes`);
    chunks.push(chunk);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** The folder of a path with the slash behind it; empty for the current one. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

/** What `content=FILE` names: FILE is relative to the folder of the tree.txt; of a stream, to the current one. */
export function fileContent(folder: string, file: string): Content {
  const path = file.startsWith("/") ? file : folder + file;
  const stat = host.files.stat(path);
  if (stat?.kind !== "file") {
    const found = stat ? `found a ${stat.kind}` : "nothing is there";
    throw new FsynthError("source", `content=${quoteName(file)}: ${found} at ${quoteName(path)}, expected a file`, { path });
  }
  return hostFileContent(path, stat);
}
