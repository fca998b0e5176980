// Writes inodes: those of the tree, and the root, lost+found, journal, resize and value inodes.
// Specification: Linux Documentation/filesystems/ext4/inodes.rst.

import { crc32c } from "../../src/bytes/crc.ts";
import type { Slot } from "../../src/bytes/struct.ts";
import type { Time } from "../../src/tree/node.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { deviceWords } from "./devices.ts";
import {
  EXTRA_ISIZE,
  FileType,
  GOOD_OLD_INODE_SIZE,
  I_BLOCK,
  I_BLOCK_SIZE,
  Inode,
  InodeFlags,
  ReservedInode,
} from "./disk/inode.ts";
import { extentsOf, writeExtentRoot, writeSingleExtent } from "./extents.ts";
import { type FileSystem, generationOf, inodeChecksumSeed, journalOwner, largeOwner, lostFoundOwner } from "./filesystem.ts";
import { writeDirectPointers, writeIndirectRoot } from "./indirect.ts";
import { directoryLinks } from "./limits.ts";
import { SegmentKind } from "./placement.ts";
import { resizeInodeBlocks, resizeInodeSize } from "./resize.ts";
import { storedTime, timeExtra, timeLow } from "./times.ts";
import { type LargeValue, writeBodyXattrs } from "./xattrs.ts";

/** Symlinks shorter than this lie in i_block. */
const FAST_SYMLINK = I_BLOCK_SIZE;

export function isFastSymlink(node: SnapshotNode): boolean {
  return node.target !== undefined && node.target.length < FAST_SYMLINK;
}

/** What all inodes have; sizes in bytes, blocks in file system blocks. */
interface Common {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly blocks: number;
  readonly flags: number;
  readonly atime: Time;
  readonly mtime: Time;
  readonly ctime: Time;
  readonly btime: Time;
}

/**
 * Writes inode `number` into its slot, which holds zeros. `inline` is the data of a file that lies in its inode.
 */
export function writeInode(fs: FileSystem, number: number, inline: Uint8Array | undefined, target: Slot): void {
  const { inodes, snapshot } = fs;
  const node = inodes.nodeAt[number] ?? -1;
  if (node >= 0) writeNode(fs, node, inline, target);
  else if (number === ReservedInode.resize && fs.features.has("resize_inode")) writeResizeInode(fs, target);
  else if (number === ReservedInode.journal && fs.journalBlocks > 0) writeJournalInode(fs, target);
  else if (number === inodes.lostFound && number !== 0) {
    const flags = fs.features.has("extent") ? InodeFlags.EXTENTS : 0;
    const owner = lostFoundOwner(snapshot);
    writeCommon(
      fs,
      { ...ownNode(fs), mode: FileType.directory | 0o700, size: fs.geometry.frame.blockSize, links: 2, blocks: 1, flags },
      target,
    );
    writeMap(fs, owner, target);
  } else if (number >= inodes.firstLarge) {
    const large = number - inodes.firstLarge;
    writeLargeInode(fs, large, fs.xattrs.large[large] as LargeValue, target);
  } else return; // Reserved and not used here: all zero, without a checksum.
  finish(fs, number, target);
}

/** Owner, times and so on of what fsynth makes itself. */
function ownNode(fs: FileSystem): Omit<Common, "mode" | "size" | "links" | "blocks" | "flags"> {
  const { time } = fs.snapshot;
  return { uid: 0, gid: 0, atime: time, mtime: time, ctime: time, btime: time };
}

