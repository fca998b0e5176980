// Replays a journal in memory: which blocks of the image have a newer version in it. The image is not changed.
// Specification: Linux Documentation/filesystems/ext4/journal.rst; fs/jbd2/recovery.c.

import { crc32c } from "../../../src/bytes/crc.ts";
import { flagNames } from "../../../src/bytes/flags.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { FsynthError } from "../../../src/error.ts";
import {
  CommitBlock,
  FastCommitTag,
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
import type { Disk, Overlay, Replacement } from "./disk.ts";
import { hex, type Report } from "./fault.ts";
import type { InodeRecord } from "./inodes.ts";
import { type Run, readMapping } from "./mapping.ts";

/** What a replay comes to. */
export interface Replay {
  readonly overlay: Overlay;
  /** Transactions that were complete. */
  readonly transactions: number;
}

/** A journal's superblock, taken apart. Places are blocks of the journal. */
export interface Journal {
  readonly blockSize: number;
  /** Blocks; the log is a ring of those from `first` up to it, fast commits behind it. */
  readonly end: number;
  readonly first: number;
  /** Of the oldest transaction that is not in its place yet; 0: there is none. */
  readonly start: number;
  readonly sequence: number;
  readonly fastCommitBlocks: number;
  readonly incompat: number;
  readonly uuid: Uint8Array;
  /** Descriptors, commits and the like carry CRC-32Cs. */
  readonly checksums: boolean;
  readonly checksumSeed: number;
  /** Block of the image where block `index` of the journal lies; undefined in a hole. */
  physical(index: number): number | undefined;
}

/** Reads the superblock of the journal in `inode`. Undefined when what was reported leaves nothing to go on with. */
export function readJournal(disk: Disk, inode: InodeRecord, report: Report): Journal | undefined {
  const { blockSize } = disk.superblock;
  const wrong = (code: string, found: string, expected: string, offset: number): undefined => {
    report({ code, place: "journal", found, expected, where: { record: "journal", index: inode.number, offset } });
    return undefined;
  };
  if (inode.kind !== "file" || inode.links === 0) {
    return wrong("journal-inode", `inode ${inode.number} is no file in use`, "the journal", inode.offset);
  }
  const { runs } = readMapping(disk, inode, report);
  const physical = (index: number): number | undefined => physicalOf(runs, index);
  const at = physical(0);
  if (at === undefined) return wrong("journal-superblock", "its first block is a hole", "a superblock", inode.offset);
  const bytes = disk.block(at).subarray(0, JournalSuperblock.size);
  const view = viewOf(bytes);
  const f = JournalSuperblock.f;
  const offset = at * blockSize;
  const magic = f.h_magic.get(view, 0);
  const type = f.h_blocktype.get(view, 0);
  const isSuperblock = type === JournalBlockType.superblock1 || type === JournalBlockType.superblock2;
  if (magic !== JOURNAL_MAGIC || !isSuperblock) {
    return wrong("journal-superblock", `it starts with ${hex(magic)} and type ${type}`, `${hex(JOURNAL_MAGIC)}, 3 or 4`, offset);
  }
  const incompat = type === JournalBlockType.superblock1 ? 0 : f.s_feature_incompat.get(view, 0);
  const known: Readonly<Record<string, number>> = JournalFeatures;
  const unknown = flagNames(known, incompat).filter((name) => known[name] === undefined);
  if (unknown.length > 0) {
    throw new FsynthError("unsupported", `ext: the journal needs the feature ${unknown.join(", ")}, which fsynth does not read`, {
      format: "ext",
      record: "journal.s_feature_incompat",
      offset: offset + f.s_feature_incompat.offset,
    });
  }
  const checksums = (incompat & (JournalFeatures.csum_v2 | JournalFeatures.csum_v3)) !== 0;
  if (checksums) {
    const stored = f.s_checksum.get(view, 0);
    const sum = zeroedChecksum(0xffff_ffff, bytes, f.s_checksum.offset);
    if (stored !== sum)
      wrong("journal-checksum", `its superblock's checksum is ${hex(stored)}`, hex(sum), offset + f.s_checksum.offset);
  }
  const length = f.s_maxlen.get(view, 0);
  const fast = (incompat & JournalFeatures.fast_commit) !== 0;
  // 256 blocks where the superblock does not say (JBD2_DEFAULT_FAST_COMMIT_BLOCKS).
  const fastCommitBlocks = fast ? f.s_num_fc_blks.get(view, 0) || 256 : 0;
  const journal: Journal = {
    blockSize,
    end: length - fastCommitBlocks,
    first: f.s_first.get(view, 0),
    start: f.s_start.get(view, 0),
    sequence: f.s_sequence.get(view, 0),
    fastCommitBlocks,
    incompat,
    uuid: f.s_uuid.get(view, 0),
    checksums,
    checksumSeed: crc32c(0xffff_ffff, f.s_uuid.get(view, 0)),
    physical,
  };
  const size = f.s_blocksize.get(view, 0);
  if (size !== blockSize) return wrong("journal-superblock", `blocks of ${size} bytes`, String(blockSize), offset);
  const inodeBlocks = Math.floor(inode.size / blockSize);
  if (length > inodeBlocks || journal.first < 1 || journal.first >= journal.end || journal.start >= Math.max(journal.end, 1)) {
    return wrong(
      "journal-superblock",
      `${length} blocks, the log from ${journal.first} to ${journal.end}, its start at ${journal.start}`,
      `a log that lies within ${inodeBlocks} blocks`,
      offset,
    );
  }
  return journal;
}

function physicalOf(runs: readonly Run[], index: number): number | undefined {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const run = runs[middle] as Run; // middle is in range
    if (run.logical + run.count <= index) low = middle + 1;
    else high = middle;
  }
  const run = runs[low];
  return run && run.logical <= index ? run.physical + index - run.logical : undefined;
}

