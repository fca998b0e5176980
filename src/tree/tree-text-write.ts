// Writing tree.txt (docs/tree-txt.md): what tree-text.ts reads, entries in the order of their bytes, a directory's
// entries right below it, so that two trees are compared by comparing lines.

import { toHex } from "../bytes/hex.ts";
import { compareBytes, decodeName, encodeName, escapeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Content, Extent } from "./content.ts";
import { imageTime, type Kind, type Node, type Time } from "./node.ts";
import { entryName, type Snapshot } from "./snapshot.ts";
import { plainNode } from "./snapshot-node.ts";
import { formatTime } from "./time.ts";
import type { Tree } from "./tree.ts";
import { KIND_WORDS, TREE_TEXT_HEAD } from "./tree-text.ts";

/**
 * How a file's content is written: `inline`, as the `file` that holds it (for a file with holes: the bytes of its
 * extents, one behind the other), or by its digest alone, which describes a tree and cannot be read back.
 */
export type ContentSpelling = "inline" | { readonly file: string } | { readonly sha256: string };

/** How a tree is written as text. */
export interface WriteTreeTextOptions {
  /** Asked for every file that is not empty, with its path in lossless spelling. By default everything is inline, up to 1 MiB a file. */
  readonly content?: ((path: string, content: Content) => ContentSpelling | Promise<ContentSpelling>) | undefined;
}

const MAX_INLINE = 1 << 20;

/**
 * The tree as text. Throws `usage` for a file that is too large to stand in the text.
 *
 * @example
 * ```ts
 * import { fromDirectory, writeTreeText } from "fsynth";
 * console.log(await writeTreeText(fromDirectory("rootfs")));
 * ```
 */
export async function writeTreeText(source: Tree | Snapshot, options: WriteTreeTextOptions = {}): Promise<string> {
  const lines = [TREE_TEXT_HEAD];
  const seen = new Map<unknown, string>();
  for (const item of "nodes" in source ? snapshotItems(source) : treeItems(source)) {
    const path = spelled(item.path);
    const first = seen.get(item.identity);
    if (first !== undefined) {
      lines.push(`${path} link to=${first}`);
      continue;
    }
    seen.set(item.identity, path);
    const content = item.content && item.content.size > 0 ? await contentWords(item.path, item.content, options) : [];
    lines.push([path, KIND_WORDS[item.kind], ...metadataWords(item), ...content].join(" "));
  }
  return `${lines.join("\n")}\n`;
}

interface Item {
  readonly path: string;
  readonly kind: Kind;
  /** The same for every name of one node. */
  readonly identity: unknown;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Time;
  readonly atime: Time;
  readonly ctime: Time;
  readonly btime: Time;
  readonly xattrs: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
  readonly target: string | undefined;
  readonly content: Content | undefined;
  readonly major: number;
  readonly minor: number;
}

function* treeItems(tree: Tree): Generator<Item> {
  const open: [string, Node][] = [["/", tree.root]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, node] = next;
    const device = node.kind === "character-device" || node.kind === "block-device";
    yield {
      ...node,
      path,
      identity: node,
      xattrs: [...(node.xattrs ?? [])]
        .map(([name, value]) => ({ name: encodeName(name), value }))
        .sort((a, b) => compareBytes(a.name, b.name)),
      target: node.kind === "symlink" ? node.target : undefined,
      content: node.kind === "file" ? node.content : undefined,
      major: device ? node.major : 0,
      minor: device ? node.minor : 0,
    };
    if (node.kind !== "directory") continue;
    const below = [...node.children].map(([name, child]) => ({ name, bytes: encodeName(name), child }));
    below.sort((a, b) => compareBytes(b.bytes, a.bytes));
    for (const { name, child } of below) open.push([path === "/" ? `/${name}` : `${path}/${name}`, child]);
  }
}

