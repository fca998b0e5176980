// What a byte of the image belongs to: the record and field where there is one, else whose data it is.

import { escapeName } from "../../../src/bytes/names.ts";
import { FsynthError } from "../../../src/error.ts";
import type { Owned } from "../../../src/image/volume.ts";
import { GroupDescriptor } from "../disk/group.ts";
import { Inode } from "../disk/inode.ts";
import { JournalSuperblock } from "../disk/journal.ts";
import { SUPERBLOCK_OFFSET, Superblock } from "../disk/superblock.ts";
import { directoryPieces, walkPiece } from "./directory.ts";
import { refuse } from "./fault.ts";
import { firstBlockOf } from "./layout.ts";
import type { Nodes } from "./nodes.ts";
import type { UsageIndex, Use } from "./usage.ts";

/** A record table, as far as it tells fields by bytes. */
interface Table {
  readonly size: number;
  readonly f: Readonly<Record<string, { readonly offset: number; readonly size: number }>>;
  fieldAt(offset: number): string | undefined;
}

/** Finds the owner of the byte at `offset`. The parts of groups are looked at first; inodes only where those do not tell. */
export function locateByte(nodes: Nodes, groups: readonly Use[], index: () => UsageIndex, offset: number): Owned {
  const { superblock: sb } = nodes.opened;
  const size = sb.blocks * sb.blockSize;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset >= nodes.opened.disk.size) {
    throw new FsynthError("usage", `byte ${offset} of an image of ${nodes.opened.disk.size} bytes`);
  }
  if (offset >= size) return { offset: size, length: nodes.opened.disk.size - size, what: "behind the file system" };
  if (offset >= SUPERBLOCK_OFFSET && offset < SUPERBLOCK_OFFSET + Superblock.size) {
    return inRecord(Superblock, SUPERBLOCK_OFFSET, "superblock", offset);
  }
  const block = Math.floor(offset / sb.blockSize);
  const part = useOf(groups, block);
  if (part) return inGroup(nodes, part, offset);
  const use = useOf(index().uses, block);
  if (use) return inInode(nodes, use, index(), offset);
  return { offset: block * sb.blockSize, length: sb.blockSize, what: `block ${block}, which nothing leads to` };
}

/** The run that holds `block`; runs are ascending. */
function useOf(uses: readonly Use[], block: number): Use | undefined {
  let low = 0;
  let high = uses.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((uses[middle] as Use).block <= block)
      low = middle + 1; // middle is in range
    else high = middle;
  }
  const use = uses[low - 1];
  return use && block < use.block + use.count ? use : undefined;
}

/** A field of the record at `start`, or what lies between its fields and behind it up to `end`. */
function inRecord(table: Table, start: number, what: string, offset: number, end = start + table.size): Owned {
  const field = table.fieldAt(offset - start);
  const known = field === undefined ? undefined : table.f[field];
  if (known && offset < end) return { offset: start + known.offset, length: known.size, what: `${what}, ${field}` };
  const from = start + table.size;
  if (offset >= from) return { offset: from, length: end - from, what };
  return { offset, length: 1, what: `${what}, byte ${offset - start}` };
}

function inGroup(nodes: Nodes, { use, block, count, group, logical }: Use, offset: number): Owned {
  const { superblock: sb } = nodes.opened;
  const start = block * sb.blockSize;
  const all = { offset: start, length: count * sb.blockSize };
  switch (use) {
    case "superblock":
      // In larger blocks the superblock itself keeps byte 1024, copies start their block.
      if (group === 0 && offset < SUPERBLOCK_OFFSET) return { offset: start, length: SUPERBLOCK_OFFSET, what: "boot block" };
      if (group === 0) {
        const behind = SUPERBLOCK_OFFSET + Superblock.size;
        return { offset: behind, length: start + sb.blockSize - behind, what: "behind the superblock" };
      }
      return inRecord(Superblock, start, `superblock copy in group ${group}`, offset, start + sb.blockSize);
    case "descriptors": {
      const size = sb.descriptorSize;
      const at = start + Math.floor((offset - start) / size) * size;
      const described = (logical * sb.blockSize + at - start) / size;
      const what = `${group === 0 ? "" : `copy in group ${group}, `}group ${described}`;
      if (described >= sb.groups) return { ...all, what: `descriptors${group === 0 ? "" : ` copy in group ${group}`}, unused` };
      return inRecord(GroupDescriptor, at, what, offset, at + size);
    }
    case "block-bitmap": {
      const first = firstBlockOf(sb, group) + (offset - start) * 8 * sb.clusterBlocks;
      return { offset, length: 1, what: `group ${group}, block bitmap, blocks ${first} to ${first + 8 * sb.clusterBlocks - 1}` };
    }
    case "inode-bitmap": {
      const first = group * sb.inodesPerGroup + (offset - start) * 8 + 1;
      return { offset, length: 1, what: `group ${group}, inode bitmap, inodes ${first} to ${first + 7}` };
    }
    case "inodes": {
      const place = Math.floor((offset - start) / sb.inodeSize);
      const what = `group ${group}, inode ${group * sb.inodesPerGroup + place + 1}`;
      const at = start + place * sb.inodeSize;
      if (offset - at >= Inode.size) {
        return { offset: at + Inode.size, length: sb.inodeSize - Inode.size, what: `${what}, xattrs` };
      }
      return inRecord(Inode, at, what, offset, at + sb.inodeSize);
    }
    default:
      return { ...all, what: use === "boot" ? "boot block" : `group ${group}, ${use.replace("-", " ")}` };
  }
}

function inInode(nodes: Nodes, use: Use, index: UsageIndex, offset: number): Owned {
  const { superblock: sb } = nodes.opened;
  const start = use.block * sb.blockSize;
  const all = { offset: start, length: use.count * sb.blockSize };
  const path = index.pathOf(use.inode);
  const owner = path === undefined ? `inode ${use.inode}` : escapeName(path);
  switch (use.use) {
    case "file":
      return { ...all, what: `content of ${owner}, from byte ${use.logical * sb.blockSize}` };
    case "symlink":
      return { ...all, what: `target of ${owner}` };
    case "directory":
      return inDirectory(nodes, use.inode, owner, offset) ?? { ...all, what: `directory ${owner}` };
    case "map":
      return { ...all, what: `block map of ${owner}` };
    case "xattrs":
      return { ...all, what: `xattrs of ${owner}` };
    case "journal":
      if (use.logical === 0 && offset < start + JournalSuperblock.size) {
        return inRecord(JournalSuperblock, start, "journal superblock", offset);
      }
      return { ...all, what: `journal, from block ${use.logical}` };
    default:
      return { ...all, what: use.use.replaceAll("-", " ") };
  }
}

/** The entry that holds the byte. */
function inDirectory(nodes: Nodes, id: number, owner: string, offset: number): Owned | undefined {
  const { disk } = nodes.opened;
  const inode = nodes.inode(id);
  for (const piece of directoryPieces(disk, inode, refuse)) {
    if (offset < piece.offset || offset >= piece.offset + piece.bytes.length) continue;
    let found: Owned | undefined;
    walkPiece(
      disk,
      inode,
      piece,
      (number, length, _, at) => {
        const end = at + 8 + length;
        if (offset < piece.offset + at || offset >= piece.offset + end) return;
        found = {
          offset: piece.offset + at,
          length: end - at,
          what: `directory ${owner}, the entry that leads to inode ${number}`,
        };
      },
      refuse,
    );
    return found ?? { offset: piece.offset, length: piece.bytes.length, what: `directory ${owner}, block ${piece.block}` };
  }
  return undefined;
}
