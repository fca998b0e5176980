// The contract of reading: bytes of an image in, a volume out. A format gives a VolumeReader, which knows nodes by number;
// makeVolume adds what users ask for, paths.

import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Content } from "../tree/content.ts";
import type { Kind, Time, Xattrs } from "../tree/node.ts";
import { splitPath } from "../tree/path.ts";

/** The bytes of an image, at any place. Reading is synchronous: streams and compressed images are spooled first. */
export interface ImageBytes {
  /** Bytes. */
  readonly size: number;
  /** Fills `target` from `offset`. Throws `corrupt` where the image ends before. */
  readAt(offset: number, target: Uint8Array): void;
}

/** What a volume says of one node. */
export interface VolumeNode {
  /** Its number within the volume (an inode number); hard links share it. */
  readonly id: number;
  /** What it is. */
  readonly kind: Kind;
  /** 12 bits. */
  readonly mode: number;
  /** 32 bits. */
  readonly uid: number;
  /** 32 bits. */
  readonly gid: number;
  /** Bytes: of a file's content, of a symlink's target, of a directory's blocks; else 0. */
  readonly size: number;
  /** As the volume stores it. */
  readonly links: number;
  /** When it was last read; where the format has no field for it, another time of the node. */
  readonly atime: Time;
  /** When its content last changed. */
  readonly mtime: Time;
  /** When its metadata last changed; where the format has no field for it, another time of the node. */
  readonly ctime: Time;
  /** Undefined where the format or the inode has no field for it. */
  readonly btime: Time | undefined;
  /** Of devices; else 0. */
  readonly major: number;
  /** Of devices; else 0. */
  readonly minor: number;
  /** Bytes that it takes in the image, its own mapping blocks included. */
  readonly allocated: number;
  /** Names of flags that a tree has no place for (`immutable`, `encrypt`, `verity`, …). */
  readonly flags: readonly string[];
}

/** A name in a directory. */
export interface VolumeEntry {
  /** Lossless spelling. */
  readonly name: string;
  /** The number of its node. */
  readonly id: number;
}

/** A range of the image and what it is for, with the record and field where a format knows. */
export interface Owned {
  /** Bytes from the start of the image. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** For instance `group 3, inode 412, i_mtime` or `content of /etc/motd`. */
  readonly what: string;
}

/** A run of the image's blocks and their use, for maps. */
export interface UsedRun {
  /** Bytes from the start of the image. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  /** A word: `superblock`, `bitmap`, `inodes`, `directory`, `file`, `xattrs`, `journal`, `free`, … */
  readonly use: string;
  /** The path of the file or directory, where one owns it. */
  readonly path?: string;
}

/** What `inspect` shows. */
export interface Inspection {
  /** The profile that fits best. */
  readonly format: string;
  /** Bytes. */
  readonly size: number;
  /** Geometry and identity, in the field's own terms, in the order of showing. */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  /** By name. */
  readonly features: readonly string[];
  /** Use of each group, for formats that have them. */
  readonly groups: readonly Readonly<Record<string, number>>[];
  /** Bytes by use, largest first. */
  readonly space: readonly { readonly use: string; readonly bytes: number }[];
  /** Files of several runs among those with data. */
  readonly fragmentation: { readonly files: number; readonly fragmented: number; readonly runs: number };
}

/** One thing that is wrong with an image. */
export interface Problem {
  /** Stable name, such as `block-bitmap`. */
  readonly code: string;
  /** Such as `group 3` or `inode 412 (/etc/motd)`. */
  readonly place: string;
  /** What is there. */
  readonly found: string;
  /** What should be there. */
  readonly expected: string;
}

/** The times that an image keeps beside the mtime, and how exactly. */
export interface KeptTimes {
  /** Whether there is a field for it. */
  readonly atime: boolean;
  /** Whether there is a field for it. */
  readonly ctime: boolean;
  /** Whether there is a field for it. */
  readonly btime: boolean;
  /** Else whole seconds. */
  readonly nanoseconds: boolean;
}

/** What a format gives for an image that it can open. Every method throws `corrupt` with the place for what is broken. */
export interface VolumeReader {
  /** The profile that fits best, such as `ext4`. */
  readonly format: string;
  /** Bytes. */
  readonly size: number;
  /** In the usual spelling, lower case; undefined for formats without one. */
  readonly uuid: string | undefined;
  /** The volume name; empty where there is none. */
  readonly label: string;
  /** The number of the root directory. */
  readonly root: number;
  /** Left out: all times, to the nanosecond. */
  readonly times?: KeptTimes | undefined;
  /** The node of that number. */
  node(id: number): VolumeNode;
  /** Of a directory, without `.` and `..`, in the order of the disk. */
  children(id: number): readonly VolumeEntry[];
  /** Of a symlink, in lossless spelling. */
  target(id: number): string;
  /** Of a file; holes as extents where the format has them. */
  content(id: number): Content;
  /** Of any node: full names and raw values, ACLs in the encoding of Linux. */
  xattrs(id: number): Xattrs;
  /** Geometry, features and use of space; reads the metadata of all files. */
  inspect(): Inspection;
  /** All of the image in ascending runs. */
  usage(): Iterable<UsedRun>;
  /** What the byte at `offset` belongs to. */
  locate(offset: number): Owned;
  /** The options that rebuild this image byte for byte, if it is one of ours; by API name. */
  buildOptions(): Readonly<Record<string, unknown>>;
  /** Numbers of nodes that a build makes by itself, just as they stand here, such as an empty /lost+found. */
  remade?(): readonly number[];
}

