// The transmission: requests of one client, answered one after the other.
// Specification: proto.md, "Transmission" and "Request types".

import { viewOf } from "../bytes/struct.ts";
import { FsynthError } from "../error.ts";
import { Turns } from "../host/turn.ts";
import { BLOCK, type Disk, NoSpace, type WritableDisk } from "./disk.ts";
import { type Agreed, ALLOCATION_ID } from "./handshake.ts";
import {
  Cmd,
  CmdFlag,
  chunk,
  DONE,
  Errno,
  errorHead,
  extent,
  LARGEST_PAYLOAD,
  LONGEST_TEXT,
  MAGIC,
  offsetData,
  offsetHole,
  Reply,
  request,
  State,
  simpleReply,
} from "./protocol.ts";
import { Violation, type Wire } from "./wire.ts";

/** How much of a disk is read or written at once, bytes: what a client can make this server hold. */
const PIECE = 256 * 1024;

/** Extents in one answer to NBD_CMD_BLOCK_STATUS. */
const MOST_EXTENTS = 4096;

interface Request {
  readonly flags: number;
  readonly type: number;
  readonly cookie: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/** A request that is answered with an error. */
class Refused extends Error {
  constructor(
    readonly errno: number,
    message: string,
  ) {
    super(message);
  }
}

/** What a client is served. */
export interface Served {
  readonly disk: Disk;
  /** The same disk, where clients may write. */
  readonly writable: WritableDisk | undefined;
  /** Told of what could not be read: a client learns only that it could not. */
  onFailure(error: unknown): void;
  /** Whether this side is about to end: requests are refused then. */
  ending(): boolean;
}

/** Answers requests until the client leaves. Throws {@link Violation}, and Gone when the client is gone. */
export async function answerRequests(wire: Wire, served: Served, agreed: Agreed): Promise<void> {
  const answering = new Answering(wire, served, agreed);
  const turns = new Turns();
  while (await answering.next()) if (turns.due()) await turns.take();
}

class Answering {
  /** Answers under way; grows up to what a piece takes. */
  #room: Uint8Array = new Uint8Array(BLOCK);
  #view: DataView = viewOf(this.#room);
  #used = 0;

  constructor(
    readonly wire: Wire,
    readonly served: Served,
    readonly agreed: Agreed,
  ) {}

  /** Answers the next request; false when the client says that it leaves. */
  async next(): Promise<boolean> {
    const asked = readRequest(await this.wire.take(request.size));
    if (asked.type === Cmd.DISC) return false;
    let taken = asked.type !== Cmd.WRITE;
    try {
      if (this.served.ending()) throw new Refused(Errno.ESHUTDOWN, "the server ends");
      this.#check(asked);
      switch (asked.type) {
        case Cmd.READ:
          await (this.agreed.structured ? this.#readChunks(asked) : this.#readSimply(asked));
          return true;
        case Cmd.BLOCK_STATUS:
          await this.#status(asked);
          return true;
        case Cmd.WRITE:
          taken = true;
          await this.#write(asked);
          break;
        case Cmd.TRIM:
        case Cmd.WRITE_ZEROES:
          await this.#writable().zero(asked.offset, asked.length, (asked.flags & CmdFlag.NO_HOLE) !== 0);
          break;
        default: // FLUSH: all clients read what is written, and nothing is kept before the end
      }
      await this.#done(asked);
    } catch (error) {
      const refused = this.#refusal(error);
      if (!taken) await this.wire.skip(asked.length);
      await this.#refuse(asked, refused);
    }
    return true;
  }

  /** What a request is answered with instead. Throws what no answer can follow. */
  #refusal(error: unknown): Refused {
    if (error instanceof Refused) return error;
    if (error instanceof NoSpace) return new Refused(Errno.ENOSPC, error.message);
    if (error instanceof FsynthError) {
      this.served.onFailure(error);
      return new Refused(Errno.EIO, error.message);
    }
    throw error;
  }

  #writable(): WritableDisk {
    const { writable } = this.served;
    if (!writable) throw new Refused(Errno.EPERM, "the export is read-only");
    return writable;
  }

