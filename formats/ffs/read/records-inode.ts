// The records of inodes, and of all that an inode leads to: its pointers, its directory, its extended attributes.

import { flagNames } from "../../../src/bytes/flags.ts";
import { decodeName, escapeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { isZero } from "../../../src/bytes/zero.ts";
import { mappedContent } from "../../../src/image/mapped-content.ts";
import { type ImageRecord, type RecordTable, recordAt, spellBytes, spellName, ZeroRuns } from "../../../src/image/records.ts";
import { InodeFlags } from "../disk/dinode.ts";
import { EXT_HEADER } from "../disk/extattr.ts";
import { inodeOffset } from "./cylinder.ts";
import { directoryEntries } from "./directory.ts";
import { attributeRuns } from "./extattrs.ts";
import { refuse } from "./fault.ts";
import { type InodeRecord, inodeCount, parseInode } from "./inodes.ts";
import { isMapped } from "./mapped.ts";
import { readMapping } from "./mapping.ts";
import type { Node, Nodes } from "./nodes.ts";

/** All inodes by number; those that are all zeros in runs. `named` gives the path of an inode behind a space, or nothing. */
export function* inodeRecords(nodes: Nodes, named: (number: number) => string): Generator<ImageRecord> {
  const { disk } = nodes;
  const { superblock: sb } = disk;
  const zeros = new ZeroRuns("inodes");
  const count = inodeCount(disk);
  for (let number = 0; number < count; number++) {
    // Places behind cg_initediblk hold anything.
    const group = Math.floor(number / sb.ipg);
    const { initialised } = nodes.header(group);
    const offset = inodeOffset(sb, number);
    if (number % sb.ipg >= initialised) {
      yield* zeros.end(number - 1);
      const next = (group + 1) * sb.ipg;
      yield { offset, what: `inodes ${number} to ${next - 1}: not initialised`, fields: {} };
      number = next - 1;
      continue;
    }
    const bytes = new Uint8Array(sb.inodeSize);
    disk.readAt(offset, bytes);
    if (isZero(bytes, 0, bytes.length)) zeros.add(number, offset);
    else {
      yield* zeros.end(number - 1);
      yield* inodeRecord(nodes, parseInode(disk, number, offset, bytes), bytes, named);
    }
  }
  yield* zeros.end(count - 1);
}

function* inodeRecord(
  nodes: Nodes,
  inode: InodeRecord,
  bytes: Uint8Array,
  named: (number: number) => string,
): Generator<ImageRecord> {
  const { records, version } = nodes.disk.superblock;
  const { kind, number, offset, area } = inode;
  const device = kind === "character-device" || kind === "block-device";
  // Where there are no pointers, target and number are told by what they are.
  const told = device || (kind !== undefined && kind === "symlink" && nodes.isShortSymlink(inode));
  const pointers = told ? { di_db: () => undefined, di_ib: () => undefined } : {};
  const table: RecordTable = version === 1 ? records.Dinode1 : records.Dinode2;
  yield recordAt(table, viewOf(bytes), 0, {
    offset,
    what: `inode ${number}${named(number)}`,
    spelled: {
      di_mode: (mode) => `0${mode.toString(8)}`,
      di_flags: (flags) => flagNames(InodeFlags, flags).join(",") || 0,
      ...pointers,
    },
  });
  const at = area.byteOffset - bytes.byteOffset + offset;
  if (device) {
    yield { offset: at, what: "di_db", depth: 1, fields: { device: records.pointer[version].get(viewOf(area), 0) } };
  } else if (told) {
    const target = escapeName(decodeName(area.subarray(0, inode.size)));
    yield { offset: at, what: "di_db", depth: 1, fields: { target } };
  }
  if (kind === undefined) return;
  if (isMapped(nodes, inode as Node)) yield* indirect(nodes, inode);
  if (kind === "directory") yield* directory(nodes, inode);
  yield* attributes(nodes, inode);
}

function* indirect({ disk }: Nodes, inode: InodeRecord): Generator<ImageRecord> {
  const { fragmentSize, frag, pointers: count, pointerSize, records, version } = disk.superblock;
  for (const physical of readMapping(disk, inode, refuse).tree) {
    const view = viewOf(disk.frags(physical, frag));
    const pointers = Array.from({ length: count }, (_, i) => records.pointer[version].get(view, i * pointerSize));
    yield { offset: physical * fragmentSize, what: `indirect block at fragment ${physical}`, depth: 1, fields: { pointers } };
  }
}

function* directory({ disk }: Nodes, inode: InodeRecord): Generator<ImageRecord> {
  const { fragmentSize, records, chunk } = disk.superblock;
  const { runs } = readMapping(disk, inode, refuse);
  const content = mappedContent(disk, runs, fragmentSize, inode.size);
  const placeOf = (at: number): number => {
    const fragment = Math.floor(at / fragmentSize);
    const run = runs.find(({ logical, count }) => fragment >= logical && fragment < logical + count);
    return run === undefined ? 0 : (run.physical + fragment - run.logical) * fragmentSize + (at % fragmentSize);
  };
  for (const { name, at } of directoryEntries(disk, inode, refuse)) {
    if (at % chunk === 0) yield { offset: placeOf(at), what: `directory chunk ${at / chunk}`, depth: 1, fields: {} };
    const bytes = new Uint8Array(records.Dirent.size);
    void content.read(at, bytes);
    yield recordAt(records.Dirent, viewOf(bytes), 0, { offset: placeOf(at), what: spellName(name), depth: 2 });
  }
}

function* attributes({ disk }: Nodes, inode: InodeRecord): Generator<ImageRecord> {
  if (inode.extSize === 0) return;
  const { blockSize, fragmentSize, records } = disk.superblock;
  const runs = attributeRuns(disk, inode, refuse);
  const area = new Uint8Array(inode.extSize);
  for (const { block, physical, count } of runs) {
    area.set(disk.frags(physical, count).subarray(0, Math.max(0, area.length - block * blockSize)), block * blockSize);
  }
  const view = viewOf(area);
  const { f } = records.ExtAttr;
  for (let at = 0; at + EXT_HEADER <= area.length; ) {
    const length = f.ea_length.get(view, at);
    if (length < EXT_HEADER) return;
    const named = f.ea_namelength.get(view, at);
    const name = area.subarray(at + EXT_HEADER, at + EXT_HEADER + named);
    const value = area.subarray(at + ((EXT_HEADER + named + 7) & ~7), at + length - f.ea_contentpadlen.get(view, at));
    const run = runs[Math.floor(at / blockSize)];
    const offset = (run?.physical ?? 0) * fragmentSize + (at % blockSize);
    const record = recordAt(records.ExtAttr, view, at, { offset, what: `attribute ${spellBytes(name)}`, depth: 1 });
    yield { ...record, fields: { ...record.fields, value: spellBytes(value) } };
    at += length;
  }
}
