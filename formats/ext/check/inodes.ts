// The inode tables, inode by inode: flags against features and kinds, times of deletion, kinds against i_block, and the claims
// of every inode on blocks.
// Specification: Linux Documentation/filesystems/ext4/inodes.rst, special_inodes.rst.

import { GroupFlags } from "../disk/group.ts";
import { GOOD_OLD_INODE_SIZE, I_BLOCK, I_BLOCK_SIZE, Inode, ReservedInode } from "../disk/inode.ts";
import { Superblock } from "../disk/superblock.ts";
import { hex } from "../read/fault.ts";
import type { InodeRecord } from "../read/inodes.ts";
import { checkBlocks } from "./blocks.ts";
import { readPolicy } from "./encryption.ts";
import { headerFault } from "./extents.ts";
import { type Findings, type Tell, unreported } from "./findings.ts";
import { inlineSize } from "./inline-data.ts";
import { DIRECTORY, IN_USE_ODD, kindCode, REGULAR } from "./inode-table.ts";
import { isQuota } from "./quota.ts";
import { has, hasMap, isDirectoryMode, isFileMode, isSymlinkMode, type Raw, rawInode } from "./raw-inode.ts";
import { checkReserved } from "./reserved.ts";
import type { State } from "./state.ts";
import { isRealSymlink } from "./symlink.ts";
import { checkBodyXattrs } from "./xattrs.ts";

const f = Inode.f;
/** Bytes of the tables that are looked through at once. */
const PIECE = 64 * 1024;
/** IMAGIC: AFS keeps its own data in the inode. */
const IMAGIC = 0x2000;

/** Checks every inode of the tables that is not all zeros. */
export function checkInodes(state: State): void {
  eachInode(state, (inode) => new InodeCheck(state, inode).check());
}

/** Calls `visit` for reserved inodes and those that hold something, in ascending order. */
export function eachInode(state: State, visit: (inode: Raw) => void, silently = false): void {
  const { sb, descriptors, inodes, findings, disk } = state;
  for (let group = 0; group < sb.groups; group++) {
    const { inodeTable, flags, unusedInodes } = descriptors.at(group, unreported);
    if (state.unreadable.has(group)) continue;
    if (state.groupChecksums && (flags & GroupFlags.INODE_UNINIT) !== 0) continue;
    const count = sb.inodesPerGroup - (state.groupChecksums ? Math.min(unusedInodes, sb.inodesPerGroup) : 0);
    const perPiece = Math.floor(PIECE / sb.inodeSize);
    for (let from = 0; from < count; from += perPiece) {
      const bytes = new Uint8Array(Math.min(perPiece, count - from) * sb.inodeSize);
      disk.readAt(inodeTable * sb.blockSize + from * sb.inodeSize, bytes);
      for (let at = 0; at < bytes.length; at += sb.inodeSize) {
        const number = group * sb.inodesPerGroup + from + at / sb.inodeSize + 1;
        if (number >= sb.firstInode && isZero(bytes, at)) continue;
        const record = inodes.read(number, unreported);
        if (record && sb.checksums && !silently && !isZero(bytes, at)) verify(findings, record);
        if (record) visit(rawInode(sb, record));
      }
    }
  }
}

function verify(findings: Findings, record: InodeRecord): void {
  const { stored, sum, bytes } = record.checksums();
  if (stored === sum) return;
  findings.atInode(record.number)("inode-checksum", `its checksum is ${hex(stored, bytes)}`, hex(sum, bytes));
}

/** An inode without anything in the part that all inodes have. */
function isZero(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + GOOD_OLD_INODE_SIZE; i++) if (bytes[i] !== 0) return false;
  return true;
}

class InodeCheck {
  readonly tell: Tell;

  constructor(
    readonly state: State,
    readonly inode: Raw,
  ) {
    this.tell = state.findings.atInode(inode.number);
  }