  #check({ type, flags, offset, length }: Request): void {
    const writes = type === Cmd.WRITE || type === Cmd.WRITE_ZEROES || type === Cmd.TRIM;
    if (writes) this.#writable();
    if ((flags & ~this.#knownFlags(type)) !== 0)
      throw new Refused(Errno.EINVAL, `flags 0x${flags.toString(16)} do not go with it`);
    if (type === Cmd.FLUSH) {
      if (offset !== 0 || length !== 0) throw new Refused(Errno.EINVAL, "a flush has no range");
      return;
    }
    if (type === Cmd.BLOCK_STATUS && !this.agreed.allocation)
      throw new Refused(Errno.EINVAL, "no metadata context was agreed on");
    const { size } = this.served.disk;
    // An offset of more than 2^53 is inexact here, and still outside.
    if (offset > size || length > size - offset) {
      const errno = type === Cmd.WRITE || type === Cmd.WRITE_ZEROES ? Errno.ENOSPC : Errno.EINVAL;
      throw new Refused(errno, `${length} bytes at ${offset} of a disk of ${size}`);
    }
    if (length > LARGEST_PAYLOAD && (type === Cmd.READ || type === Cmd.WRITE)) {
      const errno = type === Cmd.READ ? Errno.EOVERFLOW : Errno.EINVAL;
      throw new Refused(errno, `${length} bytes, expected at most ${LARGEST_PAYLOAD}`);
    }
    if ((flags & CmdFlag.DF) !== 0 && length > PIECE) {
      throw new Refused(Errno.EOVERFLOW, `${length} bytes in one piece, expected at most ${PIECE}`);
    }
    if (type === Cmd.BLOCK_STATUS && length === 0) throw new Refused(Errno.EINVAL, "a status of no bytes");
  }

  /** Flags that go with a command; throws for a command that is not known. */
  #knownFlags(type: number): number {
    // Clients set FUA on what does not write, too.
    const fua = this.served.writable ? CmdFlag.FUA : 0;
    switch (type) {
      case Cmd.READ:
        return fua | (this.agreed.structured ? CmdFlag.DF : 0);
      case Cmd.WRITE:
      case Cmd.TRIM:
      case Cmd.FLUSH:
        return fua;
      case Cmd.WRITE_ZEROES:
        return fua | CmdFlag.NO_HOLE;
      case Cmd.BLOCK_STATUS:
        return fua | CmdFlag.REQ_ONE;
      default:
        throw new Refused(Errno.EINVAL, `command ${type} is not known here`);
    }
  }

  async #readSimply({ cookie, offset, length }: Request): Promise<void> {
    for (let done = 0; done < length || done === 0; ) {
      const count = Math.min(PIECE, length - done);
      const head = done === 0 ? simpleReply.size : 0;
      await this.#reserve(head + count);
      try {
        const pending = this.served.disk.read(offset + done, this.#room.subarray(head, head + count));
        if (pending) await pending;
      } catch (error) {
        if (done === 0) throw error;
        // The client was told that it gets all of it: there is no way back but to leave it.
        this.served.onFailure(error);
        throw new Violation("a read failed behind the head of its reply");
      }
      if (head > 0) this.#simpleHead(0, cookie);
      this.#used = head + count;
      await this.#flush();
      if (length === 0) return;
      done += count;
    }
  }

