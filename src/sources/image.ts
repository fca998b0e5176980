// Images as volumes, and as trees: what fsynth writes it also takes as a source.

import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Warning } from "../image/plan.ts";
import { makeVolume, type Volume } from "../image/volume.ts";
import { excludeFilter } from "../tree/exclude.ts";
import type { Node, Xattrs } from "../tree/node.ts";
import { type OverlayRules, Tree } from "../tree/tree.ts";
import { openCompressedParts } from "./cpio.ts";
import { inputBytes, type OpenedBytes, openImageBytes, type SpoolOptions } from "./image-bytes.ts";
import { useFormat } from "./image-format.ts";
import type { ByteSource, Input } from "./input.ts";
import { checkSourceOptions } from "./options.ts";

/** An image, plain or compressed by gzip or zstd: a path (of a file or a block device), bytes, or a stream of bytes. */
export type ImageSource = ByteSource;

/** How an image is opened. */
export type OpenOptions = SpoolOptions;

/** How an image is read as a tree. */
export interface ImageOptions extends OpenOptions {
  /** Keeps a /lost+found that a build makes again anyway: empty, and as fsynth writes it. Default false. */
  readonly keepLostFound?: boolean | undefined;
  /** Globs of what stays out; one without a slash matches names at any depth. */
  readonly exclude?: readonly string[] | undefined;
  /** A directory laid over a symlink replaces it instead of merging with the directory that it leads to. Default false. */
  readonly replaceSymlinks?: boolean | undefined;
  /** Called for what the user should know. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Opens an image of any format that fsynth reads, told by its content. It is not read as a whole: what is asked for is. A file
 * must stay as it is while the volume is in use.
 *
 * Throws `unsupported` for what is no such image and for features that the reader lacks, by name; `corrupt` with the place for
 * a broken one; `io` for what cannot be read.
 *
 * @example
 * ```ts
 * import { openImage } from "fsynth";
 * const volume = await openImage("root.ext4");
 * volume.readdir("/etc").map(({ name }) => name);
 * new TextDecoder().decode(volume.read("/etc/motd"));
 * ```
 */
export async function openImage(source: ImageSource, options: OpenOptions = {}): Promise<Volume> {
  const opened = await openImageBytes(source, options);
  return await openOpened(opened, typeof source === "string" ? source : "the image", options);
}

/** {@link openImage} for bytes that are open already. */
export async function openOpened(opened: OpenedBytes, label: string, options: OpenOptions = {}): Promise<Volume> {
  // What is compressed inside takes more than looking at the bytes.
  const initramfs = await openCompressedParts(opened.image, label, options);
  return initramfs ? makeVolume(initramfs) : openBytes(opened, label);
}

/**
 * The tree of an image, or of several laid one over the other, left to right. A plain image on the disk is not copied: it must
 * stay as it is until the tree is done with.
 *
 * A /lost+found that a build makes again just as it stands is left out (`keepLostFound`). Flags of inodes that a tree has no
 * place for are dropped with a warning. Encrypted files are refused.
 *
 * Throws what {@link openImage} throws, and `source` for paths that cannot be.
 *
 * @example
 * ```ts
 * import { buildExt2, fromImage } from "fsynth";
 * const tree = await fromImage("root.ext4");
 * await buildExt2(tree).writeTo("root.ext2");
 * ```
 */
export async function fromImage(
  source: ImageSource | Volume | readonly (ImageSource | Volume)[],
  options: ImageOptions = {},
): Promise<Tree> {
  const tree = new Tree();
  const layers = Array.isArray(source) ? (source as readonly (ImageSource | Volume)[]) : [source as ImageSource | Volume]; // isArray does not narrow readonly arrays
  for (const layer of layers) await addImage(tree, layer, options);
  return tree;
}

/**
 * Lays an image, or a volume that is open already, over `tree`. Otherwise as {@link fromImage}. When it throws, the tree may hold a part of it.
 *
 * @example
 * ```ts
 * import { addImage, openImage, Tree } from "fsynth";
 * const volume = await openImage("root.ext4");
 * const tree = new Tree();
 * await addImage(tree, volume, { exclude: ["/var/cache/*"] });
 * ```
 */
export async function addImage(tree: Tree, source: ImageSource | Volume, options: ImageOptions = {}): Promise<void> {
  checkSourceOptions("an image source", options);
  if (isVolume(source)) addVolume(tree, source, "the volume", options);
  else addVolume(tree, await openImage(source, options), typeof source === "string" ? source : "the image", options);
}

/** {@link addImage} for an input that is open already; it is closed in the end, unless content refers to it. */
export async function addImageInput(tree: Tree, input: Input, options: ImageOptions): Promise<void> {
  const { label } = input;
  addVolume(tree, openBytes(await inputBytes(input, options), label), label, options);
}

function isVolume(source: ImageSource | Volume): source is Volume {
  return typeof source === "object" && "lookup" in source && "children" in source;
}

function openBytes(opened: OpenedBytes, label: string): Volume {
  return makeVolume(useFormat(opened, label, "open"));
}

/** Lays all that a volume holds over a tree. */
export function addVolume(tree: Tree, volume: Volume, label: string, options: ImageOptions = {}): void {
  new Adding(tree, volume, label, options).add();
}

class Adding {
  /** Nodes of several names by number. */
  readonly #linked = new Map<number, Node>();
  readonly #directories = new Set<number>();
  /** Flags that are lost: how many nodes have each, and the first one's path. */
  readonly #lost = new Map<string, { count: number; readonly first: string }>();
  readonly #excluded: ((path: string) => boolean) | undefined;
  readonly #rules: OverlayRules;

