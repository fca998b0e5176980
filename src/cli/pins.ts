// A pin file: which digests the sources of a build must have. Its lines are those of sha256sum, so that either tool can write
// and check them; a directory has no bytes, and stands there as `fsynth hash` prints it.

import { host } from "#host";
import { decodeName, escapeName, quoteName, unescapeName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { resolveOutput } from "../sinks/output.ts";
import type { Digested } from "../sources/digested.ts";
import { usage } from "./failure.ts";

/** A pin and the line that it stands on, counted from 1. */
interface Pin {
  readonly digest: string;
  readonly line: number;
}

/** Holds digests against a pin file, or writes them into it. */
export class Pins {
  readonly #path: string;
  readonly #update: boolean;
  readonly #lines: string[];
  readonly #pins = new Map<string, Pin>();
  #changed = false;

  /** Reads the pin file at `path`; with `update` there may be none. Throws `usage` for what cannot be updated, `io`, and `corrupt` for a line that is none. */
  constructor(path: string, update: boolean) {
    this.#path = path;
    this.#update = update;
    if (update && resolveOutput(path).kind !== "file") throw usage(`--pin: ${quoteName(path)} is no regular file`, "pin");
    const there = host.files.stat(path) !== undefined;
    if (!there && !update) {
      throw new FsynthError("io", `${quoteName(path)}: there is no such pin file; --update-pins makes one`, { path });
    }
    const text = there ? decodeName(host.files.readFile(path)) : "";
    this.#lines = text.split("\n");
    if (this.#lines.at(-1) === "") this.#lines.pop();
    for (const [index, line] of this.#lines.entries()) this.#read(line.replace(/\r$/, ""), index + 1);
  }

  #read(line: string, number: number): void {
    if (line.trim() === "" || line.startsWith("#")) return;
    const found = parseLine(line);
    if (!found) {
      throw new FsynthError(
        "corrupt",
        `${quoteName(this.#path)} line ${number}: found ${quoteName(line)}; expected "SHA256  NAME" as sha256sum prints it, "tree DIGEST NAME" as fsynth hash does, or a comment`,
        { path: this.#path, index: number },
      );
    }
    const key = keyOf(found);
    const before = this.#pins.get(key);
    if (before && before.digest !== found.digest) {
      throw new FsynthError(
        "corrupt",
        `${quoteName(this.#path)} line ${number}: a second digest of ${quoteName(found.path)}, which line ${before.line} has as ${before.digest}; expected one`,
        { path: this.#path, index: number },
      );
    }
    this.#pins.set(key, { digest: found.digest, line: number });
  }

  /** Throws `source` unless what was digested is pinned to this digest; when updating, pins it. Gives what changed. */
  hold(digested: Digested): "same" | "new" | "changed" {
    const key = keyOf(digested);
    const pin = this.#pins.get(key);
    if (pin?.digest === digested.digest) return "same";
    if (this.#update) {
      this.#pins.set(key, { digest: digested.digest, line: pin?.line ?? this.#lines.length + 1 });
      this.#lines[pin ? pin.line - 1 : this.#lines.length] = lineOf(digested);
      this.#changed = true;
      return pin ? "changed" : "new";
    }
    const what = `${quoteName(digested.path)}: its ${wordFor(digested.kind)} is ${digested.digest}`;
    const where = { path: digested.path };
    if (pin) {
      throw new FsynthError(
        "source",
        `${what}, expected ${pin.digest} (${quoteName(this.#path)} line ${pin.line}); it is not what was pinned`,
        where,
      );
    }
    const other = this.#pins.get(keyOf({ ...digested, kind: digested.kind === "tree" ? "sha256" : "tree" }));
    const hint = other
      ? `line ${other.line} of ${quoteName(this.#path)} pins its ${wordFor(digested.kind === "tree" ? "sha256" : "tree")}, ${other.digest}, which is another thing`
      : `${quoteName(this.#path)} has no line for it; --update-pins adds one`;
    throw new FsynthError("source", `${what}; ${hint}`, where);
  }

  /** What the file is to hold; undefined where it holds that already, or is only read. */
  updated(): { readonly path: string; readonly text: string } | undefined {
    return this.#changed ? { path: this.#path, text: this.#lines.map((line) => `${line}\n`).join("") } : undefined;
  }
}

function wordFor(kind: Digested["kind"]): string {
  return kind === "tree" ? "tree digest" : "sha256";
}

/** Paths as they lead to files, however they are written; relative ones, as sha256sum takes them, to the current folder. */
function keyOf({ kind, path }: Pick<Digested, "kind" | "path">): string {
  const parts: string[] = [];
  for (const part of path.split("/")) if (part !== "" && part !== ".") parts.push(part);
  return `${kind} ${path.startsWith("/") ? "/" : ""}${parts.join("/")}`;
}

function parseLine(line: string): Digested | undefined {
  const sum = /^(\\?)([0-9a-fA-F]{64}) [ *](.+)$/.exec(line);
  if (sum) return { kind: "sha256", digest: hex(sum[2]), path: sum[1] === "" ? (sum[3] ?? "") : unescapeSum(sum[3] ?? "") };
  const tagged = /^(\\?)SHA256 \((.+)\) = ([0-9a-fA-F]{64})$/.exec(line);
  if (tagged) {
    return { kind: "sha256", digest: hex(tagged[3]), path: tagged[1] === "" ? (tagged[2] ?? "") : unescapeSum(tagged[2] ?? "") };
  }
  const own = /^(tree|sha256) ([0-9a-fA-F]{64}) (?:image )?(.+)$/.exec(line);
  if (own) return { kind: own[1] === "tree" ? "tree" : "sha256", digest: hex(own[2]), path: unescapeName(own[3] ?? "") };
  return undefined;
}

function hex(text: string | undefined): string {
  return (text ?? "").toLowerCase();
}

/** sha256sum writes backslashes and ends of lines in a name as two characters, and says so by a backslash in front. */
const SUM_ESCAPES: Readonly<Record<string, string>> = { "\\\\": "\\", "\\n": "\n", "\\r": "\r" };

function unescapeSum(name: string): string {
  return name.replaceAll(/\\[\\nr]/g, (pair) => SUM_ESCAPES[pair] ?? pair);
}

function lineOf({ kind, path, digest }: Digested): string {
  if (kind === "tree") return `tree ${digest} ${escapeName(path)}`;
  const escaped = path.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return `${escaped === path ? "" : "\\"}${digest}  ${escaped}`;
}
