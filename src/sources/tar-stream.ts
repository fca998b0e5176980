// For those who already hold an extract of the package tar-stream: its entries as a tree.
//
// tar-stream reads less than fromTar does: names and xattrs that are not UTF-8, and sparse files, are lost in it. What can
// be seen to be lost is refused.

import { ownerIds } from "../../formats/tar/acl.ts";
import type { TarEntry, TarKind } from "../../formats/tar/entry.ts";
import { TarLayer } from "../../formats/tar/layer.ts";
import { readDecimal } from "../../formats/tar/number.ts";
import { parsePaxTime } from "../../formats/tar/pax.ts";
import { xattrsOf } from "../../formats/tar/xattr.ts";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { toTime } from "../tree/metadata.ts";
import type { Time } from "../tree/node.ts";
import { Tree } from "../tree/tree.ts";
import { checkSourceOptions } from "./options.ts";
import { ContentSpool } from "./spool.ts";
import { byteLimit, type TarOptions } from "./tar.ts";

/** What is used of the headers of tar-stream. */
export interface TarStreamHeader {
  /** The path, as text. */
  readonly name: string;
  /** A word of tar-stream: `file`, `directory`, `symlink`, `link`, … */
  readonly type?: string | null | undefined;
  /** Of this the lower 12 bits. */
  readonly mode?: number | undefined;
  /** 32 bits. */
  readonly uid?: number | undefined;
  /** 32 bits. */
  readonly gid?: number | undefined;
  /** Bytes of the content. */
  readonly size?: number | undefined;
  /** To the second. */
  readonly mtime?: Date | undefined;
  /** The target of a symlink, or the path that a hard link leads to. */
  readonly linkname?: string | null | undefined;
  /** The name that stands for `uid` in ACLs; nothing is looked up. */
  readonly uname?: string | undefined;
  /** The name that stands for `gid` in ACLs; nothing is looked up. */
  readonly gname?: string | undefined;
  /** Of devices. */
  readonly devmajor?: number | undefined;
  /** Of devices. */
  readonly devminor?: number | undefined;
  /** The records of its extended headers, text by keyword. */
  readonly pax?: unknown;
}

/** An entry of tar-stream: its header, and its content as an iterable of bytes. */
export interface TarStreamEntry extends AsyncIterable<unknown> {
  /** What the archive says of the entry. */
  readonly header: TarStreamHeader;
  /** Of the header in the archive. */
  readonly offset?: number | undefined;
}

const KINDS: Readonly<Record<string, TarKind>> = {
  file: "file",
  "contiguous-file": "file",
  directory: "directory",
  symlink: "symlink",
  link: "link",
  "character-device": "character-device",
  "block-device": "block-device",
  fifo: "fifo",
};

/**
 * The tree of the entries that an extract of tar-stream gives. Contents are spooled, as from any stream.
 *
 * Throws `unsupported` for what tar-stream cannot tell (unknown types, sparse files, bytes that were not UTF-8), and otherwise as
 * `fromTar`.
 *
 * @example
 * ```ts
 * import { createReadStream } from "node:fs";
 * import { extract } from "tar-stream";
 * import { fromTarStream } from "fsynth";
 * const tree = await fromTarStream(createReadStream("rootfs.tar").pipe(extract()));
 * ```
 */
export async function fromTarStream(extract: AsyncIterable<TarStreamEntry>, options: TarOptions = {}): Promise<Tree> {
  checkSourceOptions("a tar source", options);
  const tree = new Tree();
  const limit = byteLimit(options);
  const spool = new ContentSpool(options.spoolDirectory);
  const layer = new TarLayer(tree, "tar-stream", options);
  try {
    for await (const content of extract) {
      const { header } = content;
      const start = spool.size;
      const entry = entryOf(header, content.offset ?? 0);
      layer.add(entry, () => spool.content(start, entry.stored));
      let size = 0;
      for await (const chunk of content) {
        if (!(chunk instanceof Uint8Array)) throw refusal(header, `its content comes as ${typeof chunk}, expected bytes`);
        size += chunk.length;
        if (start + size > limit) {
          throw new FsynthError("source", `tar-stream: more than ${limit} bytes of content; the limit is maxBytes`, {
            path: header.name,
          });
        }
        if (entry.stored > 0) spool.append(chunk);
      }
      if (entry.stored > 0 && size !== entry.stored)
        throw refusal(header, `its content has ${size} bytes, expected ${entry.stored}`);
    }
    await layer.finish();
    spool.finish();
    return tree;
  } catch (error) {
    spool.discard();
    throw error;
  }
}

