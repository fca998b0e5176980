// What one inode claims: xattr block, map and data; and whether i_blocks and i_size agree with that.

import { Inode } from "../disk/inode.ts";
import { Superblock } from "../disk/superblock.ts";
import { checkExtents } from "./extents.ts";
import type { Tell } from "./findings.ts";
import { checkHtreeRoot } from "./htree-root.ts";
import { checkIndirect } from "./indirect.ts";
import { inlineSize } from "./inline-data.ts";
import { type Claim, MapSink, type OnRun } from "./map-sink.ts";
import { has, hasMap, isDirectoryMode, isFileMode, isSymlinkMode, type Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";
import { checkXattrBlock } from "./xattrs.ts";

/** Sizes from which files need the feature large_file. */
const LARGE_FILE = 2 ** 31;

/** Walks the map of an inode that has one. */
export function walkMap(state: State, inode: Raw, claim: Claim, onRun: OnRun, tell: Tell): MapSink {
  const sink = new MapSink(state, inode, claim, onRun, tell);
  const inline = state.sb.features.has("inline_data") && has(inode, "INLINE_DATA");
  if (inline || !hasMap(inode)) return sink;
  if (state.sb.features.has("extent") && has(inode, "EXTENTS")) checkExtents(state, inode, sink);
  else checkIndirect(state, inode, sink);
  return sink;
}

/** `charged` are clusters of value inodes that count for this one. */
export function checkBlocks(state: State, inode: Raw, tell: Tell, charged: number): void {
  const { sb } = state;
  const xattrs = checkXattrBlock(state, inode, tell);
  const claim: Claim = (first, count) => state.claims.claimAll(first, count);
  const sink = walkMap(state, inode, claim, () => {}, tell);
  if (has(inode, "INDEX")) checkHtreeRoot(state, inode, sink.first, tell);
  const clusters = sink.clusters + xattrs + charged;
  if (clusters === 0 && sink.isDirectory && !has(inode, "INLINE_DATA"))
    tell("directory-size", "a directory without blocks", "one at least");
  checkCount(state, inode, clusters, tell);
  checkSize(state, inode, sink, tell);
  if (isFileMode(inode.mode) && inode.size >= LARGE_FILE) state.largeFiles = true;
  if (
    sb.features.has("bigalloc") &&
    (isFileMode(inode.mode) || isDirectoryMode(inode.mode)) &&
    inode.blockCount > xattrs * (sb.blockSize / 512) * sb.clusterBlocks &&
    (inode.number === 2 || inode.number >= sb.firstInode) &&
    !has(inode, "EXTENTS") &&
    !has(inode, "INLINE_DATA")
  ) {
    tell("inode-flags", "an indirect map under bigalloc", "extents");
  }
}

function checkCount(state: State, inode: Raw, clusters: number, tell: Tell): void {
  const { sb } = state;
  if (state.hurd) return;
  const huge = sb.features.has("huge_file") && has(inode, "HUGE_FILE");
  const expected = clusters * sb.clusterBlocks * (huge ? 1 : sb.blockSize / 512);
  if (inode.blockCount !== expected || (huge && Inode.f.l_i_blocks_hi.get(inode.view, 0) !== 0)) {
    tell("inode-blocks", `i_blocks is ${inode.blockCount}`, `${expected}, in units of ${huge ? sb.blockSize : 512} bytes`);
  }
}

function checkSize(state: State, inode: Raw, sink: MapSink, tell: Tell): void {
  const { sb } = state;
  const { size } = inode;
  if (isSymlinkMode(inode.mode)) return; // its target tells
  if (sink.isDirectory) {
    if (has(inode, "INLINE_DATA")) {
      const inline = inlineSize(state, inode) ?? 0;
      if (inline !== size) tell("inode-size", `i_size of the directory is ${size}`, `${inline}, as much as lies in the inode`);
      return;
    }
    const blocks = Math.floor(size / sb.blockSize);
    const spare = Superblock.f.s_prealloc_dir_blocks.get(sb.view, 0);
    if (size % sb.blockSize !== 0 || blocks > sink.last + 1 || sink.last + 1 - blocks > spare) {
      tell("inode-size", `i_size of the directory is ${size}`, `${(sink.last + 1) * sb.blockSize}, where its last block ends`);
    }
    return;
  }
  const extents = sb.features.has("extent") && has(inode, "EXTENTS");
  // Indirect maps have nothing that is set aside.
  const lastWritten = extents ? sink.lastWritten : sink.last;
  if (lastWritten >= 0 && size < lastWritten * sb.blockSize && !has(inode, "VERITY")) {
    tell("inode-size", `i_size is ${size}`, `more than ${lastWritten * sb.blockSize}, where its last block starts`);
    return;
  }
  const most = extents ? 2 ** 32 * sb.blockSize - 1 : largestIndirect(sb.blockSize);
  if (size > most) tell("inode-size", `i_size is ${size}`, `at most ${most}`);
}

function largestIndirect(blockSize: number): number {
  const pointers = blockSize / 4;
  return (12 + pointers + pointers ** 2 + pointers ** 3) * blockSize;
}
