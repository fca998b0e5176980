// Extended attributes: which go into the inode's tail, which into a block (shared by all inodes with the same set),
// which into an inode of their own; and the bytes of each.
//
// Specification: Linux Documentation/filesystems/ext4/attributes.rst; hashes as in lib/ext2fs/ext_attr.c of e2fsprogs.

import { crc32c } from "../../src/bytes/crc.ts";
import { compareBytes, decodeName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import type { Violations } from "../../src/image/loss.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import { aclToDisk } from "./acl.ts";
import type { FeatureSet } from "./disk/features.ts";
import { EXTRA_ISIZE, GOOD_OLD_INODE_SIZE } from "./disk/inode.ts";
import { XATTR_INDEX_SYSTEM, XATTR_MAGIC, XATTR_PREFIXES, XATTR_REFCOUNT_MAX, XattrEntry, XattrHeader } from "./disk/xattr.ts";

/** Longest value that Linux lets anybody set or get (XATTR_SIZE_MAX). */
const VALUE_MAX = 65536;
/** The empty entry behind the last one. */
const TERMINATOR = 4;

/** An attribute as the disk keeps it. */
interface Stored {
  readonly index: number;
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  /** The value inode that holds it, by its place among them; -1 when the value lies beside the entry. */
  readonly large: number;
}

/** Where the attributes of one inode are. */
export interface InodeXattrs {
  readonly body: readonly Stored[];
  /** Place among the shared blocks, -1 for none. */
  readonly block: number;
  /** Blocks of value inodes, which count as the inode's own. */
  readonly largeBlocks: number;
}

export interface XattrBlock {
  readonly entries: readonly Stored[];
  references: number;
}

/** A value in an inode of its own. */
export interface LargeValue {
  readonly value: Uint8Array;
  references: number;
  /** CRC-32C of the value, from the checksum seed. */
  readonly hash: number;
}

export interface XattrPlan {
  /** By node; nodes without attributes are missing. */
  readonly byNode: ReadonlyMap<number, InodeXattrs>;
  readonly blocks: readonly XattrBlock[];
  readonly large: readonly LargeValue[];
}

export interface XattrStyle {
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly features: FeatureSet;
  readonly checksumSeed: number;
}

const pad = (length: number): number => (length + 3) & ~3;

function sizeOf(entry: Stored): number {
  return XattrEntry.size + pad(entry.name.length) + (entry.large < 0 ? pad(entry.value.length) : 0);
}

function sizeOfAll(entries: readonly Stored[]): number {
  return entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
}

/** Bytes for entries and values in an inode's tail, behind the magic and with the terminator taken off. */
function bodyRoom(style: XattrStyle): number {
  return Math.max(0, style.inodeSize - GOOD_OLD_INODE_SIZE - EXTRA_ISIZE - 4 - TERMINATOR);
}

function blockRoom(style: XattrStyle): number {
  return style.blockSize - XattrHeader.size - TERMINATOR;
}

/** Bytes of a small file that fit the inode: i_block, and the value of `system.data` in the tail. */
export function inlineRoom(style: XattrStyle): number {
  const rest = bodyRoom(style) - XattrEntry.size - pad(INLINE_NAME.length);
  return rest < 0 ? 0 : 60 + rest;
}

const INLINE_NAME = new TextEncoder().encode("data");

/** What is decided once for all nodes that carry the very same attributes, as those under a global header of a tar do. */
interface KnownSet {
  readonly stored: readonly Stored[];
  /** Why attributes are left out. */
  readonly refusals: readonly string[];
  /** Where the rest goes; a sentence when there is no room. Made when first needed. */
  split: Split | string | undefined;
  /** The block that holds `split.rest`, as long as another inode may share it. */
  block: number | undefined;
}

interface Split {
  readonly body: readonly Stored[];
  readonly rest: readonly Stored[];
  /** Blocks of the value inodes that `rest` names. */
  readonly largeBlocks: number;
}

/** Plans the attributes of all nodes. */
export class XattrPlanner implements XattrPlan {
  readonly byNode = new Map<number, InodeXattrs>();
  readonly blocks: XattrBlock[] = [];
  readonly large: LargeValue[] = [];
  readonly #known = new Map<SnapshotNode["xattrs"], KnownSet>();
  readonly #blockOf = new Map<string, number>();
  readonly #largeOf = new Map<string, number>();

  constructor(
    readonly style: XattrStyle,
    readonly violations: Violations,
  ) {}

  /**
   * Adds one node. `inline` is how many bytes of its data shall go on in `system.data` (its value is filled in when the
   * inode is written), undefined for none. Tells whether that data finds room; if not, the node is added without it.
   */
  add(index: number, node: SnapshotNode, path: () => string, inline: number | undefined): boolean {
    let known = this.#known.get(node.xattrs);
    if (!known) {
      known = this.#know(node.xattrs);
      this.#known.set(node.xattrs, known);
    }
    for (const why of known.refusals) this.violations.lose("xattrs", "xattrs", path(), why);
    if (inline !== undefined) {
      const data: Stored = { index: XATTR_INDEX_SYSTEM, name: INLINE_NAME, value: new Uint8Array(inline), large: -1 };
      if (sizeOf(data) + sizeOfAll(known.stored) <= bodyRoom(this.style)) {
        this.byNode.set(index, { body: [data, ...known.stored], block: -1, largeBlocks: 0 });
        return true;
      }
    }
    if (known.stored.length === 0) return false;
    known.split ??= this.#split(known.stored);
    const { split } = known;
    if (typeof split === "string") this.violations.lose("xattrs", "nodes' xattrs", path(), split);
    else {
      const block = split.rest.length > 0 ? this.#shared(known, split.rest) : -1;
      this.byNode.set(index, { body: split.body, block, largeBlocks: split.largeBlocks });
    }
    return false;
  }

  #know(xattrs: SnapshotNode["xattrs"]): KnownSet {
    const stored: Stored[] = [];
    const refusals: string[] = [];
    for (const { name, value } of xattrs) {
      const full = decodeName(name);
      if (!this.style.features.has("ext_attr")) {
        refusals.push(`has the xattr ${full}; this profile has no xattrs (feature ext_attr)`);
        continue;
      }
      const prefix = XATTR_PREFIXES.find((one) => (one.whole ? full === one.prefix : full.startsWith(one.prefix)));
      if (!prefix || (full.length === prefix.prefix.length && !prefix.whole)) {
        refusals.push(`has the xattr ${full}; ext stores user.*, trusted.*, security.* and system.*`);
        continue;
      }
      if (value.length > VALUE_MAX) {
        refusals.push(`the xattr ${full} has ${value.length} bytes; ${VALUE_MAX} is the most that Linux reads`);
        continue;
      }
      const acl = prefix.index === 2 || prefix.index === 3 ? aclToDisk(value) : value;
      if (typeof acl === "string") {
        refusals.push(`the xattr ${full} is ${acl}`);
        continue;
      }
      stored.push({ index: prefix.index, name: name.subarray(prefix.prefix.length), value: acl, large: -1 });
    }
    return { stored: stored.sort(entryOrder), refusals, split: undefined, block: undefined };
  }

  #split(entries: readonly Stored[]): Split | string {
    const room = bodyRoom(this.style);
    const most = blockRoom(this.style);
    const first = firstFit(entries, room);
    const { body, rest } =
      sizeOfAll(first.rest) <= most
        ? first
        : firstFit(
            entries.toSorted((a, b) => sizeOf(b) - sizeOf(a)),
            room,
          );
    const byLength = rest.toSorted((a, b) => b.value.length - a.value.length || entryOrder(a, b));
    let size = sizeOfAll(rest);
    let largeBlocks = 0;
    // The longest values move out until the others fit.
    for (let i = 0; size > most && i < byLength.length && this.style.features.has("ea_inode"); i++) {
      const entry = byLength[i] as Stored; // i is in range
      if (entry.value.length === 0) break;
      size -= pad(entry.value.length);
      largeBlocks += Math.ceil(entry.value.length / this.style.blockSize);
      byLength[i] = { ...entry, large: this.#largeValue(entry.value) };
    }
    if (size <= most) return { body, rest: byLength.sort(entryOrder), largeBlocks };
    const hint = this.style.features.has("ea_inode")
      ? ""
      : "; the feature ea_inode or a larger --inode-size or --block-size holds more";
    return `its xattrs take ${sizeOfAll(entries)} bytes; ${room} fit the inode and ${most} a block of ${this.style.blockSize}${hint}`;
  }

  #largeValue(value: Uint8Array): number {
    const key = decodeName(value);
    let at = this.#largeOf.get(key);
    if (at === undefined) {
      at = this.large.length;
      this.large.push({ value, references: 0, hash: crc32c(this.style.checksumSeed, value) });
      this.#largeOf.set(key, at);
    }
    return at;
  }

  /** The block with these entries. A value inode counts one reference for each block that names it. */
  #shared(known: KnownSet, entries: readonly Stored[]): number {
    if (known.block === undefined) {
      const key = entries.map((entry) => `${entry.index}.${decodeName(entry.name)}\0${entry.large}\0${decodeName(entry.value)}`);
      const text = key.join("\0\0");
      known.block = this.#blockOf.get(text) ?? this.#newBlock(entries);
      this.#blockOf.set(text, known.block);
    }
    if ((this.blocks[known.block] as XattrBlock).references === XATTR_REFCOUNT_MAX) known.block = this.#newBlock(entries);
    (this.blocks[known.block] as XattrBlock).references++; // found or just made
    return known.block;
  }

  #newBlock(entries: readonly Stored[]): number {
    for (const { large } of entries) if (large >= 0) (this.large[large] as LargeValue).references++;
    return this.blocks.push({ entries, references: 0 }) - 1;
  }
}

