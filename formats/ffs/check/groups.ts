// Phase 5: every cylinder group made anew from what the inodes claim, and compared with what stands there.
// Specification: NetBSD sbin/fsck_ffs/pass5.c.

import { setBit, setBits, testBit } from "../../../src/bytes/bitmap.ts";
import type { Field } from "../../../src/bytes/struct.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { CG_SPACE } from "../disk/cylinder.ts";
import { ROOT_INODE } from "../disk/dinode.ts";
import type { Cylinder } from "../read/cylinder.ts";
import { groupRange } from "../read/superblock.ts";
import type { Survey } from "./survey.ts";

/** Directories, free blocks, free inodes, free fragments. */
type Counts = [number, number, number, number];

/** Compares all groups, the summary area and the totals. */
export function checkGroups(survey: Survey): void {
  const { disk, report } = survey;
  const { superblock: sb } = disk;
  const used = inodesByGroup(survey);
  const totals: Counts = [0, 0, 0, 0];
  const summary = new Uint8Array(sb.cssize);
  disk.readAt(sb.csaddr * sb.fragmentSize, summary);
  const summaryView = viewOf(summary);
  const fields = Object.values(sb.records.Summary.f);
  // Groups without files are alike, but for the first, with the summary, and the last, which may be short.
  let empty: Rebuilt | undefined;
  const remade = (group: number): Rebuilt => {
    const numbers = used[group] ?? [];
    const plain = group > 0 && group < sb.groups - 1 && sb.cgoffset === 0 && numbers.length === 0 && !survey.touched(group);
    if (!plain) return rebuild(survey, group, numbers);
    empty ??= rebuild(survey, group, numbers);
    return empty;
  };
  for (let group = 0; group < sb.groups; group++) {
    const rebuilt = remade(group);
    const { counts } = rebuilt;
    counts.forEach((count, i) => {
      totals[i] = (totals[i] as number) + count; // four of each
    });
    const header = survey.headers[group];
    if (header) compare(survey, header, rebuilt);
    const stands = fields.map((field) => field.get(summaryView, group * sb.records.Summary.size));
    if (stands.join() !== counts.join()) {
      report({
        code: "summary",
        place: `summary of group ${group}`,
        found: stands.join(", "),
        expected: `${counts.join(", ")} (directories, free blocks, free inodes, free fragments)`,
        where: { record: "csum", index: group, offset: sb.csaddr * sb.fragmentSize + group * sb.records.Summary.size },
      });
    }
  }
  if (sb.totals.join() !== totals.join()) {
    report({
      code: "superblock-totals",
      place: "superblock",
      found: `totals of ${sb.totals.join(", ")}`,
      expected: `${totals.join(", ")} (directories, free blocks, free inodes, free fragments)`,
      where: { record: "fs.fs_cstotal", offset: sb.place + sb.records.Superblock.f.fs_cstotal.offset },
    });
  }
}

function inodesByGroup({ disk, inodes }: Survey): number[][] {
  const { ipg } = disk.superblock;
  const groups: number[][] = [];
  for (const number of inodes.keys()) {
    const group = Math.floor(number / ipg);
    groups[group] ??= [];
    (groups[group] as number[]).push(number);
  }
  return groups;
}

interface Rebuilt {
  readonly counts: Counts;
  readonly inodes: Uint8Array;
  readonly free: Uint8Array;
  readonly clusters: Uint8Array;
  /** How many runs of free blocks there are of each length, and of fragments. */
  readonly clusterSums: number[];
  readonly fragSums: number[];
}

