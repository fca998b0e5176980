// An inode's fields as they are on the disk, for rules that are about fields.

import { viewOf } from "../../../src/bytes/struct.ts";
import { FileType, I_BLOCK, I_BLOCK_SIZE, Inode, InodeFlags } from "../disk/inode.ts";
import type { InodeRecord } from "../read/inodes.ts";
import type { Super } from "../read/superblock.ts";

const f = Inode.f;

/** The fields that rules are about, and what the reading code goes by. */
export interface Raw {
  readonly record: InodeRecord;
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly mode: number;
  readonly links: number;
  readonly flags: number;
  /** Both halves, whatever the kind. */
  readonly size: number;
  /** i_blocks, with its upper half under huge_file. */
  readonly blockCount: number;
  readonly fileAcl: number;
  readonly dtime: number;
  readonly generation: number;
  /** i_extra_isize as it stands. */
  readonly extraSize: number;
  readonly checksumSeed: number;
}

export function rawInode(sb: Super, record: InodeRecord): Raw {
  const { number, bytes, mode, links, flags, fileAcl, dtime, generation, storedExtraSize, checksumSeed } = record;
  const view = viewOf(bytes);
  const high = sb.features.has("huge_file") ? f.l_i_blocks_hi.get(view, 0) * 2 ** 32 : 0;
  return {
    record,
    number,
    bytes,
    view,
    mode,
    links,
    flags,
    size: f.i_size.get(view, 0) + f.i_size_high.get(view, 0) * 2 ** 32,
    blockCount: f.i_blocks.get(view, 0) + high,
    fileAcl,
    dtime,
    generation,
    extraSize: storedExtraSize,
    checksumSeed,
  };
}

const FORMAT = 0xf000;

export function isDirectoryMode(mode: number): boolean {
  return (mode & FORMAT) === FileType.directory;
}

export function isFileMode(mode: number): boolean {
  return (mode & FORMAT) === FileType.file;
}

export function isSymlinkMode(mode: number): boolean {
  return (mode & FORMAT) === FileType.symlink;
}

export function has(inode: { readonly flags: number }, flag: keyof typeof InodeFlags): boolean {
  return (inode.flags & InodeFlags[flag]) !== 0;
}

/** Pointer `index` of i_block. */
export function pointer(inode: Raw, index: number): number {
  return inode.view.getUint32(I_BLOCK + index * 4, true);
}

export const POINTERS = 15;

/** A symlink whose target is short enough for i_block. */
export function isShortSymlink({ mode, size }: Raw): boolean {
  return isSymlinkMode(mode) && size > 0 && size < POINTERS * 4;
}

/** Whether i_block is a map. Xattrs count in i_blocks, too, so a symlink with some is told by what i_block looks like. */
export function hasMap(inode: Raw): boolean {
  const { mode } = inode;
  if (isSymlinkMode(mode)) {
    if (inode.fileAcl === 0) return inode.blockCount !== 0 && !isShortSymlink(inode);
    return inode.size >= POINTERS * 4 || (inode.size > 4 && pointer(inode, 1) === 0);
  }
  return (isDirectoryMode(mode) || isFileMode(mode)) && !has(inode, "INLINE_DATA");
}

/** i_block. */
export function blockArea({ bytes }: Raw): Uint8Array {
  return bytes.subarray(I_BLOCK, I_BLOCK + I_BLOCK_SIZE);
}
