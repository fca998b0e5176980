// Where a server listens: a socket in the file system that only its owner can reach, or an address of this host.

import { chmodSync, lstatSync, type Stats, unlinkSync } from "node:fs";
import { connect, isIP, type Server } from "node:net";
import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";

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

async function listenOnSocket(server: Server, path: string): Promise<Listening> {
  const length = new TextEncoder().encode(path).length;
  if (length > LONGEST_PATH) {
    throw new FsynthError(
      "usage",
      `the socket ${quoteName(path)} is ${length} bytes long; a socket's path has at most ${LONGEST_PATH}`,
      {
        path,
      },
    );
  }
  await removeStale(path);
  const forget = host.files.removeOnExit(path);
  try {
    // The name appears while this call runs, and from the first moment nobody else can connect.
    const mask = narrowMask();
    const ready = started(server, () => server.listen(path));
    if (mask !== undefined) process.umask(mask);
    await ready;
    chmodSync(path, 0o600);
  } catch (cause) {
    forget();
    throw failed(quoteName(path), cause);
  }
  return {
    port: 0,
    async close() {
      await stopped(server);
      forget();
    },
  };
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

/** A socket that a killed server left behind is removed. Throws `usage` where somebody listens, or something else stands. */
async function removeStale(path: string): Promise<void> {
  let found: Stats;
  try {
    found = lstatSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
    throw failed(quoteName(path), cause);
  }
  if (!found.isSocket()) {
    throw new FsynthError("usage", `${quoteName(path)} is there already and is no socket; it is left alone`, { path });
  }
  if (await answers(path)) throw new FsynthError("usage", `somebody listens on ${quoteName(path)} already`, { path });
  try {
    unlinkSync(path);
  } catch (cause) {
    throw failed(quoteName(path), cause);
  }
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
