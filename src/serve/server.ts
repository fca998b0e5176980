// A planned image as a network block device, or by HTTP.

import { checkKeys, checkText, checkWord, shown } from "../arguments.ts";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Image } from "../image/image.ts";
import { makeImage } from "../sinks/image.ts";
import { resolveOutput } from "../sinks/output.ts";
import { Clients, sentenceOf } from "./clients.ts";
import { type Disk, PlanDisk } from "./disk.ts";
import type { ServeEvent } from "./event.ts";
import { inUri, type Listening, listen, type Place } from "./listen.ts";
import { talkNbd } from "./nbd.ts";
import { overlaidPlan } from "./overlaid-plan.ts";
import { Overlay } from "./overlay.ts";

/** How an image is served. */
export interface ServeOptions {
  /** The path of a socket to listen on; it gets mode 0600, and one that a killed server left behind is replaced. */
  readonly socket?: string | undefined;
  /** The port to listen on, 0 for any that is free. */
  readonly port?: number | undefined;
  /** The address to listen on, with `port`. Default 127.0.0.1, which this host alone can reach. */
  readonly host?: string | undefined;
  /** What is spoken: `nbd` (default), or `http` for GET and HEAD with ranges. */
  readonly protocol?: "nbd" | "http" | undefined;
  /** The name of the export; a client that gives none gets it, too. Default: the empty name. */
  readonly exportName?: string | undefined;
  /**
   * Lets clients write. What they write stays in memory, at most `limit` bytes of it (then: no space left on device), and is
   * one for all clients, or with `private` each client's own until it leaves. Left out: read-only.
   */
  readonly overlay?: { readonly limit: number; readonly private?: boolean | undefined } | undefined;
  /** Writes the image with all that was written to it to this file when the server is closed: sparse, and atomically. */
  readonly save?: string | undefined;
  /** How many clients may be connected at once, idle ones included; default 256. Further ones are turned away. */
  readonly maxClients?: number | undefined;
  /** How long a client may take until its handshake is done, or by HTTP the head of its next request is there, seconds; default 10. */
  readonly handshakeTimeout?: number | undefined;
  /**
   * Told of what happens, such as sources that changed and clients that break the protocol. What it throws first, `close` throws
   * in the end; the clients notice nothing.
   */
  readonly onEvent?: ((event: ServeEvent) => void) | undefined;
}

/** A server that runs. */
export interface ImageServer {
  /** Where clients find it: `nbd+unix:///?socket=…`, `nbd://127.0.0.1:10809/` or `http://127.0.0.1:8080/`. */
  readonly uri: string;
  /** The port that it listens on; 0 on a socket. */
  readonly port: number;
  /** How many clients are connected. */
  readonly clients: number;
  /** Bytes of memory that written blocks take. */
  readonly written: number;
  /** The image with all that was written so far; its bytes are those that clients read when they are asked for. */
  readonly image: Image;
  /**
   * Stops listening, lets requests under way be answered, drops all clients, and saves what is to be saved. What waits for a source that never answers is left
   * behind after some seconds.
   */
  close(): Promise<void>;
}

const KEYS = ["socket", "port", "host", "protocol", "exportName", "overlay", "save", "maxClients", "handshakeTimeout", "onEvent"];

/**
 * Serves an image that need not exist: what clients ask for is made when they ask. The server runs until it is closed.
 *
 * Sources must stay as they are: where one changed, clients get an I/O error and `onEvent` a sentence, and never bytes of both.
 *
 * Throws `usage` for options that do not fit and for a place that is taken, `io` where the system does not let it listen.
 *
 * @example
 * ```ts
 * import { buildExt4, fromTar } from "fsynth";
 * import { serveImage } from "fsynth/serve";
 * const image = buildExt4(await fromTar("rootfs.tar"));
 * const server = await serveImage(image, { socket: "root.sock", overlay: { limit: 64 << 20 } });
 * console.log(server.uri); // for qemu, nbd-client, nbdcopy
 * await server.close();
 * ```
 */
export async function serveImage(image: Image, options: ServeOptions): Promise<ImageServer> {
  const { protocol = "nbd", exportName = "", overlay, save, onEvent } = checked(image, options);
  const base = new PlanDisk(image.plan);
  const shared = overlay && !overlay.private ? new Overlay(base, overlay.limit) : undefined;
  const disk: Disk = shared ?? base;
  const served = shared ? makeImage(overlaidPlan(image.plan, shared)) : image;
  const place = placeOf(options);
  let thrown: { readonly error: unknown } | undefined;
  const onEventSafely = (event: ServeEvent): void => {
    try {
      onEvent?.(event);
    } catch (error) {
      thrown ??= { error };
    }
  };

  const shape = { exported: { name: exportName, size: image.size, writable: overlay !== undefined, shared: !overlay?.private } };
  const diskFor = (): { readonly disk: Disk; readonly writable: Overlay | undefined } => {
    if (!overlay) return { disk, writable: undefined };
    const writable = shared ?? new Overlay(base, overlay.limit);
    return { disk: writable, writable };
  };
  const resource = protocol === "http" ? new (await import("./http.ts")).HttpResource(disk, image, place) : undefined;
  const clients = new Clients({
    talk: (client) => (resource ? resource.talk(client) : talkNbd({ ...shape, diskFor }, client)),
    maxClients: options.maxClients ?? 256,
    handshakeTimeout: options.handshakeTimeout ?? 10,
    onEvent: onEventSafely,
  });
  const listening: Listening = await listen(clients.server, place);
  let closed: Promise<void> | undefined;
  return {
    uri: uriOf(protocol, place, listening.port, exportName),
    port: listening.port,
    get clients() {
      return clients.size;
    },
    get written() {
      return shared?.used ?? 0;
    },
    image: served,
    close() {
      closed ??= (async () => {
        const stopped = listening.close();
        await clients.end();
        await stopped;
        if (save !== undefined) await saved(served, save, shared?.used ?? 0);
        if (thrown) throw thrown.error;
      })();
      return closed;
    },
  };
}

