// The superblock: 1376 bytes at byte 65536 (UFS2) or 8192 (UFS1, and UFS2 of NetBSD's makefs), and a copy in every
// cylinder group. Fields called fs_old_* belong to UFS1; with FS_FLAGS_UPDATED its newer fields hold the same.
//
// Specification: NetBSD sys/ufs/ffs/fs.h (struct fs). FreeBSD gives some spare fields a meaning: fs_unrefs at 864,
// fs_sblockactualloc at 992, fs_mtime behind fs_save_cgsize, fs_ckhash at 1304, fs_metackhash at 1308.

import { raw, row, type Scalars, struct, u8 } from "../../../src/bytes/struct.ts";

export function superblockTable({ i32, u32, i64, u64 }: Scalars) {
  return struct("fs", 1376, {
    fs_firstfield: [0, i32],
    fs_unused_1: [4, i32],
    fs_sblkno: [8, i32],
    fs_cblkno: [12, i32],
    fs_iblkno: [16, i32],
    fs_dblkno: [20, i32],
    fs_old_cgoffset: [24, i32],
    fs_old_cgmask: [28, i32],
    fs_old_time: [32, i32],
    fs_old_size: [36, i32],
    fs_old_dsize: [40, i32],
    fs_ncg: [44, i32],
    fs_bsize: [48, i32],
    fs_fsize: [52, i32],
    fs_frag: [56, i32],
    fs_minfree: [60, i32],
    fs_old_rotdelay: [64, i32],
    fs_old_rps: [68, i32],
    fs_bmask: [72, i32],
    fs_fmask: [76, i32],
    fs_bshift: [80, i32],
    fs_fshift: [84, i32],
    fs_maxcontig: [88, i32],
    fs_maxbpg: [92, i32],
    fs_fragshift: [96, i32],
    fs_fsbtodb: [100, i32],
    fs_sbsize: [104, i32],
    fs_spare1: [108, row(i32, 2)],
    fs_nindir: [116, i32],
    fs_inopb: [120, i32],
    fs_old_nspf: [124, i32],
    fs_optim: [128, i32],
    fs_old_npsect: [132, i32],
    fs_old_interleave: [136, i32],
    fs_old_trackskew: [140, i32],
    fs_id: [144, row(i32, 2)],
    fs_old_csaddr: [152, i32],
    fs_cssize: [156, i32],
    fs_cgsize: [160, i32],
    fs_spare2: [164, i32],
    fs_old_nsect: [168, i32],
    fs_old_spc: [172, i32],
    fs_old_ncyl: [176, i32],
    fs_old_cpg: [180, i32],
    fs_ipg: [184, i32],
    fs_fpg: [188, i32],
    /** Directories, free blocks, free inodes, free fragments. */
    fs_old_cstotal: [192, row(i32, 4)],
    fs_fmod: [208, u8],
    fs_clean: [209, u8],
    fs_ronly: [210, u8],
    fs_old_flags: [211, u8],
    fs_fsmnt: [212, raw(468)],
    fs_volname: [680, raw(32)],
    fs_swuid: [712, u64],
    fs_pad: [720, i32],
    fs_cgrotor: [724, i32],
    /** Pointers of a running kernel. */
    fs_ocsp: [728, raw(128)],
    fs_old_cpc: [856, i32],
    fs_maxbsize: [860, i32],
    fs_journal_version: [864, u8],
    fs_journal_location: [865, u8],
    fs_journal_reserved: [866, raw(2)],
    fs_journal_flags: [868, u32],
    fs_journallocs: [872, row(u64, 4)],
    fs_quota_magic: [904, u32],
    fs_quota_flags: [908, u8],
    fs_quota_reserved: [909, raw(3)],
    fs_quotafile: [912, row(u64, 2)],
    fs_sparecon64: [928, raw(72)],
    fs_sblockloc: [1000, i64],
    /** Directories, free blocks, free inodes, free fragments, then four spare ones. */
    fs_cstotal: [1008, row(i64, 8)],
    fs_time: [1072, i64],
    fs_size: [1080, i64],
    fs_dsize: [1088, i64],
    fs_csaddr: [1096, i64],
    fs_pendingblocks: [1104, i64],
    fs_pendinginodes: [1112, i32],
    fs_snapinum: [1116, row(u32, 20)],
    fs_avgfilesize: [1196, i32],
    fs_avgfpdir: [1200, i32],
    fs_save_cgsize: [1204, i32],
    fs_sparecon32: [1208, raw(104)],
    fs_flags: [1312, u32],
    fs_contigsumsize: [1316, i32],
    fs_maxsymlinklen: [1320, i32],
    fs_old_inodefmt: [1324, i32],
    fs_maxfilesize: [1328, u64],
    fs_qbmask: [1336, i64],
    fs_qfmask: [1344, i64],
    fs_state: [1352, i32],
    fs_old_postblformat: [1356, i32],
    fs_old_nrpos: [1360, i32],
    fs_spare5: [1364, row(i32, 2)],
    fs_magic: [1372, u32],
  });
}

/** Bytes kept for a superblock, wherever one lies. */
export const SBLOCKSIZE = 8192;
/** Where superblocks are looked for, in this order (SBLOCKSEARCH). */
export const SBLOCK_PLACES = [65536, 8192, 0, 262144] as const;
export const SBLOCK_UFS1 = 8192;
export const SBLOCK_UFS2 = 65536;

/** fs_magic. */
export const Magic = {
  ufs1: 0x0001_1954,
  ufs2: 0x1954_0119,
  /** UFS2 whose extended attributes NetBSD 10 and later use. */
  ufs2ea: 0x1901_2038,
} as const;

/** fs_clean. */
export const FS_ISCLEAN = 1;
/** fs_old_flags: the newer fields of UFS1 are in use. */
export const FS_FLAGS_UPDATED = 0x80;
/** fs_old_postblformat. */
export const FS_DYNAMICPOSTBLFMT = 1;
/** fs_old_inodefmt. */
export const FS_44INODEFMT = 2;
/** Most of fs_contigsumsize and fs_maxcontig. */
export const FS_MAXCONTIG = 16;
/** Most fragments of a block. */
export const MAXFRAG = 8;
/** fs_optim. */
export const Optimization = { time: 0, space: 1 } as const;

/** fs_flags by name; the meaning of 0x100 and 0x200 differs between NetBSD (WAPBL, quota2) and FreeBSD (NFSv4 ACLs, check hashes). */
export const FsFlags = {
  unclean: 0x01,
  softdep: 0x02,
  "needs-fsck": 0x04,
  suj: 0x08,
  acls: 0x10,
  multilabel: 0x20,
  gjournal: 0x40,
  "flags-updated": 0x80,
  wapbl: 0x100,
  quota2: 0x200,
  trim: 0x400,
} as const;
