// Any source, for those who import the library.

import type { Tree } from "../tree/tree.ts";
import { addAny, type Source, type SourceOptions } from "./any-source.ts";
import { addImage, addImageInput } from "./image.ts";

/**
 * Lays a source of any kind over `tree`.
 *
 * Throws `unsupported` for what is recognised but cannot be read, `source` for what is not recognised, and whatever the
 * reader of the kind throws. When it throws, the tree may hold a part of the source.
 *
 * @example
 * ```ts
 * import { addSource, Tree } from "fsynth";
 * const tree = new Tree();
 * for (const source of ["rootfs.tar.zst", "examples/hello", "root.ext4"]) await addSource(tree, source, { xattrs: "none" });
 * ```
 */
export async function addSource(tree: Tree, source: Source, options: SourceOptions = {}): Promise<void> {
  await addAny(tree, source, options, () => ({ addImage, addImageInput }));
}
