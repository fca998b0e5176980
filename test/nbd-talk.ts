// A client that says anything: the NBD protocol by hand, for what well-behaved clients never do.

import { once } from "node:events";
import { connect, type NetConnectOpts, type Socket } from "node:net";

export const OPT = { name: 1, abort: 2, list: 3, starttls: 5, info: 6, go: 7, structured: 8, listMeta: 9, setMeta: 10 } as const;
export const REP = {
  ack: 1,
  server: 2,
  info: 3,
  meta: 4,
  unsup: 0x80000001,
  invalid: 0x80000003,
  unknown: 0x80000006,
  tooBig: 0x80000009,
};
export const CMD = { read: 0, write: 1, disc: 2, flush: 3, trim: 4, cache: 5, zeroes: 6, status: 7 } as const;
export const FLAG = { fua: 1, noHole: 2, df: 4, one: 8 } as const;

export interface OptionReply {
  readonly type: number;
  readonly data: Buffer;
}

/** All that answers one request. */
export interface Answer {
  readonly error: number;
  /** The text of an error, where there is one. */
  readonly message: string;
  /** Of a read: where nothing came 0xee stands. */
  readonly data: Buffer;
  /** Chunks by their type. */
  readonly chunks: readonly number[];
  /** Of a status: lengths and flags. */
  readonly extents: readonly (readonly [length: number, flags: number])[];
}

export function be(bytes: number, value: number | bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64BE(BigInt(value));
  return buffer.subarray(8 - bytes);
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([be(4, bytes.length), bytes]);
}

/** What INFO and GO carry. */
export function infoData(name: string, ...wanted: readonly number[]): Buffer {
  return Buffer.concat([text(name), be(2, wanted.length), ...wanted.map((one) => be(2, one))]);
}

/** What LIST_META_CONTEXT and SET_META_CONTEXT carry. */
export function contextData(name: string, ...queries: readonly string[]): Buffer {
  return Buffer.concat([text(name), be(4, queries.length), ...queries.map(text)]);
}

export class Talk {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  #held = 0;
  #wake: (() => void) | undefined;
  closed = false;
  structured = false;
  #cookie = 0n;

  constructor(to: NetConnectOpts) {
    this.socket = connect(to);
    this.socket.on("data", (bytes: Buffer) => {
      this.#chunks.push(bytes);
      this.#held += bytes.length;
      this.#wake?.();
    });
    const end = (): void => {
      this.closed = true;
      this.#wake?.();
    };
    this.socket.on("error", end);
    this.socket.on("close", end);
    this.socket.on("end", end);
  }

