// The port to the runtime: the few things that differ between Node, Bun, Deno and a browser. `#host` in package.json
// chooses the other side: node.ts, or none.ts where there are no files.
//
// Paths are strings in fsynth's lossless spelling (src/bytes/names.ts). File calls are synchronous: a promise per file
// costs several times the read itself. All of them throw FsynthError `io` with the path and the system's message.

/** What `lstat` tells. Times are whole seconds and nanoseconds; `dev`, `ino` identify hard links. */
export interface FileStat {
  readonly kind: "file" | "directory" | "symlink" | "character-device" | "block-device" | "fifo" | "socket" | "unknown";
  /** Permission bits, 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  readonly dev: number;
  readonly ino: bigint;
  /** Of a device node itself. */
  readonly major: number;
  readonly minor: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  /** When the system saw the last change of any kind, which nobody can set; 0 where it does not tell. */
  readonly ctimeSec: number;
  readonly ctimeNsec: number;
  /** Bytes that the host has allocated. */
  readonly allocated: number;
}

/** What tells one state of a regular file from another. Times are milliseconds, exact to some hundred nanoseconds. */
export interface FileState {
  readonly size: number;
  readonly ino: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

/** Milliseconds of seconds and nanoseconds, as Node computes them. */
export function milliseconds(sec: number, nsec: number): number {
  return sec * 1000 + nsec / 1_000_000;
}

/** A file open for reading at any offset. */
export interface ReadHandle {
  readonly size: number;
  /** Reads into `target` from `offset`; returns the count, less than `target.length` only at the end of the file. */
  readAt(offset: number, target: Uint8Array): number;
  /** What the open file is now; to find out whether it changed. */
  stat(): FileStat;
  close(): void;
}

/** A file of the host. */
export interface HostHandle extends ReadHandle {
  /** Whether it is certainly a file as `state` says, told sooner than by `stat`. Runtimes whose numbers are others say no. */
  isStill(state: FileState): boolean;
}

/** A point in time as it is set: whole seconds since 1970 and nanoseconds. */
export interface FileTime {
  readonly sec: number;
  readonly nsec: number;
}

/** A file being written at increasing offsets; gaps become holes. */
export interface WriteHandle {
  writeAt(offset: number, bytes: Uint8Array): void;
  truncate(size: number): void;
  /** Permission bits; not subject to the umask. */
  setMode(mode: number): void;
  setOwner(uid: number, gid: number): void;
  /** As {@link Files.setTimes} does. */
  setTimes(atime: FileTime, mtime: FileTime): void;
  sync(): void;
  close(): void;
}

/** Where bytes go one behind the other: a pipe, a fifo, a terminal, a character device. */
export interface Outlet {
  /** `bytes` may be changed again once the result is there. A closed pipe is `io` whose cause has the code EPIPE. */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives it back; an inherited descriptor stays open. */
  close(): void;
}

/** A temporary file without a name (or with one that goes at exit), filled once and then read. */
export interface Spool {
  readonly size: number;
  append(bytes: Uint8Array): void;
  readAt(offset: number, target: Uint8Array): number;
  close(): void;
}

export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

export interface Files {
  /** Follows no symlink. `undefined` when nothing is there. */
  lstat(path: string): FileStat | undefined;
  /** Follows symlinks. `undefined` when nothing is there. */
  stat(path: string): FileStat | undefined;
  /** Entry names in lossless spelling, without `.` and `..`, in the order of the host. */
  readDirectory(path: string): string[];
  readLink(path: string): string;
  /** Never waits: a fifo that took the place of a file is opened, and cannot be read. */
  openRead(path: string): HostHandle;
  /** Reads in order what may have no size and no second reading: a pipe, a fifo, a device. */
  readStream(path: string): AsyncIterable<Uint8Array>;
  /** Reads a whole (small) file. */
  readFile(path: string): Uint8Array;
  /** Makes a new file for writing; `exclusive` fails where one exists, otherwise what is there is opened, not truncated. */
  openWrite(path: string, how: { readonly exclusive: boolean; readonly mode?: number }): WriteHandle;
  /** Opens a block device for writing; fails where it is in use (mounted, part of a RAID). */
  openDevice(path: string): WriteHandle;
  /** Opens a path, or an inherited descriptor by its number, for writing in order. Waits for the reader of a fifo. */
  openOutlet(to: string | number): Promise<Outlet>;
  /** Throws unless this process may write to `path`, a file or a folder. */
  checkWritable(path: string): void;
  /** Makes a directory where nothing is. */
  makeDirectory(path: string, mode: number): void;
  makeSymlink(target: string, path: string): void;
  /** Gives what is at `existing` a further name; a symlink there is not followed. */
  makeLink(existing: string, path: string): void;
  /** Permission bits of what is no symlink. */
  setMode(path: string, mode: number): void;
  /** Follows no symlink. */
  setOwner(path: string, uid: number, gid: number): void;
  /** Follows no symlink. Exact to the microsecond, which is rounded down to: runtimes take no more. */
  setTimes(path: string, atime: FileTime, mtime: FileTime): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** `path` with every symlink resolved. */
  realPath(path: string): string;
  /** Makes a spool in `directory`, by default where the system keeps temporary files. */
  spool(directory?: string): Spool;
  /** Flushes a directory's entries to the disk, where the system can. */
  syncDirectory(path: string): void;
  /** Registers a path to be removed if the process exits or is ended by SIGINT, SIGTERM or SIGHUP; the result takes it back. */
  removeOnExit(path: string): () => void;
  /** Number of this process, for temporary names. */
  readonly processId: number;
  /**
   * When the process of this number started, as the system counts; the same number later means another process.
   * `undefined` when none is alive, "0" where the system does not tell.
   */
  processStart(id: number): string | undefined;
}

/** What a finished command left. */
export interface CommandResult {
  /** The exit status, or in words the signal that ended it. */
  readonly status: number | string;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

export interface Host {
  /** `node`, `bun`, `deno` or `none`. */
  readonly name: string;
  /** Whether the times of files come with their nanoseconds; else only with milliseconds. */
  readonly exactTimes: boolean;
  /** Files of the machine; throws `unsupported` where there are none. */
  readonly files: Files;
  sha256(): Hasher;
  /** Runs a command of the system in the folder `cwd` and waits for it; `undefined` when there is no such command. */
  run(command: string, args: readonly string[], cwd: string): CommandResult | undefined;
  /** Streams of decompressed bytes; concatenated members and frames are all read. */
  gunzip(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  unzstd(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** Streams of compressed bytes, the same on every runtime; input chunking does not matter. */
  gzip(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  zstd(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  /** One zstd frame of all of `bytes`. */
  zstdFrame(bytes: Uint8Array): Promise<Uint8Array>;
}
