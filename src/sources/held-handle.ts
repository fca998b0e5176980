// A file that is read twice, first for its digest: whatever reads it then is given the same file, unchanged.

import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { FileStat, ReadHandle } from "../host/port.ts";

/** A file that stays open until it is known that nothing of it changed between its digest and its reading. */
export class HeldHandle implements ReadHandle {
  readonly size: number;
  #seen: FileStat;
  #held = true;
  #closed = false;

  constructor(
    readonly path: string,
    readonly handle: ReadHandle,
  ) {
    this.#seen = handle.stat();
    this.size = this.#seen.size;
  }

  readAt(offset: number, target: Uint8Array): number {
    return this.handle.readAt(offset, target);
  }

  /** {@link readAt} that throws `source` where the file ends too early. */
  readAll(offset: number, target: Uint8Array): void {
    if (this.readAt(offset, target) < target.length) throw this.#changed();
  }

  stat(): FileStat {
    return this.handle.stat();
  }

  /** Throws `source` unless size, mtime and ctime are what they were at first; another number of names changes the ctime, too. */
  check(): void {
    const found = this.handle.stat();
    const seen = this.#seen;
    if (found.size !== seen.size || found.mtimeSec !== seen.mtimeSec || found.mtimeNsec !== seen.mtimeNsec) throw this.#changed();
    if (found.nlink !== seen.nlink) this.#seen = found;
    else if (found.ctimeSec !== seen.ctimeSec || found.ctimeNsec !== seen.ctimeNsec) throw this.#changed();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#held) this.handle.close();
  }

  /** From now on {@link close} closes; at once, where it was called before. */
  release(): void {
    this.#held = false;
    if (this.#closed) this.handle.close();
  }

  #changed(): FsynthError {
    return new FsynthError(
      "source",
      `${quoteName(this.path)} changed while it was read; expected the ${this.size} bytes that were digested`,
      {
        path: this.path,
      },
    );
  }
}