  /** Reads `count` bytes; fails where the server closes before. */
  async take(count: number): Promise<Buffer> {
    while (this.#held < count) {
      if (this.closed) throw new Error(`the server closed the connection ${count - this.#held} bytes early`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const first = this.#chunks[0] ?? Buffer.alloc(0);
    const all = first.length >= count ? first : Buffer.concat(this.#chunks);
    this.#chunks = first.length >= count ? [first.subarray(count), ...this.#chunks.slice(1)] : [all.subarray(count)];
    if (this.#chunks[0]?.length === 0) this.#chunks.shift();
    this.#held -= count;
    return all.subarray(0, count);
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** Resolves when the server has closed, with what it still sent. */
  async gone(): Promise<Buffer> {
    while (!this.closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return Buffer.concat(this.#chunks);
  }

  end(): void {
    this.socket.destroy();
  }

  /** The greeting, and the flags of the client. */
  async greet(flags = 3): Promise<Buffer> {
    const greeting = await this.take(18);
    this.send(be(4, flags));
    return greeting;
  }

  sendOption(option: number, data: Uint8Array = Buffer.alloc(0)): void {
    this.send(Buffer.from("IHAVEOPT"), be(4, option), be(4, data.length), data);
  }

  async optionReply(option: number): Promise<OptionReply> {
    const header = await this.take(20);
    if (header.readBigUInt64BE(0) !== 0x3e889045565a9n) throw new Error("a reply without its magic number");
    if (header.readUInt32BE(8) !== option) throw new Error(`a reply to option ${header.readUInt32BE(8)}`);
    return { type: header.readUInt32BE(12), data: await this.take(header.readUInt32BE(16)) };
  }

  /** All replies to an option, the final one last. */
  async option(option: number, data?: Uint8Array): Promise<OptionReply[]> {
    this.sendOption(option, data);
    const replies: OptionReply[] = [];
    for (;;) {
      const reply = await this.optionReply(option);
      replies.push(reply);
      if (reply.type === REP.ack || reply.type > 0x80000000) return replies;
    }
  }

  /** The way into the transmission of clients of today; without `structured` as plain as can be. */
  async go(how: { readonly structured?: boolean; readonly name?: string } = {}): Promise<OptionReply[]> {
    const { structured = true, name = "" } = how;
    await this.greet();
    if (structured) await this.option(OPT.structured);
    if (structured) await this.option(OPT.setMeta, contextData(name, "base:allocation"));
    this.structured = structured;
    return await this.option(OPT.go, infoData(name, 3));
  }

  /** Sends a request; its cookie tells its answer. */
  ask(command: number, offset: number | bigint, length: number, flags = 0, data: Uint8Array = Buffer.alloc(0)): bigint {
    this.#cookie += 0x1_0000_0001n;
    this.send(be(4, 0x25609513), be(2, flags), be(2, command), be(8, this.#cookie), be(8, offset), be(4, length), data);
    return this.#cookie;
  }

  /** The answer to the request of that cookie; requests are answered in order here. */
  async answer(cookie: bigint, offset = 0, length = 0): Promise<Answer> {
    const data = Buffer.alloc(length, 0xee);
    const chunks: number[] = [];
    const extents: [number, number][] = [];
    let [error, message] = [0, ""];
    for (;;) {
      const magic = (await this.take(4)).readUInt32BE();
      if (magic === 0x67446698) {
        error = (await this.take(4)).readUInt32BE();
        this.#expect(cookie, (await this.take(8)).readBigUInt64BE());
        if (!this.structured && error === 0 && length > 0) (await this.take(length)).copy(data);
        return { error, message, data, chunks, extents };
      }
      if (magic !== 0x668e33ef) throw new Error(`an answer that starts with ${magic.toString(16)}`);
      const head = await this.take(16);
      const [flags, type] = [head.readUInt16BE(0), head.readUInt16BE(2)];
      this.#expect(cookie, head.readBigUInt64BE(4));
      const payload = await this.take(head.readUInt32BE(12));
      chunks.push(type);
      if (type === 1) payload.copy(data, Number(payload.readBigUInt64BE(0)) - offset, 8);
      else if (type === 2) {
        const at = Number(payload.readBigUInt64BE(0)) - offset;
        data.fill(0, at, at + payload.readUInt32BE(8));
      } else if (type === 5) {
        for (let at = 4; at < payload.length; at += 8) extents.push([payload.readUInt32BE(at), payload.readUInt32BE(at + 4)]);
      } else if (type > 0x8000) {
        error = payload.readUInt32BE(0);
        message = payload.subarray(6, 6 + payload.readUInt16BE(4)).toString();
      }
      if ((flags & 1) !== 0) return { error, message, data, chunks, extents };
    }
  }

  #expect(cookie: bigint, found: bigint): void {
    if (found !== cookie) throw new Error(`an answer to ${found}, expected one to ${cookie}`);
  }

  async request(command: number, offset: number, length: number, flags = 0, data?: Uint8Array): Promise<Answer> {
    return await this.answer(this.ask(command, offset, length, flags, data), offset, command === CMD.read ? length : 0);
  }

  read(offset: number, length: number, flags = 0): Promise<Answer> {
    return this.request(CMD.read, offset, length, flags);
  }

  write(offset: number, data: Uint8Array, flags = 0): Promise<Answer> {
    return this.request(CMD.write, offset, data.length, flags, data);
  }

  async leave(): Promise<void> {
    this.ask(CMD.disc, 0, 0);
    await once(this.socket, "close");
  }
}
