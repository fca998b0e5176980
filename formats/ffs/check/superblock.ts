// The superblock's fields against each other, and its copies against it.
// Specification: NetBSD sbin/fsck_ffs/setup.c and sys/ufs/ffs/ffs_vfsops.c.

import type { Field } from "../../../src/bytes/struct.ts";
import { isZero } from "../../../src/bytes/zero.ts";
import { hex } from "../../../src/image/fault.ts";
import { indirectReach } from "../../../src/image/indirect.ts";
import { MAXSYMLINKLEN } from "../disk/dinode.ts";
import { FS_44INODEFMT, FS_FLAGS_UPDATED, FS_ISCLEAN, FsFlags } from "../disk/superblock.ts";
import type { Disk } from "../read/disk.ts";
import type { Report } from "../read/fault.ts";
import { groupStart } from "../read/superblock.ts";

/** Reports what is wrong with the fields that opening the image did not look at. */
export function checkSuperblock(disk: Disk, report: Report): void {
  const { superblock: sb } = disk;
  const { f } = sb.records.Superblock;
  const { view } = sb;
  const numbers = f as unknown as Readonly<Record<string, Field>>; // asked for fields of one number only
  const expect = (name: string, expected: number, found = (numbers[name] as Field).get(view, 0)): void => {
    if (found !== expected) wrong(name, String(found), String(expected));
  };
  const wrong = (name: string, found: string, expected: string): void =>
    report({
      code: "superblock-field",
      place: "superblock",
      found: `${name} is ${found}`,
      expected,
      where: { record: `fs.${name}`, offset: sb.place + (numbers[name] as Field).offset },
    });
  const within = (name: string, low: number, high: number): void => {
    const found = (numbers[name] as Field).get(view, 0);
    if (found < low || found > high) wrong(name, String(found), `${low} to ${high}`);
  };
  const { blockSize, fragmentSize, frag, groups, size, fpg } = sb;
  expect("fs_bmask", -blockSize);
  expect("fs_fmask", -fragmentSize);
  expect("fs_bshift", Math.log2(blockSize));
  expect("fs_fshift", Math.log2(fragmentSize));
  expect("fs_fragshift", Math.log2(frag));
  expect("fs_fsbtodb", Math.log2(fragmentSize / 512));
  expect("fs_cssize", Math.ceil((groups * 16) / fragmentSize) * fragmentSize);
  within("fs_minfree", 0, 99);
  within("fs_optim", 0, 1);
  within("fs_maxbpg", 1, 2 ** 31 - 1);
  if (f.fs_contigsumsize.get(view, 0) < 0) wrong("fs_contigsumsize", String(f.fs_contigsumsize.get(view, 0)), "0 or more");
  const unknown = sb.flags & ~Object.values(FsFlags).reduce<number>((all, bit) => all | bit, 0);
  if (unknown !== 0) wrong("fs_flags", hex(sb.flags), `no unknown bits, found ${hex(unknown)}`);
  if (f.fs_clean.get(view, 0) !== FS_ISCLEAN) wrong("fs_clean", String(f.fs_clean.get(view, 0)), "1: it was not unmounted");
  if (sb.version === 2 || f.fs_old_inodefmt.get(view, 0) >= FS_44INODEFMT) {
    const most = BigInt(indirectReach(sb.pointers)) * BigInt(blockSize) - 1n;
    const found = view.getBigUint64(f.fs_maxfilesize.offset, sb.order === "little");
    if (found !== most) wrong("fs_maxfilesize", String(found), String(most));
    expect("fs_maxsymlinklen", MAXSYMLINKLEN[sb.version]);
    expect("fs_qbmask", blockSize - 1);
    expect("fs_qfmask", fragmentSize - 1);
  }
  const summary = Math.ceil(sb.cssize / fragmentSize);
  const data = size - sb.sblkno - groups * (sb.dblkno - sb.sblkno) - summary;
  // Old file systems rotate their groups and count otherwise.
  if (sb.cgoffset === 0) expect(sb.old ? "fs_old_dsize" : "fs_dsize", data);
  if (sb.cgoffset === 0) expect(sb.old ? "fs_old_csaddr" : "fs_csaddr", sb.dblkno);
  if (sb.version === 1) {
    const spc = f.fs_old_nsect.get(view, 0);
    if (f.fs_old_interleave.get(view, 0) < 1 || f.fs_old_interleave.get(view, 0) > spc) {
      wrong("fs_old_interleave", String(f.fs_old_interleave.get(view, 0)), `1 to ${spc}`);
    }
    within("fs_old_npsect", spc, spc * 2);
    const shortSize = [
      ["fs_old_size", size],
      ["fs_old_dsize", f.fs_dsize.get(view, 0)],
      ["fs_old_csaddr", sb.csaddr],
    ] as const;
    // Newer kernels read the newer fields, older ones these.
    if (!sb.old) for (const [name, value] of shortSize) expect(name, value);
    if (!sb.old && (f.fs_old_flags.get(view, 0) & FS_FLAGS_UPDATED) !== 0) {
      const old = f.fs_old_cstotal.get(view, 0).join(", ");
      if (old !== sb.totals.join(", ")) {
        report({
          code: "superblock-field",
          place: "superblock",
          found: `fs_old_cstotal is ${old}`,
          expected: sb.totals.join(", "),
          where: { record: "fs.fs_old_cstotal", offset: sb.place + f.fs_old_cstotal.offset },
        });
      }
    }
  }
  if (fpg * groups < size) wrong("fs_fpg", String(fpg), `at least ${Math.ceil(size / groups)}`);
}

/** What copies share with the superblock: fsck_ffs reads a file system by them when the superblock is lost. */
const SHARED = [
  "fs_sblkno",
  "fs_cblkno",
  "fs_iblkno",
  "fs_dblkno",
  "fs_ncg",
  "fs_bsize",
  "fs_fsize",
  "fs_frag",
  "fs_bmask",
  "fs_fmask",
  "fs_bshift",
  "fs_fshift",
  "fs_fragshift",
  "fs_fsbtodb",
  "fs_sbsize",
  "fs_nindir",
  "fs_inopb",
  "fs_cssize",
  "fs_cgsize",
  "fs_ipg",
  "fs_fpg",
  "fs_magic",
  "fs_contigsumsize",
  "fs_maxsymlinklen",
] as const;
const SHARED_NEWER = ["fs_sblockloc", "fs_size", "fs_csaddr"] as const;

export function checkCopies(disk: Disk, report: Report): void {
  const { superblock: sb } = disk;
  const { Superblock } = sb.records;
  const bytes = new Uint8Array(Superblock.size);
  const view = new DataView(bytes.buffer);
  for (let group = 0; group < sb.groups; group++) {
    const offset = (groupStart(sb, group) + sb.sblkno) * sb.fragmentSize;
    disk.readAt(offset, bytes);
    if (isZero(bytes, 0, bytes.length)) {
      const place = `superblock copy in group ${group}`;
      report({ code: "superblock-copy", place, found: "nothing but zeros", expected: "a copy", where: { record: "fs", offset } });
      continue;
    }
    for (const name of sb.old ? SHARED : [...SHARED, ...SHARED_NEWER]) {
      const field = Superblock.f[name];
      const found = field.get(view, 0);
      const expected = field.get(sb.view, 0);
      if (found === expected) continue;
      report({
        code: "superblock-copy",
        place: `superblock copy in group ${group}`,
        found: `${name} is ${found}`,
        expected: `${expected} as in the superblock`,
        where: { record: `fs.${name}`, index: group, offset: offset + field.offset },
      });
    }
  }
}
