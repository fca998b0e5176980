// One seed for everything that other tools draw at random: UUIDs, hash seeds, generations.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";
import { Canonical, writeMetadata } from "../tree/canonical.ts";
import type { Snapshot } from "../tree/snapshot.ts";

const encoder = new TextEncoder();

/** SHA-256 of the tree's metadata (src/tree/canonical.ts; no content) and of `options` as text. */
export function metadataSeed(snapshot: Snapshot, options: string): Uint8Array {
  const out = new Canonical();
  out.text("fsynth metadata 1");
  out.text(options);
  writeMetadata(out, snapshot);
  return out.digest();
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
  const hex = toHex(bytes);
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
