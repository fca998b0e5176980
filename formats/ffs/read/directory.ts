// Reads directories: entries within chunks that none crosses.
// Specification: NetBSD sys/ufs/ufs/dir.h; ufs_lookup.c (ufs_dirbadentry) and fsck_ffs/dir.c (dircheck).

import { viewOf } from "../../../src/bytes/struct.ts";
import { mappedContent } from "../../../src/image/mapped-content.ts";
import { entrySize, MAXNAMLEN } from "../disk/dirent.ts";
import type { Disk } from "./disk.ts";
import type { Report } from "./fault.ts";
import type { InodeRecord } from "./inodes.ts";
import { readMapping } from "./mapping.ts";

/** One entry; unused ones have inode 0. */
export interface DirectoryEntry {
  readonly inode: number;
  readonly type: number;
  /** Bytes; a view that holds until the next entry. */
  readonly name: Uint8Array;
  /** A NUL follows the name, as kernels want it. */
  readonly terminated: boolean;
  /** Within the directory. */
  readonly at: number;
  readonly length: number;
}

/** Directories are read so many bytes at a time. */
const WINDOW = 256 * 1024;

/** All entries in the order of the disk, unused ones too. What cannot be told apart is reported, and its chunk left. */
export function* directoryEntries(disk: Disk, inode: InodeRecord, report: Report): Generator<DirectoryEntry> {
  const { superblock: sb } = disk;
  const { chunk } = sb;
  const wrong = (code: string, found: string, expected: string): void => {
    const place = `inode ${inode.number}`;
    report({ code, place, found, expected, where: { record: "directory", index: inode.number, offset: inode.offset } });
  };
  if (inode.size === 0 || inode.size % chunk !== 0) {
    wrong("directory-size", `the directory has ${inode.size} bytes`, `a positive multiple of ${chunk}`);
  }
  const { runs } = readMapping(disk, inode, report);
  const end = Math.floor(inode.size / chunk) * chunk;
  // No directory is larger than what its blocks hold.
  const held = runs.reduce((sum, { count }) => sum + count, 0) * sb.fragmentSize;
  if (held < end) {
    wrong("directory-hole", `the directory of ${inode.size} bytes has blocks for ${held}`, "blocks for all of it");
    if (runs.length === 0) return;
  }
  const content = mappedContent(disk, runs, sb.fragmentSize, Math.min(end, held + sb.blockSize));
  const { f } = sb.records.Dirent;
  for (let start = 0; start < content.size; start += WINDOW) {
    const window = new Uint8Array(Math.min(WINDOW, content.size - start));
    void content.read(start, window);
    const view = viewOf(window);
    for (let from = 0; from + chunk <= window.length; from += chunk) {
      for (let at = from; at < from + chunk; ) {
        const length = f.d_reclen.get(view, at);
        const room = from + chunk - at;
        const named = f.d_namlen.get(view, at);
        const number = f.d_ino.get(view, at);
        if (length < 12 || length % 4 !== 0 || length > room || (number !== 0 && (named === 0 || entrySize(named) > length))) {
          wrong(
            "directory-entry",
            `at byte ${start + at} of the directory an entry of ${length} bytes with a name of ${named}`,
            `a multiple of 4 from ${entrySize(Math.min(Math.max(named, 1), MAXNAMLEN))} to ${room}`,
          );
          break;
        }
        const name = window.subarray(at + 8, at + 8 + named);
        const terminated = number === 0 || window[at + 8 + named] === 0;
        yield { inode: number, type: f.d_type.get(view, at), name, terminated, at: start + at, length };
        at += length;
      }
    }
  }
}
