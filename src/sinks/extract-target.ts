// What an extraction knows of each node: where it lies in the tree and on the host; and its metadata, set on the host as far
// as runtime and rights allow.

import { host } from "#host";
import { decodeName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { WriteHandle } from "../host/port.ts";
import type { Warning } from "../image/plan.ts";
import type { Time } from "../tree/node.ts";
import { entryName, type Snapshot } from "../tree/snapshot.ts";
import type { SnapshotNode } from "../tree/snapshot-node.ts";
import { Lost } from "./lost.ts";

/** Up to here a double tells one microsecond from the next. Seconds. */
const EXACT = 2 ** 32;

/** A tree on its way into the host directory `root`, which has no slash at its end. */
export class ExtractTarget {
  /** By node: its path in the tree by its first name, the root's being empty. */
  readonly #paths: string[] = [""];
  readonly #lost = new Lost();

  constructor(
    readonly snapshot: Snapshot,
    readonly root: string,
  ) {
    const { nodes } = snapshot;
    for (let index = 1; index < nodes.length; index++) {
      const { entry, parent } = nodes[index] as SnapshotNode; // index is in range; a parent's index is lower
      this.#paths[index] = this.#below(parent, entry);
    }
  }

  /** In the tree. */
  path(index: number): string {
    return this.#paths[index] || "/";
  }

  /** On the host. */
  host(index: number): string {
    return this.root + (this.#paths[index] as string) || "/"; // every node has one
  }

  /** On the host, of an entry of the directory `holder`. */
  hostOfEntry(holder: number, entry: number): string {
    return this.root + this.#below(holder, entry);
  }

  #below(holder: number, entry: number): string {
    return `${this.#paths[holder]}/${decodeName(entryName(this.snapshot, entry))}`;
  }

  /** One more loss of a kind; `sentence` goes behind the count. */
  lose(code: string, index: number, sentence: string): void {
    this.#lost.add(code, this.path(index), sentence);
  }

  warnings(): Warning[] {
    return this.#lost.warnings();
  }

  /** Owner, mode and times of what is there, by its path. */
  settle(index: number, node: SnapshotNode): void {
    const path = this.host(index);
    const kept = this.#owned(index, node, () => host.files.setOwner(path, node.uid, node.gid));
    // Linux has no modes of symlinks.
    if (node.kind !== "symlink") host.files.setMode(path, this.#modeOf(index, node, kept));
    this.#timed(index, node, () => host.files.setTimes(path, node.atime, node.mtime));
  }

  /** Owner, mode and times of a file that is open. */
  settleOpen(index: number, node: SnapshotNode, handle: WriteHandle): void {
    const kept = this.#owned(index, node, () => handle.setOwner(node.uid, node.gid));
    handle.setMode(this.#modeOf(index, node, kept));
    this.#timed(index, node, () => handle.setTimes(node.atime, node.mtime));
  }

  /** Tells whether the owner is what it is to be. */
  #owned(index: number, node: SnapshotNode, set: () => void): boolean {
    try {
      set();
      return true;
    } catch (error) {
      // EINVAL: a number that a user namespace has no place for.
      if (!(error instanceof FsynthError) || !["EPERM", "EINVAL"].includes(systemCode(error) ?? "")) throw error;
      const stat = host.files.lstat(this.host(index));
      if (stat?.uid === node.uid && stat.gid === node.gid) return true;
      this.lose("owners", index, "files and directories do not have their owners: only root gives files away");
      return false;
    }
  }

  /** A program that runs as its owner must not run as somebody else. */
  #modeOf(index: number, { mode, kind }: SnapshotNode, owned: boolean): number {
    if (owned || kind === "directory" || (mode & 0o6000) === 0) return mode;
    this.lose("set-id", index, "files lose their set-id bits, since they do not have their owners");
    return mode & 0o1777;
  }

  #timed(index: number, { atime, mtime }: SnapshotNode, set: () => void): void {
    set();
    if (!isExact(mtime) || !isExact(atime)) this.lose("times", index, "files and directories have times cut to microseconds");
    // What is in the range of every file system of today needs no look.
    if (mtime.sec >= 0 && mtime.sec < 2 ** 31) return;
    if (host.files.lstat(this.host(index))?.mtimeSec !== mtime.sec) {
      this.lose("time-range", index, "files and directories have times that this file system cannot hold, and others instead");
    }
  }
}

function isExact({ sec, nsec }: Time): boolean {
  return nsec === 0 || (nsec % 1000 === 0 && Math.abs(sec) < EXACT);
}

/** Such as `EPERM`. */
function systemCode(error: FsynthError): string | undefined {
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
}
