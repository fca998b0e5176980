// The hidden file that an output is while it is written. Its name tells who writes it, so that what a killed process left
// behind is recognised, and removed by the next build of the same name.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";
import { decodeName, encodeName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { WriteHandle } from "../host/port.ts";
import { NAME_MAX } from "../tree/path.ts";
import type { Output } from "./output.ts";

type FileOutput = Extract<Output, { readonly kind: "file" }>;

/** A new file beside the output, on its way to replace it. */
export interface Temporary {
  readonly handle: WriteHandle;
  /** Gives it the output's name; with `fsync` only after all of it is on the disk. */
  commit(fsync: boolean): void;
  /** Removes it. */
  discard(): void;
}

let made = 0;

/** `.NAME.fsynth-PID-START-N.tmp`. */
function temporaryName(name: string): string {
  return `${prefixOf(name)}${host.files.processId}-${host.files.processStart(host.files.processId) ?? "0"}-${++made}.tmp`;
}

/** Room for three numbers, their hyphens and `.tmp`. */
const SUFFIX_MAX = 64;

/** What the temporary names of one output share. A long name is cut, with a digest of all of it instead of its end. */
function prefixOf(name: string): string {
  const bytes = encodeName(name);
  const most = NAME_MAX - SUFFIX_MAX - "..fsynth-".length;
  if (bytes.length <= most) return `.${name}.fsynth-`;
  const hash = host.sha256();
  hash.update(bytes);
  const tag = toHex(hash.digest().subarray(0, 8));
  return `.${decodeName(bytes.subarray(0, most - tag.length - 1))}~${tag}.fsynth-`;
}

/** Makes the temporary file of `output`, with the mode and owner of what it will replace. */
export function makeTemporary(output: FileOutput): Temporary {
  const { folder, name, old } = output;
  removeLeftovers(folder, name);
  const path = joined(folder, temporaryName(name));
  // A file that others may not read is never readable to them, not even while it grows.
  const handle = host.files.openWrite(path, { exclusive: true, mode: old ? old.mode & 0o666 : 0o666 });
  const forget = host.files.removeOnExit(path);
  let closed = false;
  const close = (): void => {
    if (!closed) {
      closed = true;
      handle.close();
    }
  };
  const discard = (): void => {
    try {
      close();
    } finally {
      if (host.files.lstat(path)) host.files.remove(path);
      forget();
    }
  };
  try {
    if (old) inherit(handle, path, old.mode, old.uid, old.gid);
  } catch (error) {
    discard();
    throw error;
  }
  return {
    handle,
    commit(fsync) {
      if (fsync) handle.sync();
      close();
      host.files.rename(path, output.path);
      forget();
      if (fsync) host.files.syncDirectory(folder);
    },
    discard,
  };
}

/** Mode and owner of the older file. Only root can give files away: for others the new file is theirs. */
function inherit(handle: WriteHandle, path: string, mode: number, uid: number, gid: number): void {
  const now = host.files.lstat(path);
  if (now && (now.uid !== uid || now.gid !== gid)) {
    try {
      handle.setOwner(uid, gid);
    } catch (error) {
      if (!(error instanceof FsynthError)) throw error;
    }
  }
  handle.setMode(mode & 0o777);
}

/** Removes temporary files of `name` whose process is gone. */
function removeLeftovers(folder: string, name: string): void {
  const prefix = prefixOf(name);
  for (const entry of listed(folder)) {
    if (!entry.startsWith(prefix)) continue;
    const match = /^(\d+)-(\d+)-\d+\.tmp$/.exec(entry.slice(prefix.length));
    if (!match || host.files.processStart(Number(match[1])) === match[2]) continue;
    try {
      host.files.remove(joined(folder, entry));
    } catch (error) {
      // Another user's, in a folder such as /tmp: theirs to remove.
      if (!(error instanceof FsynthError)) throw error;
    }
  }
}

/** The names in a folder; none in one that may be written to but not listed. */
function listed(folder: string): string[] {
  try {
    return host.files.readDirectory(folder);
  } catch (error) {
    if (error instanceof FsynthError) return [];
    throw error;
  }
}

function joined(folder: string, name: string): string {
  return folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}