function zeroedChecksum(seed: number, bytes: Uint8Array, at: number): number {
  const sum = crc32c(crc32c(seed, bytes, 0, at), new Uint8Array(4));
  return crc32c(sum, bytes, at + 4);
}

/**
 * What the complete transactions of the log replace. Throws `unsupported` for fast commits that would have to be replayed:
 * they name files instead of blocks.
 */
export function replay(disk: Disk, journal: Journal, report: Report): Replay {
  if (journal.start === 0) return { overlay: new Map(), transactions: 0 };
  return new Replaying(disk, journal, report).run();
}

/** A block of the log that holds a block of the file system. */
interface Logged {
  readonly block: number;
  /** Of the journal. */
  readonly at: number;
  readonly sequence: number;
  readonly escaped: boolean;
  readonly checksum: number | undefined;
}

class Replaying {
  readonly #logged: Logged[] = [];
  /** The last transaction that revoked a block: older versions of it are not replayed. */
  readonly #revoked = new Map<number, number>();

  constructor(
    readonly disk: Disk,
    readonly journal: Journal,
    readonly report: Report,
  ) {}

  run(): Replay {
    const transactions = this.#scan();
    this.#refuseFastCommits((this.journal.sequence + transactions) >>> 0);
    const overlay = new Map<number, Replacement>();
    for (const { block, at, sequence, escaped, checksum } of this.#logged) {
      const revoked = this.#revoked.get(block);
      if (revoked !== undefined && isBefore(sequence, revoked + 1)) continue;
      const offset = (this.journal.physical(at) ?? 0) * this.journal.blockSize; // a hole was refused by the scan
      if (checksum !== undefined) this.#verifyData(offset, sequence, checksum);
      if (block < this.disk.superblock.blocks) overlay.set(block, { offset, escaped });
      else {
        this.#wrong("journal-range", `it holds block ${block}`, `blocks up to ${this.disk.superblock.blocks - 1}`, offset);
      }
    }
    return { overlay, transactions };
  }

  /** Walks the log from its start; what stands before the last commit counts. Gives how many transactions are complete. */
  #scan(): number {
    const { journal } = this;
    let { start: at, sequence } = journal;
    let complete = 0;
    let logged: Logged[] = [];
    let revoked: number[] = [];
    // The log is a ring: nothing is looked at twice.
    for (let left = journal.end - journal.first; left > 0; left--) {
      const bytes = this.#block(at);
      const view = viewOf(bytes);
      const h = JournalHeader.f;
      if (h.h_magic.get(view, 0) !== JOURNAL_MAGIC || h.h_sequence.get(view, 0) !== sequence) break;
      const type = h.h_blocktype.get(view, 0);
      if (type === JournalBlockType.descriptor) {
        if (!this.#tailFits(bytes)) break;
        const tags = this.#tags(view, at, sequence);
        logged.push(...tags);
        at = this.#next(at, 1 + tags.length);
        left -= tags.length;
      } else if (type === JournalBlockType.revoke) {
        if (!this.#tailFits(bytes)) break;
        revoked.push(...this.#revocations(view, at));
        at = this.#next(at, 1);
      } else if (type === JournalBlockType.commit) {
        if (!this.#commitFits(bytes)) break;
        this.#logged.push(...logged);
        for (const block of revoked) this.#revoked.set(block, sequence);
        logged = [];
        revoked = [];
        complete++;
        sequence = (sequence + 1) >>> 0;
        at = this.#next(at, 1);
      } else break;
    }
    return complete;
  }

  #next(at: number, count: number): number {
    const { first, end } = this.journal;
    return at + count < end ? at + count : first + ((at + count - end) % (end - first));
  }

  #block(at: number): Uint8Array {
    const physical = this.journal.physical(at);
    if (physical !== undefined) return this.disk.block(physical);
    this.#wrong("journal-hole", `block ${at} of the log is a hole`, "every block of it mapped", 0);
    return new Uint8Array(this.journal.blockSize);
  }

  /** The blocks that a descriptor announces; they stand behind it. */
  #tags(view: DataView, at: number, sequence: number): Logged[] {
    const { incompat, checksums, blockSize } = this.journal;
    const wide = (incompat & JournalFeatures["64bit"]) !== 0;
    const third = (incompat & JournalFeatures.csum_v3) !== 0;
    const size = tagSize(incompat);
    const end = blockSize - (checksums ? 4 : 0);
    const tags: Logged[] = [];
    for (let from: number = JournalHeader.size; from + size <= end; ) {
      const f = third ? JournalTag3.f : JournalTag.f;
      const flags = f.t_flags.get(view, from);
      const high = third || wide ? f.t_blocknr_high.get(view, from) : 0;
      tags.push({
        block: f.t_blocknr.get(view, from) + (wide ? high * 2 ** 32 : 0),
        at: this.#next(at, 1 + tags.length),
        sequence,
        escaped: (flags & JournalTagFlags.escaped) !== 0,
        checksum: checksums ? f.t_checksum.get(view, from) : undefined,
      });
      if ((flags & JournalTagFlags.last) !== 0) break;
      from += size + ((flags & JournalTagFlags.sameUuid) === 0 ? 16 : 0);
    }
    return tags;
  }