  check(): void {
    const { state, inode, tell } = this;
    const { number, links } = inode;
    const { sb, table } = state;
    this.#deletion();
    if (links > 0) table.links.set(number, links);
    else if (number >= sb.firstInode && !isQuota(state, number)) return;
    this.#flags();
    if (checkReserved(state, inode, tell) === "done" || links === 0) return;
    this.#inUse();
  }

  #deletion(): void {
    const { state, inode, tell } = this;
    const { dtime, links, mode, number } = inode;
    if (dtime !== 0 && dtime < state.sb.inodes && !hasLowTimes(state)) {
      tell("inode-orphan", `i_dtime is ${dtime}, the number of an inode: it was on the list of orphans`, "0 or a time");
    }
    if (links === 0 && dtime === 0 && mode !== 0 && number >= state.sb.firstInode && !isQuota(state, number)) {
      tell("inode-deleted", "no links and no time of deletion", "one of them, or an inode of zeros");
    }
  }

  #flags(): void {
    const { state, inode, tell } = this;
    const { features } = state.sb;
    const { mode, number } = inode;
    if (has(inode, "CASEFOLD")) {
      if (!isDirectoryMode(mode)) tell("inode-flags", "the flag CASEFOLD", "a directory");
      else if (!features.has("casefold")) tell("inode-flags", "the flag CASEFOLD", "the feature casefold");
    }
    if (has(inode, "EA_INODE")) {
      if (!isFileMode(mode)) tell("inode-flags", "the flag EA_INODE", "a regular file");
      const known = state.values.get(number);
      if (known) known.flagged = true;
      else state.values.set(number, { references: 0, flagged: true });
    }
    const inline = has(inode, "INLINE_DATA");
    const extents = has(inode, "EXTENTS");
    if (inline && extents && (features.has("extent") || features.has("inline_data"))) {
      tell("inode-flags", "the flags INLINE_DATA and EXTENTS", "one of them");
    }
    if (inline && number >= state.sb.firstInode) {
      if (!features.has("inline_data")) tell("inode-flags", "the flag INLINE_DATA", "the feature inline_data");
      else if (inlineSize(state, inode) === undefined) tell("inline-data", "data in the inode", "the xattr system.data with it");
    }
    const counts = inode.links > 0 || number === ReservedInode.badBlocks || number === 2 || number === ReservedInode.journal;
    const area = new DataView(inode.view.buffer, inode.view.byteOffset + I_BLOCK, I_BLOCK_SIZE);
    if (counts && extents && !features.has("extent")) tell("inode-flags", "the flag EXTENTS", "the feature extent");
    if (
      counts &&
      !extents &&
      features.has("extent") &&
      (isFileMode(mode) || isDirectoryMode(mode)) &&
      headerFault(area) === undefined
    ) {
      tell("inode-flags", "an extent tree in i_block", "the flag EXTENTS");
    }
  }

  #inUse(): void {
    const { state, inode, tell } = this;
    const { sb, table } = state;
    const { number, mode, dtime } = inode;
    if (dtime !== 0) tell("inode-deleted", `in use, and deleted at ${dtime}`, "i_dtime 0");
    const kind = kindCode(mode);
    table.kind.set(number, kind === 0 ? IN_USE_ODD : kind);
    this.#fields();
    if ((inode.flags & IMAGIC) !== 0) {
      if (sb.features.has("imagic_inodes")) state.imagic.add(number);
      else tell("inode-flags", "the flag IMAGIC", "the feature imagic_inodes");
    }
    const charged = this.#tail();
    if (sb.features.has("extent") && has(inode, "EXTENTS") && isSymlinkMode(mode) && !hasMap(inode)) {
      tell("inode-flags", "the flag EXTENTS", "none on a symlink with its target in the inode");
    }
    if (has(inode, "ENCRYPT")) {
      const policy = readPolicy(state, inode);
      if (policy === undefined) tell("encryption", "the flag ENCRYPT", "a context of encryption with it");
      state.policies.set(number, policy ?? "");
    }
    if (kind === DIRECTORY) state.directories.push(number);
    else if (kind !== REGULAR) this.#special(kind);
    checkBlocks(state, inode, tell, charged);
  }

  /** Fields that have to be 0 without their feature. */
  #fields(): void {
    const { state, inode, tell } = this;
    const { sb, hurd } = state;
    const { view } = inode;
    const fragment = f.i_faddr.get(view, 0);
    if (fragment !== 0) tell("inode-field", `i_faddr is ${fragment}`, "0");
    if (hurd) {
      // Hurd keeps fragment number and size where Linux has the upper half of i_blocks.
      const fragments = f.l_i_blocks_hi.get(view, 0);
      if (fragments !== 0) tell("inode-field", `h_i_frag and h_i_fsize are ${fragments}`, "0");
    } else {
      const blocksHigh = f.l_i_blocks_hi.get(view, 0);
      if (!sb.features.has("huge_file") && blocksHigh !== 0)
        tell("inode-field", `l_i_blocks_hi is ${blocksHigh}`, "0 without huge_file");
      const aclHigh = f.l_i_file_acl_high.get(view, 0);
      if (!sb.features.has("64bit") && aclHigh !== 0) tell("inode-field", `l_i_file_acl_high is ${aclHigh}`, "0 without 64bit");
    }
    const sizeHigh = f.i_size_high.get(view, 0);
    if (isDirectoryMode(inode.mode) && sizeHigh !== 0 && !sb.features.has("large_dir")) {
      tell("inode-field", `i_size_high of a directory is ${sizeHigh}`, "0 without large_dir");
    }
    if (inode.fileAcl !== 0) {
      if (!sb.features.has("ext_attr")) tell("xattr-block", `its xattrs are at block ${inode.fileAcl}`, "none without ext_attr");
      else if (!state.holds(inode.fileAcl)) tell("xattr-block", `its xattrs are at block ${inode.fileAcl}`, state.range());
    }
  }

  /** What lies behind the first 128 bytes; gives the clusters of its value inodes. */
  #tail(): number {
    const { state, inode, tell } = this;
    const room = state.sb.inodeSize - GOOD_OLD_INODE_SIZE;
    if (room === 0) return 0;
    const extra = inode.extraSize;
    if (extra !== 0 && (extra < 4 || extra > room || extra % 4 !== 0)) {
      tell("inode-extra-size", `i_extra_isize is ${extra}`, `0, or 4 to ${room} in fours`);
      return 0;
    }
    return extra >= room - 4 ? 0 : checkBodyXattrs(state, inode, tell);
  }

  /** Symlinks, devices, fifos and sockets, and what is none of them. */
  #special(kind: number): void {
    const { state, inode, tell } = this;
    const { flags, size } = inode;
    if (kind === 0) {
      tell("inode-kind", `i_mode is 0${inode.mode.toString(8)}`, "a kind of file that exists");
      return;
    }
    if (kind === 7) {
      if (!isRealSymlink(state, inode)) {
        tell(
          "symlink",
          `a symlink of ${size} bytes whose target is not that long or not where it should be`,
          "one target without NULs",
        );
        return;
      }
    } else {
      if (has(inode, "INDEX") || has(inode, "EXTENTS"))
        tell("inode-flags", `flags 0x${flags.toString(16)}`, "neither INDEX nor EXTENTS");
      if (has(inode, "INLINE_DATA")) tell("inode-flags", "the flag INLINE_DATA", "none on a special file");
      if (size !== 0) tell("special-size", `a special file of ${size} bytes`, "0");
    }
    if (has(inode, "IMMUTABLE") || has(inode, "APPEND")) {
      tell("inode-flags", "the flags IMMUTABLE or APPEND", "neither of them on a special file or symlink");
    }
  }
}

/** Times of the superblock that are as low as inode numbers make i_dtime ambiguous. */
function hasLowTimes({ sb }: State): boolean {
  const s = Superblock.f;
  return [s.s_wtime, s.s_mtime, s.s_mkfs_time].some((field) => {
    const time = field.get(sb.view, 0);
    return time !== 0 && time < sb.inodes;
  });
}
