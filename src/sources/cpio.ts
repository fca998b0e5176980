// cpio archives as trees: from a file (content stays in it), from bytes in memory (content refers to them), and from streams
// (spooled). Like Linux it takes several archives in one file, each compressed on its own or not at all.

import { variantOf } from "../../formats/cpio/header.ts";
import { CpioLayer } from "../../formats/cpio/layer.ts";
import { cpioTimes } from "../../formats/cpio/limits.ts";
import { recognisesCpio } from "../../formats/cpio/open.ts";
import { readMembers } from "../../formats/cpio/read.ts";
import { decodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Warning } from "../image/plan.ts";
import { treeVolume } from "../image/tree-volume.ts";
import type { ImageBytes, UsedRun, VolumeReader } from "../image/volume.ts";
import { Window } from "../image/window.ts";
import { Tree } from "../tree/tree.ts";
import { FileBytes, type LookedAt, memoryBytes, piecesFrom, spooledBytes } from "./archive-bytes.ts";
import { decompressPart, frontOf, type PartCompression } from "./compressed-part.ts";
import { type ByteSource, closeInput, type Input, openInput } from "./input.ts";
import { checkSourceOptions } from "./options.ts";
import { compressionOf, HEAD } from "./recognise.ts";
import { ContentSpool } from "./spool.ts";
import { byteLimit } from "./tar.ts";

/** A cpio archive or several in one file, plain or compressed by gzip or zstd: a path, bytes, or a stream of bytes (Node streams too). */
export type CpioSource = ByteSource;

/** How a cpio archive is read. */
export interface CpioOptions {
  /** Where content of streams and compressed archives is kept until the image is written. Default: the system's folder for temporary files. */
  readonly spoolDirectory?: string | undefined;
  /** How many bytes a stream, and what is decompressed, may have, against archives made to fill the disk. Default 64 GiB. */
  readonly maxBytes?: number | undefined;
  /** Globs of what stays out; one without a slash matches names at any depth. */
  readonly exclude?: readonly string[] | undefined;
  /** A directory laid over a symlink replaces it instead of merging with the directory that it leads to. Default false. */
  readonly replaceSymlinks?: boolean | undefined;
  /** Called for what the user should know. */
  readonly onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * The tree of a cpio archive, or of several laid one over the other, left to right.
 *
 * Reads newc, crc (checksums verified), odc and the old binary form; several archives in one file with zeros between them, each
 * plain or compressed by gzip or zstd, as initramfs files are. A plain archive on the disk is not copied: it must stay
 * as it is until the image is written.
 *
 * Throws `corrupt` for a damaged archive and `source` for members that cannot be, with the member's path and its offset.
 *
 * @example
 * ```ts
 * import { fromCpio } from "fsynth";
 * const tree = await fromCpio("initrd.img");
 * tree.file("/etc/motd", "hello\n");
 * ```
 */
export async function fromCpio(source: CpioSource | readonly CpioSource[], options: CpioOptions = {}): Promise<Tree> {
  const tree = new Tree();
  const layers = Array.isArray(source) ? (source as readonly CpioSource[]) : [source as CpioSource]; // isArray does not narrow readonly arrays
  for (const layer of layers) await addCpio(tree, layer, options);
  return tree;
}

/**
 * Lays cpio archives over `tree`. Otherwise as {@link fromCpio}. When it throws, the tree may hold a part of them.
 *
 * @example
 * ```ts
 * import { addCpio, Tree } from "fsynth";
 * const tree = new Tree();
 * await addCpio(tree, "initrd.img");
 * ```
 */
export async function addCpio(tree: Tree, source: CpioSource, options: CpioOptions = {}): Promise<void> {
  checkSourceOptions("a cpio source", options);
  await addCpioInput(tree, openInput(source), options);
}

/** {@link addCpio} for an input that is open already; it is closed in the end, unless content refers to it. */
export async function addCpioInput(tree: Tree, input: Input, options: CpioOptions): Promise<void> {
  const reading = new CpioReading(tree, input.label, options);
  let keep = false;
  try {
    if (input.kind === "bytes") await reading.read(memoryBytes(input.bytes));
    else if (input.kind === "file") keep = await readFile(reading, new FileBytes(input.path, input.handle));
    else await reading.readSpooled(input.chunks(), (bytes) => reading.read(bytes));
  } finally {
    if (!keep) await closeInput(input);
  }
}

/** Whether `input` starts with a cpio archive, plain or compressed. Takes nothing of it. */
export async function startsCpio(input: Input): Promise<boolean> {
  const how = compressionOf(await input.head(HEAD.compression));
  if (how !== undefined && how !== "gzip" && how !== "zstd") return false;
  return variantOf(how === undefined ? await input.head(6) : await frontOf(input, how, 6)) !== undefined;
}

/** The volume of cpio archives of which some are compressed, as in an initramfs; undefined for everything else. */
export async function openCompressedParts(
  image: ImageBytes,
  label: string,
  options: CpioOptions,
): Promise<VolumeReader | undefined> {
  if (!recognisesCpio(image)) return undefined;
  const window = new Window(image.size, (offset, target) => image.readAt(offset, target));
  const tree = new Tree();
  const reading = new CpioReading(tree, label, options);
  await reading.read({
    size: image.size,
    view: (offset, length) => window.view(offset, length),
    content: (start, size) => ({ size, read: (offset, target) => image.readAt(start + offset, target) }),
  });
  const { compressed } = reading;
  if (compressed.length === 0) return undefined;
  const runs: UsedRun[] = [];
  let at = 0;
  const add = (to: number, use: string): void => {
    if (to > at) runs.push({ offset: at, length: to - at, use });
    at = to;
  };
  for (const { offset, end } of compressed) {
    add(offset, "archive");
    add(end, "compressed archive");
  }
  add(image.size, "archive");
  const facts = { "compressed archives": compressed.length };
  return treeVolume(tree, { format: "cpio", size: image.size, births: false, times: cpioTimes, runs, facts, buildOptions: {} });
}

/** Tells whether content refers to the file. */
async function readFile(reading: CpioReading, bytes: FileBytes): Promise<boolean> {
  let keep = false;
  try {
    await reading.read(bytes);
    bytes.archive.check();
    keep = bytes.archive.hasContents;
  } finally {
    if (!keep) bytes.archive.forget();
  }
  return keep;
}

/** Bytes that recognise a part. */
const HEAD_SIZE = HEAD.compression;

class CpioReading {
  readonly #layer: CpioLayer;
  readonly #limit: number;
  /** Bytes spooled so far. */
  #spooled = 0;
  /** Members and trailers seen. */
  #seen = 0;
  /** Where the compressed archives are. */
  readonly compressed: { readonly offset: number; readonly end: number }[] = [];

