// The seed of `--uuid content`.

import { Canonical } from "./canonical.ts";
import { writeContents } from "./digest.ts";
import { takeSnapshot } from "./snapshot.ts";
import type { Tree } from "./tree.ts";

/**
 * SHA-256 of all contents of a tree in the order of its snapshot: given as `seed` to a build, it makes the UUID (and all
 * else that is derived) change with any byte of any file.
 *
 * Reads all contents; throws what reading them throws.
 *
 * @example
 * ```ts
 * import { buildExt4, contentSeed, Tree } from "fsynth";
 * const tree = new Tree().file("/etc/motd", "hello\n");
 * console.log(buildExt4(tree, { seed: await contentSeed(tree) }).uuid);
 * ```
 */
export async function contentSeed(tree: Tree): Promise<Uint8Array> {
  const out = new Canonical();
  out.text("fsynth contents 1");
  await writeContents(out, takeSnapshot(tree));
  return out.digest();
}
