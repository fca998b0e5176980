// Ranges of an archive on the disk as content: nothing is copied, and an archive that changed is refused.

import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { FileStat, ReadHandle } from "../host/port.ts";
import type { Content } from "../tree/content.ts";
import { noteRead } from "../tree/watch.ts";

/** After so many reads, or so many bytes, the archive is looked at again: once a read would cost as much as the read. */
const READS_BETWEEN = 256;
const BYTES_BETWEEN = 16 * 1024 * 1024;

/** Contents up to this length are read together with what lies behind them: a call for each would cost more than the copy. */
const SMALL = 32 * 1024;
const MOST_AHEAD = 256 * 1024;

// A tree that is dropped takes the open archive with it.
const opened = new FinalizationRegistry<ReadHandle>((handle) => handle.close());

/**
 * An archive file that stays open for the content in it. It is still the same file when another is renamed over its path.
 */
export class ArchiveFile {
  readonly size: number;
  readonly #path: string;
  readonly #handle: ReadHandle;
  #seen: FileStat;
  /** How many contents there are, and how many were read to their end. */
  #contents = 0;
  #readToEnd = 0;
  #reads = READS_BETWEEN;
  #bytes = 0;
  /** Bytes read ahead, from `#windowStart` on, and how many of them were of use. */
  #window: Uint8Array | undefined;
  #windowStart = 0;
  #windowLength = 0;
  #windowUsed = 0;
  #ahead = SMALL;

  constructor(path: string, handle: ReadHandle) {
    this.#path = path;
    this.#handle = handle;
    this.#seen = handle.stat();
    this.size = this.#seen.size;
    opened.register(this, handle, this);
  }

  /** Leaves closing to the caller, when no content is to be read. */
  forget(): void {
    opened.unregister(this);
  }

  get hasContents(): boolean {
    return this.#contents > 0;
  }

  content(offset: number, length: number): Content {
    this.#contents++;
    return new RangeContent(this, offset, length);
  }

  /** Fills `target` from `offset`; `last` when that ends a content. Throws `source` when the archive is not what it was. */
  read(offset: number, target: Uint8Array, last: boolean): void {
    noteRead(this);
    // Of an empty file there is nothing to read, and no window.
    const count =
      target.length === 0 ? 0 : target.length <= SMALL ? this.#readSmall(offset, target) : this.#readAt(offset, target);
    if (last) this.#readToEnd++;
    if (count < target.length) {
      this.check();
      throw this.#changed("end", `at byte ${offset + count}`, `at ${this.size}`);
    }
    if (this.#reads >= READS_BETWEEN || this.#bytes >= BYTES_BETWEEN || this.#readToEnd >= this.#contents) this.check();
  }

  #readAt(offset: number, target: Uint8Array): number {
    this.#reads++;
    this.#bytes += target.length;
    return this.#handle.readAt(offset, target);
  }

  /** Out of the window, which moves there if it must: far ahead while that pays, no further than asked for when it does not. */
  #readSmall(offset: number, target: Uint8Array): number {
    const end = offset + target.length;
    if (offset < this.#windowStart || end > this.#windowStart + this.#windowLength) {
      this.#ahead = this.#windowUsed * 4 >= this.#windowLength ? Math.min(this.#ahead * 2, MOST_AHEAD) : SMALL;
      this.#window ??= new Uint8Array(MOST_AHEAD);
      const length = Math.max(target.length, Math.min(this.#ahead, this.size - offset));
      this.#windowStart = offset;
      this.#windowLength = this.#readAt(offset, this.#window.subarray(0, length));
      this.#windowUsed = 0;
      if (this.#windowLength < target.length) {
        const count = this.#windowLength;
        this.#windowLength = 0;
        return count;
      }
    }
    const at = offset - this.#windowStart;
    target.set((this.#window as Uint8Array).subarray(at, at + target.length)); // made above
    this.#windowUsed += target.length;
    return target.length;
  }

  /** Throws `source` unless size, mtime and ctime are what they were when the headers were read. */
  check(): void {
    this.#reads = 0;
    this.#bytes = 0;
    const found = this.#handle.stat();
    const seen = this.#seen;
    if (found.size !== seen.size) throw this.#changed("size", `${found.size} bytes`, `${seen.size} bytes`);
    if (found.mtimeSec !== seen.mtimeSec || found.mtimeNsec !== seen.mtimeNsec) {
      throw this.#changed("mtime", timeText(found.mtimeSec, found.mtimeNsec), timeText(seen.mtimeSec, seen.mtimeNsec));
    }
    // An mtime can be set back; this one cannot. It also tells of names that came or went, as when another archive is renamed
    // over this one, which is still what it was.
    if (found.nlink !== seen.nlink) this.#seen = found;
    else if (found.ctimeSec !== seen.ctimeSec || found.ctimeNsec !== seen.ctimeNsec) {
      throw this.#changed("ctime", timeText(found.ctimeSec, found.ctimeNsec), timeText(seen.ctimeSec, seen.ctimeNsec));
    }
  }

  #changed(what: string, found: string, expected: string): FsynthError {
    return new FsynthError(
      "source",
      `archive ${quoteName(this.#path)} changed since its headers were read: its ${what} is ${found}, expected ${expected}`,
      { path: this.#path },
    );
  }
}

function timeText(sec: number, nsec: number): string {
  return `${sec}.${String(nsec).padStart(9, "0")}`;
}

class RangeContent implements Content {
  constructor(
    readonly archive: ArchiveFile,
    readonly start: number,
    readonly size: number,
  ) {}
  read(offset: number, target: Uint8Array): void {
    this.archive.read(this.start + offset, target, offset + target.length >= this.size);
  }
}
