// The port under Node, Bun and Deno. Built-in modules are fetched when first used: each costs milliseconds at start.

import * as fs from "node:fs";
import { decodeName, encodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { trackTemporary } from "./node-exit.ts";
import { runCommand } from "./node-run.ts";
import { WRITE } from "./node-write.ts";
import type { FileStat, FileState, Files, FileTime, Hasher, Host, HostHandle, Spool, WriteHandle } from "./port.ts";

const SURROGATE = /[\ud800-\udfff]/;

const runtime = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";

/** Deno turns paths of bytes into text, both ways, and would reach or make another file. */
function refuseBytes(path: string): never {
  throw new FsynthError("unsupported", `${quoteName(path)}: Deno has no names that are not UTF-8; Node and Bun do`, { path });
}

function hostPath(path: string): string | Buffer {
  if (!SURROGATE.test(path)) return path;
  return runtime === "deno" ? refuseBytes(path) : Buffer.from(encodeName(path));
}

/** Runs a call of the system; its failure becomes FsynthError `io` with the path. */
function call<T>(what: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw ioError(what, path, cause);
  }
}

function ioError(what: string, path: string, cause: unknown): FsynthError {
  if (cause instanceof FsynthError) return cause;
  const message = cause instanceof Error ? cause.message.replace(/^(E[A-Z0-9]+: [^,]*),.*$/s, "$1") : String(cause);
  return new FsynthError("io", `cannot ${what} ${quoteName(path)}: ${message}`, { path }, { cause });
}

