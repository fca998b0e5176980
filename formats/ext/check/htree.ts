// Htrees: nodes with ascending hashes, every block once, leaves at one depth with the hashes that their nodes promise.
// Specification: Linux Documentation/filesystems/ext4/directory.rst.

import { crc32c } from "../../../src/bytes/crc.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { DX_NODE_ENTRIES, DxCountLimit, DxEntry, DxRootInfo, DxTail } from "../disk/dirent.ts";
import { recordLength } from "../read/directory.ts";
import { hex } from "../read/fault.ts";
import type { Tell } from "./findings.ts";
import { type Hash, hashOf } from "./hash.ts";
import { ROOT_INFO } from "./htree-root.ts";
import { has, type Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

/** Bits of a block number in an entry; those above are reserved. */
const BLOCK_MASK = 0x0fff_ffff;
const LAST_HASH = 0xffff_fffe;

export interface HtreeNode {
  /** Levels below the root, in the root only. */
  readonly levels: number;
  readonly hash: Hash | undefined;
  /** Ascending; the first of a node has no hash of its own. */
  readonly entries: readonly { readonly hash: number; readonly block: number }[];
}

interface Leaf {
  least: number;
  most: number;
}

/** The htree of one directory, put together while its blocks are walked. */
export class Htree {
  readonly #nodes = new Map<number, HtreeNode>();
  readonly #leaves = new Map<number, Leaf>();
  readonly #seen = new Set<number>();
  #hash: Hash | undefined;

  constructor(readonly blocks: number) {}

  /** Whether the root was there. */
  get version(): boolean {
    return this.#nodes.has(0);
  }

  addNode(block: number, node: HtreeNode): void {
    this.#nodes.set(block, node);
    if (block === 0) this.#hash = node.hash;
  }

  /** Takes note of a leaf; gives what is to be told every name in it. */
  addLeaf(block: number): (name: Uint8Array) => void {
    const leaf: Leaf = { least: Number.POSITIVE_INFINITY, most: -1 };
    this.#leaves.set(block, leaf);
    return (name) => {
      if (!this.#hash) return;
      const hash = this.#hash(name);
      if (hash < leaf.least) leaf.least = hash;
      if (hash > leaf.most) leaf.most = hash;
    };
  }

  check(tell: Tell): void {
    const root = this.#nodes.get(0);
    if (!root) return; // told with the inode
    this.#seen.add(0);
    this.#node(0, root, root.levels, 0, LAST_HASH, tell);
    let missing = 0;
    for (let block = 0; block < this.blocks; block++) {
      if (!this.#seen.has(block) && (this.#nodes.has(block) || this.#leaves.has(block))) missing++;
    }
    if (missing > 0) tell("index-reference", `${missing} blocks of the directory are not in its index`, "every block once");
  }

  #node(at: number, node: HtreeNode, level: number, least: number, most: number, tell: Tell): void {
    const { entries } = node;
    for (let i = 0; i < entries.length; i++) {
      const { hash, block } = entries[i] as HtreeNode["entries"][number]; // i is in range
      if (block >= this.blocks) {
        tell("index-reference", `the index leads to block ${block} of the directory`, `at most ${this.blocks - 1}`);
        continue;
      }
      if (this.#seen.has(block)) {
        tell("index-reference", `the index leads to block ${block} of the directory twice`, "every block once");
        continue;
      }
      this.#seen.add(block);
      const from = i === 0 ? least : hash;
      const to = entries[i + 1]?.hash ?? most;
      if (i > 0 && hash < (entries[i - 1]?.hash ?? 0)) {
        tell("index-order", `a hash of ${hex(hash)} in node ${at} of the index`, "ascending ones");
      }
      const below = this.#nodes.get(block);
      const leaf = this.#leaves.get(block);
      if (below ? level === 0 : leaf !== undefined && level > 0) {
        tell(
          "index-depth",
          `block ${block} of the directory is ${below ? "a node" : "a leaf"} of the index`,
          `a ${below ? "leaf" : "node"} at its depth`,
        );
      }
      if (below) {
        if (level > 0) this.#node(block, below, level - 1, from, to, tell);
      } else if (leaf && leaf.most >= 0) {
        // The lowest bit of a node's hash says that the leaf before goes on with the same hash.
        if (leaf.least < from || leaf.most > to) {
          tell(
            "index-hash",
            `hashes from ${hex(leaf.least)} to ${hex(leaf.most)} in block ${block}`,
            `${hex(from)} to ${hex(to)}`,
          );
        }
      }
    }
  }
}

/** The node in a block; undefined for a leaf. `hasRoot` tells whether block 0 was one. */
export function readHtree(
  state: State,
  inode: Raw,
  bytes: Uint8Array,
  block: number,
  hasRoot: boolean,
  tell: Tell,
): HtreeNode | undefined {
  const { sb } = state;
  const view = viewOf(bytes);
  const tail = sb.checksums ? DxTail.size : 0;
  if (block > 0) {
    if (!hasRoot) return undefined;
    const room = Math.floor((bytes.length - DX_NODE_ENTRIES - tail) / DxEntry.size);
    const isNode =
      view.getUint32(0, true) === 0 &&
      recordLength(view.getUint16(4, true), bytes.length) === bytes.length &&
      bytes[6] === 0 &&
      DxCountLimit.f.limit.get(view, DX_NODE_ENTRIES) === room;
    return isNode ? { levels: 0, hash: undefined, entries: entriesOf(state, inode, bytes, DX_NODE_ENTRIES, tell) } : undefined;
  }
  const f = DxRootInfo.f;
  const start = ROOT_INFO + f.info_length.get(view, ROOT_INFO);
  const version = f.hash_version.get(view, ROOT_INFO);
  const entries = start % 4 === 0 && start >= 32 && start < bytes.length - 16 ? entriesOf(state, inode, bytes, start, tell) : [];
  // Casefolded names are hashed as they fold, which takes the tables of Unicode.
  const hash = has(inode, "CASEFOLD") ? undefined : hashOf(sb, version);
  return { levels: f.indirect_levels.get(view, ROOT_INFO), hash, entries };
}

function entriesOf(state: State, inode: Raw, bytes: Uint8Array, start: number, tell: Tell): { hash: number; block: number }[] {
  const view = viewOf(bytes);
  const tail = state.sb.checksums ? DxTail.size : 0;
  const room = Math.floor((bytes.length - start - tail) / DxEntry.size);
  const limit = DxCountLimit.f.limit.get(view, start);
  let count = DxCountLimit.f.count.get(view, start);
  if (limit !== room) tell("index-count", `a node of the index has room for ${limit}`, String(room));
  if (count > room || count === 0) tell("index-count", `a node of the index has ${count} entries`, `1 to ${room}`);
  if (state.sb.checksums) verify(inode, bytes, start, limit, count, tell);
  count = Math.min(count, room);
  const entries: { hash: number; block: number }[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + i * DxEntry.size;
    const hash = i === 0 ? 0 : (DxEntry.f.hash.get(view, at) & ~1) >>> 0;
    entries.push({ hash, block: DxEntry.f.block.get(view, at) & BLOCK_MASK });
  }
  return entries;
}

function verify(inode: Raw, bytes: Uint8Array, start: number, limit: number, count: number, tell: Tell): void {
  const at = start + limit * DxEntry.size;
  if (at + DxTail.size > bytes.length || count > limit) return; // told as a count
  const view = viewOf(bytes);
  let sum = crc32c(inode.checksumSeed, bytes, 0, start + count * DxEntry.size);
  sum = crc32c(crc32c(sum, bytes, at, at + 4), new Uint8Array(4));
  const stored = DxTail.f.dt_checksum.get(view, at);
  if (stored !== sum) tell("index-checksum", `the checksum of a node of the index is ${hex(stored)}`, hex(sum));
}
