// gzip read in plain JavaScript, by pako, where the runtime has no zlib of its own.

import { Inflate } from "pako";
import { FsynthError } from "../error.ts";

/** How much comes out at once. */
const CHUNK = 256 * 1024;

/** Decompresses all members of `source` (RFC 1952). Zeros behind the last one are padding; anything else there, and a cut end, is `corrupt`. */
export async function* inflateMembers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const members = new Members();
  for await (const chunk of source) {
    members.push(chunk);
    yield* members.taken();
  }
  members.end();
}

/** pako's view of its input, which its types keep to themselves. */
interface Consumed {
  readonly strm: { readonly avail_in: number };
}

class Members {
  #member: Inflate | undefined;
  #count = 0;
  #ready: Uint8Array[] = [];
  /** Offset of the next compressed byte. */
  #at = 0;
  #padding = false;

  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (!this.#member && this.#count > 0 && (this.#padding || rest[0] === 0)) {
        const junk = rest.findIndex((byte) => byte !== 0);
        if (junk >= 0) throw gzipJunk(this.#at + junk);
        this.#padding = true;
        this.#at += rest.length;
        return;
      }
      this.#member ??= this.#start();
      const member = this.#member;
      member.push(rest, false);
      if (member.err !== 0) {
        // The magic of the first member was seen before: this is about what follows one.
        throw member.msg === "incorrect header check" ? gzipJunk(this.#at) : gzipDamage(member.msg, this.#at);
      }
      const left = member.ended ? (member as unknown as Consumed).strm.avail_in : 0;
      this.#at += rest.length - left;
      rest = rest.subarray(rest.length - left);
      if (member.ended) {
        this.#member = undefined;
        this.#count++;
      }
    }
  }

  taken(): Uint8Array[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  end(): void {
    if (this.#member || this.#count === 0) throw gzipCut(this.#at);
  }

  #start(): Inflate {
    // 16 + 15: nothing but gzip, with its largest window.
    const member = new Inflate({ windowBits: 31, chunkSize: CHUNK });
    member.onData = (bytes) => void this.#ready.push(bytes as Uint8Array); // bytes, since no text was asked for
    return member;
  }
}

export function gzipCut(offset: number): FsynthError {
  return new FsynthError("corrupt", `the gzip data ends at byte ${offset}, within a member; it is truncated`, {
    format: "gzip",
    offset,
  });
}

export function gzipJunk(offset: number): FsynthError {
  return new FsynthError(
    "corrupt",
    `junk behind the gzip data, at byte ${offset} or later; expected its end, zeros or another member`,
    {
      format: "gzip",
      offset,
    },
  );
}

export function gzipDamage(message: string, offset: number): FsynthError {
  return new FsynthError("corrupt", `the gzip data is damaged at byte ${offset} or later: ${message}`, {
    format: "gzip",
    offset,
  });
}
