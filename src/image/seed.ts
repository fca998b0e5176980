// One seed for everything that other tools draw at random: UUIDs, hash seeds, generations.

import { host } from "#host";
import type { Time } from "../tree/node.ts";
import { entryName, type Snapshot, type SnapshotNode } from "../tree/snapshot.ts";

const encoder = new TextEncoder();

/** Collects a canonical stream in pieces for a hash. Numbers are 8 bytes little-endian, byte strings carry their length. */
class Canonical {
  readonly #hash = host.sha256();
  readonly #buffer = new Uint8Array(64 * 1024);
  readonly #view = new DataView(this.#buffer.buffer);
  #used = 0;

  number(value: number): void {
    if (this.#used + 8 > this.#buffer.length) this.#flush();
    this.#view.setInt32(this.#used, (value % 0x1_0000_0000) | 0, true);
    this.#view.setInt32(this.#used + 4, Math.floor(value / 0x1_0000_0000), true);
    this.#used += 8;
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
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

/** SHA-256 of the tree's metadata (names, kinds, modes, owners, times, xattrs, devices, targets, sizes, holes; no content) and of `options` as text. */
export function metadataSeed(snapshot: Snapshot, options: string): Uint8Array {
  const out = new Canonical();
  out.bytes(encoder.encode("fsynth metadata 1"));
  out.bytes(encoder.encode(options));
  time(out, snapshot.time);
  out.number(snapshot.nodes.length);
  for (const node of snapshot.nodes) metadata(out, node);
  out.number(snapshot.entries);
  for (let entry = 0; entry < snapshot.entries; entry++) {
    out.bytes(entryName(snapshot, entry));
    out.number(snapshot.entryNode[entry] as number); // entry is in range
  }
  return out.digest();
}

function time(out: Canonical, value: Time): void {
  out.number(value.sec);
  out.number(value.nsec);
}

const KINDS = ["file", "directory", "symlink", "character-device", "block-device", "fifo", "socket"];

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
  if (node.content) {
    out.number(node.content.size);
    const extents = node.content.extents;
    out.number(extents ? extents.length : -1);
    for (const extent of extents ?? []) {
      out.number(extent.offset);
      out.number(extent.length);
    }
  }
  out.number(node.xattrs.length);
  for (const xattr of node.xattrs) {
    out.bytes(xattr.name);
    out.bytes(xattr.value);
  }
}

/** `length` (at most 32) bytes for `purpose` out of a seed. */
export function deriveBytes(seed: Uint8Array, purpose: string, length: number): Uint8Array {
  const hash = host.sha256();
  hash.update(seed);
  hash.update(encoder.encode(purpose));
  return hash.digest().subarray(0, length);
}

/** 16 bytes in the usual spelling of a UUID. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

/** The 16 bytes of a UUID in the usual spelling. */
export function parseUuid(uuid: string): Uint8Array {
  const hex = uuid.replaceAll("-", "");
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16));
}

/** Marks derived bytes as a version 8 (custom) UUID of RFC 9562. */
export function asUuid(bytes: Uint8Array): Uint8Array {
  const uuid = bytes.slice(0, 16);
  uuid[6] = ((uuid[6] as number) & 0x0f) | 0x80; // uuid has 16 bytes
  uuid[8] = ((uuid[8] as number) & 0x3f) | 0x80;
  return uuid;
}
