// Content out of a stream, kept until the image is written: in memory while it is little, then in a temporary file.

import { host } from "#host";
import { FsynthError } from "../error.ts";
import type { Spool } from "../host/port.ts";
import type { Content } from "../tree/content.ts";
import { ReadAhead } from "./read-ahead.ts";

/** Written to the temporary file at once; and what stays in memory when there is no more. */
const PIECE = 1024 * 1024;

/** Bytes appended one behind the other, whose ranges become content. */
export class ContentSpool {
  /** How many bytes were appended. */
  size = 0;
  readonly #directory: string | undefined;
  /** The last bytes, from `#flushed` on. */
  #tail: Uint8Array = new Uint8Array(PIECE);
  #used = 0;
  #flushed = 0;
  #file: Spool | undefined;
  #ahead: ReadAhead | undefined;
  /** Pieces of exactly PIECE bytes, where there are no files. */
  readonly #memory: Uint8Array[] = [];

  constructor(directory?: string) {
    this.#directory = directory;
  }

  append(bytes: Uint8Array): void {
    this.size += bytes.length;
    const toFile = host.name !== "none";
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === 0 && toFile && bytes.length - at >= PIECE) {
        this.#write(bytes.subarray(at));
        return;
      }
      const count = Math.min(bytes.length - at, PIECE - this.#used);
      this.#tail.set(bytes.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
      if (this.#used === PIECE) this.#flush(toFile);
    }
  }

  /** Nothing more is appended. */
  finish(): void {
    if (this.#file && this.#used > 0) this.#write(this.#tail.subarray(0, this.#used));
    this.#tail = this.#file ? new Uint8Array(0) : this.#tail.slice(0, this.#used);
  }

  /** Drops everything: the tree that it was for is not to be. */
  discard(): void {
    this.#file?.close();
  }

  /** The `length` bytes from `offset` on; they may be appended later than this call. */
  content(offset: number, length: number): Content {
    return new SpooledContent(this, offset, length);
  }

  /** Fills `target` with the bytes from `offset`. */
  read(offset: number, target: Uint8Array): void {
    let done = 0;
    while (done < target.length && offset + done < this.#flushed) {
      const at = offset + done;
      const rest = target.subarray(done, done + Math.min(target.length - done, this.#flushed - at));
      done += this.#file ? this.#readFile(at, rest) : this.#readMemory(at, rest);
    }
    if (done < target.length) {
      const at = offset + done - this.#flushed;
      target.set(this.#tail.subarray(at, at + target.length - done), done);
    }
  }

  #readFile(offset: number, target: Uint8Array): number {
    const count = (this.#ahead as ReadAhead).read(offset, target); // made with the file
    if (count < target.length) {
      throw new FsynthError("io", `a temporary file ends at byte ${offset + count}; ${this.#flushed} bytes were written to it`);
    }
    return count;
  }

  #readMemory(offset: number, target: Uint8Array): number {
    const piece = this.#memory[Math.floor(offset / PIECE)] as Uint8Array; // offset is below #flushed
    const part = piece.subarray(offset % PIECE, (offset % PIECE) + target.length);
    target.set(part);
    return part.length;
  }

  #flush(toFile: boolean): void {
    if (toFile) {
      this.#write(this.#tail);
      return;
    }
    this.#memory.push(this.#tail);
    this.#tail = new Uint8Array(PIECE);
    this.#flushed += PIECE;
    this.#used = 0;
  }

  #write(bytes: Uint8Array): void {
    const file = this.#file ?? host.files.spool(this.#directory);
    this.#file = file;
    this.#ahead ??= new ReadAhead(
      () => this.#flushed,
      (offset, target) => file.readAt(offset, target),
    );
    file.append(bytes);
    this.#flushed += bytes.length;
    this.#used = 0;
  }
}

class SpooledContent implements Content {
  constructor(
    readonly spool: ContentSpool,
    readonly start: number,
    readonly size: number,
  ) {}
  read(offset: number, target: Uint8Array): void {
    this.spool.read(this.start + offset, target);
  }
}