/** An opened image. */
export interface Volume extends VolumeReader {
  /** The node at `path`: the parents' symlinks are followed inside the volume, the last name's only with `follow`. Undefined when nothing is there. */
  lookup(path: string, follow?: boolean): VolumeNode | undefined;
  /** The node at `path`. Throws `source` when nothing is there. */
  stat(path: string): VolumeNode;
  /** Entries of the directory at `path`, in the order of the disk. */
  readdir(path: string): readonly VolumeEntry[];
  /** The target of the symlink at `path`, in lossless spelling. Throws `source` for anything else. */
  readlink(path: string): string;
  /** `length` bytes of the file at `path` from `offset`, fewer at its end; by default all of it. */
  read(path: string, offset?: number, length?: number): Uint8Array;
  /** The xattrs of the node at `path`. Throws `source` when nothing is there. */
  xattrsOf(path: string): Xattrs;
}

/** How many symlinks one path may lead through, as in Linux (MAXSYMLINKS). */
const MAX_SYMLINKS = 40;

/** Adds paths to a reader. */
export function makeVolume(reader: VolumeReader): Volume {
  const lookup = (path: string, follow = false): VolumeNode | undefined => find(reader, path, follow);
  const stat = (path: string): VolumeNode => {
    const node = lookup(path);
    if (!node) throw new FsynthError("source", `${quoteName(path)}: nothing is there`, { path, format: reader.format });
    return node;
  };
  const expect = (path: string, kind: Kind): VolumeNode => {
    const node = stat(path);
    if (node.kind !== kind) {
      throw new FsynthError("source", `${quoteName(path)}: a ${node.kind}, expected a ${kind}`, { path, format: reader.format });
    }
    return node;
  };
  // A reader's methods live on its prototype: they are bound, not spread.
  const volume: Volume = {
    format: reader.format,
    size: reader.size,
    uuid: reader.uuid,
    label: reader.label,
    root: reader.root,
    times: reader.times,
    node: (id) => reader.node(id),
    children: (id) => reader.children(id),
    target: (id) => reader.target(id),
    content: (id) => reader.content(id),
    xattrs: (id) => reader.xattrs(id),
    inspect: () => reader.inspect(),
    usage: () => reader.usage(),
    locate: (offset) => reader.locate(offset),
    buildOptions: () => reader.buildOptions(),
    remade: () => reader.remade?.() ?? [],
    lookup,
    stat,
    readdir: (path) => reader.children(expect(path, "directory").id),
    readlink: (path) => reader.target(expect(path, "symlink").id),
    read(path, offset = 0, length = Number.POSITIVE_INFINITY) {
      const content = reader.content(expect(path, "file").id);
      const target = new Uint8Array(Math.max(0, Math.min(length, content.size - offset)));
      const pending = target.length > 0 ? content.read(offset, target) : undefined;
      if (pending) throw new Error("bug in fsynth: the content of a volume is read synchronously");
      return target;
    },
    xattrsOf: (path) => reader.xattrs(stat(path).id),
  };
  return volume;
}

function find(reader: VolumeReader, path: string, follow: boolean): VolumeNode | undefined {
  const stack: number[] = [];
  let at = reader.node(reader.root);
  const todo = splitPath(path).reverse();
  let links = 0;
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (name === "" || name === ".") continue;
    if (at.kind !== "directory") return undefined;
    if (name === "..") {
      at = reader.node(stack.pop() ?? reader.root);
      continue;
    }
    const entry = reader.children(at.id).find((child) => child.name === name);
    if (!entry) return undefined;
    const next = reader.node(entry.id);
    if (next.kind === "symlink" && (follow || todo.length > 0)) {
      if (++links > MAX_SYMLINKS) {
        throw new FsynthError(
          "source",
          `${quoteName(path)}: more than ${MAX_SYMLINKS} symlinks on the way, a loop at ${quoteName(name)}`,
          { path },
        );
      }
      const target = reader.target(entry.id);
      if (target.startsWith("/")) {
        stack.length = 0;
        at = reader.node(reader.root);
      }
      todo.push(...target.split("/").reverse());
      continue;
    }
    stack.push(at.id);
    at = next;
  }
  return at;
}
