// The content of a host file: read by path when the image is written, and refused if it is no longer what it was when
// the tree was made.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { type FileStat, type FileState, type HostHandle, milliseconds } from "../host/port.ts";
import { type Content, emptyContent } from "../tree/content.ts";

/**
 * All of the host file at `path`, which was seen as `stat` says. All of it is data, whatever the host has allocated.
 *
 * Reading throws `source` when the file is gone or no longer in that state, looked at behind the last byte of each part.
 */
export function hostFileContent(path: string, stat: FileStat): Content {
  return stat.size === 0 ? emptyContent : new HostFileContent(undefined, path, stat);
}

/** The same for `name` in `folder`: a string that all files of the folder share. */
export function hostFileContentIn(folder: string, name: string, stat: FileStat): Content {
  return stat.size === 0 ? emptyContent : new HostFileContent(folder, name, stat);
}

/** How many files stay open between reads. Files that are read in one call are not among them. */
const MOST_OPEN = 8;

/** Files of which a part was read, the least recently used first. */
const partlyRead = new Map<HostFileContent, HostHandle>();

class HostFileContent implements Content, FileState {
  readonly size: number;
  readonly ino: number;
  readonly mtimeMs: number;
  /** When the system saw the last change of any kind: an mtime can be set back, this cannot. */
  readonly ctimeMs: number;

  constructor(
    readonly folder: string | undefined,
    readonly name: string,
    stat: FileStat,
  ) {
    this.size = stat.size;
    this.ino = Number(stat.ino);
    this.mtimeMs = milliseconds(stat.mtimeSec, stat.mtimeNsec);
    this.ctimeMs = milliseconds(stat.ctimeSec, stat.ctimeNsec);
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

  #open(): HostHandle {
    try {
      return host.files.openRead(this.path);
    } catch (error) {
      if (!isGone(error)) {
        // What cannot even be opened, such as a socket, is no longer the file.
        const kind = host.files.stat(this.path)?.kind ?? "file";
        throw kind === "file" ? error : this.#changed("kind", kind, "file");
      }
      throw new FsynthError(
        "source",
        `host file ${quoteName(this.path)} is gone; expected the ${this.size} bytes seen when the tree was made`,
        { path: this.path },
        { cause: error },
      );
    }
  }

  #readAt(handle: HostHandle, offset: number, target: Uint8Array): number {
    try {
      return handle.readAt(offset, target);
    } catch (error) {
      // What cannot be read that way, such as a fifo, is no longer the file.
      this.#check(handle);
      throw error;
    }
  }

  #check(handle: HostHandle): void {
    if (handle.isStill(this)) return;
    const found = handle.stat();
    if (found.kind !== "file") throw this.#changed("kind", found.kind, "file");
    if (found.size !== this.size) throw this.#changed("size", `${found.size} bytes`, `${this.size} bytes`);
    if (Number(found.ino) !== this.ino) throw this.#changed("inode", String(found.ino), String(this.ino));
    const mtimeMs = milliseconds(found.mtimeSec, found.mtimeNsec);
    if (mtimeMs !== this.mtimeMs) throw this.#changed("mtime", inSeconds(mtimeMs), inSeconds(this.mtimeMs));
    const ctimeMs = milliseconds(found.ctimeSec, found.ctimeNsec);
    if (ctimeMs !== this.ctimeMs) throw this.#changed("ctime", inSeconds(ctimeMs), inSeconds(this.ctimeMs));
  }

  #changed(what: string, found: string, expected: string): FsynthError {
    return new FsynthError(
      "source",
      `host file ${quoteName(this.path)} changed since the tree was made: its ${what} is ${found}, expected ${expected}`,
      { path: this.path },
    );
  }
}

function inSeconds(ms: number): string {
  return (ms / 1000).toFixed(6);
}

function remember(content: HostFileContent, handle: HostHandle): void {
  partlyRead.set(content, handle);
  if (partlyRead.size <= MOST_OPEN) return;
  const [oldest, its] = partlyRead.entries().next().value as [HostFileContent, HostHandle]; // the map is not empty
  partlyRead.delete(oldest);
  its.close();
}

/** Whether a failed call of the host says that nothing (or no longer the same kind of thing) is there. */
export function isGone(error: unknown): boolean {
  const cause = error instanceof FsynthError ? error.cause : error;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}