function* snapshotItems(snapshot: Snapshot): Generator<Item> {
  const open: [string, number][] = [["/", 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, index] = next;
    const node = snapshot.nodes[index];
    if (node === undefined) continue;
    yield { ...plainNode(node), path, identity: index, target: node.target && decodeName(node.target) };
    if (node.kind !== "directory") continue;
    for (let entry = node.first + node.count - 1; entry >= node.first; entry--) {
      const name = decodeName(entryName(snapshot, entry));
      open.push([path === "/" ? `/${name}` : `${path}/${name}`, snapshot.entryNode[entry] as number]); // entry is in range
    }
  }
}

function metadataWords(item: Item): string[] {
  const words = [`mode=${item.mode.toString(8).padStart(4, "0")}`, `${item.uid}:${item.gid}`];
  if (item.mtime !== imageTime) words.push(`time=${formatTime(item.mtime)}`);
  for (const which of ["atime", "ctime", "btime"] as const) {
    const time = item[which];
    if (time === item.mtime) continue;
    if (time === imageTime) words.push(`${which}=image`);
    else if (item.mtime === imageTime || time.sec !== item.mtime.sec || time.nsec !== item.mtime.nsec) {
      words.push(`${which}=${formatTime(time)}`);
    }
  }
  if (item.target !== undefined) words.push(`target=${spelled(item.target)}`);
  if (item.kind === "character-device" || item.kind === "block-device") words.push(`device=${item.major}:${item.minor}`);
  for (const { name, value } of item.xattrs) {
    const key = spelled(decodeName(name)).replaceAll("=", "\\x3d");
    words.push(`xattr.${key}=${quoted(value, /^[^\x00-\x1f\x7f]*$/) ?? toHex(value)}`);
  }
  return words;
}

async function contentWords(path: string, content: Content, options: WriteTreeTextOptions): Promise<string[]> {
  const extents = holesOf(content);
  const words = extents
    ? [
        `size=${content.size}`,
        ...(extents.length > 0 ? [`extents=${extents.map((e) => `${e.offset}+${e.length}`).join(",")}`] : []),
      ]
    : [];
  if (extents?.length === 0) return words;
  const spelling = (await options.content?.(path, content)) ?? "inline";
  if (spelling === "inline") words.push(await inlineWord(path, content, extents));
  else if ("file" in spelling) words.push(`content=${spelled(spelling.file)}`);
  else words.push(...(extents ? [] : [`size=${content.size}`]), `sha256=${spelling.sha256}`);
  return words;
}

/** The extents of a content that has holes; neighbours as they are. */
function holesOf({ size, extents }: Content): readonly Extent[] | undefined {
  if (extents === undefined) return undefined;
  const whole = extents.length === 1 && extents[0]?.offset === 0 && extents[0].length === size;
  return whole ? undefined : extents;
}

async function inlineWord(path: string, content: Content, extents: readonly Extent[] | undefined): Promise<string> {
  const runs = extents ?? [{ offset: 0, length: content.size }];
  const length = runs.reduce((total, run) => total + run.length, 0);
  if (length > MAX_INLINE) {
    throw new FsynthError(
      "usage",
      `${quoteName(path)}: ${length} bytes of content are too many for a line of tree.txt, ${MAX_INLINE} are the most; give the name of a file instead`,
      { path },
    );
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const run of runs) {
    await content.read(run.offset, bytes.subarray(at, at + run.length));
    at += run.length;
  }
  const text = quoted(bytes, /^[^\x00-\x08\x0b-\x1f\x7f]*$/);
  return text === undefined ? `hex=${toHex(bytes)}` : `text=${text}`;
}

/** A path, target or name as one word. */
function spelled(name: string): string {
  return escapeName(name).replaceAll(" ", "\\x20").replaceAll('"', "\\x22");
}

/** Bytes as text in quotation marks, if they are UTF-8 and all characters are `fit` to be read. */
function quoted(bytes: Uint8Array, fit: RegExp): string | undefined {
  const text = decodeName(bytes);
  if (!fit.test(text) || /\p{Surrogate}/u.test(text)) return undefined;
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\t", "\\t")}"`;
}
