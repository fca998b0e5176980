// The options of the handshake that carry data: what a client says in them, and what it is told.

import { viewOf } from "../bytes/struct.ts";
import {
  BASE_ALLOCATION,
  BLOCK_SIZES,
  Info,
  infoBlockSize,
  infoExport,
  LONGEST_TEXT,
  MAGIC,
  Opt,
  optionReply,
} from "./protocol.ts";

/** An option whose data does not hold together. */
export class Malformed extends Error {}

/** Reads the fields of an option one after the other. Throws {@link Malformed}. */
class Fields {
  #at = 0;
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.#view = viewOf(bytes);
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  text(): string {
    const length = this.u32();
    if (length > LONGEST_TEXT) throw new Malformed(`a text of ${length} bytes, expected at most ${LONGEST_TEXT}`);
    const at = this.#take(length);
    return textOf(this.bytes.subarray(at, at + length));
  }

  end(): void {
    if (this.#at < this.bytes.length) throw new Malformed(`${this.bytes.length - this.#at} bytes too many`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.bytes.length) throw new Malformed(`${this.bytes.length} bytes, expected more`);
    this.#at += count;
    return at;
  }
}

/** UTF-8; a name that is none names nothing here. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** NBD_OPT_INFO and NBD_OPT_GO: the name of an export, and what the client wants to know of it. */
export function readInfoRequest(data: Uint8Array): { readonly name: string; readonly wanted: ReadonlySet<number> } {
  const fields = new Fields(data);
  const name = fields.text();
  const wanted = new Set<number>();
  for (let left = fields.u16(); left > 0; left--) wanted.add(fields.u16());
  fields.end();
  return { name, wanted };
}

/** NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT: the name of an export, and which contexts are asked for. */
export function readContextRequest(data: Uint8Array): { readonly name: string; readonly queries: readonly string[] } {
  const fields = new Fields(data);
  const name = fields.text();
  const queries: string[] = [];
  for (let left = fields.u32(); left > 0; left--) queries.push(fields.text());
  fields.end();
  return { name, queries };
}

/** Whether base:allocation is among what is asked for; a list takes no query and the namespace alone for all. */
export function asksForAllocation(option: number, queries: readonly string[]): boolean {
  if (queries.includes(BASE_ALLOCATION)) return true;
  return option === Opt.LIST_META_CONTEXT && (queries.length === 0 || queries.includes("base:"));
}

/** A reply to `option`. */
export function replyTo(option: number, type: number, ...data: readonly Uint8Array[]): Uint8Array {
  const length = data.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(optionReply.size + length);
  const view = viewOf(bytes);
  const { f } = optionReply;
  f.magic.set(view, 0, MAGIC.optionReply);
  f.option.set(view, 0, option);
  f.type.set(view, 0, type);
  f.length.set(view, 0, length);
  let at = optionReply.size;
  for (const part of data) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A number of 32 bits as it goes over the wire. */
export function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value);
  return bytes;
}

/** NBD_INFO_EXPORT. */
export function exportInfo(size: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(infoExport.size);
  const view = viewOf(bytes);
  infoExport.f.type.set(view, 0, Info.EXPORT);
  infoExport.f.size.set(view, 0, size);
  infoExport.f.flags.set(view, 0, flags);
  return bytes;
}

/** NBD_INFO_BLOCK_SIZE. */
export function blockSizeInfo(): Uint8Array {
  const bytes = new Uint8Array(infoBlockSize.size);
  const view = viewOf(bytes);
  const { f } = infoBlockSize;
  f.type.set(view, 0, Info.BLOCK_SIZE);
  f.minimum.set(view, 0, BLOCK_SIZES.minimum);
  f.preferred.set(view, 0, BLOCK_SIZES.preferred);
  f.maximum.set(view, 0, BLOCK_SIZES.maximum);
  return bytes;
}

/** NBD_INFO_NAME. */
export function nameInfo(name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + name.length);
  viewOf(bytes).setUint16(0, Info.NAME);
  bytes.set(name, 2);
  return bytes;
}
