// An image by HTTP: GET and HEAD of one resource, whole or one range of it. Nothing else.
// Specification: RFC 9110, sections 8.8.3 (ETag), 13.1 (conditions) and 14 (ranges).

import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import type { Image } from "../image/image.ts";
import type { Disk } from "./disk.ts";
import type { ServeEvent } from "./event.ts";
import { isLoopback, type Place } from "./listen.ts";

/** How much of the disk is made at once, bytes. */
const PIECE = 256 * 1024;

/** How long answers under way have when the server ends, ms. */
const PATIENCE = 2000;

/** How clients are served. */
export interface ServingHttp {
  readonly disk: Disk;
  readonly image: Image;
  readonly place: Place;
  readonly maxClients: number;
  /** What a client has to say what it wants, seconds. */
  readonly handshakeTimeout: number;
  onEvent(event: ServeEvent): void;
}

/** The clients of a server. */
export class HttpClients {
  readonly server: Server;
  readonly #serving: ServingHttp;
  readonly #answers = new Set<Promise<void>>();
  readonly #tag: string;
  #connected = 0;
  #count = 0;

  constructor(serving: ServingHttp) {
    this.#serving = serving;
    // The UUID tells trees and options apart, not contents; of what another run serves nothing is known. So a tag holds for this run.
    this.#tag = `"${serving.image.uuid ?? serving.disk.size}-${randomBytes(8).toString("hex")}"`;
    const timeout = serving.handshakeTimeout * 1000;
    this.server = createServer({ headersTimeout: timeout, requestTimeout: timeout, noDelay: true }, (request, response) => {
      const answer = this.#answer(request, response).finally(() => this.#answers.delete(answer));
      this.#answers.add(answer);
    });
    this.server.maxConnections = serving.maxClients;
    this.server.on("connection", (socket) => {
      this.#connected++;
      socket.on("close", () => this.#connected--);
    });
    this.server.on("drop", () => {
      const client = ++this.#count;
      serving.onEvent({ kind: "dropped", client, message: `one client more than ${serving.maxClients}` });
    });
  }

  /** How many are connected. */
  get size(): number {
    return this.#connected;
  }

  /** Lets answers under way be sent, and drops all clients. */
  async end(): Promise<void> {
    this.server.closeIdleConnections();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE);
    });
    await Promise.race([Promise.all(this.#answers), patience]);
    clearTimeout(timer);
    this.server.closeAllConnections();
    await Promise.all(this.#answers);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const client = ++this.#count;
    try {
      await this.#respond(request, response);
    } catch (error) {
      if (response.destroyed) return;
      const message = error instanceof Error ? error.message : String(error);
      this.#serving.onEvent({ kind: "failed", client, message, error });
      // Behind the head there is no other way to say it than to stop short of what was promised.
      if (response.headersSent) response.destroy();
      else refuse(response, 500, message);
    }
  }

  async #respond({ method, url, headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const { disk, place } = this.#serving;
    if (!isOurName(headers.host, place)) return refuse(response, 421, "expected an address as Host, no name");
    if (method !== "GET" && method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return refuse(response, 405, "only GET and HEAD");
    }
    if (url !== "/") return refuse(response, 404, "the image is at /");
    response.setHeader("ETag", this.#tag);
    response.setHeader("Accept-Ranges", "bytes");
    // What another run serves at this place is another image.
    response.setHeader("Cache-Control", "no-cache");
    if (headers["if-match"] !== undefined && !matches(headers["if-match"], this.#tag)) {
      return refuse(response, 412, "it is another image");
    }
    if (matches(headers["if-none-match"], this.#tag)) {
      response.writeHead(304).end();
      return;
    }
    const same = String(headers["if-range"] ?? this.#tag) === this.#tag;
    const asked = method === "GET" && same ? headers.range : undefined;
    const range = rangeOf(asked, disk.size);
    if (range === "outside") {
      response.setHeader("Content-Range", `bytes */${disk.size}`);
      return refuse(response, 416, `the image has ${disk.size} bytes`);
    }
    const { from, to } = range ?? { from: 0, to: disk.size };
    response.setHeader("Content-Type", "application/octet-stream");
    response.setHeader("Content-Length", to - from);
    if (range) response.setHeader("Content-Range", `bytes ${from}-${to - 1}/${disk.size}`);
    response.statusCode = range ? 206 : 200;
    if (method === "HEAD") {
      response.end();
      return;
    }
    for (let at = from; at < to; at += PIECE) {
      const bytes = new Uint8Array(Math.min(PIECE, to - at));
      const pending = disk.read(at, bytes);
      if (pending) await pending;
      await sent(response, bytes);
    }
    response.end();
  }
}

/** Rejects when the client is gone; what it did not take is never told of otherwise. */
function sent(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error("the client is gone"));
    if (response.destroyed) gone();
    response.once("close", gone);
    response.write(bytes, () => {
      response.off("close", gone);
      resolve();
    });
  });
}

function refuse(response: ServerResponse, status: number, message: string): void {
  const text = `${message}\n`;
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

/**
 * A page in a browser can reach servers of its own host by a name that leads there, and read what they send. Nobody needs a
 * name for this one.
 */
function isOurName(given: string | undefined, place: Place): boolean {
  if ("socket" in place || !isLoopback(place.host)) return true;
  const name = given?.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1") ?? "";
  return name === "localhost" || isIP(name) !== 0;
}

function matches(given: string | undefined, tag: string): boolean {
  if (given === undefined) return false;
  return given.trim() === "*" || given.split(",").some((one) => one.trim().replace(/^W\//, "") === tag);
}

/**
 * The one range that is asked for; undefined for all of it. What is no range of bytes is to be left alone (RFC 9110, 14.2),
 * and several at once may be.
 */
export function rangeOf(
  header: string | undefined,
  size: number,
): { readonly from: number; readonly to: number } | "outside" | undefined {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (!match || (first === "" && last === "")) return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "outside" : { from: size - length, to: size };
  }
  const from = Number(first);
  if (last !== "" && Number(last) < from) return undefined;
  return from >= size ? "outside" : { from, to: last === "" ? size : Math.min(Number(last) + 1, size) };
}
