// The canonical stream of a tree: what seeds and digests are made of. Two snapshots have the same stream exactly when
// they agree in everything but the bytes of their contents.

import { host } from "#host";
import type { Content } from "./content.ts";
import type { Kind, Time } from "./node.ts";
import type { Snapshot } from "./snapshot.ts";
import type { SnapshotNode } from "./snapshot-node.ts";

/** Bytes that are copied faster one by one. */
const SHORT = 64;

/** Collects a stream in pieces for SHA-256. Numbers are 8 bytes little-endian, byte strings carry their length. */
export class Canonical {
  readonly #hash = host.sha256();
  readonly #buffer = new Uint8Array(64 * 1024);
  readonly #view = new DataView(this.#buffer.buffer);
  #used = 0;

  number(value: number): void {
    if (this.#used + 8 > this.#buffer.length) this.#flush();
    if (value === (value | 0)) {
      // Nearly all numbers, and without a division.
      this.#view.setInt32(this.#used, value, true);
      this.#view.setInt32(this.#used + 4, value >> 31, true);
    } else {
      this.#view.setInt32(this.#used, (value % 0x1_0000_0000) | 0, true);
      this.#view.setInt32(this.#used + 4, Math.floor(value / 0x1_0000_0000), true);
    }
    this.#used += 8;
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
    this.raw(value);
  }

  /** A byte string that stands in `value`; short ones are copied without a view of their own. */
  part(value: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (length > SHORT || this.#used + 8 + length > this.#buffer.length) {
      this.bytes(value.subarray(from, to));
      return;
    }
    this.number(length);
    for (let at = from; at < to; at++) this.#buffer[this.#used++] = value[at] as number; // within `value`
  }

  text(value: string): void {
    this.bytes(new TextEncoder().encode(value));
  }

  /** Bytes whose number the stream has told before. */
  raw(value: Uint8Array): void {
    if (this.#used + value.length > this.#buffer.length) this.#flush();
    if (value.length > this.#buffer.length) this.#hash.update(value);
    else {
      this.#buffer.set(value, this.#used);
      this.#used += value.length;
    }
  }

  digest(): Uint8Array {
    this.#flush();
    return this.#hash.digest();
  }

  #flush(): void {
    if (this.#used > 0) this.#hash.update(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}

/** Everything of a snapshot but its contents: names, kinds, modes, owners, times, xattrs, devices, targets, sizes, holes. */
export function writeMetadata(out: Canonical, snapshot: Snapshot): void {
  time(out, snapshot.time);
  out.number(snapshot.nodes.length);
  for (const node of snapshot.nodes) metadata(out, node);
  out.number(snapshot.entries);
  const { names, nameStart, entryNode } = snapshot;
  for (let entry = 0; entry < snapshot.entries; entry++) {
    // entry is in range, and behind the last one stands an end.
    out.part(names, nameStart[entry] as number, nameStart[entry + 1] as number);
    out.number(entryNode[entry] as number);
  }
}

function time(out: Canonical, value: Time): void {
  out.number(value.sec);
  out.number(value.nsec);
}

const KINDS: readonly Kind[] = ["file", "directory", "symlink", "character-device", "block-device", "fifo", "socket"];

function metadata(out: Canonical, node: SnapshotNode): void {
  out.number(KINDS.indexOf(node.kind));
  out.number(node.mode);
  out.number(node.uid);
  out.number(node.gid);
  time(out, node.atime);
  time(out, node.mtime);
  time(out, node.ctime);
  time(out, node.btime);
  out.number(node.parent);
  out.number(node.first);
  out.number(node.count);
  out.number(node.major);
  out.number(node.minor);
  if (node.target) out.bytes(node.target);
  if (node.content) shape(out, node.content);
  out.number(node.xattrs.length);
  for (const xattr of node.xattrs) {
    out.bytes(xattr.name);
    out.bytes(xattr.value);
  }
}

function shape(out: Canonical, content: Content): void {
  out.number(content.size);
  const extents = content.extents;
  out.number(extents ? extents.length : -1);
  for (const extent of extents ?? []) {
    out.number(extent.offset);
    out.number(extent.length);
  }
}
