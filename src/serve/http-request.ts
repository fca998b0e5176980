// What a client asks for by HTTP: the head of one request. Nothing behind it is looked at before it is answered.
// Specification: RFC 9112, sections 2 to 6.

import type { Wire } from "./wire.ts";

/** The head of a request. */
export interface HttpRequest {
  readonly method: string;
  /** The path, with what follows it. */
  readonly path: string;
  /** Who is asked for: of the target where that names it, else of Host. */
  readonly host: string | undefined;
  /** By their names in lower case; what came several times is one list. */
  readonly headers: ReadonlyMap<string, string>;
  /** The client wants to ask again over this connection. */
  readonly keep: boolean;
}

/** A head that is answered with an error, behind which nothing can be understood. */
export class BadRequest extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Heads of browsers have a tenth of it, bytes. */
const LONGEST_HEAD = 16 * 1024;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) (\\S+) HTTP/(\\d)\\.(\\d)$`);
const FIELD = new RegExp(`^(${TOKEN}):[ \\t]*(.*?)[ \\t]*$`);

/** Takes the next head; `begun` is called at its first byte. Throws {@link BadRequest}, and Gone at the end. */
export async function takeRequest(wire: Wire, begun: () => void): Promise<HttpRequest> {
  return parseHead(await takeHead(wire, begun));
}

async function takeHead(wire: Wire, begun: () => void): Promise<string> {
  let head = "";
  for (;;) {
    const piece = await wire.some(LONGEST_HEAD);
    begun();
    const before = head.length;
    head += latin1(piece);
    // Empty lines before a request are passed over (2.2).
    if (/^[\r\n]/.test(head)) head = head.replace(/^[\r\n]+/, "");
    const from = Math.max(0, before - 3);
    const end = /\n\r?\n/.exec(head.slice(from));
    if (end) {
      const length = from + end.index + end[0].length;
      wire.putBack(piece.subarray(piece.length - (head.length - length)));
      return head.slice(0, from + end.index);
    }
    if (head.length >= LONGEST_HEAD) throw new BadRequest(431, `the head of the request is longer than ${LONGEST_HEAD} bytes`);
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return text;
}

function parseHead(head: string): HttpRequest {
  const [first = "", ...lines] = head.split(/\r?\n/).map((line) => line.replace(/\r$/, ""));
  const [, method = "", target = "", major, minor] = REQUEST_LINE.exec(first) ?? [];
  if (major === undefined) throw new BadRequest(400, "no request of HTTP");
  if (major !== "1") throw new BadRequest(505, "expected HTTP/1.1");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ""] = FIELD.exec(line) ?? [];
    if (name === undefined) throw new BadRequest(400, "a line of the head is no field");
    const key = name.toLowerCase();
    const known = headers.get(key);
    if (known !== undefined && key === "host") throw new BadRequest(400, "more than one Host");
    headers.set(key, known === undefined ? value : `${known}, ${value}`);
  }
  if (minor !== "0" && !headers.has("host")) throw new BadRequest(400, "no Host");
  if (headers.has("transfer-encoding") || !/^0*$/.test(headers.get("content-length") ?? "")) {
    throw new BadRequest(413, "a request with a body; there is nothing to send here");
  }
  // Proxies are asked by the whole URL, and every server has to understand it (3.2.2).
  const [, authority, path] = /^http:\/\/([^/?#]*)([^#]*)$/i.exec(target) ?? [];
  const connection = (headers.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/);
  return {
    method,
    path: authority === undefined ? target : path || "/",
    host: authority ?? headers.get("host"),
    headers,
    keep: minor === "0" ? connection.includes("keep-alive") : !connection.includes("close"),
  };
}
