// `--holes detect`: runs of zeros in contents become holes, before planning, from what the content says and never from how
// the host happens to store it.

import { quoteName } from "../bytes/names.ts";
import { isZero } from "../bytes/zero.ts";
import { FsynthError } from "../error.ts";
import type { Content, Extent } from "./content.ts";
import { dataOf } from "./content-data.ts";
import type { Node } from "./node.ts";
import type { Tree } from "./tree.ts";

/** What a hole is made of: aligned runs of so many zero bytes, the last one as long as the file is. */
const BLOCK = 4096;

/**
 * Turns every aligned run of 4096 zero bytes in the files of `tree` into a hole; the bytes that the files read as stay the
 * same. Reads all contents, one after the other, in bounded memory. Holes that are there already stay.
 *
 * Throws what reading the contents throws.
 *
 * @example
 * ```ts
 * const tree = fromDirectory("rootfs");
 * await detectHoles(tree);
 * ```
 */
export async function detectHoles(tree: Tree): Promise<void> {
  const seen = new Set<Node>();
  for (const [path, node] of tree.entries()) {
    if (node.kind !== "file" || seen.has(node)) continue;
    seen.add(node);
    try {
      node.content = await withHoles(node.content);
    } catch (cause) {
      if (!(cause instanceof FsynthError)) throw cause;
      throw new FsynthError(cause.code, `${quoteName(path)}: ${cause.message}`, { ...cause.where, path }, { cause });
    }
  }
}

async function withHoles(content: Content): Promise<Content> {
  if (content.size === 0) return content;
  const extents: Extent[] = [];
  let held = 0;
  const add = (offset: number, length: number): void => {
    held += length;
    const last = extents.at(-1);
    if (last && last.offset + last.length === offset) extents[extents.length - 1] = { ...last, length: last.length + length };
    else extents.push({ offset, length });
  };
  for await (const { offset, bytes } of dataOf(content)) {
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(bytes.length - at, BLOCK - ((offset + at) % BLOCK));
      const whole = (offset + at) % BLOCK === 0 && (length === BLOCK || offset + at + length === content.size);
      if (!whole || !isZero(bytes, at, at + length)) add(offset + at, length);
      at += length;
    }
  }
  const before = content.extents?.reduce((sum, extent) => sum + extent.length, 0) ?? content.size;
  if (held === before) return content;
  return { size: content.size, extents, read: (offset, target) => content.read(offset, target) };
}
