// The cylinder groups: what each has free, and its header with the maps.
// Specification: NetBSD sys/ufs/ffs/fs.h; what must agree with what stands in sbin/fsck_ffs/pass5.c.

import { setBit, setBits, testBit } from "../../src/bytes/bitmap.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { firstEndingBehind } from "../../src/image/ranges.ts";
import { CG_MAGIC } from "./disk/cylinder.ts";
import { type FileSystem, usedInodes } from "./filesystem.ts";
import { type Geometry, groupLength, groupStart, mapPlaces, metadataEnd, metadataStart } from "./geometry.ts";
import { storedTime } from "./times.ts";

/** What groups have: directories, free blocks, free inodes, free fragments of blocks that are not free. */
export interface Counts {
  readonly directories: number;
  readonly blocks: number;
  readonly inodes: number;
  readonly fragments: number;
}

export interface GroupCounts {
  readonly groups: readonly Counts[];
  readonly all: Counts;
}

/** The order of the disk (struct csum). */
export function countsRow({ directories, blocks, inodes, fragments }: Counts): readonly [number, number, number, number] {
  return [directories, blocks, inodes, fragments];
}

/** The free runs below the sweep's end, ascending. */
export interface Rests {
  readonly start: Float64Array;
  readonly length: Uint8Array;
}

export function sortedRests(fs: FileSystem): Rests {
  const all = [...fs.placement.rests()].sort(([a], [b]) => a - b);
  return { start: Float64Array.from(all, ([start]) => start), length: Uint8Array.from(all, ([, length]) => length) };
}

export function countGroups(fs: FileSystem, rests: Rests): GroupCounts {
  const { geometry } = fs;
  const { groups, ipg } = geometry;
  const directories = new Uint32Array(groups);
  fs.snapshot.nodes.forEach((node, index) => {
    if (node.kind !== "directory") return;
    const group = Math.floor((fs.inodes.ofNode[index] as number) / ipg);
    directories[group] = (directories[group] as number) + 1; // every inode in use lies in a group
  });
  const all = { directories: 0, blocks: 0, inodes: 0, fragments: 0 };
  const counted: Counts[] = [];
  let untouched: Pick<Counts, "blocks" | "fragments"> | undefined;
  const map = new Uint8Array(Math.ceil(geometry.fpg / 8));
  for (let group = 0; group < groups; group++) {
    const beyond = group > 0 && groupStart(geometry, group) >= fs.placement.end && groupLength(geometry, group) === geometry.fpg;
    let space = beyond ? untouched : undefined;
    if (!space) {
      map.fill(0);
      markFree(fs, rests, group, map);
      space = countFree(geometry, map);
      if (beyond) untouched = space;
    }
    const counts = { ...space, directories: directories[group] as number, inodes: ipg - usedInodes(fs, group) };
    counted.push(counts);
    for (const key of ["directories", "blocks", "inodes", "fragments"] as const) all[key] += counts[key];
  }
  return { groups: counted, all };
}

/** Sets the bits of a group's free fragments. */
function markFree(fs: FileSystem, rests: Rests, group: number, map: Uint8Array): void {
  const { geometry, placement } = fs;
  const { frag } = geometry.frame;
  const start = groupStart(geometry, group);
  const end = start + groupLength(geometry, group);
  const free = (from: number, to: number): void => {
    const first = Math.max(from, placement.end);
    if (first < to) setBits(map, first - start, to - start);
  };
  free(start, metadataStart(geometry, group));
  free(Math.ceil(metadataEnd(geometry, group) / frag) * frag, end);
  const { start: starts, length } = rests;
  for (
    let i = firstEndingBehind(starts.length, start, (n) => (starts[n] as number) + (length[n] as number));
    i < starts.length;
    i++
  ) {
    const at = starts[i] as number; // i is in range
    if (at >= end) break;
    setBits(map, at - start, at - start + (length[i] as number));
  }
}