  constructor(
    tree: Tree,
    readonly label: string,
    readonly options: CpioOptions,
  ) {
    this.#limit = byteLimit(options);
    const { exclude, replaceSymlinks, onWarning } = options;
    this.#layer = new CpioLayer(tree, label, { exclude, replaceSymlinks: replaceSymlinks === true, onWarning });
  }

  /** Reads all parts of a file: archives, zeros, compressed archives. */
  async read(bytes: LookedAt): Promise<void> {
    for (let at = this.#members(bytes, 0, this.label); at < bytes.size; at = this.#members(bytes, at, this.label)) {
      const offset = at;
      at = await this.#compressed(bytes, at);
      this.compressed.push({ offset, end: at });
    }
    if (this.#seen === 0) {
      const what = bytes.size === 0 ? "it is empty" : `its ${bytes.size} bytes are zeros`;
      throw new FsynthError("corrupt", `${this.label}: ${what}, expected a cpio archive`, { format: "cpio", offset: 0 });
    }
  }

  /** Spools a stream and hands over what it holds. */
  async readSpooled(chunks: AsyncIterable<Uint8Array>, read: (bytes: LookedAt) => Promise<void> | void): Promise<void> {
    const spool = new ContentSpool(this.options.spoolDirectory);
    try {
      for await (const chunk of chunks) {
        this.#spooled += chunk.length;
        if (this.#spooled > this.#limit) {
          throw new FsynthError(
            "source",
            `${this.label}: more than ${this.#limit} bytes of cpio archives; the limit (maxBytes) can be raised for archives that are to be trusted`,
            { format: "cpio", offset: this.#limit },
          );
        }
        spool.append(chunk);
      }
      spool.finish();
      await read(spooledBytes(spool));
    } catch (error) {
      spool.discard();
      throw error;
    }
  }

  /** Reads plain archives from `from`; gives the place of what is none. */
  #members(bytes: LookedAt, from: number, label: string): number {
    return readMembers(bytes, from, label, {
      onMember: (member) => {
        this.#seen++;
        this.#layer.add(member, ({ data, size }) => bytes.content(data, size));
      },
      onArchiveEnd: () => {
        this.#seen++;
        this.#layer.endArchive();
      },
      onWarning: (warning) => this.options.onWarning?.(warning),
    });
  }

  /** Reads the compressed archive at `at`; gives the place behind it. */
  async #compressed(bytes: LookedAt, at: number): Promise<number> {
    const head = bytes.view(at, Math.min(HEAD_SIZE, bytes.size - at));
    const how = compressionOf(head);
    if (how !== "gzip" && how !== "zstd") throw this.#unknown(head.slice(0, 6), at, how);
    let end = at;
    // Members or frames one right behind the other are one part: some compressors cut what they are given.
    const decompressed = async function* (): AsyncGenerator<Uint8Array> {
      do {
        yield* decompressPart(piecesFrom(bytes, end), how, (length) => {
          end += length;
        });
      } while (compressionOf(bytes.view(end, Math.min(HEAD_SIZE, bytes.size - end))) === how);
    };
    try {
      await this.readSpooled(decompressed(), (plain) => this.#plain(plain, at, how));
    } catch (error) {
      if (!(error instanceof FsynthError) || (error.where.format !== "gzip" && error.where.format !== "zstd")) throw error;
      throw new FsynthError(
        error.code,
        `${this.label}: part at byte ${end}: ${error.message}`,
        { ...error.where, offset: end },
        { cause: error },
      );
    }
    return end;
  }

  /** Reads what was in a compressed part; offsets in messages count from its own start. */
  #plain(bytes: LookedAt, at: number, how: PartCompression): void {
    const label = `${this.label}: in the ${how} part at byte ${at}`;
    const end = this.#members(bytes, 0, label);
    if (end === bytes.size) return;
    const found = quoteName(decodeName(bytes.view(end, Math.min(6, bytes.size - end)).slice()));
    throw new FsynthError("corrupt", `${label}: byte ${end}: found ${found}, expected a cpio member or zeros`, {
      format: "cpio",
      offset: end,
    });
  }

  #unknown(head: Uint8Array, at: number, how: string | undefined): FsynthError {
    const place = { format: "cpio", offset: at };
    if (how !== undefined) {
      return new FsynthError(
        "unsupported",
        `${this.label}: part at byte ${at}: compressed by ${how}; gzip and zstd are read`,
        place,
      );
    }
    return new FsynthError(
      "corrupt",
      `${this.label}: byte ${at}: bad magic ${quoteName(decodeName(head))}, expected a cpio member, zeros, or an archive compressed by gzip or zstd`,
      place,
    );
  }
}
