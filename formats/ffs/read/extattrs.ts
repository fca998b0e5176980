// Reads the extended attributes of UFS2, whatever its magic number: FreeBSD has them under the plain one.
// Specification: NetBSD sys/ufs/ufs/extattr.h.

import { decodeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import type { Xattrs } from "../../../src/tree/node.ts";
import { EXT_BLOCKS } from "../disk/dinode.ts";
import { EXT_HEADER, Namespace } from "../disk/extattr.ts";
import type { Disk } from "./disk.ts";
import type { Report } from "./fault.ts";
import type { InodeRecord } from "./inodes.ts";

const PREFIX: Readonly<Record<number, string>> = { [Namespace.user]: "user.", [Namespace.system]: "system." };

/** A run of fragments that holds extended attributes. */
export interface AttributeRun {
  readonly block: number;
  readonly physical: number;
  readonly count: number;
}

/** Where an inode's attributes lie. */
export function attributeRuns(disk: Disk, inode: InodeRecord, report: Report): AttributeRun[] {
  const { blockSize, fragmentSize, frag } = disk.superblock;
  const { extSize, extPointers, number, offset } = inode;
  const runs: AttributeRun[] = [];
  if (extSize === 0 && extPointers.every((pointer) => pointer === 0)) return runs;
  const wrong = (found: string, expected: string): void =>
    report({ code: "xattrs", place: `inode ${number}`, found, expected, where: { record: "inode", index: number, offset } });
  if (extSize > EXT_BLOCKS * blockSize) {
    wrong(`${extSize} bytes of extended attributes`, `at most ${EXT_BLOCKS * blockSize}`);
    return runs;
  }
  for (let block = 0; block < EXT_BLOCKS; block++) {
    const physical = extPointers[block] ?? 0;
    const left = extSize - block * blockSize;
    const count = left >= blockSize ? frag : Math.ceil(Math.max(0, left) / fragmentSize);
    if (physical === 0 && count === 0) continue;
    if (count === 0) wrong(`a block ${block} of extended attributes at ${physical}`, "none behind their end");
    else if (!disk.holds(physical, count) || (physical % frag) + count > frag) {
      wrong(`block ${block} of the extended attributes is at fragment ${physical}`, "fragments of one group's data");
    } else runs.push({ block, physical, count });
  }
  return runs;
}

export function readAttributes(disk: Disk, inode: InodeRecord, report: Report): Xattrs {
  const found = new Map<string, Uint8Array>();
  if (inode.extSize === 0) return found;
  const { blockSize, records } = disk.superblock;
  const area = new Uint8Array(Math.min(inode.extSize, EXT_BLOCKS * blockSize));
  for (const { block, physical, count } of attributeRuns(disk, inode, report)) {
    area.set(disk.frags(physical, count).subarray(0, Math.max(0, area.length - block * blockSize)), block * blockSize);
  }
  const view = viewOf(area);
  const { f } = records.ExtAttr;
  for (let at = 0; at < area.length; ) {
    const wrong = (what: string, expected: string): void =>
      report({
        code: "xattrs",
        place: `inode ${inode.number}`,
        found: `at byte ${at} of its extended attributes ${what}`,
        expected,
        where: { record: "extattr", index: inode.number, offset: inode.offset },
      });
    const left = area.length - at;
    const length = left >= EXT_HEADER ? f.ea_length.get(view, at) : 0;
    // The rest of the area may be unused.
    if (length === 0) {
      if (area.subarray(at).some((byte) => byte !== 0)) wrong("no record", "one, or zeros to the end");
      break;
    }
    const named = f.ea_namelength.get(view, at);
    const start = (EXT_HEADER + named + 7) & ~7;
    const padding = f.ea_contentpadlen.get(view, at);
    if (length > left || named === 0 || start + padding > length) {
      wrong(`a record of ${length} bytes, a name of ${named}`, `at most ${left} bytes that hold name and value`);
      break;
    }
    const space = f.ea_namespace.get(view, at);
    const prefix = PREFIX[space];
    if (prefix === undefined) wrong(`namespace ${space}`, "1 (user) or 2 (system)");
    else {
      const name = decodeName(area.subarray(at + EXT_HEADER, at + EXT_HEADER + named));
      found.set(prefix + name, area.slice(at + start, at + length - padding));
    }
    at += length;
  }
  return found;
}
