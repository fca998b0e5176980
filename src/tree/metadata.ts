// Metadata as callers give it, checked and completed once.

import { checkKeys, shown } from "../arguments.ts";
import { encodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { imageTime, type Kind, type Metadata, type Time, type Xattrs } from "./node.ts";

/** A time as callers may give it: `{ sec, nsec }`, a Date, bigint nanoseconds since 1970, or whole seconds. */
export type TimeInput = Time | Date | bigint | number;

/**
 * Metadata of a new node. What is left out: mode 0755 for directories, 0777 for symlinks, 0600 for devices, else 0644;
 * owner 0:0; the image's own time. A given `mtime` is also the atime, ctime and birth time unless those are given.
 */
export interface MetadataInput {
  /** 12 bits. */
  readonly mode?: number;
  /** 32 bits. */
  readonly uid?: number;
  /** 32 bits. */
  readonly gid?: number;
  /** When the content last changed. */
  readonly mtime?: TimeInput;
  /** When it was last read. */
  readonly atime?: TimeInput;
  /** When the metadata last changed. */
  readonly ctime?: TimeInput;
  /** When it was made. */
  readonly btime?: TimeInput;
  /** By full name; text stands for its bytes in UTF-8. */
  readonly xattrs?: Xattrs | Readonly<Record<string, Uint8Array | string>>;
}

const KEYS = ["mode", "uid", "gid", "mtime", "atime", "ctime", "btime", "xattrs"];

/** The checked {@link Time} of any input. Throws `usage`. */
export function toTime(input: TimeInput): Time {
  if (typeof input === "bigint") {
    const sec = input / 1_000_000_000n - (input % 1_000_000_000n < 0n ? 1n : 0n);
    return checkedTime(Number(sec), Number(input - sec * 1_000_000_000n));
  }
  if (typeof input === "number") return checkedTime(input, 0);
  if (input instanceof Date) {
    const ms = input.getTime();
    return checkedTime(Math.floor(ms / 1000), (ms - Math.floor(ms / 1000) * 1000) * 1_000_000);
  }
  if (typeof input !== "object" || input === null) {
    throw new FsynthError("usage", `a time is { sec, nsec }, a Date, bigint nanoseconds or seconds; found ${String(input)}`);
  }
  return input === imageTime ? input : checkedTime(input.sec, input.nsec);
}

function checkedTime(sec: number, nsec: number): Time {
  if (!Number.isSafeInteger(sec) || !Number.isInteger(nsec) || nsec < 0 || nsec > 999_999_999) {
    throw new FsynthError("usage", `time { sec: ${sec}, nsec: ${nsec} }: expected whole seconds and 0 to 999999999 nanoseconds`);
  }
  return { sec, nsec };
}

function isPlain(input: MetadataInput): boolean {
  for (const key in input) if (!KEYS.includes(key)) return false;
  return typeof input === "object" && input !== null;
}

const DEFAULT_MODE: Record<Kind, number> = {
  file: 0o644,
  directory: 0o755,
  symlink: 0o777,
  "character-device": 0o600,
  "block-device": 0o600,
  fifo: 0o644,
  socket: 0o644,
};

/** Complete metadata for a node of `kind` at `path` (for errors). Throws `usage`. */
export function toMetadata(kind: Kind, path: string, input: MetadataInput = {}): Metadata {
  // The place is put together only when there is something to say.
  if (!isPlain(input)) checkKeys(`${quoteName(path)}: metadata`, input, KEYS);
  const mtime = input.mtime === undefined ? imageTime : toTime(input.mtime);
  const time = (given: TimeInput | undefined): Time => (given === undefined ? mtime : toTime(given));
  return {
    mode: checkedInteger(path, "mode", input.mode ?? DEFAULT_MODE[kind], 0o7777),
    uid: checkedInteger(path, "uid", input.uid ?? 0, 0xffff_ffff),
    gid: checkedInteger(path, "gid", input.gid ?? 0, 0xffff_ffff),
    atime: time(input.atime),
    mtime,
    ctime: time(input.ctime),
    btime: time(input.btime),
    xattrs: toXattrs(path, input.xattrs),
  };
}

/** `value` if it is an integer from 0 to `most`. Throws `usage` that names `what` of `path`. */
export function checkedInteger(path: string, what: string, value: number, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    const range = what === "mode" ? "0 to 07777 (the kind is not part of it)" : `0 to ${most}`;
    throw new FsynthError("usage", `${quoteName(path)}: ${what} is ${value}, expected ${range}`, { path });
  }
  return value;
}

function toXattrs(path: string, input: MetadataInput["xattrs"]): Xattrs | undefined {
  if (input === undefined) return undefined;
  const entries = input instanceof Map ? [...input] : Object.entries(input);
  if (entries.length === 0) return undefined;
  const encoder = new TextEncoder();
  const map = new Map<string, Uint8Array>();
  for (const [name, value] of entries) {
    checkXattrName(path, name);
    map.set(name, typeof value === "string" ? encoder.encode(value) : checkedXattrValue(path, name, value));
  }
  return map;
}

export function checkedXattrValue(path: string, name: string, value: Uint8Array): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new FsynthError("usage", `${quoteName(path)}: the xattr ${name} is ${shown(value)}, expected text or a Uint8Array`, {
    path,
  });
}

/** Throws unless `name` is the full name of an xattr: a namespace, a dot and at least one more byte, 255 bytes at most (xattr(7)). */
export function checkXattrName(path: string, name: string): void {
  const dot = name.indexOf(".");
  const length = encodeName(name).length;
  if (dot <= 0 || name.includes("\0") || length > 255) {
    throw new FsynthError(
      "source",
      `${quoteName(path)}: xattr name ${quoteName(name)}: expected NAMESPACE.NAME of at most 255 bytes`,
      { path },
    );
  }
}
