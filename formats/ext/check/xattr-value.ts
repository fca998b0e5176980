// Inodes that hold the value of an xattr: as many refer to them as they say, and the value is what it was.
// Specification: Linux fs/ext4/xattr.c (ea_inode).

import { crc32c } from "../../../src/bytes/crc.ts";
import { Inode } from "../disk/inode.ts";
import { hex } from "../read/fault.ts";
import { walkMap } from "./blocks.ts";
import { silent, unreported } from "./findings.ts";
import { has, isFileMode, rawInode } from "./raw-inode.ts";
import type { State } from "./state.ts";

const f = Inode.f;
/** Most bytes of one value (EXT4_XATTR_SIZE_MAX). */
const VALUE_MAX = 2 ** 24;

/** A value inode keeps the count of those who refer to it where others have ctime and version, and its checksum as atime. */
export function checkValueInode(state: State, number: number, references: number): void {
  const { sb, findings, disk } = state;
  const record = state.inodes.read(number, unreported);
  if (!record) return;
  const inode = rawInode(sb, record);
  const tell = findings.atInode(number);
  const ctime = f.i_ctime.get(inode.view, 0);
  const stored = ctime * 2 ** 32 + f.l_i_version.get(inode.view, 0);
  const atime = f.i_atime.get(inode.view, 0);
  // The value inodes of Lustre have no count, but equal times.
  if (stored !== references && ctime !== atime) {
    tell("xattr-references", `${stored} xattrs are said to have their value here`, String(references));
  }
  if (!isFileMode(inode.mode) || !has(inode, "EA_INODE") || inode.size > VALUE_MAX || has(inode, "INLINE_DATA")) return;
  let sum = sb.checksumSeed;
  let done = 0;
  let whole = true;
  const add = (logical: number, physical: number, count: number): void => {
    whole &&= logical * sb.blockSize === done && !state.claims.shared.has(state.clusterOf(physical));
    const bytes = new Uint8Array(whole ? Math.min(count * sb.blockSize, inode.size - done) : 0);
    disk.readAt(physical * sb.blockSize, bytes);
    sum = crc32c(sum, bytes);
    done += bytes.length;
  };
  walkMap(state, inode, () => {}, add, silent);
  if (whole && done === inode.size && sum !== atime && ctime !== atime) {
    tell("xattr-value-hash", `the checksum of the xattr value in it is ${hex(atime)}`, hex(sum));
  }
}
