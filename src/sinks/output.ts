// Where an output path leads, and what may be done there, before anything is written.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { FileStat } from "../host/port.ts";

/** What an output path turned out to be. */
export type Output =
  /** A regular file, or one to be made: `path` with symlinks followed, `folder` and `name` its parts, `old` what it replaces. */
  | {
      readonly kind: "file";
      readonly path: string;
      readonly folder: string;
      readonly name: string;
      readonly old: FileStat | undefined;
    }
  /** A block device, written in place. */
  | { readonly kind: "device"; readonly path: string }
  /** A pipe, fifo, terminal, character device or inherited descriptor, streamed to. */
  | { readonly kind: "outlet"; readonly to: string | number };

/** As many symlinks as Linux follows (MAXSYMLINKS). */
const MAX_SYMLINKS = 40;

/** Names of the descriptors that a process inherits. They are written through: opening them anew would start over at byte 0. */
const DESCRIPTOR = /^(?:\/dev\/fd|\/proc\/self\/fd)\/(\d+)$/;

/**
 * Finds out what `path` is. Throws `usage` for a folder, for a block device without `force` and for a path that cannot name
 * a file, `io` when its folder is missing or may not be written to. Writes nothing.
 */
export function resolveOutput(path: string, force = false): Output {
  const descriptor = path === "/dev/stdout" ? 1 : path === "/dev/stderr" ? 2 : Number(DESCRIPTOR.exec(path)?.[1] ?? Number.NaN);
  if (Number.isInteger(descriptor)) return { kind: "outlet", to: descriptor };
  const aim = followed(path);
  const name = aim.slice(aim.lastIndexOf("/") + 1);
  const old = host.files.lstat(aim);
  if (old?.kind === "directory" || name === "" || name === "." || name === "..") {
    throw new FsynthError("usage", `output ${quoteName(path)} is a directory, expected a file`, { path });
  }
  if (old?.kind === "block-device") {
    if (!force) {
      throw new FsynthError("usage", `output ${quoteName(path)} is a block device; --force (force: true) overwrites it`, {
        path,
      });
    }
    return { kind: "device", path: aim };
  }
  if (old !== undefined && old.kind !== "file") return { kind: "outlet", to: aim };
  const folder = folderOf(aim);
  const stat = host.files.stat(folder);
  if (stat?.kind !== "directory") {
    const found = stat ? `is a ${stat.kind}, no directory` : "does not exist";
    throw new FsynthError("io", `cannot write ${quoteName(path)}: the folder ${quoteName(folder)} ${found}`, { path });
  }
  host.files.checkWritable(folder);
  return { kind: "file", path: aim, folder, name, old };
}

/** `path` with a symlink at its end followed, even where that leads to nothing yet. */
function followed(path: string): string {
  let at = path;
  for (let links = 0; host.files.lstat(at)?.kind === "symlink"; links++) {
    if (links === MAX_SYMLINKS) {
      throw new FsynthError("io", `output ${quoteName(path)}: more than ${MAX_SYMLINKS} symlinks, a loop`, { path });
    }
    const target = host.files.readLink(at);
    at = target.startsWith("/") ? target : `${folderOf(at)}/${target}`;
  }
  return at;
}

/** The folder of a path, `.` where it names none. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}
