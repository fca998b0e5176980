// The fixed newstyle handshake: options until the client enters the transmission, or leaves.
// Specification: proto.md, "Handshake" and "Option types".

import { quoteName } from "../bytes/names.ts";
import { viewOf } from "../bytes/struct.ts";
import {
  asksForAllocation,
  blockSizeInfo,
  exportInfo,
  Malformed,
  nameInfo,
  readContextRequest,
  readInfoRequest,
  replyTo,
  textOf,
  u32Bytes,
} from "./options.ts";
import {
  BASE_ALLOCATION,
  EXPORT_REPLY_SHORT,
  exportReply,
  greeting,
  Handshake,
  Info,
  LONGEST_TEXT,
  MAGIC,
  Opt,
  optionHeader,
  Rep,
  Transmission,
} from "./protocol.ts";
import { Gone, Violation, type Wire } from "./wire.ts";

/** The one export of a server. */
export interface Export {
  /** Clients that give no name get it, too. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly writable: boolean;
  /** What a client wrote and flushed every other one reads: several connections may share the work of one client. */
  readonly shared: boolean;
}

/** What a client and this server agreed on. */
export interface Agreed {
  readonly structured: boolean;
  /** The client may ask what is allocated. */
  readonly allocation: boolean;
}

/** More than that is no option that anybody knows, bytes. */
const LONGEST_OPTION = 64 * 1024;

/** So many options nobody needs. */
const MOST_OPTIONS = 1024;

/** How much of a name is shown, characters. */
const SHOWN = 200;

/** The number that base:allocation has in replies. */
export const ALLOCATION_ID = 1;

const encoder = new TextEncoder();

/** The transmission flags of an export. */
export function transmissionFlags({ writable, shared }: Export, structured: boolean): number {
  const { HAS_FLAGS, READ_ONLY, SEND_FLUSH, SEND_FUA, SEND_TRIM, SEND_WRITE_ZEROES, SEND_DF, CAN_MULTI_CONN } = Transmission;
  const writing = writable ? SEND_FUA | SEND_TRIM | SEND_WRITE_ZEROES : READ_ONLY;
  return HAS_FLAGS | SEND_FLUSH | writing | (structured ? SEND_DF : 0) | (shared ? CAN_MULTI_CONN : 0);
}

/** Agrees with a client. `undefined`: it left in order. Throws {@link Violation}, and {@link Gone} when it is gone. */
export async function shakeHands(wire: Wire, exported: Export): Promise<Agreed | undefined> {
  await wire.send(greetingBytes());
  const flags = viewOf(await wire.take(4)).getUint32(0);
  if ((flags & ~(Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES)) !== 0) {
    throw new Violation(`client flags 0x${flags.toString(16)}, expected none but FIXED_NEWSTYLE and NO_ZEROES`);
  }
  return await new Haggling(wire, exported, (flags & Handshake.NO_ZEROES) !== 0).result();
}

/** Names of clients end up on terminals: nothing in them is more than a letter there, and none fills the screen. */
function noExport(name: string): string {
  const short = name.length > SHOWN ? `${name.slice(0, SHOWN)}…` : name;
  const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
  return `there is no export ${quoteName(short).replace(hidden, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)}`;
}

function greetingBytes(): Uint8Array {
  const bytes = new Uint8Array(greeting.size);
  const view = viewOf(bytes);
  greeting.f.magic.set(view, 0, encoder.encode(MAGIC.nbd));
  greeting.f.version.set(view, 0, encoder.encode(MAGIC.option));
  greeting.f.flags.set(view, 0, Handshake.FIXED_NEWSTYLE | Handshake.NO_ZEROES);
  return bytes;
}

class Haggling {
  #structured = false;
  #allocation = false;

  constructor(
    readonly wire: Wire,
    readonly exported: Export,
    readonly noZeroes: boolean,
  ) {}