  async #readChunks({ flags, cookie, offset, length }: Request): Promise<void> {
    const end = offset + length;
    const whole = [{ offset, length, hole: false }];
    const runs = (flags & CmdFlag.DF) !== 0 || length <= BLOCK ? whole : this.served.disk.runs(offset, end);
    let at = offset;
    try {
      for (const run of runs) {
        if (run.hole) {
          await this.#reserve(chunk.size + offsetHole.size);
          const from = this.#chunkHead(Reply.OFFSET_HOLE, cookie, offsetHole.size, run.offset + run.length === end);
          offsetHole.f.offset.set(this.#view, from, run.offset);
          offsetHole.f.size.set(this.#view, from, run.length);
          this.#used = from + offsetHole.size;
        } else await this.#dataChunks(cookie, run.offset, run.offset + run.length, end);
        at = run.offset + run.length;
      }
      // What was too long to tell in runs.
      if (at < end) await this.#dataChunks(cookie, at, end, end);
    } catch (error) {
      // Chunks that are not out are as good as never made; those that are out count for nothing with the error behind them.
      this.#used = 0;
      throw error;
    }
    if (length === 0) {
      await this.#reserve(chunk.size);
      this.#used = this.#chunkHead(Reply.NONE, cookie, 0, true);
    }
    await this.#flush();
  }

  async #dataChunks(cookie: Uint8Array, offset: number, to: number, end: number): Promise<void> {
    for (let at = offset; at < to; ) {
      const count = Math.min(PIECE, to - at);
      const head = chunk.size + offsetData.size;
      await this.#reserve(head + count);
      const start = this.#used + head;
      const pending = this.served.disk.read(at, this.#room.subarray(start, start + count));
      if (pending) await pending;
      const from = this.#chunkHead(Reply.OFFSET_DATA, cookie, offsetData.size + count, at + count === end);
      offsetData.f.offset.set(this.#view, from, at);
      this.#used = start + count;
      at += count;
    }
  }

  async #status({ flags, cookie, offset, length }: Request): Promise<void> {
    const runs = this.served.disk.runs(offset, offset + length);
    const most = (flags & CmdFlag.REQ_ONE) !== 0 ? 1 : MOST_EXTENTS;
    await this.#reserve(chunk.size + 4 + most * extent.size);
    let at = chunk.size + 4;
    for (const run of runs) {
      extent.f.length.set(this.#view, at, run.length);
      extent.f.status.set(this.#view, at, run.hole ? State.HOLE | State.ZERO : 0);
      at += extent.size;
      if (at === chunk.size + 4 + most * extent.size) break;
    }
    this.#view.setUint32(chunk.size, ALLOCATION_ID);
    this.#chunkHead(Reply.BLOCK_STATUS, cookie, at - chunk.size, true);
    this.#used = at;
    await this.#flush();
  }

  /** Nothing is written before all of it is there: a client that goes, or a server that ends, leaves no half of it. */
  async #write({ offset, length }: Request): Promise<void> {
    const disk = this.#writable();
    const parts: Uint8Array[] = [];
    let [done, held] = [0, 0];
    this.wire.busy = true;
    try {
      while (done < length) {
        const count = Math.min(PIECE, length - done);
        if (length > PIECE) {
          disk.hold(count);
          held += count;
        }
        parts.push(await this.wire.take(count));
        done += count;
      }
      await disk.write(offset, parts);
    } catch (error) {
      const refused = this.#refusal(error);
      await this.wire.skip(length - done);
      throw refused;
    } finally {
      disk.hold(-held);
      this.wire.busy = false;
    }
  }

  /** Says that a request without an answer of its own is done. */
  async #done({ cookie }: Request): Promise<void> {
    this.#simpleHead(0, cookie);
    this.#used = simpleReply.size;
    await this.#flush();
  }

  async #refuse({ cookie }: Request, { errno, message }: Refused): Promise<void> {
    if (!this.agreed.structured) {
      this.#simpleHead(errno, cookie);
      this.#used = simpleReply.size;
    } else {
      const text = new TextEncoder().encode(message).subarray(0, LONGEST_TEXT);
      await this.#reserve(chunk.size + errorHead.size + text.length);
      const from = this.#chunkHead(Reply.ERROR, cookie, errorHead.size + text.length, true);
      errorHead.f.error.set(this.#view, from, errno);
      errorHead.f.length.set(this.#view, from, text.length);
      this.#room.set(text, from + errorHead.size);
      this.#used = from + errorHead.size + text.length;
    }
    await this.#flush();
  }

  #simpleHead(error: number, cookie: Uint8Array): void {
    const { f } = simpleReply;
    f.magic.set(this.#view, 0, MAGIC.simpleReply);
    f.error.set(this.#view, 0, error);
    f.cookie.set(this.#view, 0, cookie);
  }

  /** The head of a chunk behind what is there already; gives where its payload starts. */
  #chunkHead(type: number, cookie: Uint8Array, length: number, last: boolean): number {
    const { f } = chunk;
    const at = this.#used;
    f.magic.set(this.#view, at, MAGIC.chunk);
    f.flags.set(this.#view, at, last ? DONE : 0);
    f.type.set(this.#view, at, type);
    f.cookie.set(this.#view, at, cookie);
    f.length.set(this.#view, at, length);
    return at + chunk.size;
  }

  /** Makes room for `count` bytes more; sends what is there when there is not enough. */
  async #reserve(count: number): Promise<void> {
    if (this.#used + count <= this.#room.length) return;
    if (this.#used > 0) await this.#flush();
    if (count <= this.#room.length) return;
    this.#room = new Uint8Array(count <= PIECE / 4 + BLOCK ? PIECE / 4 + BLOCK : PIECE + BLOCK);
    this.#view = viewOf(this.#room);
  }

  async #flush(): Promise<void> {
    const bytes = this.#room.subarray(0, this.#used);
    this.#used = 0;
    await this.wire.send(bytes);
  }
}

function readRequest(bytes: Uint8Array): Request {
  const view = viewOf(bytes);
  const { f } = request;
  const magic = f.magic.get(view, 0);
  if (magic !== MAGIC.request) throw new Violation(`a request that starts with 0x${magic.toString(16)}`);
  return {
    flags: f.flags.get(view, 0),
    type: f.type.get(view, 0),
    cookie: f.cookie.get(view, 0),
    offset: f.offset.get(view, 0),
    length: f.length.get(view, 0),
  };
}
