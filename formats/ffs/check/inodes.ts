// Phase 1: every inode, its size, its blocks and its extended attributes.
// Specification: NetBSD sbin/fsck_ffs/pass1.c.

import { isZero } from "../../../src/bytes/zero.ts";
import { DIRECT, TREES } from "../../../src/image/indirect.ts";
import { InodeFlags, ROOT_INODE } from "../disk/dinode.ts";
import { inodeOffset } from "../read/cylinder.ts";
import type { Disk } from "../read/disk.ts";
import { attributeRuns, readAttributes } from "../read/extattrs.ts";
import type { Report } from "../read/fault.ts";
import { type InodeRecord, parseInode } from "../read/inodes.ts";
import { walkMapping } from "../read/mapping.ts";
import type { Survey } from "./survey.ts";

/** Most links of an inode: di_nlink is signed. */
const LINKS_MAX = 32767;
/** Most bytes of a directory that fsck_ffs takes (MAXDIRSIZE). */
const DIRECTORY_MAX = 0x7fff_ffff;

/** Looks at all inodes of a group that are written, and gathers those in use. */
export function checkInodes(survey: Survey, group: number): void {
  const { disk, report, headers } = survey;
  const { superblock: sb } = disk;
  const written = headers[group]?.initialised ?? (sb.version === 1 ? sb.ipg : 0);
  const first = group * sb.ipg;
  const block = new Uint8Array(sb.blockSize);
  for (let number = first; number < first + written; number++) {
    const place = (number - first) % sb.inodesPerBlock;
    if (place === 0) disk.readAt(inodeOffset(sb, number), block);
    if (number < ROOT_INODE) continue;
    const at = place * sb.inodeSize;
    const bytes = block.subarray(at, at + sb.inodeSize);
    const inode = parseInode(disk, number, inodeOffset(sb, number), bytes);
    if ((inode.mode & 0xf000) === 0) checkUnused(inode, report);
    else checkUsed(survey, inode, bytes);
  }
}

function wrongIn(inode: InodeRecord, report: Report): (code: string, found: string, expected: string) => void {
  const { number, offset } = inode;
  return (code, found, expected) =>
    report({ code, place: `inode ${number}`, found, expected, where: { record: "inode", index: number, offset } });
}

/** An unused inode holds nothing that the next file would inherit. */
function checkUnused(inode: InodeRecord, report: Report): void {
  const wrong = wrongIn(inode, report);
  if (!isZero(inode.area, 0, inode.area.length) || inode.size !== 0 || inode.extPointers.some((pointer) => pointer !== 0)) {
    wrong("inode-partly-used", "an unused inode with a size or blocks", "zeros");
  } else if (inode.mode !== 0) wrong("inode-mode", `mode 0${inode.mode.toString(8)}`, "a known kind, or 0");
}