  #revocations(view: DataView, at: number): number[] {
    const { incompat, checksums, blockSize } = this.journal;
    const size = (incompat & JournalFeatures["64bit"]) !== 0 ? 8 : 4;
    const count = RevokeHeader.f.r_count.get(view, 0);
    const most = blockSize - (checksums ? 4 : 0);
    if (count > most) {
      this.#wrong("journal-revoke", `block ${at} of the log revokes ${count} bytes of blocks`, `at most ${most}`, 0);
      return [];
    }
    const blocks: number[] = [];
    for (let from: number = RevokeHeader.size; from + size <= count; from += size) {
      blocks.push(
        size === 4 ? view.getUint32(from, false) : view.getUint32(from, false) * 2 ** 32 + view.getUint32(from + 4, false),
      );
    }
    return blocks;
  }

  /** Descriptors and revocations end with a checksum. A wrong one ends the log, as an interrupted write leaves it. */
  #tailFits(bytes: Uint8Array): boolean {
    if (!this.journal.checksums) return true;
    const at = bytes.length - 4;
    return viewOf(bytes).getUint32(at, false) === zeroedChecksum(this.journal.checksumSeed, bytes, at);
  }

  #commitFits(bytes: Uint8Array): boolean {
    if (!this.journal.checksums) return true;
    const { h_chksum } = CommitBlock.f;
    return h_chksum.get(viewOf(bytes), 0) === zeroedChecksum(this.journal.checksumSeed, bytes, h_chksum.offset);
  }

  #verifyData(offset: number, sequence: number, stored: number): void {
    const { blockSize, checksumSeed, incompat } = this.journal;
    const bytes = new Uint8Array(blockSize);
    this.disk.readAt(offset, bytes);
    const number = new Uint8Array(4);
    viewOf(number).setUint32(0, sequence, false);
    const full = crc32c(crc32c(checksumSeed, number), bytes);
    const third = (incompat & JournalFeatures.csum_v3) !== 0;
    const sum = third ? full : full & 0xffff;
    if (sum !== stored) this.#wrong("journal-checksum", `the checksum of a block in the log is ${hex(sum)}`, hex(stored), offset);
  }

  #refuseFastCommits(expected: number): void {
    const { fastCommitBlocks, end } = this.journal;
    // jbd2 leaves one block between the log and its fast commits.
    const physical = fastCommitBlocks > 0 ? this.journal.physical(end + 1) : undefined;
    if (physical === undefined) return;
    const view = viewOf(this.disk.block(physical));
    const f = FastCommitTag.f;
    const isHead = f.fc_tag.get(view, 0) === FAST_COMMIT_HEAD && f.fc_len.get(view, 0) === FAST_COMMIT_HEAD_SIZE;
    if (!isHead || f.fc_tid.get(view, 0) !== expected) return;
    throw new FsynthError(
      "unsupported",
      "ext: the journal ends with fast commits, which fsynth does not replay; mounting the image once and unmounting it, or e2fsck, does",
      { format: "ext", record: "journal", offset: physical * this.journal.blockSize },
    );
  }

  #wrong(code: string, found: string, expected: string, offset: number): void {
    this.report({ code, place: "journal", found, expected, where: { record: "journal", offset } });
  }
}

/** EXT4_FC_TAG_HEAD, which starts every series of fast commits, and the bytes behind its tag. */
const FAST_COMMIT_HEAD = 9;
const FAST_COMMIT_HEAD_SIZE = 8;

/** Order of transaction numbers, which wrap around. */
/** Bytes of a tag in a descriptor block, its UUID not counted. */
export function tagSize(incompat: number): number {
  if ((incompat & JournalFeatures.csum_v3) !== 0) return JournalTag3.size;
  const wide = (incompat & JournalFeatures["64bit"]) !== 0;
  return (wide ? 12 : 8) + ((incompat & JournalFeatures.csum_v2) !== 0 ? 2 : 0);
}

function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
