// Files of an extraction: made anew, written where they have data, finished while they are open.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { WriteHandle } from "../host/port.ts";
import { Turns } from "../host/turn.ts";
import type { Progress } from "../image/image.ts";
import type { Content } from "../tree/content.ts";
import type { SnapshotNode } from "../tree/snapshot-node.ts";
import type { ExtractTarget } from "./extract-target.ts";

/** Bytes read and written at once. */
const WINDOW = 1 << 20;

/** Bytes between two reports. */
const REPORT = 8 << 20;

/** Writes files one after the other. */
export class FileWriter {
  /** Written so far. */
  bytes = 0;
  #told = 0;
  readonly #total: number;
  readonly #window = new Uint8Array(WINDOW);
  readonly #turns = new Turns();
  readonly #target: ExtractTarget;
  readonly #onProgress: ((progress: Progress) => void) | undefined;

  constructor(target: ExtractTarget, onProgress: ((progress: Progress) => void) | undefined) {
    this.#target = target;
    this.#onProgress = onProgress;
    this.#total = target.snapshot.nodes.reduce((sum, { content }) => sum + dataSize(content), 0);
  }

  /** Writes all files. */
  async writeAll(): Promise<void> {
    const { nodes } = this.#target.snapshot;
    for (let index = 0; index < nodes.length; index++) {
      const node = nodes[index] as SnapshotNode; // index is in range
      if (!node.content) continue;
      const pending = this.#write(index, node, node.content);
      if (pending) await pending;
      if (this.#turns.due()) await this.#turns.take();
    }
    this.#onProgress?.({ done: this.#total, total: this.#total });
  }

  /** A promise only where content must be waited for. */
  #write(index: number, node: SnapshotNode, content: Content): void | Promise<void> {
    const handle = host.files.openWrite(this.#target.host(index), { exclusive: true, mode: 0o600 });
    const finish = (): void => this.#target.settleOpen(index, node, handle);
    let pending: Promise<void> | undefined;
    try {
      const writing = this.#fill(index, handle, content);
      if (writing === undefined) finish();
      else pending = writing.then(finish).finally(() => handle.close());
    } finally {
      if (pending === undefined) handle.close();
    }
    return pending;
  }

  #fill(index: number, handle: WriteHandle, content: Content): void | Promise<void> {
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
    return this.#fillParts(index, handle, content);
  }

  async #fillParts(index: number, handle: WriteHandle, content: Content): Promise<void> {
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
      const path = this.#target.path(index);
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
    this.bytes += bytes.length;
    if (this.bytes - this.#told < REPORT) return;
    this.#told = this.bytes;
    this.#onProgress?.({ done: this.bytes, total: this.#total });
  }
}

function dataSize(content: Content | undefined): number {
  if (!content) return 0;
  return content.extents ? content.extents.reduce((sum, { length }) => sum + length, 0) : content.size;
}