/** Calls `visit` with how many fragments of each block are free. */
function eachBlock(geometry: Geometry, map: Uint8Array, visit: (block: number, free: number) => void): void {
  const { frag } = geometry.frame;
  const perByte = 8 / frag;
  const full = 2 ** frag - 1;
  for (let byte = 0; byte < map.length; byte++) {
    const bits = map[byte] as number; // byte is in range
    if (bits === 0) continue;
    for (let i = 0; i < perByte; i++) {
      const part = (bits >>> (i * frag)) & full;
      if (part !== 0) visit(byte * perByte + i, part === full ? frag : bitCount(part));
    }
  }
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function countFree(geometry: Geometry, map: Uint8Array): Pick<Counts, "blocks" | "fragments"> {
  let blocks = 0;
  let fragments = 0;
  eachBlock(geometry, map, (_, free) => {
    if (free === geometry.frame.frag) blocks++;
    else fragments += free;
  });
  return { blocks, fragments };
}

/** Writes a group's header into its block of zeros. */
export function writeGroup(fs: FileSystem, rests: Rests, counts: Counts, group: number, target: Uint8Array): void {
  const { geometry, records } = fs;
  const { frame, fpg, ipg } = geometry;
  const { f } = records.Cylinder;
  const view = viewOf(target);
  const places = mapPlaces(frame, fpg, ipg);
  const length = groupLength(geometry, group);
  const time = storedTime(fs.snapshot.time, frame.version);
  f.cg_magic.set(view, 0, CG_MAGIC);
  f.cg_cgx.set(view, 0, group);
  f.cg_ndblk.set(view, 0, length);
  f.cg_cs.set(view, 0, countsRow(counts));
  f.cg_iusedoff.set(view, 0, places.inodes);
  f.cg_freeoff.set(view, 0, places.fragments);
  f.cg_nextfreeoff.set(view, 0, places.end);
  if (frame.clusterSums > 0) {
    f.cg_clustersumoff.set(view, 0, places.clusterSums);
    f.cg_clusteroff.set(view, 0, places.clusters);
    f.cg_nclusterblks.set(view, 0, length / frame.frag);
  }
  if (frame.version === 1) {
    f.cg_old_time.set(view, 0, time.sec);
    f.cg_old_ncyl.set(view, 0, 1);
    f.cg_old_niblk.set(view, 0, ipg);
    f.cg_old_btotoff.set(view, 0, places.btot);
    f.cg_old_boff.set(view, 0, places.b);
  } else {
    f.cg_time.set(view, 0, time.sec);
    f.cg_niblk.set(view, 0, ipg);
    f.cg_initediblk.set(view, 0, initialisedInodes(fs, group));
  }

  setBits(target.subarray(places.inodes), 0, usedInodes(fs, group));
  const map = target.subarray(places.fragments, places.fragments + Math.ceil(fpg / 8));
  markFree(fs, rests, group, map);
  f.cg_frsum.set(view, 0, runsOfFragments(geometry, map));
  if (frame.clusterSums > 0) writeClusters(geometry, map, target, view, places, records.word);
}

/** cg_initediblk: inodes that are written; UFS2 leaves the rest of the table for later, after two blocks at least. */
export function initialisedInodes(fs: FileSystem, group: number): number {
  const { frame, ipg } = fs.geometry;
  const used = Math.ceil(usedInodes(fs, group) / frame.inodesPerBlock) * frame.inodesPerBlock;
  return Math.min(ipg, Math.max(2 * frame.inodesPerBlock, used));
}

/** cg_frsum: how many runs of each length are free in blocks that are partly used. */
function runsOfFragments(geometry: Geometry, map: Uint8Array): number[] {
  const { frag } = geometry.frame;
  const sums = Array.from({ length: 8 }, () => 0);
  eachBlock(geometry, map, (block, free) => {
    if (free === frag) return;
    let run = 0;
    for (let i = 0; i <= frag; i++) {
      if (i < frag && testBit(map, block * frag + i)) run++;
      else if (run > 0) {
        sums[run] = (sums[run] as number) + 1; // a run is shorter than a block
        run = 0;
      }
    }
  });
  return sums;
}

function writeClusters(
  geometry: Geometry,
  map: Uint8Array,
  target: Uint8Array,
  view: DataView,
  places: { readonly clusterSums: number; readonly clusters: number },
  word: FileSystem["records"]["word"],
): void {
  const { frag, clusterSums } = geometry.frame;
  const clusters = target.subarray(places.clusters);
  const end = (run: number): void => {
    const at = places.clusterSums + Math.min(run, clusterSums) * 4;
    if (run > 0) word.set(view, at, word.get(view, at) + 1);
  };
  let run = 0;
  let last = -2;
  eachBlock(geometry, map, (block, free) => {
    if (free < frag) return;
    setBit(clusters, block);
    if (block === last + 1) run++;
    else {
      end(run);
      run = 1;
    }
    last = block;
  });
  end(run);
}
