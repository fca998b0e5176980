// The nodes of an ext image by inode number: what they are and what they hold.

import { decodeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { FsynthError } from "../../../src/error.ts";
import type { VolumeEntry, VolumeNode } from "../../../src/image/volume.ts";
import { bytesContent, type Content, sparseContent } from "../../../src/tree/content.ts";
import type { Kind, Xattrs } from "../../../src/tree/node.ts";
import { I_BLOCK_SIZE, InodeFlags } from "../disk/inode.ts";
import { mappedContent } from "./content.ts";
import { walkDirectory } from "./directory.ts";
import { encryptedName } from "./encrypted-name.ts";
import { corrupt, refuse } from "./fault.ts";
import { blockArea, type InodeRecord } from "./inodes.ts";
import { readMapping } from "./mapping.ts";
import type { Opened } from "./opened.ts";
import { inlineData, readXattrs } from "./xattrs.ts";

/** Flags of inodes that a tree has no place for, by the names of chattr(1) and the kernel. */
const FLAG_NAMES: readonly (readonly [bit: number, name: string])[] = [
  [InodeFlags.SECRM, "secure-deletion"],
  [InodeFlags.UNRM, "undelete"],
  [InodeFlags.COMPR, "compressed"],
  [InodeFlags.SYNC, "sync"],
  [InodeFlags.IMMUTABLE, "immutable"],
  [InodeFlags.APPEND, "append"],
  [InodeFlags.NODUMP, "nodump"],
  [InodeFlags.NOATIME, "noatime"],
  [InodeFlags.ENCRYPT, "encrypt"],
  [InodeFlags.JOURNAL_DATA, "journal-data"],
  [InodeFlags.NOTAIL, "notail"],
  [InodeFlags.DIRSYNC, "dirsync"],
  [InodeFlags.TOPDIR, "topdir"],
  [InodeFlags.VERITY, "verity"],
  [InodeFlags.DAX, "dax"],
  [InodeFlags.PROJINHERIT, "project-inherit"],
  [InodeFlags.CASEFOLD, "casefold"],
];

/** All of them; the others are about how the inode is stored. */
const SHOWN = FLAG_NAMES.reduce((all, [bit]) => all | bit, 0);

/** Longest target of a symlink (PATH_MAX without the NUL). */
const TARGET_MAX = 4095;

/** An inode in use. */
export type Node = InodeRecord & { readonly kind: Kind };

/** The nodes of an image. Every method throws `corrupt` with the place for what is broken. */
export class Nodes {
  /** Directories read last, the oldest first. */
  readonly #listed = new Map<number, readonly VolumeEntry[]>();
  #listedEntries = 0;

  constructor(readonly opened: Opened) {}

  node(id: number): VolumeNode {
    const inode = this.inode(id);
    const { kind, flags } = inode;
    const [major, minor] = kind === "character-device" || kind === "block-device" ? deviceOf(inode) : [0, 0];
    return {
      id,
      kind,
      mode: inode.mode & 0o7777,
      uid: inode.uid,
      gid: inode.gid,
      size: kind === "file" || kind === "directory" || kind === "symlink" ? inode.size : 0,
      links: inode.links,
      atime: inode.atime,
      mtime: inode.mtime,
      ctime: inode.ctime,
      btime: inode.btime,
      major,
      minor,
      allocated: inode.allocated,
      flags: flagNamesOf(flags, inode.project),
    };
  }

  children(id: number): readonly VolumeEntry[] {
    const known = this.#listed.get(id);
    if (known) return known;
    const entries = this.#readChildren(this.expect(id, "directory"));
    this.#listed.set(id, entries);
    this.#listedEntries += entries.length;
    for (const [oldest, list] of this.#listed) {
      if (this.#listedEntries <= ENTRIES_KEPT || oldest === id) break;
      this.#listed.delete(oldest);
      this.#listedEntries -= list.length;
    }
    return entries;
  }

  target(id: number): string {
    const inode = this.expect(id, "symlink");
    if ((inode.flags & InodeFlags.ENCRYPT) !== 0) throw encrypted(inode, "the target of the symlink");
    const { size } = inode;
    if (size < 1 || size > TARGET_MAX) {
      throw corrupt({
        code: "symlink-size",
        place: `inode ${id}`,
        found: `the target of the symlink has ${size} bytes`,
        expected: `1 to ${TARGET_MAX}`,
        where: { record: "inode", index: id, offset: inode.offset },
      });
    }
    const bytes = new Uint8Array(size);
    if (this.isFastSymlink(inode)) bytes.set(blockArea(inode).subarray(0, size));
    else void this.#data(inode).read(0, bytes);
    const nul = bytes.indexOf(0);
    if (nul >= 0) {
      throw corrupt({
        code: "symlink-nul",
        place: `inode ${id}`,
        found: `the target of the symlink has a NUL at byte ${nul}`,
        expected: `${size} bytes without one`,
        where: { record: "inode", index: id, offset: inode.offset },
      });
    }
    return decodeName(bytes);
  }

  content(id: number): Content {
    const inode = this.expect(id, "file");
    if ((inode.flags & InodeFlags.ENCRYPT) !== 0 && inode.size > 0) throw encrypted(inode, "the content of the file");
    return this.#data(inode);
  }

  xattrs(id: number): Xattrs {
    return readXattrs(this.opened.inodes, this.inode(id), refuse);
  }

  /** Inode `id`, which has to be in use and of a known kind. */
  inode(id: number): Node {
    const inode = this.opened.inodes.read(id, refuse);
    if (inode?.kind !== undefined && inode.links > 0) return inode as Node; // its kind was just looked at
    throw corrupt({
      code: "inode-unused",
      place: `inode ${id}`,
      found: `mode 0${(inode?.mode ?? 0).toString(8)} and ${inode?.links ?? 0} links`,
      expected: "an inode in use",
      where: { record: "inode", index: id, offset: inode?.offset ?? 0 },
    });
  }

  /** Inode `id`, in use and of this kind. */
  expect(id: number, kind: Kind): Node {
    const inode = this.inode(id);
    if (inode.kind === kind) return inode;
    throw corrupt({
      code: "inode-kind",
      place: `inode ${id}`,
      found: `a ${inode.kind}`,
      expected: `a ${kind}`,
      where: { record: "inode", index: id, offset: inode.offset },
    });
  }

  /**
   * Whether a symlink's target lies in i_block, as the kernel tells it: by the blocks that it has beside its xattrs; under
   * ea_inode by its size.
   */
  isFastSymlink(inode: InodeRecord): boolean {
    const { superblock: sb } = this.opened;
    if ((inode.flags & InodeFlags.INLINE_DATA) !== 0 || inode.size >= I_BLOCK_SIZE) return false;
    if (sb.features.has("ea_inode")) return inode.size > 0;
    const xattrs = inode.fileAcl === 0 ? 0 : sb.blockSize * sb.clusterBlocks;
    return inode.allocated === xattrs;
  }

  #readChildren(inode: InodeRecord): VolumeEntry[] {
    const entries: VolumeEntry[] = [];
    const hidden = (inode.flags & InodeFlags.ENCRYPT) !== 0;
    walkDirectory(
      this.opened.disk,
      inode,
      (id, length, _, at, { bytes, offset }) => {
        const start = at + 8;
        // `.` and `..` are never encrypted.
        if (bytes[start] === 0x2e && (length === 1 || (length === 2 && bytes[start + 1] === 0x2e))) return;
        const name = bytes.subarray(start, start + length);
        if (hidden) {
          entries.push({ name: encryptedName(name), id });
          return;
        }
        if (name.includes(0x2f) || name.includes(0)) {
          throw corrupt({
            code: "directory-name",
            place: `inode ${inode.number}`,
            found: `a name with ${name.includes(0) ? "a NUL" : "a slash"}`,
            expected: "names without",
            where: { record: "directory", index: inode.number, offset: offset + at },
          });
        }
        entries.push({ name: decodeName(name), id });
      },
      refuse,
    );
    return entries;
  }

  #data(inode: InodeRecord): Content {
    const { disk, superblock } = this.opened;
    // File blocks are numbered in 32 bits.
    const most = 2 ** 32 * superblock.blockSize;
    if (inode.size > most) {
      throw corrupt({
        code: "inode-size",
        place: `inode ${inode.number}`,
        found: `a file of ${inode.size} bytes`,
        expected: `at most ${most}`,
        where: { record: "inode", index: inode.number, offset: inode.offset },
      });
    }
    if ((inode.flags & InodeFlags.INLINE_DATA) === 0) {
      const explicit = superblock.features.has("inline_data");
      return mappedContent(disk, readMapping(disk, inode, refuse).runs, inode.size, explicit);
    }
    const rest = inlineData(inode, refuse);
    const all = new Uint8Array(I_BLOCK_SIZE + rest.length);
    all.set(blockArea(inode));
    all.set(rest, I_BLOCK_SIZE);
    if (inode.size <= all.length) return bytesContent(all.subarray(0, inode.size));
    // mke2fs -d makes such inodes of files that are one hole. Linux reads zeros behind what there is.
    return sparseContent(inode.size, [{ offset: 0, length: all.length }], bytesContent(all));
  }
}

