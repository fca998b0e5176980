// An image by HTTP: GET and HEAD of one resource, whole or one range of it. Nothing else. One request at a time: what a client
// sends ahead stays where it is, so that a client can hold up only itself.
// Specification: RFC 9110, sections 8.8.3 (ETag), 13.1 (conditions) and 14 (ranges).

import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { Turns } from "../host/turn.ts";
import type { Image } from "../image/image.ts";
import { type Client, sentenceOf } from "./clients.ts";
import type { Disk } from "./disk.ts";
import { BadRequest, type HttpRequest, takeRequest } from "./http-request.ts";
import { isLoopback, type Place } from "./listen.ts";
import { Gone } from "./wire.ts";

/** How much of the disk is made at once, bytes. */
const PIECE = 256 * 1024;

const REASON: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial Content",
  304: "Not Modified",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  412: "Precondition Failed",
  413: "Content Too Large",
  416: "Range Not Satisfiable",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  505: "HTTP Version Not Supported",
};

/** What a request is answered with. */
interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Which bytes of the disk it tells of, and whether they follow. */
  readonly range?: { readonly from: number; readonly to: number; readonly sent: boolean };
  /** What it says instead. */
  readonly text?: string;
}

/** An image that is served by HTTP. */
export class HttpResource {
  readonly #disk: Disk;
  readonly #place: Place;
  readonly #tag: string;

  constructor(disk: Disk, image: Image, place: Place) {
    this.#disk = disk;
    this.#place = place;
    // The UUID tells trees and options apart, not contents; of what another run serves nothing is known. So a tag holds for this run.
    this.#tag = `"${image.uuid ?? disk.size}-${randomBytes(8).toString("hex")}"`;
  }

  /** Answers the requests of a client, one after the other. Throws Gone when it is gone. */
  async talk(client: Client): Promise<void> {
    const { wire } = client;
    const turns = new Turns();
    for (;;) {
      let begun = false;
      client.hurry(() => {
        // Who has nothing more to ask just goes.
        if (begun) client.tell("dropped", "no whole request in time");
        wire.end();
      });
      let request: HttpRequest;
      try {
        request = await takeRequest(wire, () => {
          begun = true;
        });
      } catch (error) {
        if (!(error instanceof BadRequest)) throw error;
        client.relax();
        await this.#send(client, { status: error.status, text: error.message }, { method: "GET", keep: false });
        await wire.linger();
        return;
      }
      client.relax();
      const keep = request.keep && !client.ending();
      if (!(await this.#send(client, this.#answer(request), { method: request.method, keep })) || !keep) return;
      if (turns.due()) await turns.take();
    }
  }

  #answer({ method, path, host, headers }: HttpRequest): Answer {
    if (!isOurName(host, this.#place)) return { status: 421, text: "expected an address as Host, no name" };
    if (method !== "GET" && method !== "HEAD") return { status: 405, headers: { Allow: "GET, HEAD" }, text: "only GET and HEAD" };
    if (path !== "/") return { status: 404, text: "the image is at /" };
    const { size } = this.#disk;
    // What another run serves at this place is another image.
    const about = { ETag: this.#tag, "Accept-Ranges": "bytes", "Cache-Control": "no-cache" };
    const match = headers.get("if-match");
    if (match !== undefined && !matches(match, this.#tag)) return { status: 412, headers: about, text: "it is another image" };
    if (matches(headers.get("if-none-match"), this.#tag)) return { status: 304, headers: about };
    const same = (headers.get("if-range") ?? this.#tag) === this.#tag;
    const range = rangeOf(method === "GET" && same ? headers.get("range") : undefined, size);
    if (range === "outside") {
      return { status: 416, headers: { ...about, "Content-Range": `bytes */${size}` }, text: `the image has ${size} bytes` };
    }
    const { from, to } = range ?? { from: 0, to: size };
    return {
      status: range ? 206 : 200,
      headers: {
        ...about,
        "Content-Type": "application/octet-stream",
        ...(range && { "Content-Range": `bytes ${from}-${to - 1}/${size}` }),
      },
      range: { from, to, sent: method === "GET" },
    };
  }

  /** Sends an answer; false when the connection cannot go on behind it. */
  async #send(client: Client, answer: Answer, to: { readonly method: string; readonly keep: boolean }): Promise<boolean> {
    const { wire } = client;
    const { range } = answer;
    if (!range?.sent) {
      await wire.send(headOf(answer, to.keep, to.method !== "HEAD"));
      return true;
    }
    const room = new Uint8Array(Math.min(PIECE, range.to - range.from));
    const turns = new Turns();
    let begun = false;
    try {
      for (let at = range.from; at < range.to || !begun; ) {
        const piece = room.subarray(0, Math.min(PIECE, range.to - at));
        const pending = this.#disk.read(at, piece);
        if (pending) await pending;
        // Only now is it known that there is something to send.
        if (!begun) await wire.send(headOf(answer, to.keep, true));
        begun = true;
        if (piece.length > 0) await wire.send(piece);
        at += piece.length;
        if (turns.due()) await turns.take();
      }
      return true;
    } catch (error) {
      if (error instanceof Gone) throw error;
      const message = sentenceOf(error);
      client.tell("failed", message, error);
      // Behind the head there is no other way to say it than to stop short of what was promised.
      if (begun) return false;
      await wire.send(headOf({ status: 500, text: message }, to.keep, true));
      return true;
    }
  }
}

/** The head of an answer, with its text where there is one and `withText`. */
function headOf({ status, headers = {}, range, text }: Answer, keep: boolean, withText: boolean): Uint8Array {
  const encoder = new TextEncoder();
  const body = text === undefined ? "" : `${text}\n`;
  const lines = [`HTTP/1.1 ${status} ${REASON[status] ?? ""}`, `Date: ${new Date().toUTCString()}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (text !== undefined) lines.push("Content-Type: text/plain; charset=utf-8");
  if (status !== 304) lines.push(`Content-Length: ${range ? range.to - range.from : encoder.encode(body).length}`);
  lines.push(`Connection: ${keep ? "keep-alive" : "close"}`, "", withText ? body : "");
  return encoder.encode(lines.join("\r\n"));
}

/**
 * A page in a browser can reach servers of its own host by a name that leads there, and read what they send. Nobody needs a
 * name for this one.
 */
function isOurName(given: string | undefined, place: Place): boolean {
  if ("socket" in place || !isLoopback(place.host)) return true;
  const name = given?.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1") ?? "";
  return name.toLowerCase() === "localhost" || isIP(name) !== 0;
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
