// Extent trees: headers, order, ranges, checksums, and what directories may not have.
// Specification: Linux Documentation/filesystems/ext4/ifork.rst.

import { crc32c } from "../../../src/bytes/crc.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { EXTENT_ENTRY_SIZE, EXTENT_MAGIC, Extent, ExtentHeader, ExtentIndex, MAX_EXTENT_BLOCKS } from "../disk/extent.ts";
import { hex } from "../read/fault.ts";
import type { MapSink } from "./map-sink.ts";
import { blockArea, has, type Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

const h = ExtentHeader.f;
/** Deepest tree that anybody follows. */
const MAX_DEPTH = 5;
/** Two entries' room may be left at the end of a node. */
const SPARE_ENTRIES = 2;

/** Why a node's header cannot be; undefined when it can. */
export function headerFault(view: DataView): string | undefined {
  const magic = h.eh_magic.get(view, 0);
  if (magic !== EXTENT_MAGIC) return `eh_magic is ${hex(magic, 2)}`;
  const entries = h.eh_entries.get(view, 0);
  const max = h.eh_max.get(view, 0);
  const room = Math.floor((view.byteLength - ExtentHeader.size) / EXTENT_ENTRY_SIZE);
  if (entries > max || max > room || max < room - SPARE_ENTRIES)
    return `${entries} of ${max} entries in a node with room for ${room}`;
  return undefined;
}

export function checkExtents(state: State, inode: Raw, sink: MapSink): void {
  const area = blockArea(inode);
  const view = viewOf(area);
  const fault = headerFault(view);
  if (fault !== undefined) {
    sink.tell("extent-header", fault, "the header of an extent tree");
    return;
  }
  const depth = h.eh_depth.get(view, 0);
  const most = deepest(state.sb.blockSize);
  if (depth > most) {
    sink.tell("extent-depth", `the extent tree has ${depth} levels below its root`, `at most ${most}`);
    return;
  }
  if (depth > 0 && h.eh_entries.get(view, 0) === 0) sink.tell("extent-depth", `an empty tree of ${depth} levels`, "0 levels");
  new ExtentCheck(state, inode, sink).node(area, depth, 0, undefined);
}

/** Levels that are enough for all blocks that a file can have. */
function deepest(blockSize: number): number {
  const perBlock = Math.floor((blockSize - ExtentHeader.size) / EXTENT_ENTRY_SIZE);
  return Math.min(MAX_DEPTH, 1 + Math.floor((31 - 2) / Math.floor(Math.log2(perBlock))));
}

class ExtentCheck {
  /** Where the next extent may start, in file blocks. */
  #next = 0;
  readonly #seen = new Set<number>();
  readonly #eof: number;

  constructor(
    readonly state: State,
    readonly inode: Raw,
    readonly sink: MapSink,
  ) {
    this.#eof = Math.ceil(inode.size / state.sb.blockSize) - 1;
  }

  /** `last` is the last file block that the parent leaves to this node; undefined for no limit. */
  node(bytes: Uint8Array, depth: number, start: number, last: number | undefined): void {
    const view = viewOf(bytes);
    const entries = h.eh_entries.get(view, 0);
    for (let i = 0; i < entries; i++) {
      const at = (i + 1) * EXTENT_ENTRY_SIZE;
      if (depth === 0) this.#extent(view, at, start, last);
      else {
        const following = i + 1 < entries ? ExtentIndex.f.ei_block.get(view, at + EXTENT_ENTRY_SIZE) - 1 : undefined;
        this.#index(view, at, depth, start, last, following);
      }
    }
  }

  #index(
    view: DataView,
    at: number,
    depth: number,
    start: number,
    last: number | undefined,
    following: number | undefined,
  ): void {
    const { state, sink } = this;
    const f = ExtentIndex.f;
    const logical = f.ei_block.get(view, at);
    const block = f.ei_leaf_lo.get(view, at) + f.ei_leaf_hi.get(view, at) * 2 ** 32;
    if (block === 0 || !state.holds(block)) {
      sink.tell("map-range", `an index of its extents leads to block ${block}`, state.range());
      return;
    }
    const end = following ?? last ?? this.#eof;
    if (logical < start || (following !== undefined && following < logical) || (last !== undefined && end > last)) {
      sink.tell("extent-order", `an index entry for file blocks ${logical} to ${end}`, `at least ${start}, ascending`);
      return;
    }
    if (this.#seen.has(block) || !state.mayVisit()) {
      sink.tell("map-loop", `block ${block} stands twice in its map`, "every block once");
      return;
    }
    this.#seen.add(block);
    if (state.metadata.has(block)) {
      sink.tell("map-metadata", `block ${block} of its map is a part of a group`, "a block of its own");
    }
    const bytes = state.disk.block(block);
    const child = viewOf(bytes);
    const fault = headerFault(child);
    if (fault !== undefined || h.eh_entries.get(child, 0) === 0) {
      sink.tell("extent-header", `block ${block} of its map: ${fault ?? "no entries"}`, "a node of an extent tree");
      return;
    }
    if (h.eh_depth.get(child, 0) !== depth - 1) {
      sink.tell("extent-depth", `block ${block} of its map says depth ${h.eh_depth.get(child, 0)}`, String(depth - 1));
    }
    const first = child.getUint32(EXTENT_ENTRY_SIZE, true); // extents and index entries start with it
    if (first !== logical) {
      sink.tell(
        "extent-index",
        `an index entry for file block ${logical} leads to a node that starts with ${first}`,
        String(logical),
      );
    }
    if (state.sb.checksums) this.#verify(bytes, child, block);
    sink.tree(block);
    // A node whose parent ends before it starts holds what is set aside behind the end.
    this.node(bytes, depth - 1, first, end < logical ? undefined : end);
  }

  #verify(bytes: Uint8Array, view: DataView, block: number): void {
    const end = (h.eh_max.get(view, 0) + 1) * EXTENT_ENTRY_SIZE;
    const stored = end + 4 <= bytes.length ? view.getUint32(end, true) : 0;
    const sum = crc32c(this.inode.checksumSeed, bytes, 0, end);
    if (stored !== sum)
      this.sink.tell("extent-checksum", `the checksum of block ${block} of its map is ${hex(stored)}`, hex(sum));
  }

  #extent(view: DataView, at: number, start: number, last: number | undefined): void {
    const { state, sink, inode } = this;
    const f = Extent.f;
    const logical = f.ee_block.get(view, at);
    const length = f.ee_len.get(view, at);
    const written = length <= MAX_EXTENT_BLOCKS;
    const count = written ? length : length - MAX_EXTENT_BLOCKS;
    const physical = f.ee_start_lo.get(view, at) + f.ee_start_hi.get(view, at) * 2 ** 32;
    const end = logical + count - 1;
    const behindEof = end > this.#eof && (!written || has(inode, "VERITY"));
    if (count === 0) {
      sink.tell("extent-order", `an extent of no blocks at file block ${logical}`, "at least one block");
      return;
    }
    if (physical === 0 || !state.holds(physical) || !state.holds(physical + count - 1)) {
      sink.tell("map-range", `an extent leads to ${count} blocks from ${physical} on`, state.range());
      return;
    }
    if (logical < start || logical < this.#next || (last !== undefined && end > last && !behindEof)) {
      const expected = `at least ${Math.max(start, this.#next)}${last === undefined ? "" : `, up to ${last}`}`;
      sink.tell("extent-order", `an extent for file blocks ${logical} to ${end}`, expected);
      return;
    }
    this.#next = end + 1;
    if (sink.isDirectory) {
      if (!written) sink.tell("directory-unwritten", `blocks ${logical} to ${end} of the directory are not written`, "entries");
      if (tooBigDirectory(state, inode, end + 1, 0)) {
        sink.tell("directory-size", `block ${end} of the directory`, "less than 2 GiB without large_dir");
        return;
      }
    }
    sink.data(logical, physical, count, written);
  }
}

/** Directories end at 2 GiB without large_dir; indirect maps are given a block more. */
export function tooBigDirectory({ sb }: State, { size }: Raw, blocks: number, grace: number): boolean {
  return size < 2 ** 32 && !sb.features.has("large_dir") && blocks > 2 ** 31 / sb.blockSize + grace;
}