function entryOf(header: TarStreamHeader, offset: number): TarEntry {
  const pax = paxOf(header);
  const given = KINDS[header.type ?? ""];
  if (!given) throw refusal(header, `tar-stream has no type for it (${String(header.type)})`);
  if (header.name.includes("\u{fffd}") || header.linkname?.includes("\u{fffd}")) {
    throw refusal(header, "its name or target holds U+FFFD, which stands for bytes that tar-stream lost");
  }
  if (Object.keys(pax).some((key) => key.startsWith("GNU.sparse."))) throw refusal(header, "it is stored sparse");
  const kind = given === "file" && header.name.endsWith("/") ? "directory" : given;
  const time = (key: string): Time | undefined => (pax[key] ? parsePaxTime(encoder.encode(pax[key])) : undefined);
  const number = (key: string, otherwise: number | undefined): number =>
    pax[key] ? readDecimal(encoder.encode(pax[key])) : (otherwise ?? 0);
  const mtime = time("mtime") ?? toTime(header.mtime ?? 0);
  const uid = number("uid", header.uid);
  const gid = number("gid", header.gid);
  if (!isId(uid) || !isId(gid)) throw refusal(header, `its owner is ${uid}:${gid}, expected two numbers from 0 to 4294967295`);
  const mode = (header.mode ?? (kind === "directory" ? 0o755 : 0o644)) & 0o7777;
  const stored = kind === "file" || kind === "link" ? (header.size ?? 0) : 0;
  const records = Object.entries(pax).map(([key, value]) => [key, paxBytes(header, key, value)] as const);
  const found = xattrsOf(
    records,
    () => ownerIds(header.uname, uid, header.gname, gid),
    (sentence) => {
      throw new FsynthError("corrupt", `tar-stream: entry ${quoteName(header.name)}: ${sentence}`, {
        path: header.name,
        format: "tar",
      });
    },
  );
  return {
    kind,
    path: header.name,
    linkPath: header.linkname ?? "",
    mode: found.aclMode === undefined ? mode : (mode & 0o7000) | found.aclMode,
    uid,
    gid,
    mtime,
    atime: time("atime") ?? mtime,
    ctime: time("ctime") ?? mtime,
    btime: time("LIBARCHIVE.creationtime") ?? mtime,
    major: number("SCHILY.devmajor", header.devmajor),
    minor: number("SCHILY.devminor", header.devminor),
    xattrs: found.xattrs,
    namedAcls: found.namedAcls,
    size: kind === "file" ? stored : 0,
    extents: undefined,
    offset,
    data: 0,
    stored,
  };
}

const encoder = new TextEncoder();

function paxOf(header: TarStreamHeader): Readonly<Record<string, string>> {
  const pax: Record<string, string> = {};
  for (const [key, value] of Object.entries(header.pax ?? {})) {
    if (typeof value !== "string") throw refusal(header, `its pax record ${quoteName(key)} is no text`);
    pax[key] = value;
  }
  return pax;
}

function isId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff;
}

function paxBytes(header: TarStreamHeader, key: string, value: string): Uint8Array {
  if (value.includes("\u{fffd}") && /^(SCHILY\.xattr|RHT)\./.test(key)) {
    throw refusal(header, `the value of ${quoteName(key)} holds U+FFFD, which stands for bytes that tar-stream lost`);
  }
  return encoder.encode(value);
}

function refusal(header: TarStreamHeader, sentence: string): FsynthError {
  return new FsynthError("unsupported", `tar-stream: entry ${quoteName(header.name)}: ${sentence}; fromTar reads such archives`, {
    path: header.name,
    format: "tar",
  });
}
