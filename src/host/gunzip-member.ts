// One gzip member that knows where it ends (RFC 1952): decoders that take whole streams look behind it, and fail there on what
// is no member.

import { Inflate } from "pako";
import { FsynthError } from "../error.ts";

/** How much comes out at once. */
const CHUNK = 256 * 1024;

// FLG bits of the header, section 2.3.1.
const HCRC = 2;
const EXTRA = 4;
const NAME = 8;
const COMMENT = 16;
const RESERVED = 0xe0;

const TRAILER = 8;

const crcTable = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  crcTable[i] = c;
}

function crc32(crc: number, bytes: Uint8Array): number {
  let c = ~crc;
  for (const byte of bytes) c = (c >>> 8) ^ (crcTable[(c ^ byte) & 0xff] as number); // eight bits
  return ~c >>> 0;
}

/** pako's view of its input, which its types keep to themselves. */
interface Consumed {
  readonly strm: { readonly avail_in: number };
}

/** Decompresses the member that `source` starts with; `onEnd` is told how many bytes it has. A cut end and damage are `corrupt`. */
export async function* inflateMember(
  source: AsyncIterable<Uint8Array>,
  onEnd: (length: number) => void,
): AsyncGenerator<Uint8Array> {
  const inflate = new Inflate({ raw: true, chunkSize: CHUNK });
  let ready: Uint8Array[] = [];
  inflate.onData = (bytes) => void ready.push(bytes as Uint8Array); // bytes, since no text was asked for
  let crc = 0;
  let size = 0;
  let length = 0;
  let header = false;
  let held: Uint8Array = new Uint8Array(0);
  for await (const chunk of source) {
    let rest = joined(held, chunk);
    held = new Uint8Array(0);
    if (!header) {
      const end = headerEnd(rest);
      if (end === undefined) {
        held = rest;
        continue;
      }
      header = true;
      length = end;
      rest = rest.subarray(end);
    }
    if (!inflate.ended) {
      inflate.push(rest, false);
      if (inflate.err !== 0) throw bad(`is damaged: ${inflate.msg}`);
      const left = inflate.ended ? (inflate as unknown as Consumed).strm.avail_in : 0;
      length += rest.length - left;
      rest = rest.subarray(rest.length - left);
      for (const bytes of ready) {
        crc = crc32(crc, bytes);
        size += bytes.length;
        yield bytes;
      }
      ready = [];
    }
    if (!inflate.ended) continue;
    if (rest.length < TRAILER) {
      held = rest;
      continue;
    }
    const view = new DataView(rest.buffer, rest.byteOffset, TRAILER);
    if (view.getUint32(0, true) !== crc) {
      throw bad(`holds bytes of the CRC 0x${crc.toString(16)}, expected 0x${view.getUint32(0, true).toString(16)}`);
    }
    if (view.getUint32(4, true) !== size % 2 ** 32)
      throw bad(`holds ${size} bytes, expected ${view.getUint32(4, true)} (modulo 2^32)`);
    onEnd(length + TRAILER);
    return;
  }
  throw bad("is truncated");
}

/** The first bytes, up to `most`, of what the member at the front of `bytes` holds; fewer where these end or are damaged. */
export function inflateFront(bytes: Uint8Array, most: number): Uint8Array {
  const header = headerEnd(bytes);
  let front: Uint8Array = new Uint8Array(0);
  if (header === undefined) return front;
  const inflate = new Inflate({ raw: true, chunkSize: most });
  inflate.onData = (out) => {
    if (front.length === 0) front = out as Uint8Array; // bytes, since no text was asked for
  };
  // A little at a time: a bomb is not set off for this.
  for (let at = header; at < bytes.length && front.length === 0; at += 1024) {
    inflate.push(bytes.subarray(at, at + 1024), at + 1024 >= bytes.length);
    if (inflate.err !== 0) break;
  }
  return front;
}

function bad(what: string): FsynthError {
  return new FsynthError("corrupt", `the gzip member ${what}`, { format: "gzip" });
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** Where the header ends; undefined while there is too little of it. */
function headerEnd(bytes: Uint8Array): number | undefined {
  if (bytes.length < 10) return undefined;
  const flags = bytes[3] as number; // ten bytes are there
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) throw bad("does not start with its magic");
  if (bytes[2] !== 8 || (flags & RESERVED) !== 0) throw bad("is of a kind that RFC 1952 does not know");
  let at = 10;
  if (flags & EXTRA) {
    if (bytes.length < at + 2) return undefined;
    at += 2 + ((bytes[at] as number) | ((bytes[at + 1] as number) << 8)); // both are there
  }
  for (const text of [NAME, COMMENT]) {
    if (!(flags & text)) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if (flags & HCRC) at += 2;
  return bytes.length >= at ? at : undefined;
}