function rebuild(survey: Survey, group: number, numbers: readonly number[]): Rebuilt {
  const { superblock: sb } = survey.disk;
  const { frag, ipg, fpg } = sb;
  const [from, to] = groupRange(sb, group);
  const inodes = new Uint8Array(Math.ceil(ipg / 8));
  let directories = 0;
  let taken = numbers.length;
  for (const number of numbers) {
    setBit(inodes, number - group * ipg);
    if (survey.inodes.get(number)?.kind === "directory") directories++;
  }
  if (group === 0) {
    setBits(inodes, 0, ROOT_INODE);
    taken += ROOT_INODE;
  }
  const used = survey.lastUsed(group);
  const free = new Uint8Array(Math.ceil(fpg / 8));
  const clusters = new Uint8Array(Math.ceil(fpg / frag / 8));
  const fragSums = Array.from({ length: 8 }, () => 0);
  const clusterSums = Array.from({ length: sb.clusterSums + 1 }, () => 0);
  let blocks = 0;
  let fragments = 0;
  let run = 0;
  const endRun = (): void => {
    if (run > 0 && sb.clusterSums > 0) {
      const slot = Math.min(run, sb.clusterSums);
      clusterSums[slot] = (clusterSums[slot] as number) + 1;
    }
    run = 0;
  };
  const length = to - from;
  for (let at = 0; at < length; at += frag) {
    // A group's last block may be short.
    const size = Math.min(frag, length - at);
    let count = 0;
    let piece = 0;
    const pieces: number[] = [];
    for (let i = 0; i < size; i++) {
      if (!testBit(used, at + i)) {
        setBit(free, at + i);
        count++;
        piece++;
      } else if (piece > 0) {
        pieces.push(piece);
        piece = 0;
      }
    }
    if (piece > 0) pieces.push(piece);
    if (count === frag) {
      blocks++;
      setBit(clusters, at / frag);
      run++;
      continue;
    }
    endRun();
    fragments += count;
    for (const each of pieces) fragSums[each] = (fragSums[each] as number) + 1; // shorter than a block
  }
  endRun();
  return { counts: [directories, blocks, ipg - taken, fragments], inodes, free, clusters, clusterSums, fragSums };
}

function compare(survey: Survey, header: Cylinder, rebuilt: Rebuilt): void {
  const { disk, report } = survey;
  const { superblock: sb } = disk;
  const { group, view, bytes } = header;
  const { f } = sb.records.Cylinder;
  const wrong = (code: string, at: number, found: string, expected: string): void =>
    report({
      code,
      place: `group ${group}`,
      found,
      expected,
      where: { record: "cg", index: group, offset: header.offset + at },
    });
  const number = (name: string, field: Field, expected: number): void => {
    const found = field.get(view, 0);
    if (found !== expected) wrong("group-field", field.offset, `${name} is ${found}`, String(expected));
  };
  const [from, to] = groupRange(sb, group);
  number("cg_ndblk", f.cg_ndblk, to - from);
  const found = header.counts.join(", ");
  const expected = rebuilt.counts.join(", ");
  if (found !== expected) {
    wrong(
      "group-counts",
      f.cg_cs.offset,
      `counts of ${found}`,
      `${expected} (directories, free blocks, free inodes, free fragments)`,
    );
  }
  const rotors = [
    ["cg_rotor", f.cg_rotor, to - from],
    ["cg_frotor", f.cg_frotor, to - from],
    ["cg_irotor", f.cg_irotor, sb.ipg],
  ] as const;
  for (const [name, field, end] of rotors) {
    const at = field.get(view, 0);
    if (at < 0 || at >= end) wrong("group-field", field.offset, `${name} is ${at}`, `0 to ${end - 1}`);
  }
  // Slot 0 counts nothing.
  const sums = f.cg_frsum.get(view, 0);
  if (sums.slice(1).join() !== rebuilt.fragSums.slice(1).join()) {
    wrong("group-fragment-sums", f.cg_frsum.offset, `cg_frsum is ${sums.join(", ")}`, rebuilt.fragSums.join(", "));
  }
  compareOffsets(survey, number);
  compareMap(header.inodes, rebuilt.inodes, (byte, a, b) =>
    wrong("inode-map", f.cg_iusedoff.get(view, 0) + byte, `inodes from ${group * sb.ipg + byte * 8}: ${bits(a)}`, bits(b)),
  );
  const freeAt = f.cg_freeoff.get(view, 0);
  const map = bytes.subarray(freeAt, freeAt + rebuilt.free.length);
  compareMap(map, rebuilt.free, (byte, a, b) =>
    wrong("fragment-map", freeAt + byte, `fragments from ${from + byte * 8}: ${bits(a)} free`, bits(b)),
  );
  if (sb.clusterSums === 0) return;
  number("cg_nclusterblks", f.cg_nclusterblks, Math.floor((to - from) / sb.frag));
  const clusterAt = f.cg_clusteroff.get(view, 0);
  const sumAt = f.cg_clustersumoff.get(view, 0);
  const inside = (at: number, length: number): boolean => at >= CG_SPACE && at + length <= bytes.length;
  if (!inside(clusterAt, rebuilt.clusters.length) || !inside(sumAt, rebuilt.clusterSums.length * 4)) {
    wrong(
      "group-field",
      f.cg_clusteroff.offset,
      `cluster maps at ${sumAt} and ${clusterAt}`,
      `both within ${bytes.length} bytes`,
    );
    return;
  }
  compareMap(bytes.subarray(clusterAt, clusterAt + rebuilt.clusters.length), rebuilt.clusters, (byte, a, b) =>
    wrong("cluster-map", clusterAt + byte, `blocks from ${byte * 8} of the group: ${bits(a)} free`, bits(b)),
  );
  const stands = rebuilt.clusterSums.map((_, i) => sb.records.word.get(view, sumAt + i * 4));
  if (stands.slice(1).join() !== rebuilt.clusterSums.slice(1).join()) {
    wrong("cluster-sums", sumAt, `runs of free blocks: ${stands.slice(1).join(", ")}`, rebuilt.clusterSums.slice(1).join(", "));
  }
}

