// The header of a cylinder group: one block at fs_cblkno of each group, with the maps of its inodes, fragments and
// clusters behind the fixed part. Maps are bytes, least significant bit first, whatever the byte order.
//
// Specification: NetBSD sys/ufs/ffs/fs.h (struct cg, struct csum).

import { raw, row, type Scalars, struct } from "../../../src/bytes/struct.ts";

export function cylinderTable({ i16, i32, u32, i64 }: Scalars) {
  return struct("cg", 168, {
    cg_firstfield: [0, i32],
    cg_magic: [4, u32],
    cg_old_time: [8, i32],
    cg_cgx: [12, i32],
    cg_old_ncyl: [16, i16],
    cg_old_niblk: [18, i16],
    /** Fragments of this group. */
    cg_ndblk: [20, i32],
    /** Directories, free blocks, free inodes, free fragments. */
    cg_cs: [24, row(i32, 4)],
    cg_rotor: [40, i32],
    cg_frotor: [44, i32],
    cg_irotor: [48, i32],
    /** How many free runs of each length lie in partly used blocks. */
    cg_frsum: [52, row(i32, 8)],
    cg_old_btotoff: [84, i32],
    cg_old_boff: [88, i32],
    cg_iusedoff: [92, i32],
    cg_freeoff: [96, i32],
    cg_nextfreeoff: [100, i32],
    cg_clustersumoff: [104, i32],
    cg_clusteroff: [108, i32],
    cg_nclusterblks: [112, i32],
    cg_niblk: [116, i32],
    cg_initediblk: [120, i32],
    cg_sparecon32: [124, row(i32, 3)],
    cg_time: [136, i64],
    cg_sparecon64: [144, raw(24)],
  });
}

/** One group's counts in the summary area: directories, free blocks, free inodes, free fragments. */
export function summaryTable({ i32 }: Scalars) {
  return struct("csum", 16, { cs_ndir: [0, i32], cs_nbfree: [4, i32], cs_nifree: [8, i32], cs_nffree: [12, i32] });
}

export const CG_MAGIC = 0x0009_0255;
/** Where the maps start. */
export const CG_SPACE = 168;
/** sizeof(struct cg): cg_space counts one byte, and the alignment of 64-bit numbers fills up to this. */
export const CG_SIZE = 176;
