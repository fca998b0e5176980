// The journal as a new file system has it: empty, its superblock in its first block, zeros behind it.
// Specification: Linux Documentation/filesystems/ext4/journal.rst; lib/ext2fs/mkjournal.c of e2fsprogs.

import { viewOf } from "../../src/bytes/struct.ts";
import { JOURNAL_MAGIC, JOURNAL_SUPERBLOCK_V2, JournalSuperblock } from "./disk/journal.ts";
import type { FileSystem } from "./filesystem.ts";

/** Writes the first block of the journal into zeros. */
export function writeJournalSuperblock(fs: FileSystem, target: Uint8Array): void {
  const view = viewOf(target);
  const f = JournalSuperblock.f;
  f.h_magic.set(view, 0, JOURNAL_MAGIC);
  f.h_blocktype.set(view, 0, JOURNAL_SUPERBLOCK_V2);
  f.s_blocksize.set(view, 0, fs.geometry.frame.blockSize);
  f.s_maxlen.set(view, 0, fs.journalBlocks);
  f.s_first.set(view, 0, 1);
  f.s_sequence.set(view, 0, 1);
  f.s_uuid.set(view, 0, fs.uuid);
  f.s_nr_users.set(view, 0, 1);
}
