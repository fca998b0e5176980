// tree.txt: a tree as text, one entry a line, described in docs/tree-txt.md. This file reads it; tree-text-write.ts
// writes it.

import { decodeName, encodeName, quoteName, unescapeName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { bytesContent, type Content, type Extent, emptyContent, repeatedContent, sparseContent } from "./content.ts";
import { pathFilter } from "./exclude.ts";
import { checkXattrName, type MetadataInput } from "./metadata.ts";
import { imageTime, type Kind, type Node, type Time } from "./node.ts";
import { parseTime } from "./time.ts";
import type { Tree } from "./tree.ts";

/** How every tree.txt starts. */
export const TREE_TEXT_HEAD = "#fsynth-tree 1";

/** The words for the kinds of nodes. */
export const KIND_WORDS: Readonly<Record<Kind, string>> = {
  file: "file",
  directory: "dir",
  symlink: "symlink",
  "character-device": "char",
  "block-device": "block",
  fifo: "fifo",
  socket: "socket",
};

/** How tree.txt is read. */
export interface ReadTreeTextOptions {
  /** The content that `content=FILE` names. FILE is relative to the tree.txt, in lossless spelling. */
  readonly contentOf: (file: string) => Content;
}

/** Whether `bytes`, or the first of them, are a tree.txt. */
export function isTreeText(bytes: Uint8Array): boolean {
  const end = TREE_TEXT_HEAD.length;
  for (let i = 0; i < end; i++) if (bytes[i] !== TREE_TEXT_HEAD.charCodeAt(i)) return false;
  return bytes.length === end || bytes[end] === 0x0a || bytes[end] === 0x0d || bytes[end] === 0x20;
}

/**
 * Lays the entries of a tree.txt over `tree`, in the order of its lines.
 *
 * Throws `corrupt` for a line that breaks the rules, and what {@link Tree} throws for entries that cannot be; both name
 * the line.
 *
 * @example
 * ```ts
 * import { bytesContent, readTreeText, Tree } from "fsynth";
 * const text = "#fsynth-tree 1\n/dev/console char mode=0600 device=5:1\n/etc/motd file content=motd\n";
 * const tree = new Tree();
 * readTreeText(tree, text, { contentOf: (file) => bytesContent(`the bytes of ${file}\n`) });
 * ```
 */
export function readTreeText(tree: Tree, text: Uint8Array | string, options: ReadTreeTextOptions): void {
  const lines = (typeof text === "string" ? text : decodeName(text)).split("\n");
  if ((lines[0] ?? "").trimEnd() !== TREE_TEXT_HEAD) {
    throw broken(1, `the first line is ${quoteName(lines[0] ?? "")}, expected "${TREE_TEXT_HEAD}"`);
  }
  lines.forEach((line, index) => {
    const words = splitWords(line, index + 1);
    const first = words[0];
    if (first === undefined || first.startsWith("#")) return;
    try {
      if (first === "set") set(tree, words[1], new Line(words.slice(2)));
      else if (first === "each") for (const written of eachLine(words)) anEntry(tree, written, options);
      else if (first.startsWith("/")) anEntry(tree, words, options);
      else
        throw new Refusal(`the line starts with ${quoteName(first)}, expected a path with a leading "/", "set", "each" or "#"`);
    } catch (error) {
      if (error instanceof Refusal) throw broken(index + 1, error.message, first);
      if (error instanceof FsynthError) {
        const code = error.code === "source" ? "source" : "corrupt";
        throw new FsynthError(code, `tree.txt line ${index + 1}: ${error.message}`, { ...error.where, index: index + 1 });
      }
      throw error;
    }
  });
}

/** What a line says that it must not; the reader adds where. */
class Refusal extends Error {}

function broken(line: number, sentence: string, path?: string): FsynthError {
  const where = { format: "tree.txt", record: "line", index: line };
  return new FsynthError("corrupt", `tree.txt line ${line}: ${sentence}`, path?.startsWith("/") ? { ...where, path } : where);
}

/** The words of a line. A quotation mark right behind the first "=" of a word opens a text that may hold spaces. */
function splitWords(line: string, number: number): string[] {
  const words: string[] = [];
  const word = /[ \t\r]*([^ \t\r"=]*(?:="(?:[^"\\]|\\.)*"(?![^ \t\r])|=(?!")[^ \t\r]*|"[^ \t\r]*)?)/y;
  while (word.lastIndex < line.length) {
    const found = word.exec(line)?.[1] ?? "";
    if (found === "") {
      if (line.slice(word.lastIndex).trim() === "") break;
      throw broken(number, `cannot read ${quoteName(line.slice(word.lastIndex))}, expected words or KEY="TEXT"`);
    }
    words.push(found);
    if (words.length === 1 && found.startsWith("#")) break;
    if (word.lastIndex < line.length && !/[ \t\r]/.test(line[word.lastIndex] as string)) {
      throw broken(number, `${quoteName(found + line.slice(word.lastIndex))}: expected a text in quotation marks and a space`);
    }
  }
  return words;
}

/** The words of a line behind its path or glob, taken one by one; what nobody takes is refused. */
class Line {
  readonly kind: string | undefined;
  #owner: string | undefined;
  readonly #values = new Map<string, string>();

  constructor(words: readonly string[]) {
    this.kind = words[0] !== undefined && /^[a-z]+$/.test(words[0]) ? words[0] : undefined;
    for (const word of this.kind === undefined ? words : words.slice(1)) {
      const equals = word.indexOf("=");
      if (equals > 0) {
        const key = word.slice(0, equals);
        if (this.#values.has(key)) throw new Refusal(`${key}= stands there twice, expected once`);
        this.#values.set(key, word.slice(equals + 1));
      } else if (/^\d+:\d+$/.test(word)) {
        if (this.#owner !== undefined) throw new Refusal(`two owners, ${this.#owner} and ${word}; expected one`);
        this.#owner = word;
      } else throw new Refusal(`found ${quoteName(word)}, expected UID:GID or KEY=VALUE`);
    }
  }

  /** The value of `key` as it stands there. */
  raw(key: string): string | undefined {
    const value = this.#values.get(key);
    this.#values.delete(key);
    return value;
  }

  /** A value that is text: bytes. */
  bytes(key: string): Uint8Array | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    return value.startsWith('"') ? unquote(value) : encodeName(unescapeName(value));
  }

  /** A value that is a name: lossless spelling. */
  name(key: string): string | undefined {
    const bytes = this.bytes(key);
    return bytes && decodeName(bytes);
  }

  hex(key: string): Uint8Array | undefined {
    const value = this.raw(key);
    return value === undefined ? undefined : parseHex(key, value);
  }

  integer(key: string): number | undefined {
    const value = this.raw(key);
    if (value !== undefined && !(/^\d+$/.test(value) && Number.isSafeInteger(Number(value)))) {
      throw new Refusal(`${key}=${value}, expected a whole number of bytes`);
    }
    return value === undefined ? undefined : Number(value);
  }

  time(key: string): Time | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (value === "image") return imageTime;
    return parseTime(value) ?? refuse(`${key}=${value}, expected seconds such as 1700000000 or 1700000000.000000001, or "image"`);
  }

  /** Mode, owner, times and xattrs. */
  metadata(): MetadataInput {
    const mode = this.raw("mode");
    if (mode !== undefined && !/^[0-7]{1,5}$/.test(mode)) throw new Refusal(`mode=${mode}, expected octal digits`);
    const owner = this.#owner?.split(":").map(Number);
    this.#owner = undefined;
    const xattrs = new Map<string, Uint8Array>();
    for (const [key, value] of this.#values) {
      if (!key.startsWith("xattr.")) continue;
      xattrs.set(unescapeName(key.slice("xattr.".length)), value.startsWith('"') ? unquote(value) : parseHex(key, value));
      this.#values.delete(key);
    }
    const times = { mtime: this.time("time"), atime: this.time("atime"), ctime: this.time("ctime"), btime: this.time("btime") };
    return {
      ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
      ...(owner === undefined ? {} : { uid: owner[0] as number, gid: owner[1] as number }), // the pattern has both
      ...Object.fromEntries(Object.entries(times).filter(([, time]) => time !== undefined)),
      ...(xattrs.size === 0 ? {} : { xattrs }),
    };
  }

  /** Refuses what is left. */
  end(what: string): void {
    const left = this.#values.keys().next().value ?? this.#owner;
    if (left !== undefined) throw new Refusal(`a ${what} line has no ${quoteName(left)}`);
  }
}

function refuse(sentence: string): never {
  throw new Refusal(sentence);
}

function parseHex(key: string, value: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(value)) refuse(`${key}=${value}, expected pairs of hexadecimal digits or "TEXT"`);
  return Uint8Array.from({ length: value.length / 2 }, (_, i) => Number.parseInt(value.slice(2 * i, 2 * i + 2), 16));
}

/** The bytes of a text in quotation marks: `\n`, `\t`, `\"`, `\\` and `\xNN`, everything else as it stands. */
function unquote(quoted: string): Uint8Array {
  const inner = quoted.slice(1, -1);
  if (!inner.includes("\\")) return encodeName(inner);
  const parts: Uint8Array[] = [];
  for (const piece of inner.split(/(\\x[0-9a-fA-F]{2}|\\.)/)) {
    if (piece === "") continue;
    if (!piece.startsWith("\\")) parts.push(encodeName(piece));
    else if (piece.length === 4) parts.push(Uint8Array.of(Number.parseInt(piece.slice(2), 16)));
    else parts.push(Uint8Array.of(ESCAPES[piece] ?? refuse(`${piece} in a text, expected \\n, \\t, \\", \\\\ or \\xNN`)));
  }
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const ESCAPES: Readonly<Record<string, number>> = { "\\n": 0x0a, "\\t": 0x09, '\\"': 0x22, "\\\\": 0x5c };

/** Most entries of one `each` line; a slip of the finger shall not fill the memory. */
const MAX_EACH = 1_000_000;

/** The lines that `each FROM..TO` stands for: `{}` is the number, with at least as many digits as FROM is written with. */
function* eachLine(words: readonly string[]): Generator<string[]> {
  const range = words[1] ?? "";
  const match = /^(\d{1,9})\.\.(\d{1,9})$/.exec(range) ?? refuse(`each ${quoteName(range)}, expected each FROM..TO and an entry`);
  const [from, to] = [Number(match[1]), Number(match[2])];
  const line = words.slice(2);
  if (to < from || to - from >= MAX_EACH) refuse(`each ${range}, expected one to ${MAX_EACH} numbers in ascending order`);
  if (!line[0]?.startsWith("/") || !line[0].includes("{}")) refuse("each FROM..TO needs a path that holds {}");
  for (let number = from; number <= to; number++) {
    const written = String(number).padStart((match[1] as string).length, "0"); // the pattern has it
    yield line.map((word) => word.replaceAll("{}", written));
  }
}

function anEntry(tree: Tree, words: readonly string[], options: ReadTreeTextOptions): void {
  entry(tree, unescapeName(words[0] as string), new Line(words.slice(1)), options); // a line without words is no entry
}

function entry(tree: Tree, path: string, line: Line, options: ReadTreeTextOptions): void {
  switch (line.kind) {
    case "file": {
      const content = contentOf(line, options);
      tree.file(path, content, line.metadata());
      break;
    }
    case "dir":
      tree.directory(path, line.metadata());
      break;
    case "symlink":
      tree.symlink(path, line.name("target") ?? refuse("a symlink needs target=TARGET"), line.metadata());
      break;
    case "char":
    case "block": {
      const device = line.raw("device") ?? refuse(`a ${line.kind} line needs device=MAJOR:MINOR`);
      const match = /^(\d+):(\d+)$/.exec(device) ?? refuse(`device=${device}, expected MAJOR:MINOR`);
      tree.device(path, line.kind, Number(match[1]), Number(match[2]), line.metadata());
      break;
    }
    case "fifo":
      tree.fifo(path, line.metadata());
      break;
    case "socket":
      tree.socket(path, line.metadata());
      break;
    case "link":
      tree.link(path, line.name("to") ?? refuse("a link needs to=PATH"));
      break;
    default:
      refuse(`the kind is ${line.kind ?? "missing"}, expected ${Object.values(KIND_WORDS).join(", ")} or link`);
  }
  line.end(line.kind);
}

function contentOf(line: Line, { contentOf: fileContent }: ReadTreeTextOptions): Content {
  const file = line.name("content");
  const text = line.bytes("text");
  const hex = line.hex("hex");
  const size = line.integer("size");
  const repeated = line.raw("repeat");
  const spread = line.raw("extents");
  const extents = spread?.split(",").filter(Boolean).flatMap(parseExtents);
  if (line.raw("sha256") !== undefined) {
    refuse("sha256= describes content and does not give it; expected content=FILE, text= or hex=");
  }
  if ([file, text, hex, repeated].filter((given) => given !== undefined).length > 1) {
    refuse("the content is given more than once, expected one of content=, text=, hex= and repeat=");
  }
  if (repeated !== undefined) {
    if (size === undefined) refuse("repeat= without size=; expected both");
    const pattern = repeated.startsWith('"') ? unquote(repeated) : parseHex("repeat", repeated);
    if (pattern.length === 0) refuse("repeat= of nothing, expected bytes");
    if (extents === undefined) return repeatedContent(size, pattern);
    return sparseContent(size, extents, repeatedContent(lengthOf(extents), pattern));
  }
  const data = file === undefined ? (text || hex ? bytesContent((text ?? hex) as Uint8Array) : undefined) : fileContent(file);
  if (extents !== undefined) {
    if (size === undefined) refuse("extents= without size=; expected both");
    return sparseContent(size, extents, data ?? emptyContent);
  }
  if (size === undefined) return data ?? emptyContent;
  if (data === undefined) return size === 0 ? emptyContent : sparseContent(size);
  if (data.size !== size) refuse(`size=${size}, but the content has ${data.size} bytes; extents= says where they lie`);
  return data;
}

/** Most extents that one word stands for. */
const MAX_EXTENTS = 1_000_000;

/** `OFFSET+LENGTH`, or `OFFSET+LENGTH*COUNT/STRIDE`: so many of them, each STRIDE bytes behind the one before. */
function parseExtents(text: string): Extent[] {
  const match =
    /^(\d+)\+(\d+)(?:\*(\d+)\/(\d+))?$/.exec(text) ??
    refuse(`extent ${quoteName(text)}, expected OFFSET+LENGTH or OFFSET+LENGTH*COUNT/STRIDE`);
  const [offset, length, count, stride] = [match[1], match[2], match[3] ?? 1, match[4] ?? 0].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  if (count > MAX_EXTENTS) refuse(`extent ${text}, expected at most ${MAX_EXTENTS} of them`);
  return Array.from({ length: count }, (_, i) => ({ offset: offset + i * stride, length }));
}

function lengthOf(extents: readonly Extent[]): number {
  return extents.reduce((total, { length }) => total + length, 0);
}

/** Changes metadata of all that is there and matches. */
function set(tree: Tree, word: string | undefined, line: Line): void {
  const glob = unescapeName(word ?? refuse("set without a glob; expected set GLOB KEY=VALUE…"));
  const matches = glob === "/" ? (path: string) => path === "/" : pathFilter([glob]);
  const kind = line.kind;
  if (kind !== undefined && !Object.values(KIND_WORDS).includes(kind)) {
    refuse(`the kind is ${kind}, expected ${Object.values(KIND_WORDS).join(", ")}`);
  }
  const { mode, uid, gid, xattrs, ...times } = line.metadata();
  line.end("set");
  if (mode === undefined && uid === undefined && xattrs === undefined && Object.keys(times).length === 0) {
    refuse("set changes nothing; expected mode=, UID:GID, time= or xattr.NAME=");
  }
  const time = times.mtime;
  let count = 0;
  for (const [path, node] of allEntries(tree)) {
    if (!matches(path) || (kind !== undefined && KIND_WORDS[node.kind] !== kind)) continue;
    count++;
    if (mode !== undefined) node.mode = checkedMode(mode);
    if (uid !== undefined && gid !== undefined) tree.chown(path, uid, gid);
    if (time !== undefined) tree.utimes(path, { mtime: time, atime: time, ctime: time, btime: time });
    tree.utimes(path, times);
    if (xattrs) {
      node.xattrs = new Map([...(node.xattrs ?? []), ...(xattrs as ReadonlyMap<string, Uint8Array>)]); // metadata() makes a Map
      for (const name of node.xattrs.keys()) checkXattrName(path, name);
    }
  }
  if (count === 0) refuse(`set ${quoteName(glob)}${kind ? ` ${kind}` : ""} matches nothing of what is there so far`);
}

function checkedMode(mode: number): number {
  return mode <= 0o7777 ? mode : refuse(`mode is 0${mode.toString(8)}, expected at most 07777`);
}

function* allEntries(tree: Tree): Generator<readonly [string, Node]> {
  yield ["/", tree.root];
  yield* tree.entries();
}