/** The kernel's order within a block: by index, then length of the name, then its bytes. */
function entryOrder(a: Stored, b: Stored): number {
  return a.index - b.index || a.name.length - b.name.length || compareBytes(a.name, b.name);
}

function firstFit(entries: readonly Stored[], room: number): { body: Stored[]; rest: Stored[] } {
  const body: Stored[] = [];
  const rest: Stored[] = [];
  let used = 0;
  for (const entry of entries) {
    const size = sizeOf(entry);
    if (used + size <= room) {
      body.push(entry);
      used += size;
    } else rest.push(entry);
  }
  return { body: body.sort(entryOrder), rest };
}

/** Hash of an entry: its name, then its value in words, or the value inode's hash. */
function entryHash(entry: Stored, large: readonly LargeValue[]): number {
  let hash = 0;
  for (const byte of entry.name) hash = (hash << 5) ^ (hash >>> 27) ^ byte;
  const mix = (word: number): void => {
    hash = (hash << 16) ^ (hash >>> 16) ^ word;
  };
  if (entry.large >= 0) mix((large[entry.large] as LargeValue).hash);
  else {
    const { value } = entry;
    for (let i = 0; i < value.length; i += 4) {
      mix((value[i] as number) | ((value[i + 1] ?? 0) << 8) | ((value[i + 2] ?? 0) << 16) | ((value[i + 3] ?? 0) << 24));
    }
  }
  return hash >>> 0;
}

