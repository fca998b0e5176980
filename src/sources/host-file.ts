// The content of a host file: read by path when the image is written, and refused if it is no longer what it was when
// the tree was made.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { FileStat, ReadHandle } from "../host/port.ts";
import { type Content, emptyContent } from "../tree/content.ts";
import type { Time } from "../tree/node.ts";
import { formatTime } from "../tree/time.ts";

/** What tells one state of a host file from another. */
export interface HostFileState {
  /** Bytes. */
  readonly size: number;
  readonly mtime: Time;
  /** When the system saw the last change of any kind: an mtime can be set back, this cannot. */
  readonly ctime: Time;
  readonly ino: bigint;
}

/** The state that `stat` tells of. */
export function hostFileState({ size, ino, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec }: FileStat): HostFileState {
  return { size, ino, mtime: { sec: mtimeSec, nsec: mtimeNsec }, ctime: { sec: ctimeSec, nsec: ctimeNsec } };
}

/** A time as one number, which takes less memory: nanoseconds, exact to some hundred of them. */
function nanoseconds({ sec, nsec }: Time): number {
  return sec * 1e9 + nsec;
}

/**
 * All of the host file at `path`, which was seen in `state`. All of it is data, whatever the host has allocated.
 *
 * Reading throws `source` when the file is gone or no longer in that state, looked at behind the last byte of each part.
 */
export function hostFileContent(path: string, state: HostFileState): Content {
  return state.size === 0 ? emptyContent : new HostFileContent(undefined, path, state);
}

/** The same for `name` in `folder`: a string that all files of the folder share. */
export function hostFileContentIn(folder: string, name: string, state: HostFileState): Content {
  return state.size === 0 ? emptyContent : new HostFileContent(folder, name, state);
}

/** How many files stay open between reads. Files that are read in one call are not among them. */
const MOST_OPEN = 8;

/** Files of which a part was read, the least recently used first. */
const partlyRead = new Map<HostFileContent, ReadHandle>();

class HostFileContent implements Content {
  readonly size: number;
  readonly #mtime: Time;
  readonly #ctime: number;
  readonly #ino: bigint;

  constructor(
    readonly folder: string | undefined,
    readonly name: string,
    state: HostFileState,
  ) {
    this.size = state.size;
    this.#mtime = state.mtime;
    this.#ctime = nanoseconds(state.ctime);
    this.#ino = state.ino;
  }

  get path(): string {
    return this.folder === undefined ? this.name : `${this.folder}/${this.name}`;
  }

  read(offset: number, target: Uint8Array): void {
    const atEnd = offset + target.length >= this.size;
    const known = partlyRead.get(this);
    partlyRead.delete(this);
    const handle = known ?? this.#open();
    let keep = false;
    try {
      const count = this.#readAt(handle, offset, target);
      this.#check(handle);
      if (count < target.length) throw this.#changed("end", `at byte ${offset + count}`, `at ${this.size}`);
      keep = !atEnd;
    } finally {
      if (keep) remember(this, handle);
      else handle.close();
    }
  }

  #open(): ReadHandle {
    try {
      return host.files.openRead(this.path);
    } catch (error) {
      if (!isGone(error)) throw error;
      throw new FsynthError(
        "source",
        `host file ${quoteName(this.path)} is gone; expected the ${this.size} bytes seen when the tree was made`,
        { path: this.path },
        { cause: error },
      );
    }
  }

  #readAt(handle: ReadHandle, offset: number, target: Uint8Array): number {
    try {
      return handle.readAt(offset, target);
    } catch (error) {
      // What cannot be read that way, such as a fifo, is no longer the file.
      this.#check(handle);
      throw error;
    }
  }

  #check(handle: ReadHandle): void {
    const found = handle.stat();
    if (found.kind !== "file") throw this.#changed("kind", found.kind, "file");
    if (found.size !== this.size) throw this.#changed("size", `${found.size} bytes`, `${this.size} bytes`);
    if (found.ino !== this.#ino) throw this.#changed("inode", String(found.ino), String(this.#ino));
    if (found.mtimeSec !== this.#mtime.sec || found.mtimeNsec !== this.#mtime.nsec) {
      throw this.#changed("mtime", formatTime({ sec: found.mtimeSec, nsec: found.mtimeNsec }), formatTime(this.#mtime));
    }
    const ctime = nanoseconds({ sec: found.ctimeSec, nsec: found.ctimeNsec });
    if (ctime !== this.#ctime) throw this.#changed("ctime", (ctime / 1e9).toFixed(6), (this.#ctime / 1e9).toFixed(6));
  }

  #changed(what: string, found: string, expected: string): FsynthError {
    return new FsynthError(
      "source",
      `host file ${quoteName(this.path)} changed since the tree was made: its ${what} is ${found}, expected ${expected}`,
      { path: this.path },
    );
  }
}

function remember(content: HostFileContent, handle: ReadHandle): void {
  partlyRead.set(content, handle);
  if (partlyRead.size <= MOST_OPEN) return;
  const [oldest, its] = partlyRead.entries().next().value as [HostFileContent, ReadHandle]; // the map is not empty
  partlyRead.delete(oldest);
  its.close();
}

/** Whether a failed call of the host says that nothing (or no longer the same kind of thing) is there. */
export function isGone(error: unknown): boolean {
  const cause = error instanceof FsynthError ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}