function writeNode(fs: FileSystem, index: number, inline: Uint8Array | undefined, target: Slot): void {
  const node = fs.snapshot.nodes[index] as SnapshotNode; // nodeAt leads to nodes only
  const { blockSize } = fs.geometry.frame;
  const xattrs = fs.xattrs.byNode.get(index);
  const extents = fs.features.has("extent") ? InodeFlags.EXTENTS : 0;
  let size = 0;
  let flags = 0;
  let { links } = node;
  switch (node.kind) {
    case "file":
      size = node.content?.size ?? 0;
      flags = inline ? InodeFlags.INLINE_DATA : extents;
      break;
    case "directory": {
      const large = fs.directories.get(index);
      size = (large?.blocks ?? 1) * blockSize;
      flags = extents | (large?.index ? InodeFlags.INDEX : 0);
      links = directoryLinks(node.subdirectories + (index === 0 && fs.inodes.lostFound > 0 ? 1 : 0));
      break;
    }
    case "symlink":
      size = node.target?.length ?? 0;
      flags = isFastSymlink(node) ? 0 : extents;
      break;
    default:
      break;
  }
  const blocks = fs.placement.unitsOf(index) + (xattrs && xattrs.block >= 0 ? 1 : 0) + (xattrs?.largeBlocks ?? 0);
  const { mode, uid, gid, atime, mtime, ctime, btime } = node;
  writeCommon(fs, { mode: FileType[node.kind] | mode, uid, gid, size, links, blocks, flags, atime, mtime, ctime, btime }, target);
  const { bytes, view, at: start } = target;
  if (node.kind === "character-device" || node.kind === "block-device") {
    const [first, second] = deviceWords(node.major, node.minor, fs.profile.deviceNumbers);
    view.setUint32(start + I_BLOCK, first, true);
    view.setUint32(start + I_BLOCK + 4, second, true);
  } else if (inline) bytes.set(inline.subarray(0, I_BLOCK_SIZE), start + I_BLOCK);
  else if (node.target && isFastSymlink(node)) bytes.set(node.target, start + I_BLOCK);
  else if (node.kind === "file" || node.kind === "directory" || node.kind === "symlink") writeMap(fs, index, target);
  if (!xattrs) return;
  if (xattrs.block >= 0) {
    const at = fs.placement.looseAt(SegmentKind.xattrs, xattrs.block);
    Inode.f.i_file_acl.set(view, start, at % 2 ** 32);
    Inode.f.l_i_file_acl_high.set(view, start, Math.floor(at / 2 ** 32));
  }
  const body = bytes.subarray(start, start + fs.geometry.frame.inodeSize);
  writeBodyXattrs(xattrs, fs.xattrs, (large) => fs.inodes.firstLarge + large, inline?.subarray(I_BLOCK_SIZE), body);
}

/** Fills i_block of an owner whose blocks are mapped. */
function writeMap(fs: FileSystem, owner: number, target: Slot): void {
  const { placement } = fs;
  const { view } = target;
  const at = target.at + I_BLOCK;
  const extents = fs.features.has("extent");
  const first = placement.first[owner] as number; // every owner has its place
  if (placement.isPlain(owner) && (extents ? extentsOf(placement.count[first] as number) === 1 : true)) {
    // One run and no tree, as nearly all have it: nothing is made on the way.
    const write = extents ? writeSingleExtent : writeDirectPointers;
    write(placement.logical[first] as number, placement.start[first] as number, placement.count[first] as number, view, at);
    return;
  }
  const write = extents ? writeExtentRoot : writeIndirectRoot;
  write(placement.runsOf(owner), placement.treeOf(owner), fs.geometry.frame.blockSize, view, at);
}

function writeJournalInode(fs: FileSystem, target: Slot): void {
  const owner = journalOwner(fs.snapshot);
  writeCommon(
    fs,
    {
      ...ownNode(fs),
      mode: FileType.file | 0o600,
      size: fs.journalBlocks * fs.geometry.frame.blockSize,
      links: 1,
      blocks: fs.placement.unitsOf(owner),
      flags: fs.features.has("extent") ? InodeFlags.EXTENTS : 0,
    },
    target,
  );
  writeMap(fs, owner, target);
}

