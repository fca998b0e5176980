// Symlinks: the target in i_block, in one block, or in the inode's tail.

import { viewOf } from "../../../src/bytes/struct.ts";
import { Extent, ExtentHeader } from "../disk/extent.ts";
import { headerFault } from "./extents.ts";
import { inlineSize } from "./inline-data.ts";
import { blockArea, has, isShortSymlink, POINTERS, pointer, type Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

/** Whether a symlink's target is where and as long as the inode says. */
export function isRealSymlink(state: State, inode: Raw): boolean {
  const { size } = inode;
  if (size === 0 || size >= 2 ** 32 || has(inode, "INDEX")) return false;
  if (has(inode, "INLINE_DATA")) return !has(inode, "EXTENTS") && inlineSize(state, inode) === size;
  if (isShortSymlink(inode)) return !has(inode, "EXTENTS") && targetLength(inode, blockArea(inode)) === size;
  const block = onlyBlock(inode);
  return block !== undefined && block !== 0 && state.holds(block) && targetLength(inode, state.disk.block(block)) === size;
}

/** The one block of a long target. */
function onlyBlock(inode: Raw): number | undefined {
  if (!has(inode, "EXTENTS")) {
    for (let i = 1; i < POINTERS; i++) if (pointer(inode, i) !== 0) return undefined;
    return pointer(inode, 0);
  }
  const view = viewOf(blockArea(inode));
  const { eh_entries, eh_depth } = ExtentHeader.f;
  if (headerFault(view) !== undefined || eh_entries.get(view, 0) !== 1 || eh_depth.get(view, 0) !== 0) return undefined;
  const { ee_block, ee_len, ee_start_lo, ee_start_hi } = Extent.f;
  const at = ExtentHeader.size;
  if (ee_block.get(view, at) !== 0 || ee_len.get(view, at) !== 1) return undefined;
  return ee_start_lo.get(view, at) + ee_start_hi.get(view, at) * 2 ** 32;
}

/** Bytes up to the NUL; undefined without one. Encrypted targets state their length in front. */
function targetLength(inode: Raw, bytes: Uint8Array): number | undefined {
  const length = has(inode, "ENCRYPT") ? viewOf(bytes).getUint16(0, true) + 2 : bytes.indexOf(0);
  return length < 0 || length >= bytes.length ? undefined : length;
}
