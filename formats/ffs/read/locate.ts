// What a byte of the image belongs to: the record and field where there is one, else whose data it is.

import { escapeName } from "../../../src/bytes/names.ts";
import { FsynthError } from "../../../src/error.ts";
import type { Owned } from "../../../src/image/volume.ts";
import { ROOT_INODE } from "../disk/dinode.ts";
import { directoryEntries } from "./directory.ts";
import { refuse } from "./fault.ts";
import type { Nodes } from "./nodes.ts";
import { groupStart } from "./superblock.ts";
import type { UsageIndex, Use } from "./usage.ts";

/** A record table, as far as it tells fields by bytes. */
interface Table {
  readonly size: number;
  readonly f: Readonly<Record<string, { readonly offset: number; readonly size: number }>>;
  fieldAt(offset: number): string | undefined;
}

/** Finds the owner of the byte at `offset`. The parts of groups are looked at first; inodes only where those do not tell. */
export function locateByte(nodes: Nodes, groups: readonly Use[], index: () => UsageIndex, offset: number): Owned {
  const { superblock: sb, size: imageSize } = nodes.disk;
  const size = sb.size * sb.fragmentSize;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset >= imageSize) {
    throw new FsynthError("usage", `byte ${offset} of an image of ${imageSize} bytes`);
  }
  if (offset >= size) return { offset: size, length: imageSize - size, what: "behind the file system" };
  const { Superblock } = sb.records;
  if (offset >= sb.place && offset < sb.place + Superblock.size) return inRecord(Superblock, sb.place, "superblock", offset);
  const at = Math.floor(offset / sb.fragmentSize);
  const part = useOf(groups, at);
  if (part) return inGroup(nodes, part, offset);
  const use = useOf(index().uses, at);
  if (use) return inInode(nodes, use, index(), offset);
  return { offset: at * sb.fragmentSize, length: sb.fragmentSize, what: `fragment ${at}, which nothing leads to` };
}

/** The run that holds fragment `at`; runs are ascending. */
function useOf(uses: readonly Use[], at: number): Use | undefined {
  let low = 0;
  let high = uses.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    // middle is in range
    if ((uses[middle] as Use).first <= at) low = middle + 1;
    else high = middle;
  }
  const use = uses[low - 1];
  return use && at < use.first + use.count ? use : undefined;
}

/** A field of the record at `start`, or what lies between its fields and behind it up to `end`. */
function inRecord(table: Table, start: number, what: string, offset: number, end = start + table.size): Owned {
  const field = table.fieldAt(offset - start);
  const known = field === undefined ? undefined : table.f[field];
  if (known) return { offset: start + known.offset, length: known.size, what: `${what}, ${field}` };
  const from = start + table.size;
  if (offset >= from) return { offset: from, length: end - from, what };
  return { offset, length: 1, what: `${what}, byte ${offset - start}` };
}

function inGroup(nodes: Nodes, { use, first, count, group }: Use, offset: number): Owned {
  const { superblock: sb } = nodes.disk;
  const { records } = sb;
  const start = first * sb.fragmentSize;
  const end = start + count * sb.fragmentSize;
  const all = { offset: start, length: end - start };
  switch (use) {
    case "superblock":
      if (first < sb.sblkno) return { ...all, what: "around the superblock" };
      return inRecord(records.Superblock, start, `superblock copy in group ${group}`, offset, end);
    case "group-header":
      return inHeader(nodes, group, start, end, offset);
    case "inodes": {
      const place = Math.floor((offset - start) / sb.inodeSize);
      const table = sb.version === 1 ? records.Dinode1 : records.Dinode2;
      return inRecord(table, start + place * sb.inodeSize, `group ${group}, inode ${group * sb.ipg + place}`, offset);
    }
    case "summary": {
      const place = Math.floor((offset - start) / records.Summary.size);
      if (place >= sb.groups) return { ...all, what: "behind the summary of the groups" };
      return inRecord(records.Summary, start + place * records.Summary.size, `summary of group ${place}`, offset);
    }
    default:
      return { ...all, what: "boot blocks" };
  }
}

function inHeader(nodes: Nodes, group: number, start: number, end: number, offset: number): Owned {
  const { superblock: sb } = nodes.disk;
  const { Cylinder } = sb.records;
  const within = offset - start;
  const what = `group ${group}`;
  if (within < Cylinder.size) return inRecord(Cylinder, start, what, offset, end);
  const { view } = nodes.header(group);
  const { f } = Cylinder;
  const inodes = f.cg_iusedoff.get(view, 0);
  const free = f.cg_freeoff.get(view, 0);
  if (within >= inodes && within < inodes + Math.ceil(sb.ipg / 8)) {
    const first = group * sb.ipg + (within - inodes) * 8;
    return { offset, length: 1, what: `${what}, inode map, inodes ${first} to ${first + 7}` };
  }
  if (within >= free && within < free + Math.ceil(sb.fpg / 8)) {
    const first = groupStart(sb, group) + (within - free) * 8;
    return { offset, length: 1, what: `${what}, fragment map, fragments ${first} to ${first + 7}` };
  }
  const clusters = f.cg_clusteroff.get(view, 0);
  if (sb.clusterSums > 0 && within >= clusters && within < clusters + Math.ceil(sb.fpg / sb.frag / 8)) {
    const first = (within - clusters) * 8;
    return { offset, length: 1, what: `${what}, cluster map, blocks ${first} to ${first + 7} of the group` };
  }
  const sums = f.cg_clustersumoff.get(view, 0);
  if (sb.clusterSums > 0 && within >= sums && within < clusters) {
    const run = Math.floor((within - sums) / 4);
    return { offset: start + sums + run * 4, length: 4, what: `${what}, how many clusters of ${run} blocks are free` };
  }
  return { offset, length: 1, what: `${what}, byte ${within} of its header` };
}

function inInode(nodes: Nodes, use: Use, index: UsageIndex, offset: number): Owned {
  const { superblock: sb } = nodes.disk;
  const start = use.first * sb.fragmentSize;
  const all = { offset: start, length: use.count * sb.fragmentSize };
  const path = index.pathOf(use.inode);
  const owner = path === undefined ? `inode ${use.inode}` : escapeName(path);
  switch (use.use) {
    case "file":
      return { ...all, what: `content of ${owner}, from byte ${use.logical * sb.fragmentSize}` };
    case "symlink":
      return { ...all, what: `target of ${owner}` };
    case "directory":
      return inDirectory(nodes, use, owner, offset) ?? { ...all, what: `directory ${owner}` };
    case "map":
      return { ...all, what: `indirect block of ${owner}` };
    default:
      return { ...all, what: `${use.use} of ${owner}` };
  }
}

/** The entry that holds the byte. */
function inDirectory(nodes: Nodes, use: Use, owner: string, offset: number): Owned | undefined {
  const { disk } = nodes;
  const { fragmentSize } = disk.superblock;
  const within = use.logical * fragmentSize + offset - use.first * fragmentSize;
  const inode = nodes.inode(use.inode || ROOT_INODE);
  for (const { inode: number, at, length } of directoryEntries(disk, inode, refuse)) {
    if (within < at || within >= at + length) continue;
    return { offset: offset - (within - at), length, what: `directory ${owner}, the entry that leads to inode ${number}` };
  }
  return undefined;
}
