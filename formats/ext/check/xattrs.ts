// Extended attributes: entries and values that do not overlap, hashes, blocks that are shared, values in inodes of their own.
// Specification: Linux Documentation/filesystems/ext4/attributes.rst.

import { viewOf } from "../../../src/bytes/struct.ts";
import { GOOD_OLD_INODE_SIZE, Inode } from "../disk/inode.ts";
import { XATTR_MAGIC, XattrEntry, XattrHeader } from "../disk/xattr.ts";
import { hex } from "../read/fault.ts";
import { xattrBlockChecksum } from "../read/xattrs.ts";
import { type Tell, unreported } from "./findings.ts";
import { has, type Raw, rawInode } from "./raw-inode.ts";
import { Regions } from "./regions.ts";
import type { State } from "./state.ts";

const e = XattrEntry.f;
const h = XattrHeader.f;
const f = Inode.f;
/** Most bytes of one value (EXT4_XATTR_SIZE_MAX). */
const VALUE_MAX = 2 ** 24;

const padded = (length: number): number => (length + 3) & ~3;

/** Checks the attributes in an inode's tail; gives the clusters that their value inodes charge to it. */
export function checkBodyXattrs(state: State, inode: Raw, tell: Tell): number {
  const start = GOOD_OLD_INODE_SIZE + inode.extraSize;
  if (inode.bytes.length <= GOOD_OLD_INODE_SIZE || start + 4 >= inode.bytes.length) return 0;
  if (inode.view.getUint32(start, true) !== XATTR_MAGIC) return 0;
  const area = inode.bytes.subarray(start);
  const regions = new Regions(area.length);
  regions.take(0, 4);
  return new Entries(state, inode, area, 4, 4, regions, tell, true).check();
}

/** Checks the block of an inode's attributes, once however many share it; gives the clusters that it charges. */
export function checkXattrBlock(state: State, inode: Raw, tell: Tell): number {
  const { sb, disk } = state;
  const block = inode.fileAcl;
  if (block === 0 || !sb.features.has("ext_attr") || !state.holds(block)) return 0;
  const known = state.xattrBlocks.get(block);
  if (known) {
    known.references++;
    return known.charged;
  }
  state.claims.claim(state.clusterOf(block));
  const bytes = disk.block(block);
  const view = viewOf(bytes);
  const stated = h.h_refcount.get(view, 0);
  let charged = 1;
  const magic = h.h_magic.get(view, 0);
  if (magic !== XATTR_MAGIC || h.h_blocks.get(view, 0) !== 1) {
    tell(
      "xattr-block",
      `its xattr block starts with ${hex(magic)} and ${h.h_blocks.get(view, 0)} blocks`,
      `${hex(XATTR_MAGIC)} and 1`,
    );
  } else {
    if (sb.checksums) {
      const stored = h.h_checksum.get(view, 0);
      const sum = xattrBlockChecksum(sb.checksumSeed, block, bytes);
      if (stored !== sum) tell("xattr-checksum", `the checksum of its xattr block is ${hex(stored)}`, hex(sum));
    }
    const regions = new Regions(bytes.length);
    regions.take(0, XattrHeader.size);
    charged += new Entries(state, inode, bytes, XattrHeader.size, 0, regions, tell, false).check();
  }
  state.xattrBlocks.set(block, { references: 1, stated, charged });
  return charged;
}

/** Once all inodes are seen: do as many refer to a block as it says? */
export function checkXattrReferences({ xattrBlocks, findings }: State): void {
  for (const [block, { references, stated }] of xattrBlocks) {
    if (references === stated) continue;
    findings.add("xattr-references", `xattr block ${block}`, `h_refcount is ${stated}`, `${references}, as many as refer to it`);
  }
}

/** The entries of one area. */
class Entries {
  readonly #view: DataView;
  #charged = 0;

  constructor(
    readonly state: State,
    readonly inode: Raw,
    readonly area: Uint8Array,
    readonly from: number,
    /** Offsets of values count from here. */
    readonly base: number,
    readonly regions: Regions,
    readonly tell: Tell,
    readonly inBody: boolean,
  ) {
    this.#view = viewOf(area);
  }