/** Whoever wrote has to know that it is gone. */
async function saved(image: Image, path: string, written: number): Promise<void> {
  try {
    await image.writeTo(path);
  } catch (cause) {
    const code = cause instanceof FsynthError ? cause.code : "io";
    const lost = written > 0 ? `what clients wrote (${written} bytes of memory) is lost` : "clients wrote nothing that is lost";
    throw new FsynthError(code, `${quoteName(path)} is not saved, and ${lost}: ${sentenceOf(cause)}`, { path }, { cause });
  }
}

function checked(image: Image, options: ServeOptions): ServeOptions {
  const given: unknown = image; // callers in plain JavaScript forget an await
  if (typeof given !== "object" || given === null || !("plan" in given)) {
    throw new FsynthError("usage", `serveImage: the image is ${shown(given)}, expected what a build gives`);
  }
  checkKeys("serveImage", options, KEYS);
  const { socket, port, protocol, exportName, overlay, save, maxClients, handshakeTimeout } = options;
  checkWord("serveImage: protocol", protocol, ["nbd", "http"]);
  for (const [what, text] of Object.entries({ socket, host: options.host, exportName, save })) {
    if (text === undefined) continue;
    checkText(`serveImage: ${what}`, text);
    if (text === "" && what !== "exportName") {
      throw new FsynthError("usage", `serveImage: ${what} is empty`, { option: what });
    }
  }
  if ((socket === undefined) === (port === undefined)) {
    throw new FsynthError("usage", "serveImage: expected either a socket or a port to listen on", { option: "socket" });
  }
  if (options.host !== undefined && port === undefined) {
    throw new FsynthError("usage", "serveImage: a host to listen on goes with a port", { option: "host" });
  }
  checkWhole("port", port, 0, 65_535);
  checkWhole("maxClients", maxClients, 1, 65_536);
  checkNumber("handshakeTimeout", handshakeTimeout, 0.001, 86_400);
  const told: unknown = options.onEvent;
  if (told !== undefined && typeof told !== "function") {
    throw new FsynthError("usage", `serveImage: onEvent is ${shown(told)}, expected a function`, { option: "onEvent" });
  }
  if (new TextEncoder().encode(exportName ?? "").length > 4096) {
    throw new FsynthError("usage", "serveImage: the export's name has more than 4096 bytes", { option: "exportName" });
  }
  if (overlay !== undefined) {
    checkKeys("serveImage: overlay", overlay, ["limit", "private"]);
    checkWhole("overlay.limit", overlay.limit ?? Number.NaN, 0, Number.MAX_SAFE_INTEGER);
    if (overlay.private !== undefined && typeof overlay.private !== "boolean") {
      throw new FsynthError("usage", `serveImage: overlay.private is ${shown(overlay.private)}, expected true or false`, {
        option: "overlay",
      });
    }
    if (protocol === "http") throw new FsynthError("usage", "serveImage: nothing is written by HTTP", { option: "overlay" });
    if (overlay.private && save !== undefined) {
      throw new FsynthError("usage", "serveImage: of what clients write for themselves there is nothing to save", {
        option: "save",
      });
    }
  }
  // What cannot be written in the end is refused now, and not when there is something to lose.
  if (save !== undefined) resolveOutput(save);
  return options;
}

function checkWhole(option: string, value: unknown, least: number, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most)) return;
  throw new FsynthError("usage", `serveImage: ${option} is ${shown(value)}, expected a whole number from ${least} to ${most}`, {
    option,
  });
}

function checkNumber(option: string, value: unknown, least: number, most: number): void {
  if (value === undefined || (typeof value === "number" && value >= least && value <= most)) return;
  throw new FsynthError("usage", `serveImage: ${option} is ${shown(value)}, expected a number from ${least} to ${most}`, {
    option,
  });
}

function placeOf({ socket, host = "127.0.0.1", port = 0 }: ServeOptions): Place {
  return socket === undefined ? { host, port } : { socket };
}

/** As https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md has it. */
function uriOf(protocol: "nbd" | "http", place: Place, port: number, exportName: string): string {
  const name = exportName.split("/").map(encodeURIComponent).join("/");
  if (!("socket" in place)) return `${protocol}://${inUri(place.host)}:${port}/${protocol === "nbd" ? name : ""}`;
  const path = place.socket.split("/").map(encodeURIComponent).join("/");
  return protocol === "nbd" ? `nbd+unix:///${name}?socket=${path}` : `http+unix://${encodeURIComponent(place.socket)}/`;
}