/** Where the maps stand, as kernels of today reckon it; old file systems keep further tables. */
function compareOffsets({ disk }: Survey, number: (name: string, field: Field, expected: number) => void): void {
  const { superblock: sb } = disk;
  if (sb.old || sb.chunk !== 512) return;
  const { f } = sb.records.Cylinder;
  const first = sb.records.Superblock.f;
  const cylinders = sb.version === 1 ? first.fs_old_cpg.get(sb.view, 0) : 0;
  const positions = sb.version === 1 ? first.fs_old_nrpos.get(sb.view, 0) : 0;
  const inodes = CG_SPACE + cylinders * 4 + cylinders * positions * 2;
  const free = inodes + Math.ceil(sb.ipg / 8);
  const end = free + Math.ceil(sb.fpg / 8);
  if (sb.version === 1) {
    number("cg_old_btotoff", f.cg_old_btotoff, CG_SPACE);
    number("cg_old_boff", f.cg_old_boff, CG_SPACE + cylinders * 4);
    number("cg_old_niblk", f.cg_old_niblk, (sb.ipg << 16) >> 16);
  } else number("cg_niblk", f.cg_niblk, sb.ipg);
  number("cg_iusedoff", f.cg_iusedoff, inodes);
  number("cg_freeoff", f.cg_freeoff, free);
  if (sb.clusterSums === 0) {
    number("cg_nextfreeoff", f.cg_nextfreeoff, end);
    return;
  }
  const sums = Math.ceil((end - 4) / 4) * 4;
  const clusters = sums + (sb.clusterSums + 1) * 4;
  number("cg_clustersumoff", f.cg_clustersumoff, sums);
  number("cg_clusteroff", f.cg_clusteroff, clusters);
  number("cg_nextfreeoff", f.cg_nextfreeoff, clusters + Math.ceil(sb.fpg / sb.frag / 8));
}

/** Tells the first byte that differs. */
function compareMap(
  found: Uint8Array,
  expected: Uint8Array,
  differs: (byte: number, found: number, expected: number) => void,
): void {
  for (let i = 0; i < expected.length; i++) {
    if (found[i] === expected[i]) continue;
    differs(i, found[i] ?? 0, expected[i] as number); // i is in range
    return;
  }
}

/** Bits of a byte, the lowest first. */
function bits(byte: number): string {
  return Array.from({ length: 8 }, (_, i) => (byte >>> i) & 1).join("");
}