/** Entries of directories that are kept at hand. */
const ENTRIES_KEPT = 500_000;

function encrypted(inode: InodeRecord, what: string): FsynthError {
  return new FsynthError("unsupported", `ext: inode ${inode.number}: ${what} is encrypted, and fsynth has no keys`, {
    format: "ext",
    record: "inode",
    index: inode.number,
    offset: inode.offset,
  });
}

function flagNamesOf(flags: number, project: number): readonly string[] {
  if ((flags & SHOWN) === 0 && project === 0) return NO_FLAGS;
  const names = FLAG_NAMES.flatMap(([bit, name]) => ((flags & bit) !== 0 ? [name] : []));
  if (project !== 0) names.push(`project-${project}`);
  return names;
}

const NO_FLAGS: readonly string[] = Object.freeze([]);

/** Major and minor from i_block: Linux's old form or NetBSD's in the first word, Linux's new form in the second. */
function deviceOf(inode: InodeRecord): [major: number, minor: number] {
  const view = viewOf(blockArea(inode));
  const first = view.getUint32(0, true);
  // The old form has 16 bits.
  if (first > 0xffff) return [(first >>> 8) & 0xfff, (first & 0xff) | ((first >>> 12) & 0xfff00)];
  if (first !== 0) return [first >>> 8, first & 0xff];
  const second = view.getUint32(4, true);
  return [(second >>> 8) & 0xfff, (second & 0xff) | ((second >>> 12) & 0xfff00)];
}
