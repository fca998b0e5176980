// The records of a journal: its superblock, and whatever of the log was ever written. The blocks that a log keeps copies of are
// not looked into.

import { viewOf } from "../../../src/bytes/struct.ts";
import { type ImageRecord, recordAt } from "../../../src/image/records.ts";
import {
  CommitBlock,
  JOURNAL_MAGIC,
  JournalBlockType,
  JournalFeatures,
  JournalHeader,
  JournalSuperblock,
  JournalTag,
  JournalTag3,
  JournalTagFlags,
  RevokeHeader,
} from "../disk/journal.ts";
import { refuse } from "./fault.ts";
import type { InodeRecord } from "./inodes.ts";
import { tagSize } from "./journal.ts";
import { readMapping } from "./mapping.ts";
import type { Opened } from "./opened.ts";

export function* journalRecords({ disk, superblock: sb }: Opened, inode: InodeRecord): Generator<ImageRecord> {
  let incompat = 0;
  for (const { logical, physical, count } of readMapping(disk, inode, refuse).runs) {
    for (let i = 0; i < count; i++) {
      const bytes = disk.block(physical + i);
      const view = viewOf(bytes);
      if (JournalHeader.f.h_magic.get(view, 0) !== JOURNAL_MAGIC) continue;
      const place = { offset: (physical + i) * sb.blockSize, what: `journal, block ${logical + i}`, depth: 1 };
      switch (JournalHeader.f.h_blocktype.get(view, 0)) {
        case JournalBlockType.superblock1:
        case JournalBlockType.superblock2:
          incompat = JournalSuperblock.f.s_feature_incompat.get(view, 0);
          yield recordAt(JournalSuperblock, view, 0, { ...place, what: "journal superblock" });
          break;
        case JournalBlockType.descriptor:
          yield recordAt(JournalHeader, view, 0, place);
          yield* tagRecords(view, place.offset, incompat);
          break;
        case JournalBlockType.commit:
          yield recordAt(CommitBlock, view, 0, place);
          break;
        case JournalBlockType.revoke:
          yield recordAt(RevokeHeader, view, 0, place);
          break;
        default:
          yield recordAt(JournalHeader, view, 0, place);
      }
    }
  }
}

function* tagRecords(view: DataView, offset: number, incompat: number): Generator<ImageRecord> {
  const table = (incompat & JournalFeatures.csum_v3) !== 0 ? JournalTag3 : JournalTag;
  const size = tagSize(incompat);
  for (let at: number = JournalHeader.size; at + table.size <= view.byteLength; ) {
    yield recordAt(table, view, at, { offset: offset + at, what: "tag", depth: 2, length: size });
    const flags = table.f.t_flags.get(view, at);
    if ((flags & JournalTagFlags.last) !== 0) return;
    at += size + ((flags & JournalTagFlags.sameUuid) === 0 ? 16 : 0);
  }
}