function writeResizeInode(fs: FileSystem, target: Slot): void {
  writeCommon(
    fs,
    { ...ownNode(fs), mode: FileType.file | 0o600, size: resizeInodeSize(fs), links: 1, blocks: resizeInodeBlocks(fs), flags: 0 },
    target,
  );
  // i_block[13] is the double indirect pointer.
  target.view.setUint32(target.at + I_BLOCK + 13 * 4, fs.placement.looseAt(SegmentKind.resize, 0), true);
}

/** An inode that holds an xattr's value: the hash stands in i_atime, the references in i_ctime (high) and l_i_version. */
function writeLargeInode(fs: FileSystem, index: number, large: LargeValue, target: Slot): void {
  const owner = largeOwner(fs.snapshot, index);
  const flags = InodeFlags.EA_INODE | (fs.features.has("extent") ? InodeFlags.EXTENTS : 0);
  const blocks = fs.placement.unitsOf(owner);
  writeCommon(fs, { ...ownNode(fs), mode: FileType.file | 0o600, size: large.value.length, links: 1, blocks, flags }, target);
  const { view, at } = target;
  Inode.f.i_atime.set(view, at, large.hash);
  Inode.f.i_ctime.set(view, at, 0);
  Inode.f.l_i_version.set(view, at, large.references);
  if (fs.geometry.frame.inodeSize > GOOD_OLD_INODE_SIZE) {
    Inode.f.i_atime_extra.set(view, at, 0);
    Inode.f.i_ctime_extra.set(view, at, 0);
  }
  writeMap(fs, owner, target);
}

function writeCommon(fs: FileSystem, common: Common, target: Slot): void {
  const { view, at } = target;
  const f = Inode.f;
  const long = fs.geometry.frame.inodeSize > GOOD_OLD_INODE_SIZE;
  const own = fs.snapshot.time;
  const sectors = common.blocks * (fs.geometry.frame.blockSize / 512);
  const atime = storedTime(common.atime, own, long);
  const ctime = storedTime(common.ctime, own, long);
  const mtime = storedTime(common.mtime, own, long);
  f.i_mode.set(view, at, common.mode);
  f.i_uid.set(view, at, common.uid & 0xffff);
  f.l_i_uid_high.set(view, at, common.uid >>> 16);
  f.i_gid.set(view, at, common.gid & 0xffff);
  f.l_i_gid_high.set(view, at, common.gid >>> 16);
  f.i_size.set(view, at, common.size % 2 ** 32);
  f.i_size_high.set(view, at, Math.floor(common.size / 2 ** 32));
  f.i_atime.set(view, at, timeLow(atime));
  f.i_ctime.set(view, at, timeLow(ctime));
  f.i_mtime.set(view, at, timeLow(mtime));
  f.i_links_count.set(view, at, common.links);
  f.i_blocks.set(view, at, sectors % 2 ** 32);
  f.l_i_blocks_hi.set(view, at, Math.floor(sectors / 2 ** 32));
  f.i_flags.set(view, at, common.flags);
  if (!long) return;
  const btime = storedTime(common.btime, own, long);
  f.i_extra_isize.set(view, at, EXTRA_ISIZE);
  f.i_ctime_extra.set(view, at, timeExtra(ctime));
  f.i_mtime_extra.set(view, at, timeExtra(mtime));
  f.i_atime_extra.set(view, at, timeExtra(atime));
  f.i_crtime.set(view, at, timeLow(btime));
  f.i_crtime_extra.set(view, at, timeExtra(btime));
}

/** Generation and checksum, once everything else stands. */
function finish(fs: FileSystem, number: number, target: Slot): void {
  const { bytes, view, at } = target;
  const { inodeSize } = fs.geometry.frame;
  Inode.f.i_generation.set(view, at, generationOf(fs, number));
  if (!fs.identity.checksums) return;
  const sum = crc32c(inodeChecksumSeed(fs, number), bytes, at, at + inodeSize);
  Inode.f.l_i_checksum_lo.set(view, at, sum & 0xffff);
  if (inodeSize > GOOD_OLD_INODE_SIZE) Inode.f.i_checksum_hi.set(view, at, sum >>> 16);
}
