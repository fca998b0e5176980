// A tree as a directory of the host. Nothing outside of it is written: everything is made anew, behind directories that are
// made anew and that nobody else may enter, and symlinks are the last to be made.

import { host } from "#host";
import { decodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { WriteHandle } from "../host/port.ts";
import { Turns } from "../host/turn.ts";
import type { Progress } from "../image/image.ts";
import type { Warning } from "../image/plan.ts";
import type { Content } from "../tree/content.ts";
import { entryName, type Snapshot, type SnapshotNode, takeSnapshot } from "../tree/snapshot.ts";
import type { Tree } from "../tree/tree.ts";
import { toHex } from "./digest.ts";
import { Lost } from "./lost.ts";
import { MAX_ARGUMENT, runForEach } from "./shell.ts";

export interface ExtractOptions {
  /** How xattrs are set: not (they are counted in a warning), or by the system's setfattr. Default `none`. */
  readonly xattrs?: "none" | "setfattr" | undefined;
  /** Called now and then, and once at the end; counts bytes of contents. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** What an extraction tells. */
export interface Extracted {
  /** The directory, symlinks resolved. */
  readonly path: string;
  /** Names made, the directory itself not counted. */
  readonly entries: number;
  /** Bytes of contents. */
  readonly bytes: number;
  /** What could not be kept: `xattrs`, `times`, `owners`, `set-id`, `devices`, `fifos`, `sockets`, one warning for each with a count. */
  readonly warnings: readonly Warning[];
}

/** Bytes read and written at once. */
const WINDOW = 1 << 20;

/** What directories and files have until they are finished. */
const PRIVATE = { directory: 0o700, file: 0o600 } as const;

/**
 * Extracts a tree into `directory`, which must be empty or not there yet.
 *
 * Owners, devices and set-id bits need root. What the runtime or the rights of the process cannot keep is left out and told in
 * `warnings`: xattrs (unless `xattrs: "setfattr"`), times below a microsecond, owners, devices, sockets. When it throws, what was
 * extracted until then is left, for its user alone to read.
 *
 * Throws `usage` for a directory that is not empty, `io` when the system fails, and what reading the contents throws.
 *
 * @example
 * ```ts
 * import { extractTree, fromImage } from "fsynth";
 * const { warnings } = await extractTree(await fromImage("root.ext4"), "rootfs");
 * ```
 */
export async function extractTree(tree: Tree, directory: string, options: ExtractOptions = {}): Promise<Extracted> {
  return await new Extraction(takeSnapshot(tree), makeRoot(directory), options).run();
}

/** Makes the directory, or makes an empty one private; gives its path without symlinks. */
function makeRoot(directory: string): string {
  const stat = host.files.stat(directory);
  if (stat === undefined) host.files.makeDirectory(directory, PRIVATE.directory);
  else if (stat.kind !== "directory") {
    throw new FsynthError("usage", `${quoteName(directory)} is a ${stat.kind}, expected an empty directory or nothing`, {
      path: directory,
    });
  } else {
    const [first] = host.files.readDirectory(directory);
    if (first !== undefined) {
      throw new FsynthError(
        "usage",
        `${quoteName(directory)} is not empty: found ${quoteName(first)}, expected an empty directory or nothing`,
        { path: directory },
      );
    }
  }
  const path = host.files.realPath(directory);
  host.files.setMode(path, PRIVATE.directory);
  return path === "/" ? "" : path;
}

class Extraction {
  readonly #lost = new Lost();
  readonly #turns = new Turns();
  readonly #window = new Uint8Array(WINDOW);
  /** By node: its path in the tree by its first name, the root's being empty. */
  readonly #paths: string[] = [""];
  readonly #total: number;
  #bytes = 0;
  #told = 0;

  constructor(
    readonly snapshot: Snapshot,
    readonly root: string,
    readonly options: ExtractOptions,
  ) {
    this.#total = snapshot.nodes.reduce((sum, { content }) => sum + dataSize(content), 0);
  }

  async run(): Promise<Extracted> {
    const { nodes } = this.snapshot;
    this.#name();
    // Parents come before children.
    nodes.forEach(({ kind }, index) => {
      if (kind === "directory" && index > 0) host.files.makeDirectory(this.#host(index), PRIVATE.directory);
    });
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index] as SnapshotNode; // index is in range
      if (node.content) {
        const pending = this.#file(index, node, node.content);
        if (pending) await pending;
        if (this.#turns.due()) await this.#turns.take();
      }
    }
    this.#specials();
    this.#links((kind) => kind !== "symlink");
    nodes.forEach((node, index) => {
      if (node.target) {
        host.files.makeSymlink(decodeName(node.target), this.#host(index));
        this.#settle(index, node);
      }
    });
    this.#links((kind) => kind === "symlink");
    this.#xattrs();
    // The innermost first: the time of a directory is that of its last change, and one that may not be entered hides all below it.
    for (let index = nodes.length - 1; index >= 0; index--) {
      const node = nodes[index] as SnapshotNode; // index is in range
      if (node.kind === "directory") this.#settle(index, node);
    }
    this.options.onProgress?.({ done: this.#total, total: this.#total });
    return {
      path: this.root === "" ? "/" : this.root,
      entries: this.snapshot.entries,
      bytes: this.#bytes,
      warnings: this.#lost.warnings(),
    };
  }

  #name(): void {
    const { nodes } = this.snapshot;
    for (let index = 1; index < nodes.length; index++) {
      const { entry, parent } = nodes[index] as SnapshotNode; // index is in range; a parent's index is lower
      this.#paths[index] = `${this.#paths[parent]}/${decodeName(entryName(this.snapshot, entry))}`;
    }
  }

  #path(index: number): string {
    return this.#paths[index] || "/";
  }

  #host(index: number): string {
    return this.root + (this.#paths[index] as string) || "/"; // every node has one
  }

  // Files.

  /** A promise only where content must be waited for. */
  #file(index: number, node: SnapshotNode, content: Content): void | Promise<void> {
    const handle = host.files.openWrite(this.#host(index), { exclusive: true, mode: PRIVATE.file });
    const finish = (): void => {
      const kept = this.#owned(index, node, () => handle.setOwner(node.uid, node.gid));
      handle.setMode(this.#modeOf(index, node, kept));
      this.#timed(index, node, () => handle.setTimes(node.atime, node.mtime));
    };
    let pending: Promise<void> | undefined;
    try {
      const writing = this.#write(index, handle, content);
      if (writing === undefined) finish();
      else pending = writing.then(finish).finally(() => handle.close());
    } finally {
      if (pending === undefined) handle.close();
    }
    return pending;
  }

  #write(index: number, handle: WriteHandle, content: Content): void | Promise<void> {
    const { size, extents } = content;
    // Most files: all data, in one piece.
    if (!extents && size <= WINDOW) {
      if (size === 0) return;
      const bytes = this.#window.subarray(0, size);
      const pending = this.#read(index, content, 0, bytes);
      if (pending) return pending.then(() => this.#wrote(handle, 0, bytes));
      this.#wrote(handle, 0, bytes);
      return;
    }
    return this.#writeParts(index, handle, content);
  }

  async #writeParts(index: number, handle: WriteHandle, content: Content): Promise<void> {
    let end = 0;
    for (const { offset, length } of content.extents ?? [{ offset: 0, length: content.size }]) {
      for (let at = offset; at < offset + length; at += WINDOW) {
        const bytes = this.#window.subarray(0, Math.min(WINDOW, offset + length - at));
        const pending = this.#read(index, content, at, bytes);
        if (pending) await pending;
        this.#wrote(handle, at, bytes);
        if (this.#turns.due()) await this.#turns.take();
      }
      end = offset + length;
    }
    if (end < content.size) handle.truncate(content.size);
  }

  #read(index: number, content: Content, offset: number, target: Uint8Array): void | Promise<void> {
    const failed = (cause: unknown): never => {
      const path = this.#path(index);
      if (cause instanceof FsynthError && cause.message.startsWith(quoteName(path))) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      const code = cause instanceof FsynthError ? cause.code : "source";
      throw new FsynthError(code, `${quoteName(path)}: reading its content failed: ${message}`, { path }, { cause });
    };
    try {
      const pending = content.read(offset, target);
      return pending ? pending.catch(failed) : undefined;
    } catch (cause) {
      return failed(cause);
    }
  }

  #wrote(handle: WriteHandle, offset: number, bytes: Uint8Array): void {
    handle.writeAt(offset, bytes);
    this.#bytes += bytes.length;
    if (this.#bytes - this.#told < 8 * WINDOW) return;
    this.#told = this.#bytes;
    this.options.onProgress?.({ done: this.#bytes, total: this.#total });
  }

  // What is no file.

  #specials(): void {
    const { nodes } = this.snapshot;
    const indices: number[] = [];
    nodes.forEach(({ kind }, index) => {
      if (kind === "socket")
        this.#lost.add("sockets", this.#path(index), "sockets are left out: only a program that listens makes one");
      else if (kind === "fifo" || kind.endsWith("device")) indices.push(index);
    });
    if (indices.length === 0) return;
    const calls = indices.map((index) => {
      const { kind, major, minor } = nodes[index] as SnapshotNode; // an index of the snapshot
      return [this.#host(index), kind === "fifo" ? "p" : kind === "block-device" ? "b" : "c", String(major), String(minor)];
    });
    const failed = new Map(
      runForEach('if [ "$2" = p ]; then mkfifo "$1"; else mknod "$1" "$2" "$3" "$4"; fi', calls).map(({ index, said }) => [
        index,
        said,
      ]),
    );
    indices.forEach((index, call) => {
      const node = nodes[index] as SnapshotNode; // an index of the snapshot
      const said = failed.get(call);
      if (said === undefined) this.#settle(index, node);
      else {
        const [code, what] = node.kind === "fifo" ? ["fifos", "fifos"] : ["devices", "device nodes"];
        this.#lost.add(
          code,
          this.#path(index),
          `${what} are left out: ${said.slice(said.lastIndexOf(": ") + 2) || "the system refused"}`,
        );
      }
    });
  }

  /** Further names of nodes of such kinds. What was not made has none. */
  #links(among: (kind: SnapshotNode["kind"]) => boolean): void {
    const { nodes, entryNode } = this.snapshot;
    nodes.forEach((directory, holder) => {
      if (directory.kind !== "directory") return;
      for (let entry = directory.first; entry < directory.first + directory.count; entry++) {
        const index = entryNode[entry] as number; // entry is in range
        const node = nodes[index] as SnapshotNode;
        if (node.entry === entry || node.kind === "directory" || node.kind === "socket" || !among(node.kind)) continue;
        const made = node.content !== undefined || node.target !== undefined || host.files.lstat(this.#host(index)) !== undefined;
        if (made)
          host.files.makeLink(
            this.#host(index),
            `${this.root}${this.#paths[holder]}/${decodeName(entryName(this.snapshot, entry))}`,
          );
      }
    });
  }

  #xattrs(): void {
    const { nodes } = this.snapshot;
    const places: number[] = [];
    const calls: string[][] = [];
    nodes.forEach(({ xattrs, kind }, index) => {
      if (xattrs.length === 0 || kind === "socket") return;
      if (this.options.xattrs !== "setfattr") {
        this.#lost.add(
          "xattrs",
          this.#path(index),
          "files and directories lose their xattrs (POSIX ACLs and capabilities are such)",
        );
        return;
      }
      for (const { name, value } of xattrs) {
        if (value.length * 2 > MAX_ARGUMENT) {
          this.#lost.add("xattrs", this.#path(index), "xattrs are lost: they are longer than setfattr can be given");
          continue;
        }
        places.push(index);
        calls.push([this.#host(index), decodeName(name), `0x${toHex(value)}`]);
      }
    });
    if (calls.length === 0) return;
    for (const { index, said } of runForEach('setfattr -h -n "$2" -v "$3" -- "$1"', calls)) {
      const reason = said.slice(said.lastIndexOf(": ") + 2) || "setfattr failed";
      this.#lost.add("xattrs", this.#path(places[index] as number), `xattrs are lost: ${reason}`); // a call for each place
    }
  }

  // Metadata.

  /** Owner, mode and times of what is there, by its path. */
  #settle(index: number, node: SnapshotNode): void {
    const path = this.#host(index);
    const kept = this.#owned(index, node, () => host.files.setOwner(path, node.uid, node.gid));
    // Linux has no modes of symlinks.
    if (node.kind !== "symlink") host.files.setMode(path, this.#modeOf(index, node, kept));
    this.#timed(index, node, () => host.files.setTimes(path, node.atime, node.mtime));
  }

  /** Tells whether the owner is what it is to be. */
  #owned(index: number, node: SnapshotNode, set: () => void): boolean {
    try {
      set();
      return true;
    } catch (error) {
      // EINVAL: a number that a user namespace has no place for.
      if (!(error instanceof FsynthError) || !["EPERM", "EINVAL"].includes(systemCode(error) ?? "")) throw error;
      const stat = host.files.lstat(this.#host(index));
      if (stat?.uid === node.uid && stat.gid === node.gid) return true;
      this.#lost.add("owners", this.#path(index), "files and directories do not have their owners: only root gives files away");
      return false;
    }
  }

  /** A program that runs as its owner must not run as somebody else. */
  #modeOf(index: number, { mode, kind }: SnapshotNode, owned: boolean): number {
    if (owned || kind === "directory" || (mode & 0o6000) === 0) return mode;
    this.#lost.add("set-id", this.#path(index), "files lose their set-id bits, since they do not have their owners");
    return mode & 0o1777;
  }

  #timed(index: number, { atime, mtime }: SnapshotNode, set: () => void): void {
    set();
    if (mtime.nsec % 1000 !== 0 || atime.nsec % 1000 !== 0) {
      this.#lost.add("times", this.#path(index), "files and directories have times cut to microseconds");
    }
    // What is in the range of every file system of today needs no look.
    if (mtime.sec >= 0 && mtime.sec < 2 ** 31) return;
    if (host.files.lstat(this.#host(index))?.mtimeSec !== mtime.sec) {
      this.#lost.add(
        "time-range",
        this.#path(index),
        "files and directories have times that this file system cannot hold, and others instead",
      );
    }
  }
}

function dataSize(content: Content | undefined): number {
  if (!content) return 0;
  return content.extents ? content.extents.reduce((sum, { length }) => sum + length, 0) : content.size;
}

/** Such as `EPERM`. */
function systemCode(error: FsynthError): string | undefined {
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
}
