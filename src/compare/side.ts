// One side of a comparison: a tree, and the bytes and the volume that it was read from where there are any.

import { host } from "#host";
import type { ImageBytes, KeptTimes, Volume } from "../image/volume.ts";
import type { Source, SourceOptions } from "../sources/any-source.ts";
import { addDirectory } from "../sources/directory.ts";
import { addImage, openOpened } from "../sources/image.ts";
import { type OpenedBytes, openImageBytes } from "../sources/image-bytes.ts";
import { HEAD, kindOf } from "../sources/recognise.ts";
import { addSource } from "../sources/source.ts";
import { detectHoles } from "../tree/holes.ts";
import { Tree } from "../tree/tree.ts";

/** What is compared: whatever can be a source, or a tree. */
export type Comparable = Source | Tree;

/** How the sides are read. */
export interface SideOptions extends SourceOptions {
  /** Makes holes of runs of zeros on both sides (not in a {@link Tree}), before they are compared. Default: holes as they are. */
  readonly holes?: "detect" | undefined;
}

export interface Side {
  /** A profile, or `directory`, `tree.txt`, `tree`. */
  readonly format: string;
  /** Of images and archives. */
  readonly image: { readonly bytes: ImageBytes; readonly volume: Volume } | undefined;
  readonly times: KeptTimes;
  /** Whether xattrs were looked for. */
  readonly xattrs: boolean;
  /** Whether holes say anything: those of a host are no part of its tree. */
  readonly holes: boolean;
  /** Reads the tree; `whole` with a lost+found that a build would make again. */
  tree(whole: boolean): Promise<Tree>;
  close(): void;
}

const ALL: KeptTimes = { atime: true, ctime: true, btime: true, nanoseconds: true };
const HOST: KeptTimes = { atime: false, ctime: false, btime: false, nanoseconds: true };

/** Opens a side. Throws what opening and reading its kind throws. */
export async function openSide(source: Comparable, { holes, ...options }: SideOptions): Promise<Side> {
  const made = (format: string, read: (tree: Tree) => void | Promise<void>, more: Partial<Side> = {}): Side => ({
    ...plain(format),
    async tree() {
      const tree = new Tree();
      await read(tree);
      if (holes === "detect") await detectHoles(tree);
      return tree;
    },
    ...more,
  });
  if (source instanceof Tree) return made("tree", () => {}, { tree: async () => source });
  if (typeof source === "string" && host.files.stat(source)?.kind === "directory") {
    return made("directory", (tree) => addDirectory(tree, source, { ...options, xattrs: options.xattrs ?? "none" }), {
      times: HOST,
      xattrs: options.xattrs === "getfattr",
      holes: holes === "detect",
    });
  }
  const opened = await openImageBytes(source, options);
  if (startsTreeText(opened)) {
    // Its contents lie beside it. A stream cannot be read twice.
    const text = typeof source === "string" && host.files.stat(source)?.kind === "file" ? source : allOf(opened.image);
    opened.close();
    return made("tree.txt", (tree) => addSource(tree, text, options));
  }
  return await imageSide(opened, typeof source === "string" ? source : "the image", { ...options, holes });
}

/** A side of bytes that are open already. `label` names it in messages. Throws what opening an image throws. */
export async function imageSide(opened: OpenedBytes, label: string, { holes, ...options }: SideOptions): Promise<Side> {
  const volume = await openOpened(opened, label, options);
  return {
    ...plain(volume.format),
    image: { bytes: opened.image, volume },
    times: volume.times ?? ALL,
    async tree(whole) {
      const tree = new Tree();
      await addImage(tree, volume, { ...options, keepLostFound: whole });
      if (holes === "detect") await detectHoles(tree);
      return tree;
    },
    close: () => opened.close(),
  };
}

function plain(format: string): Omit<Side, "tree"> {
  return { format, image: undefined, times: ALL, xattrs: true, holes: true, close() {} };
}

function startsTreeText({ image }: OpenedBytes): boolean {
  const head = new Uint8Array(Math.min(image.size, HEAD.all));
  image.readAt(0, head);
  return kindOf(head) === "tree.txt";
}

function allOf(image: ImageBytes): Uint8Array {
  const bytes = new Uint8Array(image.size);
  image.readAt(0, bytes);
  return bytes;
}
