// What a check remembers of every inode: a few bytes each, for the groups that have inodes in use.

import { FileType } from "../disk/inode.ts";
import type { Super } from "../read/superblock.ts";

/** Kinds as directory entries number them; 0: not in use. */
export const IN_USE_ODD = 8;
export const DIRECTORY = 2;
export const REGULAR = 1;

const KIND_CODES: Readonly<Record<number, number>> = {
  [FileType.file]: REGULAR,
  [FileType.directory]: DIRECTORY,
  [FileType["character-device"]]: 3,
  [FileType["block-device"]]: 4,
  [FileType.fifo]: 5,
  [FileType.socket]: 6,
  [FileType.symlink]: 7,
};

/** The kind of a mode as directory entries number it; 0 for none. */
export function kindCode(mode: number): number {
  return KIND_CODES[mode & 0xf000] ?? 0;
}

class Column<T extends Uint8Array | Uint16Array | Uint32Array> {
  readonly #groups = new Map<number, T>();

  constructor(
    readonly perGroup: number,
    readonly make: (length: number) => T,
  ) {}

  get(inode: number): number {
    const group = this.#groups.get(Math.floor((inode - 1) / this.perGroup));
    return group === undefined ? 0 : (group[(inode - 1) % this.perGroup] as number);
  }

  set(inode: number, value: number): void {
    const index = Math.floor((inode - 1) / this.perGroup);
    let group = this.#groups.get(index);
    if (!group) {
      group = this.make(this.perGroup);
      this.#groups.set(index, group);
    }
    group[(inode - 1) % this.perGroup] = value;
  }
}

export class InodeTable {
  /** By {@link DirentType}; {@link IN_USE_ODD} for one in use whose kind is none of these. */
  readonly kind;
  /** i_links_count. */
  readonly links;
  /** Entries of directories that lead there. */
  readonly counted;
  /** The first directory that names it. */
  readonly parent;

  constructor({ inodesPerGroup }: Super) {
    this.kind = new Column(inodesPerGroup, (length) => new Uint8Array(length));
    this.links = new Column(inodesPerGroup, (length) => new Uint16Array(length));
    this.counted = new Column(inodesPerGroup, (length) => new Uint32Array(length));
    this.parent = new Column(inodesPerGroup, (length) => new Uint32Array(length));
  }

  inUse(inode: number): boolean {
    return this.kind.get(inode) !== 0;
  }

  isDirectory(inode: number): boolean {
    return this.kind.get(inode) === DIRECTORY;
  }
}
