// Every record of an FFS image, for people: superblocks, headers of groups, maps, the summary, inodes, and what they lead to.

import { flagNames } from "../../../src/bytes/flags.ts";
import { escapeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { bitRanges, type ImageRecord, recordAt } from "../../../src/image/records.ts";
import type { ImageBytes } from "../../../src/image/volume.ts";
import { ROOT_INODE } from "../disk/dinode.ts";
import { FsFlags } from "../disk/superblock.ts";
import { Disk } from "./disk.ts";
import { refuse } from "./fault.ts";
import { Nodes } from "./nodes.ts";
import { inodeRecords } from "./records-inode.ts";
import { groupRange, groupStart, readSuperblock, type Super } from "./superblock.ts";
import { usageIndex } from "./usage.ts";

/** All records, groups first, then the inodes with what they lead to. Throws as opening does. */
export function* ffsRecordsOf(image: ImageBytes): Generator<ImageRecord> {
  const sb = readSuperblock(image, refuse);
  if (!sb) throw new Error("bug in fsynth: an image that does not open is reported");
  const disk = new Disk(image, sb);
  const nodes = new Nodes(disk);
  const primary = superblockRecord(sb, sb.bytes, sb.place, "superblock");
  yield primary;
  for (let group = 0; group < sb.groups; group++) yield* groupRecords(nodes, group, primary);
  const summary = disk.frags(sb.csaddr, Math.ceil(sb.cssize / sb.fragmentSize));
  for (let group = 0; group < sb.groups; group++) {
    const at = group * sb.records.Summary.size;
    const place = { offset: sb.csaddr * sb.fragmentSize + at, what: `summary of group ${group}` };
    yield recordAt(sb.records.Summary, viewOf(summary), at, place);
  }
  const { pathOf } = usageIndex(nodes);
  yield* inodeRecords(nodes, (number) => {
    const path = number === ROOT_INODE ? "/" : pathOf(number);
    return path === undefined ? "" : ` ${escapeName(path)}`;
  });
}

function superblockRecord(sb: Super, bytes: Uint8Array, offset: number, what: string, copyOf?: ImageRecord): ImageRecord {
  const spelled = { fs_flags: (flags: number) => flagNames(FsFlags, flags).join(",") || 0 };
  return recordAt(sb.records.Superblock, viewOf(bytes), 0, { offset, what, copyOf, spelled });
}

function* groupRecords(nodes: Nodes, group: number, primary: ImageRecord): Generator<ImageRecord> {
  const { disk } = nodes;
  const { superblock: sb } = disk;
  const start = groupStart(sb, group);
  const bytes = new Uint8Array(sb.records.Superblock.size);
  const copy = (start + sb.sblkno) * sb.fragmentSize;
  disk.readAt(copy, bytes);
  yield superblockRecord(sb, bytes, copy, `superblock copy in group ${group}`, primary);

  const { offset, view, inodes, free, bytes: header, initialised } = nodes.header(group);
  const { Cylinder } = sb.records;
  yield recordAt(Cylinder, view, 0, { offset, what: `header of group ${group}` });
  const get = (field: "cg_iusedoff" | "cg_freeoff" | "cg_clusteroff" | "cg_clustersumoff"): number =>
    Cylinder.f[field].get(view, 0);
  const map = (at: number, what: string, fields: ImageRecord["fields"]): ImageRecord => ({
    offset: offset + at,
    what,
    depth: 1,
    fields,
  });
  const [from, to] = groupRange(sb, group);
  yield map(get("cg_iusedoff"), "inode map", { used: bitRanges(inodes, sb.ipg, group * sb.ipg) });
  yield map(get("cg_freeoff"), "fragment map", { free: bitRanges(free, to - from, from) });
  if (sb.clusterSums > 0) {
    // Counts are of runs of one block and more: place 0 is no count, and may lie within the map before.
    const first = get("cg_clustersumoff") + 4;
    const clusters = header.subarray(Math.max(0, get("cg_clusteroff")));
    const blocks = Math.floor((to - from) / sb.frag);
    if (first < 0 || first + 4 * sb.clusterSums > header.length || clusters.length * 8 < blocks) {
      refuse({
        code: "group-header",
        place: `group ${group}`,
        found: `counts and map of clusters at ${first} and ${get("cg_clusteroff")}`,
        expected: `places within its ${header.length} bytes`,
        where: { record: "cg.cg_clusteroff", index: group, offset: offset + Cylinder.f.cg_clusteroff.offset },
      });
    }
    const counts = Array.from({ length: sb.clusterSums }, (_, i) => sb.records.word.get(view, first + 4 * i));
    yield map(first, "runs of free blocks by length", { counts });
    yield map(get("cg_clusteroff"), "cluster map", { "free blocks of the group": bitRanges(clusters, blocks) });
  }
  const table = (start + sb.iblkno) * sb.fragmentSize;
  const numbers = `${group * sb.ipg}..${(group + 1) * sb.ipg - 1}`;
  yield { offset: table, what: `inode table of group ${group}`, fields: { inodes: numbers, initialised } };
}