const KIND: Readonly<Record<number, FileStat["kind"]>> = {
  1: "fifo",
  2: "character-device",
  4: "directory",
  6: "block-device",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** Seconds, rounded down, and nanoseconds. */
function timeOf(ns: bigint | null): readonly [sec: number, nsec: number] {
  // Deno has none where the system does not tell.
  if (ns === null) return [0, 0];
  let sec = ns / 1_000_000_000n;
  if (ns < 0n && sec * 1_000_000_000n !== ns) sec -= 1n;
  return [Number(sec), Number(ns - sec * 1_000_000_000n)];
}

function fileStat(stat: fs.BigIntStats): FileStat {
  const mode = Number(stat.mode);
  const [mtimeSec, mtimeNsec] = timeOf(stat.mtimeNs);
  const [ctimeSec, ctimeNsec] = timeOf(stat.ctimeNs);
  const rdev = stat.rdev;
  return {
    kind: KIND[mode >> 12] ?? "unknown",
    mode: mode & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    nlink: Number(stat.nlink),
    dev: Number(stat.dev),
    ino: stat.ino,
    // glibc's gnu_dev_major and gnu_dev_minor.
    major: rdev === 0n ? 0 : Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: rdev === 0n ? 0 : Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
    mtimeSec,
    mtimeNsec,
    ctimeSec,
    ctimeNsec,
    allocated: Number(stat.blocks) * 512,
  };
}

function readFully(fd: number, path: string, offset: number, target: Uint8Array): number {
  let done = 0;
  try {
    while (done < target.length) {
      const count = fs.readSync(fd, target, done, target.length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
  } catch (cause) {
    throw ioError("read", path, cause);
  }
  return done;
}

function writeFully(fd: number, path: string, offset: number, bytes: Uint8Array): void {
  let done = 0;
  try {
    while (done < bytes.length) {
      const count = Math.min(bytes.length - done, WRITE - ((offset + done) % WRITE));
      done += fs.writeSync(fd, bytes, done, count, offset + done);
    }
  } catch (cause) {
    throw ioError("write", path, cause);
  }
}

class NodeReadHandle implements HostHandle {
  #size: number | undefined;
  constructor(
    readonly path: string,
    readonly fd: number,
  ) {}
  // Asked for when needed: an fstat for each of many small files is felt.
  get size(): number {
    return (this.#size ??= this.stat().size);
  }
  readAt(offset: number, target: Uint8Array): number {
    return readFully(this.fd, this.path, offset, target);
  }
  stat(): FileStat {
    return fileStat(call("stat", this.path, () => fs.fstatSync(this.fd, { bigint: true })));
  }
  isStill({ size, ino, mtimeMs, ctimeMs }: FileState): boolean {
    const found = call("stat", this.path, () => fs.fstatSync(this.fd));
    return (
      found.size === size &&
      found.ino === ino &&
      found.mtimeMs === mtimeMs &&
      found.ctimeMs === ctimeMs &&
      KIND[found.mode >> 12] === "file"
    );
  }
  close(): void {
    fs.closeSync(this.fd);
  }
}

// What becomes of the double that sets a time: up to Node 22 it is cut to microseconds, towards 0; Node 24, Bun and Deno take
// its nanoseconds.
const takesNanoseconds = runtime !== "node" || Number.parseInt(process.versions.node, 10) >= 24;

/** Whether setting `time` gives `sec` and `micros`, in whichever of the usual ways its parts are computed. */
function setsTo(time: number, sec: number, micros: number): boolean {
  const whole = Math.trunc(time);
  const nanos = Math.trunc((time - whole) * 1e9);
  const below = Math.floor(time);
  if (takesNanoseconds) return isAt(whole, Math.floor(nanos / 1000)) && isAt(below, Math.floor(((time - below) * 1e9) / 1000));
  return isAt(whole, Math.trunc(nanos / 1000)) && isAt(whole, Math.trunc((time - whole) * 1e6));

  function isAt(seconds: number, part: number): boolean {
    return part < 0 ? seconds - 1 === sec && part + 1_000_000 === micros : seconds === sec && part === micros;
  }
}

/** From here on doubles lie further apart than microseconds: the nearest has to do. */
const COARSE = 2 ** 33;

/**
 * A time as runtimes take it: a double that sets it to the microsecond, and as text, since they take a number below 0 for "now".
 */
function secondsOf({ sec, nsec }: FileTime): string {
  const micros = Math.floor(nsec / 1000);
  // All microseconds in one number first, which is exact: a sum with the seconds would lose digits next to 0.
  let time = (sec * 1e6 + micros) / 1e6;
  // The nearest double is often a little short of the microsecond.
  for (let i = 0; i < 8 && Math.abs(time) < COARSE && !setsTo(time, sec, micros); i++) {
    const step = 2 ** (Math.floor(Math.log2(Math.abs(time))) - 52);
    time += takesNanoseconds || sec >= 0 ? step : -step;
  }
  return String(time);
}

class NodeWriteHandle implements WriteHandle {
  constructor(
    readonly path: string,
    readonly fd: number,
  ) {}
  writeAt(offset: number, bytes: Uint8Array): void {
    writeFully(this.fd, this.path, offset, bytes);
  }
  truncate(size: number): void {
    call("set the size of", this.path, () => fs.ftruncateSync(this.fd, size));
  }
  setMode(mode: number): void {
    call("set the mode of", this.path, () => fs.fchmodSync(this.fd, mode));
  }
  setOwner(uid: number, gid: number): void {
    call("set the owner of", this.path, () => fs.fchownSync(this.fd, uid, gid));
  }
  setTimes(atime: FileTime, mtime: FileTime): void {
    call("set the times of", this.path, () => fs.futimesSync(this.fd, secondsOf(atime), secondsOf(mtime)));
  }
  sync(): void {
    call("flush", this.path, () => fs.fsyncSync(this.fd));
  }
  close(): void {
    call("close", this.path, () => fs.closeSync(this.fd));
  }
}

class NodeSpool implements Spool {
  size = 0;
  readonly #fd: number;
  readonly #path: string;
  readonly #forget: () => void;
  #open = true;

  constructor(directory: string | undefined) {
    const folder = directory ?? process.env.TMPDIR ?? "/tmp";
    const name = `.fsynth-spool-${process.pid}-${Math.random().toString(36).slice(2)}`;
    this.#path = `${folder}/${name}`;
    this.#fd = call("make a temporary file in", folder, () => fs.openSync(this.#path, "wx+", 0o600));
    // Where the system lets an open file lose its name, not even a kill leaves it behind.
    let named = false;
    try {
      fs.unlinkSync(this.#path);
    } catch {
      named = true;
    }
    this.#forget = named ? trackTemporary(this.#path) : () => {};
    spools.register(this, this.#fd, this);
  }

  append(bytes: Uint8Array): void {
    writeFully(this.#fd, this.#path, this.size, bytes);
    this.size += bytes.length;
  }

  readAt(offset: number, target: Uint8Array): number {
    return readFully(this.#fd, this.#path, offset, target);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    spools.unregister(this);
    fs.closeSync(this.#fd);
    this.#forget();
  }
}

// A tree that is dropped takes its spool with it.
const spools = new FinalizationRegistry<number>((fd) => {
  fs.closeSync(fd);
});

function statWith(read: (path: string | Buffer) => fs.BigIntStats, path: string): FileStat | undefined {
  try {
    return fileStat(read(hostPath(path)));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw ioError("stat", path, cause);
  }
}

const files: Files = {
  lstat: (path) => statWith((p) => fs.lstatSync(p, { bigint: true }), path),
  stat: (path) => statWith((p) => fs.statSync(p, { bigint: true }), path),
  readDirectory(path) {
    const names = call("list", path, () => fs.readdirSync(hostPath(path)));
    // U+FFFD may stand for bytes that are not UTF-8: then the bytes themselves are asked for.
    const doubtful = names.filter((name) => name.includes("\ufffd"));
    if (doubtful.length === 0) return names;
    if (runtime === "deno") {
      for (const name of doubtful) if (!files.lstat(`${path}/${name}`)) refuseBytes(`${path}/${name}`);
      return names;
    }
    return call("list", path, () => fs.readdirSync(hostPath(path), { encoding: "buffer" })).map((name) => decodeName(name));
  },
  readLink(path) {
    const target = call("read the link", path, () => fs.readlinkSync(hostPath(path)));
    if (!target.includes("\ufffd")) return target;
    if (runtime === "deno") refuseBytes(path);
    return decodeName(call("read the link", path, () => fs.readlinkSync(hostPath(path), { encoding: "buffer" })));
  },
  openRead: (path) =>
    new NodeReadHandle(
      path,
      // Windows has no such flag, nor fifos among its files.
      call("open", path, () => fs.openSync(hostPath(path), fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0))),
    ),
  async *readStream(path) {
    const stream = fs.createReadStream(hostPath(path), { highWaterMark: 1024 * 1024 });
    try {
      for await (const chunk of stream) yield chunk as Uint8Array; // no encoding was asked for
    } catch (cause) {
      throw ioError("read", path, cause);
    }
  },
  readFile: (path) => call("read", path, () => fs.readFileSync(hostPath(path))),
  openWrite(path, { exclusive, mode }) {
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | (exclusive ? fs.constants.O_EXCL : 0);
    return new NodeWriteHandle(
      path,
      call("make", path, () => fs.openSync(hostPath(path), flags, mode ?? 0o666)),
    );
  },
  openDevice(path) {
    // Without O_CREAT, O_EXCL asks whether the device is in use (open(2)).
    const flags = fs.constants.O_RDWR | fs.constants.O_EXCL;
    return new NodeWriteHandle(
      path,
      call("open", path, () => fs.openSync(hostPath(path), flags)),
    );
  },
  async openOutlet(to) {
    const { openOutlet } = await import("./node-outlet.ts");
    return openOutlet(typeof to === "string" ? hostPath(to) : to, typeof to === "string" ? to : `descriptor ${to}`);
  },
  checkWritable: (path) => call("write to", path, () => fs.accessSync(hostPath(path), fs.constants.W_OK)),
  makeDirectory: (path, mode) => call("make the directory", path, () => fs.mkdirSync(hostPath(path), { mode })),
  makeSymlink: (target, path) => call("make the symlink", path, () => fs.symlinkSync(hostPath(target), hostPath(path))),
  makeLink: (existing, path) => call("make the hard link", path, () => fs.linkSync(hostPath(existing), hostPath(path))),
  setMode: (path, mode) => call("set the mode of", path, () => fs.chmodSync(hostPath(path), mode)),
  setOwner: (path, uid, gid) => call("set the owner of", path, () => fs.lchownSync(hostPath(path), uid, gid)),
  setTimes: (path, atime, mtime) =>
    call("set the times of", path, () => fs.lutimesSync(hostPath(path), secondsOf(atime), secondsOf(mtime))),
  rename: (from, to) => call("rename", from, () => fs.renameSync(hostPath(from), hostPath(to))),
  remove: (path) => call("remove", path, () => fs.unlinkSync(hostPath(path))),
  // The one in JavaScript makes a text of bytes that are none.
  realPath: (path) => decodeName(call("resolve", path, () => fs.realpathSync.native(hostPath(path), { encoding: "buffer" }))),
  spool: (directory) => new NodeSpool(directory),
  syncDirectory(path) {
    const fd = call("open", path, () => fs.openSync(hostPath(path), "r"));
    try {
      fs.fsyncSync(fd);
    } catch {
      // Some systems cannot flush a directory; the file itself is flushed.
    } finally {
      fs.closeSync(fd);
    }
  },
  removeOnExit: (path) => trackTemporary(hostPath(path)),
  processId: process.pid,
  processStart(id) {
    try {
      process.kill(id, 0);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EPERM") return undefined;
    }
    try {
      // proc(5): field 22 is the start time; the command, field 2, may hold blanks but ends at the last parenthesis.
      const stat = fs.readFileSync(`/proc/${id}/stat`, "latin1");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
    } catch {
      return "0";
    }
  },
};

export const host: Host = {
  name: runtime,
  exactTimes: runtime !== "deno",
  files,
  sha256(): Hasher {
    const hash = process.getBuiltinModule("node:crypto").createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  },
  run: runCommand,
  async *gzip(source) {
    const { gzipMember } = await import("./gzip.ts");
    yield* gzipMember(source);
  },
  async *gunzip(source) {
    const { gunzipStream } = await import("./node-gunzip.ts");
    yield* gunzipStream(source);
  },
  async *zstd(source) {
    const { zstdFrames } = await import("./node-compress.ts");
    yield* zstdFrames(source);
  },
  async zstdFrame(bytes) {
    const { zstdFrame } = await import("./node-compress.ts");
    return await zstdFrame(bytes);
  },
  async *unzstd(source) {
    const { unzstdStream } = await import("./node-zstd.ts");
    yield* unzstdStream(source);
  },
};
