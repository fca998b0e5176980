// The nodes of an FFS image by inode number: what they are and what they hold.

import { decodeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { FsynthError } from "../../../src/error.ts";
import { mappedContent } from "../../../src/image/mapped-content.ts";
import type { VolumeEntry, VolumeNode } from "../../../src/image/volume.ts";
import type { Content } from "../../../src/tree/content.ts";
import type { Kind, Xattrs } from "../../../src/tree/node.ts";
import { deviceParts } from "../devices.ts";
import { InodeFlags, WHITEOUT_INODE } from "../disk/dinode.ts";
import { DT_WHITEOUT } from "../disk/dirent.ts";
import { type Cylinder, readCylinder } from "./cylinder.ts";
import { directoryEntries } from "./directory.ts";
import type { Disk } from "./disk.ts";
import { readAttributes } from "./extattrs.ts";
import { corrupt, refuse } from "./fault.ts";
import { type InodeRecord, readInode } from "./inodes.ts";
import { readMapping } from "./mapping.ts";

/** Longest target of a symlink that any BSD follows, with room for those of others. */
const TARGET_MAX = 4095;
/** Entries of directories, and headers of groups, that are kept at hand. */
const ENTRIES_KEPT = 500_000;
const HEADERS_KEPT = 64;

/** An inode in use. */
export type Node = InodeRecord & { readonly kind: Kind };

interface Listing {
  readonly entries: readonly VolumeEntry[];
  /** Names that hide what a union mount would show below. */
  readonly whiteouts: number;
}

/** The nodes of an image. Every method throws `corrupt` with the place for what is broken. */
export class Nodes {
  /** Directories read last, the oldest first. */
  readonly #listed = new Map<number, Listing>();
  #listedEntries = 0;
  readonly #headers = new Map<number, Cylinder>();

  constructor(readonly disk: Disk) {}

  node(id: number): VolumeNode {
    const inode = this.inode(id);
    const { kind } = inode;
    const device = kind === "character-device" || kind === "block-device";
    const { major, minor } = device ? deviceParts(this.#deviceNumber(inode)) : { major: 0, minor: 0 };
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
      allocated: inode.sectors * 512,
      flags: this.#flags(inode),
    };
  }

  children(id: number): readonly VolumeEntry[] {
    return this.#list(id).entries;
  }

  target(id: number): string {
    const inode = this.expect(id, "symlink");
    const { size } = inode;
    const wrong = (found: string, expected: string): FsynthError =>
      corrupt({
        code: "symlink",
        place: `inode ${id}`,
        found,
        expected,
        where: { record: "inode", index: id, offset: inode.offset },
      });
    if (size < 1 || size > TARGET_MAX) throw wrong(`the target of the symlink has ${size} bytes`, `1 to ${TARGET_MAX}`);
    const bytes = new Uint8Array(size);
    if (this.isShortSymlink(inode)) {
      if (size > inode.area.length) throw wrong(`a target of ${size} bytes in the inode`, `at most ${inode.area.length}`);
      bytes.set(inode.area.subarray(0, size));
    } else void this.#data(inode).read(0, bytes);
    const nul = bytes.indexOf(0);
    if (nul >= 0) throw wrong(`the target of the symlink has a NUL at byte ${nul}`, `${size} bytes without one`);
    return decodeName(bytes);
  }

  content(id: number): Content {
    const inode = this.expect(id, "file");
    if ((inode.flags & InodeFlags.snapshot) !== 0) {
      throw new FsynthError(
        "unsupported",
        `ffs: inode ${id}: the file is a snapshot of the file system, which only kernels read`,
        {
          format: "ffs",
          record: "inode",
          index: id,
          offset: inode.offset,
        },
      );
    }
    return this.#data(inode);
  }

  xattrs(id: number): Xattrs {
    return readAttributes(this.disk, this.inode(id), refuse);
  }

  /** Inode `id`, which has to be in use and of a known kind. */
  inode(id: number): Node {
    const inode = readInode(this.disk, id, refuse);
    if (inode?.kind !== undefined && inode.links > 0 && this.#initialised(id)) return inode as Node; // its kind was just looked at
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

  /** Whether a symlink's target lies in the inode, as kernels tell it: by its size, on old file systems by its blocks. */
  isShortSymlink(inode: InodeRecord): boolean {
    const { maxSymlink } = this.disk.superblock;
    return maxSymlink > 0 ? inode.size < maxSymlink : inode.sectors === 0;
  }

  header(group: number): Cylinder {
    const known = this.#headers.get(group);
    if (known) return known;
    const header = readCylinder(this.disk, group, refuse);
    if (!header) throw new Error("bug in fsynth: a header that is broken is reported");
    this.#headers.set(group, header);
    if (this.#headers.size > HEADERS_KEPT) this.#headers.delete(this.#headers.keys().next().value as number); // it has some
    return header;
  }

  /** UFS2 writes its inodes when they are first needed; before, their place holds anything. */
  #initialised(id: number): boolean {
    const { version, ipg } = this.disk.superblock;
    return version === 1 || id % ipg < this.header(Math.floor(id / ipg)).initialised;
  }

  #deviceNumber(inode: InodeRecord): number {
    const { version, records } = this.disk.superblock;
    return records.pointer[version].get(viewOf(inode.area), 0);
  }

  #flags(inode: Node): readonly string[] {
    const names = Object.entries(InodeFlags).flatMap(([name, bit]) => ((inode.flags & bit) !== 0 ? [name] : []));
    const known = Object.values(InodeFlags).reduce<number>((all, bit) => all | bit, 0);
    const rest = inode.flags & ~known;
    if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`);
    if (inode.kind === "directory" && this.#list(inode.number).whiteouts > 0) names.push("whiteouts");
    return names;
  }

  #list(id: number): Listing {
    const known = this.#listed.get(id);
    if (known) return known;
    const listing = this.#readListing(this.expect(id, "directory"));
    this.#listed.set(id, listing);
    this.#listedEntries += listing.entries.length;
    for (const [oldest, { entries }] of this.#listed) {
      if (this.#listedEntries <= ENTRIES_KEPT || oldest === id) break;
      this.#listed.delete(oldest);
      this.#listedEntries -= entries.length;
    }
    return listing;
  }

  #readListing(inode: InodeRecord): Listing {
    const entries: VolumeEntry[] = [];
    let whiteouts = 0;
    for (const { inode: id, type, name, at } of directoryEntries(this.disk, inode, refuse)) {
      if (id === 0) continue;
      if (id === WHITEOUT_INODE && type === DT_WHITEOUT) {
        whiteouts++;
        continue;
      }
      if (name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e))) continue;
      if (name.includes(0x2f) || name.includes(0)) {
        throw corrupt({
          code: "directory-name",
          place: `inode ${inode.number}`,
          found: `at byte ${at} of the directory a name with ${name.includes(0) ? "a NUL" : "a slash"}`,
          expected: "names without",
          where: { record: "directory", index: inode.number, offset: inode.offset },
        });
      }
      entries.push({ name: decodeName(name), id });
    }
    return { entries, whiteouts };
  }

  #data(inode: InodeRecord): Content {
    return mappedContent(this.disk, readMapping(this.disk, inode, refuse).runs, this.disk.superblock.fragmentSize, inode.size);
  }
}
