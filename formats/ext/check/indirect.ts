// Indirect maps: twelve pointers, and trees of one to three levels.
// Specification: Linux Documentation/filesystems/ext4/ifork.rst.

import { viewOf } from "../../../src/bytes/struct.ts";
import { ReservedInode } from "../disk/inode.ts";
import { tooBigDirectory } from "./extents.ts";
import type { MapSink } from "./map-sink.ts";
import { pointer, type Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

const DIRECT = 12;

export function checkIndirect(state: State, inode: Raw, sink: MapSink): void {
  new IndirectCheck(state, inode, sink).walk();
}

class IndirectCheck {
  readonly #seen = new Set<number>();
  /** The resize inode's map lists blocks that groups own; a part of another check. */
  readonly #isResize: boolean;

  constructor(
    readonly state: State,
    readonly inode: Raw,
    readonly sink: MapSink,
  ) {
    this.#isResize = inode.number === ReservedInode.resize;
  }

  walk(): void {
    const pointers = this.state.sb.blockSize / 4;
    for (let i = 0; i < DIRECT; i++) this.#data(pointer(this.inode, i), i);
    let logical = DIRECT;
    for (let level = 0; level < 3; level++) {
      this.#tree(pointer(this.inode, DIRECT + level), level, logical);
      logical += pointers ** (level + 1);
    }
  }

  #tree(block: number, level: number, logical: number): void {
    if (block === 0) return;
    const { state, sink } = this;
    if (!state.holds(block)) {
      sink.tell("map-range", `its map leads to block ${block}`, state.range());
      return;
    }
    if (this.#seen.has(block) || !state.mayVisit()) {
      sink.tell("map-loop", `block ${block} stands twice in its map`, "every block once");
      return;
    }
    this.#seen.add(block);
    if (this.#isResize) {
      sink.clusters++;
      if (level === 1) sink.claim(state.clusterOf(block), 1);
    } else {
      if (state.metadata.has(block)) {
        sink.tell("map-metadata", `block ${block} of its map is a part of a group`, "a block of its own");
      }
      sink.tree(block);
    }
    const view = viewOf(state.disk.block(block));
    const pointers = state.sb.blockSize / 4;
    const span = pointers ** level;
    for (let i = 0; i < pointers; i++) {
      const next = view.getUint32(i * 4, true);
      if (level === 0) this.#data(next, logical + i);
      else this.#tree(next, level - 1, logical + i * span);
    }
  }

  #data(block: number, logical: number): void {
    if (block === 0) return;
    const { state, sink, inode } = this;
    if (!state.holds(block)) {
      sink.tell("map-range", `file block ${logical} is at block ${block}`, state.range());
      return;
    }
    if (sink.isDirectory && tooBigDirectory(state, inode, logical, 0)) {
      sink.tell("directory-size", `block ${logical} of the directory`, "less than 2 GiB without large_dir");
      return;
    }
    if (!sink.isDirectory && !sink.isFile && logical > 0) {
      sink.tell("symlink-size", `file block ${logical} of a symlink`, "one block");
      return;
    }
    if (this.#isResize) {
      sink.clusters++;
      sink.last = logical;
      sink.lastWritten = logical;
    } else sink.data(logical, block, 1, true);
  }
}
