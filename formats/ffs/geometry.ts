// Where FFS keeps its own metadata: cylinder groups, each with a copy of the superblock, a header, and inodes; what lies
// before the copy is data in every group but the first, which keeps it for boot code. Pure arithmetic over a shape;
// nothing here knows the tree.
//
// Unless said otherwise, numbers are fragments, as on the disk. Every group has whole blocks.
//
// Specification: NetBSD sys/ufs/ffs/fs.h (cgbase, cgsblock, …, CGSIZE); the choices of newfs stand in sbin/newfs/mkfs.c.

import type { ByteOrder } from "../../src/bytes/struct.ts";
import { CG_SIZE, CG_SPACE } from "./disk/cylinder.ts";
import { FS_MAXCONTIG, SBLOCKSIZE } from "./disk/superblock.ts";

/** What is fixed before the number of blocks is known. */
export interface Frame {
  readonly version: 1 | 2;
  readonly order: ByteOrder;
  /** Bytes of a block and of a fragment. */
  readonly blockSize: number;
  readonly fragmentSize: number;
  /** Fragments of a block. */
  readonly frag: number;
  readonly inodeSize: number;
  readonly inodesPerBlock: number;
  /** Bytes of a block pointer, and how many an indirect block holds. */
  readonly pointerSize: 4 | 8;
  readonly pointers: number;
  /** Byte offset of the superblock. */
  readonly superblock: number;
  /** Within a group: the superblock's copy, the header, the inodes. */
  readonly sblkno: number;
  readonly cblkno: number;
  readonly iblkno: number;
  /** fs_maxcontig and fs_contigsumsize. */
  readonly maxContig: number;
  readonly clusterSums: number;
}

/** The grid of groups. */
export interface Shape {
  /** All fragments, a multiple of a block's. */
  readonly size: number;
  readonly groups: number;
  /** Of each group but the last. */
  readonly fpg: number;
  readonly ipg: number;
  /** Within a group: the first data behind the inodes. */
  readonly dblkno: number;
  /** The summary area, at `dblkno` of the first group. */
  readonly summaryFrags: number;
}

export interface Geometry extends Shape {
  readonly frame: Frame;
}

/** Bytes that the kernel moves at once (MAXPHYS): what fs_maxcontig is made of. */
const MAXPHYS = 65536;

function roundUp(number: number, step: number): number {
  return Math.ceil(number / step) * step;
}

export function makeFrame(version: 1 | 2, order: ByteOrder, blockSize: number, fragmentSize: number, superblock: number): Frame {
  const frag = blockSize / fragmentSize;
  const sblkno = roundUp(Math.ceil((superblock + SBLOCKSIZE) / fragmentSize), frag);
  const cblkno = sblkno + roundUp(Math.ceil(SBLOCKSIZE / fragmentSize), frag);
  const inodeSize = version === 1 ? 128 : 256;
  const pointerSize = version === 1 ? 4 : 8;
  const maxContig = Math.max(1, MAXPHYS / blockSize);
  return {
    version,
    order,
    blockSize,
    fragmentSize,
    frag,
    inodeSize,
    inodesPerBlock: blockSize / inodeSize,
    pointerSize,
    pointers: blockSize / pointerSize,
    superblock,
    sblkno,
    cblkno,
    iblkno: cblkno + frag,
    maxContig,
    clusterSums: maxContig > 1 ? Math.min(maxContig, FS_MAXCONTIG) : 0,
  };
}

/** Where the maps lie within the header's block, in bytes. */
export interface MapPlaces {
  /** UFS1 keeps room for two tables of rotational positions that nobody reads any more. */
  readonly btot: number;
  readonly b: number;
  readonly inodes: number;
  readonly fragments: number;
  /** 0 where there are no cluster maps. */
  readonly clusterSums: number;
  readonly clusters: number;
  readonly end: number;
}

export function mapPlaces(frame: Frame, fpg: number, ipg: number): MapPlaces {
  const btot = frame.version === 1 ? CG_SPACE : 0;
  const b = frame.version === 1 ? btot + 4 : 0;
  const inodes = frame.version === 1 ? b + 2 : CG_SPACE;
  const fragments = inodes + Math.ceil(ipg / 8);
  const end = fragments + Math.ceil(fpg / 8);
  if (frame.clusterSums === 0) return { btot, b, inodes, fragments, clusterSums: 0, clusters: 0, end };
  // One number before the first is never used, and overlaps the map before it.
  const clusterSums = roundUp(end - 4, 4);
  const clusters = clusterSums + (frame.clusterSums + 1) * 4;
  return { btot, b, inodes, fragments, clusterSums, clusters, end: clusters + Math.ceil(fpg / frame.frag / 8) };
}

/** CGSIZE: the bytes of a header that kernels reckon with, a little more than it has. */
export function headerSize(frame: Frame, fpg: number, ipg: number): number {
  const tables = frame.version === 1 ? 6 : 0;
  const clusters = frame.clusterSums === 0 ? 0 : frame.clusterSums * 4 + Math.ceil(fpg / frame.frag / 8);
  return CG_SIZE + 4 + tables + Math.ceil(ipg / 8) + Math.ceil(fpg / 8) + clusters;
}

/** The grid for `size` fragments and at least `inodes` inodes. Undefined when no grid can be that small. */
export function shapeFor(frame: Frame, size: number, inodes: number): Shape | undefined {
  const { frag, blockSize, inodesPerBlock, iblkno } = frame;
  // Even a map of nothing but fragments covers no more than 8 of them a byte.
  const least = Math.max(1, Math.ceil(size / (blockSize * 8)));
  for (let wanted = least; wanted <= size / (iblkno + frag); wanted++) {
    // As newfs has it: groups of one size, so that the last one is not short.
    const fpg = roundUp(Math.ceil(size / wanted), frag);
    const groups = Math.ceil(size / fpg);
    const ipg = roundUp(Math.ceil(inodes / groups), inodesPerBlock);
    if (headerSize(frame, fpg, ipg) > blockSize) continue;
    const dblkno = iblkno + (ipg / inodesPerBlock) * frag;
    const summaryFrags = Math.ceil((groups * 16) / frame.fragmentSize);
    const first = Math.min(fpg, size);
    const last = size - (groups - 1) * fpg;
    if (dblkno + summaryFrags > first) return undefined;
    // Very many groups: rounding up leaves the last one too short for its own metadata. One group more makes all smaller.
    if (last < dblkno) continue;
    return { size, groups, fpg, ipg, dblkno, summaryFrags };
  }
  return undefined;
}

/** First fragment of a group. */
export function groupStart(shape: Shape, group: number): number {
  return group * shape.fpg;
}

export function groupLength(shape: Shape, group: number): number {
  return Math.min(shape.fpg, shape.size - group * shape.fpg);
}

/** What metadata takes of a group: from the superblock's copy on, in the first group from its start, and with the summary. */
export function metadataStart(geometry: Geometry, group: number): number {
  return group === 0 ? 0 : groupStart(geometry, group) + geometry.frame.sblkno;
}

export function metadataEnd(geometry: Geometry, group: number): number {
  return groupStart(geometry, group) + geometry.dblkno + (group === 0 ? geometry.summaryFrags : 0);
}

/** fs_dsize: what is neither metadata nor, in the first group, before it. */
export function dataFrags(geometry: Geometry): number {
  const { frame, size, groups, dblkno, summaryFrags } = geometry;
  return size - frame.sblkno - groups * (dblkno - frame.sblkno) - summaryFrags;
}
