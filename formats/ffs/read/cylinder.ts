// The headers of cylinder groups.
// Specification: NetBSD sys/ufs/ffs/fs.h (struct cg).

import { viewOf } from "../../../src/bytes/struct.ts";
import { hex } from "../../../src/image/fault.ts";
import { CG_MAGIC } from "../disk/cylinder.ts";
import type { Disk } from "./disk.ts";
import type { Report } from "./fault.ts";
import { groupRange, groupStart, type Super } from "./superblock.ts";

/** A group's header. */
export interface Cylinder {
  readonly group: number;
  /** Byte offset in the image. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Directories, free blocks, free inodes, free fragments. */
  readonly counts: readonly number[];
  /** Inodes whose place in the table is written; all of UFS1. */
  readonly initialised: number;
  /** Maps: a bit set for an inode in use, for a free fragment. */
  readonly inodes: Uint8Array;
  readonly free: Uint8Array;
}

/** Reads a header. Undefined, and reported, when it is none or its maps lie outside it. */
export function readCylinder(disk: Disk, group: number, report: Report): Cylinder | undefined {
  const { superblock: sb } = disk;
  const { f } = sb.records.Cylinder;
  const offset = (groupStart(sb, group) + sb.cblkno) * sb.fragmentSize;
  const bytes = new Uint8Array(sb.cgsize);
  disk.readAt(offset, bytes);
  const view = viewOf(bytes);
  const wrong = (field: keyof typeof f, found: string | number, expected: string): undefined => {
    report({
      code: "group-header",
      place: `group ${group}`,
      found: `${field} is ${found}`,
      expected,
      where: { record: `cg.${field}`, index: group, offset: offset + f[field].offset },
    });
    return undefined;
  };
  const magic = f.cg_magic.get(view, 0);
  if (magic !== CG_MAGIC) return wrong("cg_magic", hex(magic), hex(CG_MAGIC));
  const cgx = f.cg_cgx.get(view, 0);
  if (cgx !== group) return wrong("cg_cgx", cgx, String(group));
  const [from, to] = groupRange(sb, group);
  const iused = f.cg_iusedoff.get(view, 0);
  const free = f.cg_freeoff.get(view, 0);
  const mapEnd = (at: number, bits: number): boolean => at >= f.cg_time.offset && at + Math.ceil(bits / 8) <= bytes.length;
  if (!mapEnd(iused, sb.ipg)) return wrong("cg_iusedoff", iused, `a map of ${sb.ipg} inodes within ${bytes.length} bytes`);
  if (!mapEnd(free, to - from)) return wrong("cg_freeoff", free, `a map of ${to - from} fragments within ${bytes.length} bytes`);
  const initialised = sb.version === 1 ? sb.ipg : f.cg_initediblk.get(view, 0);
  if (initialised < 0 || initialised > sb.ipg) return wrong("cg_initediblk", initialised, `0 to ${sb.ipg}`);
  return {
    group,
    offset,
    bytes,
    view,
    counts: f.cg_cs.get(view, 0),
    initialised,
    inodes: bytes.subarray(iused, iused + Math.ceil(sb.ipg / 8)),
    free: bytes.subarray(free, free + Math.ceil((to - from) / 8)),
  };
}

/** Byte offset of an inode. */
export function inodeOffset(sb: Super, inode: number): number {
  const group = Math.floor(inode / sb.ipg);
  return (groupStart(sb, group) + sb.iblkno) * sb.fragmentSize + (inode % sb.ipg) * sb.inodeSize;
}
