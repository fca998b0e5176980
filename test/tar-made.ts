// What the tar tests share: archives out of records, ways to read one archive, and trees as lines of text.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { BLOCK, ustar } from "../formats/tar/records.ts";
import type { Warning } from "../src/image/plan.ts";
import { fromTar, type TarOptions } from "../src/sources/tar.ts";
import type { Node, Time } from "../src/tree/node.ts";
import type { Tree } from "../src/tree/tree.ts";

/** A folder that goes with the test. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-tar-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Fields of a header as text or bytes; what is left out is as a plain file of mode 0644 has it. */
export type Fields = { readonly [K in keyof typeof ustar.f]?: string | Uint8Array } & {
  /** Bytes laid over the block at these offsets, before the checksum is made. */
  readonly patches?: readonly (readonly [offset: number, bytes: string | Uint8Array])[];
};

export function octal(value: number, width: number): string {
  return value.toString(8).padStart(width - 1, "0");
}

/** One header block with a right checksum, unless `chksum` is given. */
export function header(fields: Fields): Buffer {
  const block = Buffer.alloc(BLOCK);
  const base: Record<string, string | Uint8Array> = {
    mode: octal(0o644, 8),
    uid: octal(0, 8),
    gid: octal(0, 8),
    size: octal(0, 12),
    mtime: octal(1_700_000_000, 12),
    typeflag: "0",
    magic: "ustar\0",
    version: "00",
  };
  const { patches, chksum, ...given } = fields;
  for (const [name, value] of Object.entries({ ...base, ...given })) {
    const field = ustar.f[name as keyof typeof ustar.f];
    const bytes = typeof value === "string" ? Buffer.from(value, "latin1") : value;
    block.set(bytes.subarray(0, field.size), field.offset);
  }
  for (const [offset, bytes] of patches ?? [])
    block.set(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, offset);
  const { offset, size } = ustar.f.chksum;
  block.fill(0x20, offset, offset + size);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(Buffer.from(chksum === undefined ? `${octal(sum, 7)}\0 ` : chksum), offset);
  return block;
}

/** A header with its content, filled up to a block. */
export function entry(fields: Fields, content: string | Uint8Array = ""): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
  return Buffer.concat([header({ size: octal(bytes.length, 12), ...fields }), bytes, padding]);
}

/** A record of a pax header. */
export function record(key: string, value: string | Uint8Array): Buffer {
  const bytes = typeof value === "string" ? Buffer.from(value) : Buffer.from(value);
  const tail = Buffer.concat([Buffer.from(` ${key}=`), bytes, Buffer.from("\n")]);
  let length = tail.length + 1;
  while (String(length).length + tail.length !== length) length = String(length).length + tail.length;
  return Buffer.concat([Buffer.from(String(length)), tail]);
}

/** A pax header: `x` for the next entry, `g` for all that follow. */
export function pax(type: "x" | "g", ...records: readonly (readonly [key: string, value: string | Uint8Array])[]): Buffer {
  return entry({ name: "PaxHeaders/x", typeflag: type }, Buffer.concat(records.map(([key, value]) => record(key, value))));
}

export const END = Buffer.alloc(2 * BLOCK);

export interface Read {
  readonly tree: Tree;
  readonly warnings: readonly Warning[];
}

/** Reads an archive in memory. */
export async function readBytes(bytes: Uint8Array, options: TarOptions = {}): Promise<Read> {
  const warnings: Warning[] = [];
  const tree = await fromTar(bytes, { ...options, onWarning: (warning) => warnings.push(warning) });
  return { tree, warnings };
}

/** In chunks of these sizes, in turn. */
export function* chunked(bytes: Uint8Array, ...sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? bytes.length;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** What one archive came to, by one way of reading: lines, or the error without the name of the archive. */
export async function outcome(source: Parameters<typeof fromTar>[0], label: string): Promise<string[]> {
  const warnings: string[] = [];
  try {
    const tree = await fromTar(source, { onWarning: ({ message }) => warnings.push(message.replaceAll(label, "ARCHIVE")) });
    return [...(await lines(tree)), ...warnings];
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "FsynthError") throw error;
    return [error.message.replaceAll(label, "ARCHIVE")];
  }
}

/** The same archive in memory, from a file, and as streams cut in different ways. */
export async function outcomes(bytes: Uint8Array, folder: string): Promise<string[][]> {
  const path = join(folder, "archive.tar");
  writeFileSync(path, bytes);
  return [
    await outcome(bytes, "the bytes given"),
    await outcome(path, path),
    await outcome(chunked(bytes, 100_000), "the stream"),
    await outcome(chunked(bytes, 1, 511, 513, 7, 2048), "the stream"),
  ];
}

function timeText({ sec, nsec }: Time): string {
  return `${sec}.${String(nsec).padStart(9, "0")}`;
}

async function nodeText(node: Node): Promise<string> {
  const xattrs = [...(node.xattrs ?? [])].map(([name, value]) => `${name}=${Buffer.from(value).toString("hex")}`).sort();
  const base = `${node.kind} ${node.mode.toString(8)} ${node.uid}:${node.gid} ${timeText(node.mtime)}`;
  let own = "";
  if (node.kind === "symlink") own = ` -> ${node.target}`;
  if (node.kind === "character-device" || node.kind === "block-device") own = ` ${node.major},${node.minor}`;
  if (node.kind === "file") own = ` ${await contentText(node.content)}`;
  return `${base}${own}${xattrs.length > 0 ? ` [${xattrs.join(" ")}]` : ""}`;
}

async function contentText(content: {
  readonly size: number;
  readonly extents?: readonly { readonly offset: number; readonly length: number }[];
  read(offset: number, target: Uint8Array): void | Promise<void>;
}): Promise<string> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  const piece = new Uint8Array(Math.min(content.size, 1 << 20));
  for (let at = 0; at < content.size; at += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, content.size - at));
    part.fill(0xee);
    await content.read(at, part);
    hash.update(part);
  }
  const extents = content.extents?.map(({ offset, length }) => `${offset}+${length}`).join(",");
  return `${content.size} ${hash.digest("hex").slice(0, 16)}${extents === undefined ? "" : ` {${extents}}`}`;
}

/** A tree as lines, sorted; a further name of a node names the first. */
export async function lines(tree: Tree, options: { readonly sparse?: boolean } = {}): Promise<string[]> {
  const first = new Map<Node, string>();
  const all: string[] = [`/ ${await nodeText(tree.root)}`];
  const entries = [...tree.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, node] of entries) {
    const earlier = first.get(node);
    if (earlier !== undefined) all.push(`${path} = ${earlier}`);
    else {
      first.set(node, path);
      all.push(`${path} ${await nodeText(node)}`);
    }
  }
  return options.sparse === false ? all.map((line) => line.replace(/ \{[^}]*\}/, "")) : all;
}