  check(): number {
    const { area, regions } = this;
    const view = this.#view;
    let left = area.length - this.from;
    let at = this.from;
    let before: Uint8Array | undefined;
    while (left >= XattrEntry.size && view.getUint32(at, true) !== 0) {
      const nameLength = area[at] as number; // at is before the end
      const length = XattrEntry.size + padded(nameLength);
      if (length > left || !regions.take(at, length)) {
        this.tell(
          "xattr-entry",
          `an xattr with a name of ${nameLength} bytes at byte ${at}`,
          `room for it within ${area.length}`,
        );
        return this.#charged;
      }
      left -= length;
      if (!this.inBody && area[at + 1] === 0) {
        this.tell("xattr-entry", "an xattr with name index 0", "an index that stands for a prefix");
        return this.#charged;
      }
      if (!this.#value(at, nameLength, left)) return this.#charged;
      if (e.e_value_inum.get(view, at) === 0) left -= e.e_value_size.get(view, at);
      if (!this.inBody) {
        const key = area.subarray(at, at + XattrEntry.size + nameLength);
        if (before && !isAscending(before, key)) {
          this.tell("xattr-order", `the xattr at byte ${at} stands behind a later one`, "order by index, length and name");
        }
        before = key;
      }
      at += length;
    }
    if (!regions.take(at, 4)) this.tell("xattr-entry", "the list of xattrs has no end", "four zero bytes");
    return this.#charged;
  }

  /** False when what follows makes no sense any more. */
  #value(at: number, nameLength: number, left: number): boolean {
    const { area, tell } = this;
    const view = this.#view;
    const size = e.e_value_size.get(view, at);
    const inum = e.e_value_inum.get(view, at);
    const hash = e.e_hash.get(view, at);
    const name = area.subarray(at + XattrEntry.size, at + XattrEntry.size + nameLength);
    if (inum !== 0) return this.#valueInode(inum, size, hash, name);
    const from = this.base + e.e_value_offs.get(view, at);
    // Linux looks for the place of an empty value only where data lies in the inode.
    const placed = size > 0 || !this.inBody || has(this.inode, "INLINE_DATA");
    if (size > VALUE_MAX || (placed && from + size > area.length) || (this.inBody && size > left)) {
      tell("xattr-value", `the value of an xattr takes bytes ${from} to ${from + size}`, `bytes up to ${area.length}`);
      return false;
    }
    if (size > 0 && !this.regions.take(from, padded(size))) {
      tell("xattr-value", `the value of an xattr at bytes ${from} to ${from + size} overlaps another part`, "bytes of its own");
      return false;
    }
    if (this.inBody && hash === 0) return true;
    const value = area.subarray(from, from + padded(size));
    const unsigned = valueHash(nameHash(name, false), value);
    if (hash !== unsigned && hash !== valueHash(nameHash(name, true), value)) {
      tell("xattr-hash", `the hash of an xattr is ${hex(hash)}`, hex(unsigned));
      return !this.inBody;
    }
    return true;
  }

  #valueInode(inum: number, size: number, hash: number, name: Uint8Array): boolean {
    const { state, inode, tell } = this;
    const { sb } = state;
    if (!sb.features.has("ea_inode")) tell("xattr-value-inode", `an xattr's value lies in inode ${inum}`, "the feature ea_inode");
    if (inum < sb.firstInode || inum > sb.inodes) {
      tell("xattr-value-inode", `an xattr's value lies in inode ${inum}`, `${sb.firstInode} to ${sb.inodes}`);
      return !this.inBody;
    }
    const known = state.values.get(inum);
    if (known) known.references++;
    else state.values.set(inum, { references: 1, flagged: false });
    const record = state.inodes.read(inum, unreported);
    if (!record) return true;
    const holder = rawInode(sb, record);
    if (size === 0 || size !== holder.size) {
      tell(
        "xattr-value-inode",
        `an xattr's value of ${size} bytes lies in inode ${inum}, which has ${holder.size}`,
        "the same size, not 0",
      );
    }
    const valueSum = f.i_atime.get(holder.view, 0);
    const expected = combined(nameHash(name, false), valueSum);
    const lustre = f.i_mtime.get(holder.view, 0) === inode.number && holder.generation === inode.generation;
    if (hash === expected || hash === combined(nameHash(name, true), valueSum)) {
      this.#charged += Math.ceil(size / (sb.blockSize * sb.clusterBlocks));
    } else if (!lustre) {
      tell("xattr-hash", `the hash of an xattr with its value in inode ${inum} is ${hex(hash)}`, hex(expected));
      return !this.inBody;
    }
    if (!has(holder, "EA_INODE")) {
      tell("xattr-value-inode", `inode ${inum} holds an xattr's value without saying so`, "the flag EA_INODE");
      return !this.inBody;
    }
    return true;
  }
}

/** By name index, length of the name, and name; an attribute out of order is not found. */
function isAscending(a: Uint8Array, b: Uint8Array): boolean {
  const order = (a[1] as number) - (b[1] as number) || (a[0] as number) - (b[0] as number); // of entries, 16 bytes at least
  if (order !== 0) return order < 0;
  for (let i = XattrEntry.size; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Linux took the bytes of names as signed on some machines. */
function nameHash(name: Uint8Array, signed: boolean): number {
  let hash = 0;
  for (const byte of name) hash = (hash << 5) ^ (hash >>> 27) ^ (signed ? (byte << 24) >> 24 : byte);
  return hash >>> 0;
}

function valueHash(start: number, value: Uint8Array): number {
  const view = viewOf(value);
  let hash = start;
  for (let at = 0; at + 4 <= value.length; at += 4) hash = combined(hash, view.getUint32(at, true));
  return hash;
}

function combined(hash: number, word: number): number {
  return ((hash << 16) ^ (hash >>> 16) ^ word) >>> 0;
}
