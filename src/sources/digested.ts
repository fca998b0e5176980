// Sources with the digests of what is read of them: for those who write down, or hold, what goes into an image.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";
import { Turns } from "../host/turn.ts";
import type { Content } from "../tree/content.ts";
import { treeDigest } from "../tree/digest.ts";
import type { Node } from "../tree/node.ts";
import { type OverlayRules, Tree } from "../tree/tree.ts";
import { addAny, addInput, fileContent, folderOf, type LoadImages, type ReadKind, type SourceOptions } from "./any-source.ts";
import { DigestedStream } from "./digested-stream.ts";
import { addDirectory } from "./directory.ts";
import { HeldHandle } from "./held-handle.ts";
import { FileInput, openInput, StreamInput } from "./input.ts";

/** A digest of a part of a source, lower-case hex. */
export interface Digested {
  /** `sha256`: of the bytes of a file or stream. `tree`: of a directory, as {@link treeDigest} gives it. */
  readonly kind: "sha256" | "tree";
  readonly path: string;
  readonly digest: string;
}

/** What was read of a source. */
export interface SourceDigest {
  readonly kind: ReadKind;
  /** The source itself. */
  readonly self: Digested;
  /** The files whose contents a tree.txt names, in the order of its lines, each once. */
  readonly files: readonly Digested[];
}

/**
 * Lays the source at `path`, or a stream that goes by that name, over `tree`, and digests it. `onDigest` is told each digest as
 * soon as it is known, and may refuse it by throwing: of a file, before any of it is understood.
 *
 * A file is read through the handle that was digested, a stream is digested while it is read, and the files of directories and
 * tree.txt are refused when they change between this and the image.
 *
 * Throws what `addSource` and `onDigest` throw. Then the tree may hold a part of the source.
 */
export async function addDigestedSource(
  tree: Tree,
  path: string,
  stream: AsyncIterable<Uint8Array> | undefined,
  options: SourceOptions,
  onDigest: (digested: Digested) => void,
): Promise<SourceDigest> {
  const kind = stream === undefined ? host.files.stat(path)?.kind : undefined;
  if (kind === "directory") {
    const own = new Doubled(tree);
    addDirectory(own, path, options);
    const self: Digested = { kind: "tree", path, digest: await treeDigest(own) };
    onDigest(self);
    return { kind: "directory", self, files: [] };
  }
  if (kind === "block-device") return await addDevice(tree, path, options, onDigest);

  const contents = new Map<string, Content>();
  const contentOf = (name: string): Content => {
    const file = name.startsWith("/") || stream !== undefined ? name : folderOf(path) + name;
    const content = contents.get(file) ?? fileContent("", file);
    contents.set(file, content);
    return content;
  };
  const read = await addBytes(tree, path, stream, contentOf, options, onDigest);
  const files: Digested[] = [];
  for (const [file, content] of contents) {
    const digested: Digested = { kind: "sha256", path: file, digest: await contentSha256(content) };
    onDigest(digested);
    files.push(digested);
  }
  return { ...read, files };
}

const images: LoadImages = () => import("./image.ts");

/** What is put into it comes into another tree as well, in the same order. */
class Doubled extends Tree {
  constructor(readonly other: Tree) {
    super();
  }
  override put(path: string, node: Node, rules?: OverlayRules): this {
    this.other.put(path, node.kind === "directory" ? { ...node, children: new Map() } : node, rules);
    return super.put(path, node, rules);
  }
}

/** A device is read from its front, and then again where the image asks for it. */
async function addDevice(
  tree: Tree,
  path: string,
  options: SourceOptions,
  onDigest: (digested: Digested) => void,
): Promise<SourceDigest> {
  const hash = host.sha256();
  for await (const chunk of host.files.readStream(path)) hash.update(chunk);
  const self: Digested = { kind: "sha256", path, digest: toHex(hash.digest()) };
  onDigest(self);
  return { kind: await addAny(tree, path, options, images), self, files: [] };
}

async function addBytes(
  tree: Tree,
  path: string,
  stream: AsyncIterable<Uint8Array> | undefined,
  contentOf: (name: string) => Content,
  options: SourceOptions,
  onDigest: (digested: Digested) => void,
): Promise<{ readonly kind: ReadKind; readonly self: Digested }> {
  const input = stream === undefined ? openInput(path) : undefined;
  if (input?.kind === "file") {
    const held = new HeldHandle(path, input.handle);
    try {
      const self: Digested = { kind: "sha256", path, digest: await digestOf(held.size, (at, part) => held.readAll(at, part)) };
      held.check();
      onDigest(self);
      const kind = await addInput(tree, new FileInput(path, held), contentOf, options, images);
      held.check();
      held.release();
      return { kind, self };
    } catch (error) {
      held.close();
      held.release();
      throw error;
    }
  }
  const taken = new DigestedStream(stream ?? host.files.readStream(path));
  try {
    const label = stream === undefined ? path : "the stream";
    const kind = await addInput(tree, new StreamInput(label, taken.chunks()), contentOf, options, images);
    const self: Digested = { kind: "sha256", path, digest: await taken.digest() };
    onDigest(self);
    return { kind, self };
  } catch (error) {
    await taken.close();
    throw error;
  }
}

/** Bytes read at once. */
const WINDOW = 4 << 20;

/** SHA-256 of `size` bytes, lower-case hex. */
async function digestOf(size: number, read: (offset: number, target: Uint8Array) => void | Promise<void>): Promise<string> {
  const hash = host.sha256();
  const turns = new Turns();
  const window = new Uint8Array(Math.min(WINDOW, size));
  for (let at = 0; at < size; at += WINDOW) {
    const part = window.subarray(0, Math.min(WINDOW, size - at));
    const pending = read(at, part);
    if (pending) await pending;
    hash.update(part);
    if (turns.due()) await turns.take();
  }
  return toHex(hash.digest());
}

/** SHA-256 of all bytes of a content, lower-case hex. */
export function contentSha256(content: Content): Promise<string> {
  return digestOf(content.size, (offset, target) => content.read(offset, target));
}
