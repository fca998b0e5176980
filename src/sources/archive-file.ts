// Ranges of an archive on the disk as content: nothing is copied, and an archive that changed is refused.

import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { FileStat, ReadHandle } from "../host/port.ts";
import type { Content } from "../tree/content.ts";
import { noteRead } from "../tree/watch.ts";
import { ReadAhead } from "./read-ahead.ts";

/** After so many reads, or so many bytes, the archive is looked at again: once a read would cost as much as the read. */
const READS_BETWEEN = 256;
const BYTES_BETWEEN = 16 * 1024 * 1024;

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
  readonly #ahead: ReadAhead;

  constructor(path: string, handle: ReadHandle) {
    this.#path = path;
    this.#handle = handle;
    this.#seen = handle.stat();
    this.size = this.#seen.size;
    this.#ahead = new ReadAhead(
      () => this.size,
      (offset, target) => {
        this.#reads++;
        this.#bytes += target.length;
        return handle.readAt(offset, target);
      },
    );
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
    const count = this.#ahead.read(offset, target);
    if (last) this.#readToEnd++;
    if (count < target.length) {
      this.check();
      throw this.#changed("end", `at byte ${offset + count}`, `at ${this.size}`);
    }
    if (this.#reads >= READS_BETWEEN || this.#bytes >= BYTES_BETWEEN || this.#readToEnd >= this.#contents) this.check();
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
