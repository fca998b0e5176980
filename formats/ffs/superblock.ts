// Writes the superblock; all copies are alike.
// Specification: NetBSD sys/ufs/ffs/fs.h; what kernels and fsck_ffs demand stands in ffs_vfsops.c and fsck_ffs/setup.c.

import { viewOf } from "../../src/bytes/struct.ts";
import { indirectReach } from "../../src/image/indirect.ts";
import { MAXSYMLINKLEN } from "./disk/dinode.ts";
import { FS_44INODEFMT, FS_DYNAMICPOSTBLFMT, FS_FLAGS_UPDATED, FS_ISCLEAN, Optimization, SBLOCKSIZE } from "./disk/superblock.ts";
import type { FileSystem } from "./filesystem.ts";
import { dataFrags, headerSize } from "./geometry.ts";
import { countsRow, type GroupCounts } from "./groups.ts";
import { storedTime } from "./times.ts";

/** What newfs expects of files, which steers where kernels put directories. */
const AVGFILESIZE = 16384;
const AVGFPDIR = 64;
/** Revolutions a second, of the disks of old. */
const OLD_RPS = 60;

/** Bytes up to the end of the fragment. */
function fragmentRoundUp(bytes: number, fragmentSize: number): number {
  return Math.ceil(bytes / fragmentSize) * fragmentSize;
}

/** fs_sbsize. */
export function superblockBytes(fs: FileSystem): number {
  return Math.min(SBLOCKSIZE, fragmentRoundUp(fs.records.Superblock.size, fs.geometry.frame.fragmentSize));
}

/** Writes a superblock into zeros. */
export function writeSuperblock(fs: FileSystem, counts: GroupCounts, target: Uint8Array): void {
  const { geometry, records } = fs;
  const { frame, size, groups, fpg, ipg, dblkno, summaryFrags } = geometry;
  const { blockSize, fragmentSize, version } = frame;
  const { f } = records.Superblock;
  const view = viewOf(target);
  const { sec } = storedTime(fs.snapshot.time, version);
  f.fs_sblkno.set(view, 0, frame.sblkno);
  f.fs_cblkno.set(view, 0, frame.cblkno);
  f.fs_iblkno.set(view, 0, frame.iblkno);
  f.fs_dblkno.set(view, 0, dblkno);
  f.fs_ncg.set(view, 0, groups);
  f.fs_bsize.set(view, 0, blockSize);
  f.fs_fsize.set(view, 0, fragmentSize);
  f.fs_frag.set(view, 0, frame.frag);
  f.fs_minfree.set(view, 0, fs.minfree);
  f.fs_bmask.set(view, 0, -blockSize);
  f.fs_fmask.set(view, 0, -fragmentSize);
  f.fs_bshift.set(view, 0, Math.log2(blockSize));
  f.fs_fshift.set(view, 0, Math.log2(fragmentSize));
  f.fs_maxcontig.set(view, 0, frame.maxContig);
  // As many blocks as one indirect block leads to, as newfs has it.
  f.fs_maxbpg.set(view, 0, frame.pointers);
  f.fs_fragshift.set(view, 0, Math.log2(frame.frag));
  f.fs_fsbtodb.set(view, 0, Math.log2(fragmentSize / 512));
  f.fs_sbsize.set(view, 0, superblockBytes(fs));
  f.fs_nindir.set(view, 0, frame.pointers);
  f.fs_inopb.set(view, 0, frame.inodesPerBlock);
  f.fs_optim.set(view, 0, Optimization[fs.optimization]);
  f.fs_id.set(view, 0, fs.id);
  f.fs_cssize.set(view, 0, summaryFrags * fragmentSize);
  f.fs_cgsize.set(view, 0, fragmentRoundUp(headerSize(frame, fpg, ipg), fragmentSize));
  f.fs_ipg.set(view, 0, ipg);
  f.fs_fpg.set(view, 0, fpg);
  f.fs_clean.set(view, 0, FS_ISCLEAN);
  f.fs_old_flags.set(view, 0, FS_FLAGS_UPDATED);
  f.fs_volname.set(view, 0, fs.label);
  f.fs_maxbsize.set(view, 0, blockSize);
  f.fs_sblockloc.set(view, 0, frame.superblock);
  f.fs_cstotal.set(view, 0, countsRow(counts.all));
  f.fs_time.set(view, 0, sec);
  f.fs_size.set(view, 0, size);
  f.fs_dsize.set(view, 0, dataFrags(geometry));
  f.fs_csaddr.set(view, 0, dblkno);
  f.fs_avgfilesize.set(view, 0, AVGFILESIZE);
  f.fs_avgfpdir.set(view, 0, AVGFPDIR);
  f.fs_contigsumsize.set(view, 0, frame.clusterSums);
  f.fs_maxsymlinklen.set(view, 0, MAXSYMLINKLEN[version]);
  f.fs_old_inodefmt.set(view, 0, FS_44INODEFMT);
  // fsck_ffs wants it exact, and with blocks of 64 KiB it is above 2^53.
  const most = BigInt(indirectReach(frame.pointers)) * BigInt(blockSize) - 1n;
  view.setBigUint64(f.fs_maxfilesize.offset, most, frame.order === "little");
  f.fs_qbmask.set(view, 0, blockSize - 1);
  f.fs_qfmask.set(view, 0, fragmentSize - 1);
  f.fs_magic.set(view, 0, fs.profile.magic);
  if (version === 1) writeOldFields(fs, counts, sec, view);
}

/** What UFS1 holds twice, and the disks it once knew: one cylinder a group, one track a cylinder. */
function writeOldFields(fs: FileSystem, counts: GroupCounts, sec: number, view: DataView): void {
  const { geometry, records } = fs;
  const { size, groups, fpg, dblkno, frame } = geometry;
  const { f } = records.Superblock;
  const sectors = frame.fragmentSize / 512;
  f.fs_old_cgmask.set(view, 0, -1);
  f.fs_old_time.set(view, 0, sec);
  f.fs_old_size.set(view, 0, size);
  f.fs_old_dsize.set(view, 0, dataFrags(geometry));
  f.fs_old_rps.set(view, 0, OLD_RPS);
  f.fs_old_nspf.set(view, 0, sectors);
  f.fs_old_npsect.set(view, 0, fpg * sectors);
  f.fs_old_interleave.set(view, 0, 1);
  f.fs_old_csaddr.set(view, 0, dblkno);
  f.fs_old_nsect.set(view, 0, fpg * sectors);
  f.fs_old_spc.set(view, 0, fpg * sectors);
  f.fs_old_ncyl.set(view, 0, groups);
  f.fs_old_cpg.set(view, 0, 1);
  f.fs_old_cstotal.set(view, 0, countsRow(counts.all));
  f.fs_old_postblformat.set(view, 0, FS_DYNAMICPOSTBLFMT);
  f.fs_old_nrpos.set(view, 0, 1);
}
