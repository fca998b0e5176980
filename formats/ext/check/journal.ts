// The journal: where the superblock says it is, and its own superblock. What the log holds was replayed when it had to be.
// Specification: Linux Documentation/filesystems/ext4/journal.rst.

import { crc32c } from "../../../src/bytes/crc.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { JOURNAL_MAGIC, JOURNAL_MIN_BLOCKS, JournalBlockType, JournalFeatures, JournalSuperblock } from "../disk/journal.ts";
import { Superblock } from "../disk/superblock.ts";
import { hex } from "../read/fault.ts";
import { readMapping } from "../read/mapping.ts";
import { type Tell, unreported } from "./findings.ts";
import { has, isFileMode, rawInode } from "./raw-inode.ts";
import type { State } from "./state.ts";

const j = JournalSuperblock.f;
/** s_feature_compat: the checksums of the first kind, of commits only. */
const CHECKSUM = 1;
const CRC32C = 4;
/** Fast commit blocks where the superblock does not say. */
const FAST_COMMIT_BLOCKS = 256;

export function checkJournal(state: State): void {
  const { sb, findings } = state;
  const f = Superblock.f;
  const tell = findings.at("journal");
  const wanted = sb.features.has("has_journal");
  const number = f.s_journal_inum.get(sb.view, 0);
  const outside = f.s_journal_uuid.get(sb.view, 0).some((byte) => byte !== 0);
  if (!wanted && !sb.needsRecovery && number === 0 && !outside) return;
  if (outside) {
    tell("journal-external", "it lies on another device", "one in the image, which can be checked");
    return;
  }
  if (!wanted) {
    tell("journal-feature", `inode ${number} is said to be the journal, or recovery is needed`, "the feature has_journal");
    if (number === 0) return;
  }
  const bytes = locate(state, number, tell);
  if (bytes) checkSuperblock(state, bytes.block, bytes.length, tell);
}

/** The first block of the journal, and how many blocks there are. */
function locate(state: State, number: number, tell: Tell): { block: Uint8Array; length: number } | undefined {
  const { sb, disk } = state;
  const record = number >= 1 && number <= sb.inodes ? state.inodes.read(number, unreported) : undefined;
  if (!record) {
    tell("journal-inode", `s_journal_inum is ${number}`, `1 to ${sb.inodes}`);
    return undefined;
  }
  const inode = rawInode(sb, record);
  if (inode.links === 0 || !isFileMode(inode.mode) || has(inode, "ENCRYPT")) {
    tell(
      "journal-inode",
      `inode ${number} has mode 0${inode.mode.toString(8)} and ${inode.links} links`,
      "a regular file in use",
    );
    return undefined;
  }
  const length = Math.floor(inode.size / sb.blockSize);
  if (length < JOURNAL_MIN_BLOCKS) {
    tell("journal-inode", `${length} blocks`, `at least ${JOURNAL_MIN_BLOCKS}`);
    return undefined;
  }
  let end = 0;
  let first = 0;
  for (const { logical, physical, count } of readMapping(disk, record, unreported).runs) {
    if (logical === 0) first = physical;
    if (logical !== end) break;
    end += count;
  }
  if (end * sb.blockSize < inode.size) {
    tell("journal-inode", `${end} blocks for ${inode.size} bytes`, "all of its blocks, without holes");
    return undefined;
  }
  return { block: disk.block(first), length };
}

function checkSuperblock({ sb }: State, bytes: Uint8Array, length: number, tell: Tell): void {
  const view = viewOf(bytes);
  const bad = (field: keyof typeof j, expected: string): void =>
    tell("journal-superblock", `${field} is ${String(j[field].get(view, 0))}`, expected);
  const magic = j.h_magic.get(view, 0);
  if (magic !== JOURNAL_MAGIC) {
    tell("journal-superblock", `it starts with ${hex(magic)}`, hex(JOURNAL_MAGIC));
    return;
  }
  const type = j.h_blocktype.get(view, 0);
  const compat = j.s_feature_compat.get(view, 0);
  const incompat = j.s_feature_incompat.get(view, 0);
  const roCompat = j.s_feature_ro_compat.get(view, 0);
  const users = j.s_nr_users.get(view, 0);
  if (type === JournalBlockType.superblock1) {
    if (compat !== 0 || incompat !== 0 || roCompat !== 0 || users !== 0) {
      tell("journal-superblock", "features in a superblock of version 1", "none");
    }
  } else if (type !== JournalBlockType.superblock2) bad("h_blocktype", "3 or 4");
  else if (users > 1) bad("s_nr_users", "at most 1 in the image of a file system");
  const known = Object.values(JournalFeatures).reduce((all: number, bit) => all | bit, 0);
  if ((incompat & ~known) !== 0) bad("s_feature_incompat", `bits of ${hex(known)}`);
  if (roCompat !== 0) bad("s_feature_ro_compat", "0");
  const second = (incompat & JournalFeatures.csum_v2) !== 0;
  const third = (incompat & JournalFeatures.csum_v3) !== 0;
  if ((second && third) || ((second || third) && (compat & CHECKSUM) !== 0)) {
    tell("journal-superblock", "checksums of several kinds", "one kind");
  }
  if (second || third) {
    if (j.s_checksum_type.get(view, 0) !== CRC32C) bad("s_checksum_type", `${CRC32C} (CRC-32C)`);
    const { offset } = j.s_checksum;
    const sum = crc32c(
      crc32c(crc32c(0xffff_ffff, bytes, 0, offset), new Uint8Array(4)),
      bytes,
      offset + 4,
      JournalSuperblock.size,
    );
    const stored = j.s_checksum.get(view, 0);
    if (stored !== sum) tell("journal-superblock", `its checksum is ${hex(stored)}`, hex(sum));
  }
  if (j.s_blocksize.get(view, 0) !== sb.blockSize) bad("s_blocksize", String(sb.blockSize));
  const stated = j.s_maxlen.get(view, 0);
  if (stated > length) bad("s_maxlen", `at most ${length}`);
  const fast = (incompat & JournalFeatures.fast_commit) !== 0;
  const fastBlocks = fast ? j.s_num_fc_blks.get(view, 0) || FAST_COMMIT_BLOCKS : 0;
  if (fast && stated - fastBlocks < JOURNAL_MIN_BLOCKS) {
    tell(
      "journal-superblock",
      `${stated} blocks, of which ${fastBlocks} are for fast commits`,
      `${JOURNAL_MIN_BLOCKS} others at least`,
    );
  }
  const first = j.s_first.get(view, 0);
  if (first === 0 || first >= stated - fastBlocks) bad("s_first", `1 to ${stated - fastBlocks - 1}`);
  if (stated < JOURNAL_MIN_BLOCKS) bad("s_maxlen", `at least ${JOURNAL_MIN_BLOCKS}`);
  const start = j.s_start.get(view, 0);
  if (start !== 0 && !sb.needsRecovery)
    tell("journal-dirty", `the log starts at block ${start}`, "an empty one, since no recovery is needed");
  const errno = j.s_errno.get(view, 0);
  if (errno !== 0 && !sb.needsRecovery) tell("journal-error", `an error was noted: ${errno | 0}`, "none");
}
