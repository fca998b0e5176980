// Where a server listens: a socket in the file system that only its owner can reach, or an address of this host.

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, linkSync, lstatSync, renameSync, type Stats, unlinkSync } from "node:fs";
import { connect, isIP, type Server } from "node:net";
import { join } from "node:path";
import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { atEnd } from "../host/node-exit.ts";
import { folderOf } from "../sinks/output.ts";

/** A path, or an address with a port (0: any that is free). */
export type Place = { readonly socket: string } | { readonly host: string; readonly port: number };

/** A server that listens. */
export interface Listening {
  /** The port that it got; 0 on a socket. */
  readonly port: number;
  /** Stops listening; the socket is gone then. */
  close(): Promise<void>;
}

/** sun_path of sockaddr_un(7), without its NUL. */
const LONGEST_PATH = 107;

/** Starts `server` at `place`. Throws `usage` for a place that is taken, `io` for one that cannot be used. */
export async function listen(server: Server, place: Place): Promise<Listening> {
  return "socket" in place ? await listenOnSocket(server, place.socket) : await listenOnPort(server, place.host, place.port);
}

/**
 * The socket is bound to a name that nobody knows, and then gets its own: so it is there at once with its mode, nobody's is
 * replaced, and Node, which removes the name that was bound when the server closes, never removes another's.
 */
async function listenOnSocket(server: Server, path: string): Promise<Listening> {
  const folder = folderOf(path);
  const hidden = join(folder, hiddenName(path));
  const longest = Math.max(...[path, hidden].map((one) => new TextEncoder().encode(one).length));
  if (longest > LONGEST_PATH) {
    const what = `the socket ${quoteName(path)} is ${longest} bytes long; a socket's path has at most ${LONGEST_PATH}`;
    throw new FsynthError("usage", what, { path });
  }
  // The system would call it a lack of permission.
  if (host.files.stat(folder)?.kind !== "directory") {
    throw new FsynthError("io", `cannot listen on ${quoteName(path)}: there is no folder ${quoteName(folder)}`, { path });
  }
  await refuseTaken(path);
  let found: Stats;
  try {
    // The name appears while this call runs, and from the first moment nobody else can connect.
    const mask = narrowMask();
    const ready = started(server, () => server.listen(hidden));
    if (mask !== undefined) process.umask(mask);
    await ready;
    chmodSync(hidden, 0o600);
    found = lstatSync(hidden);
  } catch (cause) {
    throw failed(quoteName(path), cause);
  }
  const forget = atEnd(() => removeOwn(path, found));
  try {
    await place(hidden, path);
  } catch (cause) {
    forget();
    await stopped(server);
    throw cause instanceof FsynthError ? cause : failed(quoteName(path), cause);
  }
  return {
    port: 0,
    async close() {
      removeOwn(path, found);
      forget();
      await stopped(server);
    },
  };
}

/** No longer than the name that it stands for, where that has a few letters, since a path may not be long. */
function hiddenName(path: string): string {
  const length = Math.min(12, Math.max(5, path.length - path.lastIndexOf("/") - 2));
  return `.${Array.from(randomBytes(length), (byte) => (byte % 36).toString(36)).join("")}`;
}

/** Gives a bound socket its name. Throws `usage` when somebody else took it meanwhile. */
async function place(hidden: string, path: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      linkSync(hidden, path);
      unlinkSync(hidden);
      return;
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException; // what fs throws
      // A file system without hard links: there the name is not taken in one step.
      if ((code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS") && !existsSync(path)) {
        renameSync(hidden, path);
        return;
      }
      if (code !== "EEXIST" || tries === 3) throw cause;
      await removeStale(path, `${hidden}~`);
    }
  }
}

/**
 * Removes a socket that a killed server left behind. It is moved aside first: should another server have taken its place since
 * it was looked at, that one gets its name back.
 */
async function removeStale(path: string, aside: string): Promise<void> {
  const seen = await refuseTaken(path);
  if (seen === undefined) return;
  try {
    renameSync(path, aside);
  } catch (cause) {
    // Another was quicker.
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
    throw cause;
  }
  if (!isSame(lstatSync(aside), seen)) linkSync(aside, path);
  unlinkSync(aside);
}

/** Removes our own socket; what another put in its place is theirs. */
function removeOwn(path: string, own: Stats): void {
  try {
    if (isSame(lstatSync(path), own)) unlinkSync(path);
  } catch {
    // It is gone already.
  }
}

function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Worker threads cannot set the mask that they share with all others: there the mode follows a moment later. */
function narrowMask(): number | undefined {
  try {
    return process.umask(0o177);
  } catch {
    return undefined;
  }
}

async function listenOnPort(server: Server, address: string, port: number): Promise<Listening> {
  try {
    await started(server, () => server.listen({ host: address, port, exclusive: true }));
  } catch (cause) {
    throw failed(`${address}:${port}`, cause);
  }
  const bound = server.address();
  return { port: typeof bound === "object" && bound !== null ? bound.port : port, close: () => stopped(server) };
}

function started(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

function stopped(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** What stands at `path`, if anything does: a stale socket. Throws `usage` where somebody listens, or something else stands. */
async function refuseTaken(path: string): Promise<Stats | undefined> {
  let found: Stats;
  try {
    found = lstatSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw failed(quoteName(path), cause);
  }
  if (!found.isSocket()) {
    throw new FsynthError("usage", `${quoteName(path)} is there already and is no socket; it is left alone`, { path });
  }
  if (await answers(path)) throw new FsynthError("usage", `somebody listens on ${quoteName(path)} already`, { path });
  return found;
}

/** Whether somebody listens, as far as this user can tell: what may not be asked is taken for alive. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const end = (alive: boolean): void => {
      probe.destroy();
      resolve(alive);
    };
    probe.once("connect", () => end(true));
    probe.once("error", (error: NodeJS.ErrnoException) => end(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"));
  });
}

function failed(where: string, cause: unknown): FsynthError {
  const { code, message } = cause as NodeJS.ErrnoException; // what net and fs reject with
  if (code === "EADDRINUSE") return new FsynthError("usage", `somebody listens on ${where} already`, {}, { cause });
  return new FsynthError("io", `cannot listen on ${where}: ${message}`, {}, { cause });
}

/** An address as it stands in a URI. */
export function inUri(address: string): string {
  return isIP(address) === 6 ? `[${address}]` : address;
}

/** Whether only this host can reach it. */
export function isLoopback(address: string): boolean {
  return address === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