function checkUsed(survey: Survey, inode: InodeRecord, bytes: Uint8Array): void {
  const { disk, report } = survey;
  const { superblock: sb } = disk;
  const { number, kind, links, size } = inode;
  const wrong = wrongIn(inode, report);
  if (kind === undefined) {
    wrong("inode-mode", `mode 0${inode.mode.toString(8)}`, "a known kind");
    return;
  }
  survey.inodes.set(number, { kind, links, flags: inode.flags, offset: inode.offset });
  if (links < 1 || links > LINKS_MAX) wrong("inode-links", `${links} links`, `1 to ${LINKS_MAX}`);
  checkTimes(disk, bytes, wrong);
  const reach = sizeLimit(disk);
  if (size > reach || (kind === "directory" && size > DIRECTORY_MAX)) {
    wrong("inode-size", `${size} bytes`, `at most ${kind === "directory" ? Math.min(reach, DIRECTORY_MAX) : reach}`);
    return;
  }
  if (kind === "directory" && (size === 0 || size % sb.chunk !== 0)) {
    wrong("directory-size", `a directory of ${size} bytes`, `a positive multiple of ${sb.chunk}`);
  }
  if (kind === "symlink" && (size === 0 || size > 4095)) wrong("symlink-size", `a target of ${size} bytes`, "1 to 4095");
  const special = kind !== "file" && kind !== "directory" && kind !== "symlink";
  if (special && size !== 0) wrong("inode-size", `a ${kind} of ${size} bytes`, "0");
  // Snapshots mark blocks with numbers that are no places.
  if ((inode.flags & InodeFlags.snapshot) !== 0) return;
  let frags = 0;
  const short = kind === "symlink" && (sb.maxSymlink > 0 ? size < sb.maxSymlink : inode.sectors === 0);
  if (short && inode.area.subarray(0, size).includes(0)) wrong("symlink-nul", "a target with a NUL", "one without");
  if (special || short) checkNoBlocks(inode, disk, special, wrong);
  else {
    checkPointersBehindEnd(inode, disk, wrong);
    const visit = (physical: number, count: number): void => {
      survey.claimFor(number, physical, count, inode.offset);
      frags += count;
    };
    walkMapping(
      disk,
      inode,
      {
        data(logical, physical, count) {
          visit(physical, count);
          // A target fills no more than a block.
          if (kind !== "symlink" || logical > 0) return;
          const target = disk.frags(physical, count).subarray(0, size);
          if (target.includes(0)) wrong("symlink-nul", "a target with a NUL", "one without");
        },
        tree: (physical) => visit(physical, sb.frag),
      },
      report,
    );
  }
  for (const { physical, count } of attributeRuns(disk, inode, report)) {
    survey.claimFor(number, physical, count, inode.offset);
    frags += count;
  }
  if (inode.extSize > 0) readAttributes(disk, inode, report);
  const sectors = frags * (sb.fragmentSize / 512);
  if (inode.sectors !== sectors) wrong("inode-blocks", `di_blocks is ${inode.sectors}`, String(sectors));
}

function sizeLimit({ superblock: sb }: Disk): number {
  // As kernels of UFS1 have it, which number blocks in 31 bits.
  if (sb.version === 1) return Math.min(2 ** 31 * sb.blockSize - 1, Number.MAX_SAFE_INTEGER);
  const reach = (DIRECT + sb.pointers + sb.pointers ** 2 + sb.pointers ** 3) * sb.blockSize - 1;
  return Math.min(reach, Number.MAX_SAFE_INTEGER);
}

function checkTimes(
  { superblock: sb }: Disk,
  bytes: Uint8Array,
  wrong: (code: string, found: string, expected: string) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { Dinode1, Dinode2 } = sb.records;
  const fields =
    sb.version === 1
      ? ([Dinode1.f.di_atimensec, Dinode1.f.di_mtimensec, Dinode1.f.di_ctimensec] as const)
      : ([Dinode2.f.di_atimensec, Dinode2.f.di_mtimensec, Dinode2.f.di_ctimensec, Dinode2.f.di_birthnsec] as const);
  for (const field of fields) {
    const nsec = field.get(view, 0);
    if (nsec < 0 || nsec > 999_999_999) {
      wrong("inode-time", `${nsec} nanoseconds at byte ${field.offset} of the inode`, "0 to 999999999");
    }
  }
}

/** Devices have one number, short targets end in zeros, others have nothing where blocks would stand. */
function checkNoBlocks(
  inode: InodeRecord,
  { superblock: sb }: Disk,
  special: boolean,
  wrong: (code: string, found: string, expected: string) => void,
): void {
  const device = inode.kind === "character-device" || inode.kind === "block-device";
  const held = special ? (device ? sb.pointerSize : 0) : inode.size;
  if (held <= inode.area.length && isZero(inode.area, held, inode.area.length)) return;
  wrong("inode-pointers", `block pointers behind what a ${inode.kind} holds`, "zeros");
}

/** No block is kept behind the end: the next write would bring old data back. */
function checkPointersBehindEnd(
  inode: InodeRecord,
  { superblock: sb }: Disk,
  wrong: (code: string, found: string, expected: string) => void,
): void {
  const blocks = Math.ceil(inode.size / sb.blockSize);
  let reached = DIRECT;
  for (let i = 0; i < DIRECT + TREES; i++) {
    const first = i < DIRECT ? i : reached;
    if (i >= DIRECT) reached += sb.pointers ** (i - DIRECT + 1);
    if (first >= blocks && inode.pointers[i] !== 0) {
      wrong("inode-pointers", `pointer ${i} is ${inode.pointers[i]} in a file of ${blocks} blocks`, "0 behind its end");
    }
  }
}