/** Writes entries from byte `at` on and values from byte `end` down; offsets count from `base`. Gives the hashes. */
function writeEntries(
  entries: readonly Stored[],
  plan: XattrPlan,
  inodeOfLarge: (large: number) => number,
  bytes: Uint8Array,
  at: number,
  end: number,
  base: number,
): number[] {
  const view = viewOf(bytes);
  let front = at;
  let back = end;
  return entries.map((entry) => {
    const hash = entryHash(entry, plan.large);
    XattrEntry.f.e_name_len.set(view, front, entry.name.length);
    XattrEntry.f.e_name_index.set(view, front, entry.index);
    XattrEntry.f.e_value_size.set(view, front, entry.value.length);
    XattrEntry.f.e_hash.set(view, front, hash);
    if (entry.large >= 0) XattrEntry.f.e_value_inum.set(view, front, inodeOfLarge(entry.large));
    else if (entry.value.length > 0) {
      back -= pad(entry.value.length);
      XattrEntry.f.e_value_offs.set(view, front, back - base);
      bytes.set(entry.value, back);
    }
    bytes.set(entry.name, front + XattrEntry.size);
    front += XattrEntry.size + pad(entry.name.length);
    return hash;
  });
}

/** Writes the attributes of an inode's tail. `inline` replaces the value of `system.data`. */
export function writeBodyXattrs(
  xattrs: InodeXattrs,
  plan: XattrPlan,
  inodeOfLarge: (large: number) => number,
  inline: Uint8Array | undefined,
  inode: Uint8Array,
): void {
  if (xattrs.body.length === 0) return;
  const start = GOOD_OLD_INODE_SIZE + EXTRA_ISIZE;
  viewOf(inode).setUint32(start, XATTR_MAGIC, true);
  const entries =
    inline === undefined ? xattrs.body : xattrs.body.map((entry, i) => (i === 0 ? { ...entry, value: inline } : entry));
  writeEntries(entries, plan, inodeOfLarge, inode, start + 4, inode.length, start + 4);
}

/** Writes a shared block. `checksumSeed` is that of the file system; undefined without metadata_csum. */
export function writeXattrBlock(
  block: XattrBlock,
  plan: XattrPlan,
  inodeOfLarge: (large: number) => number,
  location: number,
  checksumSeed: number | undefined,
  target: Uint8Array,
): void {
  const view = viewOf(target);
  XattrHeader.f.h_magic.set(view, 0, XATTR_MAGIC);
  XattrHeader.f.h_refcount.set(view, 0, block.references);
  XattrHeader.f.h_blocks.set(view, 0, 1);
  const hashes = writeEntries(block.entries, plan, inodeOfLarge, target, XattrHeader.size, target.length, 0);
  // An entry without a hash makes the block one that is not shared.
  const hash = hashes.includes(0) ? 0 : hashes.reduce((all, one) => (all << 16) ^ (all >>> 16) ^ one, 0);
  XattrHeader.f.h_hash.set(view, 0, hash >>> 0);
  if (checksumSeed === undefined) return;
  const number = new Uint8Array(8);
  viewOf(number).setUint32(0, location % 2 ** 32, true);
  viewOf(number).setUint32(4, Math.floor(location / 2 ** 32), true);
  XattrHeader.f.h_checksum.set(view, 0, crc32c(crc32c(checksumSeed, number), target));
}