  constructor(
    readonly tree: Tree,
    readonly volume: Volume,
    readonly label: string,
    readonly options: ImageOptions,
  ) {
    this.#excluded = options.exclude?.length ? excludeFilter(options.exclude) : undefined;
    this.#rules = { replaceSymlinks: options.replaceSymlinks === true };
  }

  add(): void {
    const { volume, tree } = this;
    const left = new Set(this.options.keepLostFound === true ? [] : (volume.remade?.() ?? []));
    tree.put("/", this.#node(volume.root, "/"));
    this.#directories.add(volume.root);
    const open: (readonly [path: string, id: number])[] = [["", volume.root]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [folder, directory] = next;
      const names = new Set<string>();
      // By number, which is how nodes lie on the disk.
      for (const { name, id } of this.#at(folder, () => volume.children(directory)).toSorted((a, b) => a.id - b.id)) {
        const path = `${folder}/${name}`;
        if (names.has(name)) throw this.#corrupt(path, "the name stands twice in its directory", "every name once");
        names.add(name);
        if (left.has(id) || this.#excluded?.(path)) continue;
        const node = this.#linked.get(id) ?? this.#node(id, path);
        if (node.kind === "directory") {
          if (this.#directories.has(id)) throw this.#corrupt(path, "the directory stands in two places", "one");
          this.#directories.add(id);
          open.push([path, id]);
        }
        tree.put(path, node, this.#rules);
      }
    }
    for (const [flag, { count, first }] of this.#lost) {
      this.options.onWarning?.({
        code: "inode-flags",
        message: `${this.label}: ${count} nodes have the flag ${flag}, which a tree has no place for; the first at ${quoteName(first)}`,
      });
    }
  }

  #node(id: number, path: string): Node {
    return this.#at(path, () => {
      const { volume } = this;
      const seen = volume.node(id);
      for (const flag of seen.flags) {
        const lost = this.#lost.get(flag);
        if (lost) lost.count++;
        else this.#lost.set(flag, { count: 1, first: path });
      }
      const { kind, mode, uid, gid, atime, mtime, ctime } = seen;
      const metadata = { mode, uid, gid, atime, mtime, ctime, btime: seen.btime ?? mtime, xattrs: someOf(volume.xattrs(id)) };
      const node = ((): Node => {
        switch (kind) {
          case "file":
            return { kind, ...metadata, content: volume.content(id) };
          case "directory":
            return { kind, ...metadata, children: new Map() };
          case "symlink":
            return { kind, ...metadata, target: volume.target(id) };
          case "character-device":
          case "block-device":
            return { kind, ...metadata, major: seen.major, minor: seen.minor };
          default:
            return { kind, ...metadata };
        }
      })();
      if (seen.links > 1 && kind !== "directory") this.#linked.set(id, node);
      return node;
    });
  }

  /** Errors name the path. */
  #at<T>(path: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof FsynthError)) throw error;
      const shown = path === "" ? "/" : path;
      throw new FsynthError(
        error.code,
        `${this.label}: ${quoteName(shown)}: ${error.message}`,
        { ...error.where, path: shown },
        { cause: error },
      );
    }
  }

  #corrupt(path: string, found: string, expected: string): FsynthError {
    return new FsynthError("corrupt", `${this.label}: ${quoteName(path)}: ${found}, expected ${expected}`, {
      path,
      format: this.volume.format,
    });
  }
}

function someOf(xattrs: Xattrs): Xattrs | undefined {
  return xattrs.size > 0 ? xattrs : undefined;
}
