// An opened image: its superblock, and the ways to its records. What reads, checks and shows images starts here.

import { FsynthError } from "../../../src/error.ts";
import type { ImageBytes } from "../../../src/image/volume.ts";
import { Descriptors } from "./descriptors.ts";
import { Disk } from "./disk.ts";
import type { Report } from "./fault.ts";
import { Inodes } from "./inodes.ts";
import { type Journal, readJournal, replay } from "./journal.ts";
import { readSuperblock, type Super } from "./superblock.ts";

export interface Opened {
  readonly superblock: Super;
  readonly disk: Disk;
  readonly descriptors: Descriptors;
  readonly inodes: Inodes;
  /** How many blocks the journal replaced, undefined when it did not have to be replayed. */
  readonly replayed: number | undefined;
}

/**
 * Opens an image. Its journal is replayed in memory where the superblock asks for it. Undefined when what was reported
 * leaves nothing to go on with.
 *
 * Throws `unsupported` for features that the reader lacks, and for a journal that has to be replayed and cannot be.
 */
export function openRecords(image: ImageBytes, report: Report): Opened | undefined {
  const superblock = readSuperblock(image, report);
  if (!superblock) return undefined;
  const opened = openWith(new Disk(image, superblock));
  if (!superblock.needsRecovery) return opened;
  const journal = journalOf(opened, report);
  if (!journal) return undefined;
  const { overlay } = replay(opened.disk, journal, report);
  const replayed = new Disk(image, superblock, overlay);
  // The journal may hold a newer superblock, too.
  const newer = readSuperblock(replayed, report);
  return newer && { ...openWith(new Disk(image, newer, overlay)), replayed: overlay.size };
}

function openWith(disk: Disk): Opened {
  const descriptors = new Descriptors(disk);
  return { superblock: disk.superblock, disk, descriptors, inodes: new Inodes(disk, descriptors), replayed: undefined };
}

/** The internal journal. Undefined when it was reported. Throws `unsupported` for an external one. */
function journalOf({ superblock, disk, inodes }: Opened, report: Report): Journal | undefined {
  if (superblock.journalInode === 0) {
    throw new FsynthError(
      "unsupported",
      "ext: the file system was not unmounted and its journal lies on another device; mounting it once, or e2fsck, replays it",
      { format: "ext", record: "superblock.s_journal_inum" },
    );
  }
  const inode = inodes.read(superblock.journalInode, report);
  return inode && readJournal(disk, inode, report);
}