  async result(): Promise<Agreed | undefined> {
    for (let count = 0; count < MOST_OPTIONS; count++) {
      const header = viewOf(await this.wire.take(optionHeader.size));
      const { f } = optionHeader;
      if (textOf(f.magic.get(header, 0)) !== MAGIC.option) throw new Violation("an option without its magic number");
      const option = f.option.get(header, 0);
      const length = f.length.get(header, 0);
      if (option === Opt.EXPORT_NAME) {
        if (length > LONGEST_TEXT) throw new Violation(`an export name of ${length} bytes`);
        const name = textOf(await this.wire.take(length));
        if (!this.#knows(name)) throw new Violation(noExport(name));
        await this.wire.send(this.#exportBytes());
        return this.#agreed();
      }
      if (length > LONGEST_OPTION) {
        await this.wire.skip(length);
        await this.#reply(option, Rep.ERR_TOO_BIG, encoder.encode(`an option of ${length} bytes`));
        continue;
      }
      const data = await this.wire.take(length);
      if (option === Opt.ABORT) {
        // It may have left without waiting for this.
        await this.#reply(option, Rep.ACK).catch((error: unknown) => {
          if (!(error instanceof Gone)) throw error;
        });
        return undefined;
      }
      try {
        if (await this.#answer(option, data)) return this.#agreed();
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
        await this.#reply(option, Rep.ERR_INVALID, encoder.encode(error.message));
      }
    }
    throw new Violation(`more than ${MOST_OPTIONS} options`);
  }

  #agreed(): Agreed {
    return { structured: this.#structured, allocation: this.#allocation };
  }

  #knows(name: string): boolean {
    return name === "" || name === this.exported.name;
  }

  #reply(option: number, type: number, ...data: readonly Uint8Array[]): Promise<void> {
    return this.wire.send(replyTo(option, type, ...data));
  }

  /** Answers an option; tells whether the transmission begins. */
  async #answer(option: number, data: Uint8Array): Promise<boolean> {
    switch (option) {
      case Opt.LIST: {
        if (data.length > 0) throw new Malformed("data where none belongs");
        const name = encoder.encode(this.exported.name);
        await this.#reply(option, Rep.SERVER, u32Bytes(name.length), name);
        await this.#reply(option, Rep.ACK);
        return false;
      }
      case Opt.STRUCTURED_REPLY:
        if (data.length > 0) throw new Malformed("data where none belongs");
        this.#structured = true;
        await this.#reply(option, Rep.ACK);
        return false;
      case Opt.INFO:
      case Opt.GO:
        return await this.#info(option, data);
      case Opt.LIST_META_CONTEXT:
      case Opt.SET_META_CONTEXT:
        await this.#contexts(option, data);
        return false;
      default:
        await this.#reply(option, Rep.ERR_UNSUP, encoder.encode(`option ${option} is not known here`));
        return false;
    }
  }

  async #info(option: number, data: Uint8Array): Promise<boolean> {
    const { name, wanted } = readInfoRequest(data);
    if (!this.#knows(name)) {
      await this.#reply(option, Rep.ERR_UNKNOWN, encoder.encode(noExport(name)));
      return false;
    }
    const { exported } = this;
    await this.#reply(option, Rep.INFO, exportInfo(exported.size, transmissionFlags(exported, this.#structured)));
    await this.#reply(option, Rep.INFO, blockSizeInfo());
    if (wanted.has(Info.NAME)) await this.#reply(option, Rep.INFO, nameInfo(encoder.encode(exported.name)));
    await this.#reply(option, Rep.ACK);
    return option === Opt.GO;
  }

  async #contexts(option: number, data: Uint8Array): Promise<void> {
    if (option === Opt.SET_META_CONTEXT) this.#allocation = false;
    if (!this.#structured) throw new Malformed("metadata contexts need structured replies");
    const { name, queries } = readContextRequest(data);
    if (!this.#knows(name)) {
      await this.#reply(option, Rep.ERR_UNKNOWN, encoder.encode(noExport(name)));
      return;
    }
    const found = asksForAllocation(option, queries);
    const id = option === Opt.SET_META_CONTEXT ? ALLOCATION_ID : 0;
    if (found) await this.#reply(option, Rep.META_CONTEXT, u32Bytes(id), encoder.encode(BASE_ALLOCATION));
    if (option === Opt.SET_META_CONTEXT) this.#allocation = found;
    await this.#reply(option, Rep.ACK);
  }

  #exportBytes(): Uint8Array {
    const bytes = new Uint8Array(this.noZeroes ? EXPORT_REPLY_SHORT : exportReply.size);
    const view = viewOf(bytes);
    exportReply.f.size.set(view, 0, this.exported.size);
    exportReply.f.flags.set(view, 0, transmissionFlags(this.exported, this.#structured));
    return bytes;
  }
}
