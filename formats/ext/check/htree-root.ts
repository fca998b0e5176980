// The root of an htree, as far as it says how to read the rest.
// Specification: Linux Documentation/filesystems/ext4/directory.rst.

import { viewOf } from "../../../src/bytes/struct.ts";
import { DxRootInfo } from "../disk/dirent.ts";
import type { Tell } from "./findings.ts";
import { HashVersion } from "./hash.ts";
import { has, isDirectoryMode, type Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

const f = DxRootInfo.f;
/** Where `.` and `..` end. */
export const ROOT_INFO = 24;
/** unused_flags that ask for what nobody knows. */
const INCOMPATIBLE = 1;

/** Checks an inode with the flag INDEX; `block` is where it starts, 0 in a hole. */
export function checkHtreeRoot(state: State, inode: Raw, block: number, tell: Tell): void {
  const { features } = state.sb;
  if (!isDirectoryMode(inode.mode)) tell("index-flag", "the flag INDEX", "a directory");
  if (!features.has("dir_index")) tell("index-flag", "the flag INDEX", "the feature dir_index");
  if (block === 0) {
    tell("index-root", "the flag INDEX without a first block", "the root of an index");
    return;
  }
  const view = viewOf(state.disk.block(block));
  const version = f.hash_version.get(view, ROOT_INFO);
  if (f.reserved_zero.get(view, ROOT_INFO) !== 0 || f.info_length.get(view, ROOT_INFO) < DxRootInfo.size) {
    tell("index-root", `info of ${f.info_length.get(view, ROOT_INFO)} bytes`, `${DxRootInfo.size} bytes that start with 0`);
  }
  const known: readonly number[] = Object.values(HashVersion);
  if (!known.includes(version)) tell("index-root", `hash version ${version}`, known.join(", "));
  const stored = has(inode, "CASEFOLD") && has(inode, "ENCRYPT");
  if (stored !== (version === HashVersion.siphash)) {
    tell("index-root", `hash version ${version}`, stored ? String(HashVersion.siphash) : "one that names give");
  }
  if ((f.unused_flags.get(view, ROOT_INFO) & INCOMPATIBLE) !== 0) tell("index-root", "a flag that nobody knows", "none");
  const levels = f.indirect_levels.get(view, ROOT_INFO);
  const most = features.has("large_dir") ? 2 : 1;
  if (levels > most) tell("index-root", `an index of ${levels} levels below its root`, `at most ${most}`);
}
