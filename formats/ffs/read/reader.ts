// An FFS image as a volume.

import { FsynthError } from "../../../src/error.ts";
import type { ImageBytes, VolumeReader } from "../../../src/image/volume.ts";
import { ROOT_INODE } from "../disk/dinode.ts";
import { FS_ISCLEAN, FsFlags } from "../disk/superblock.ts";
import { buildOptionsOf } from "./build-options.ts";
import { Disk } from "./disk.ts";
import { refuse } from "./fault.ts";
import { inspectVolume } from "./inspect.ts";
import { locateByte } from "./locate.ts";
import { Nodes } from "./nodes.ts";
import { profileOf } from "./profile.ts";
import { readSuperblock, type Super } from "./superblock.ts";
import { groupUses, type UsageIndex, type Use, usageIndex, usageOf } from "./usage.ts";

/** Opens an image. Throws `corrupt` with the place for what is broken, `unsupported` for what the reader lacks. */
export function openFfs(image: ImageBytes): VolumeReader {
  const sb = readSuperblock(image, refuse);
  if (!sb) throw new Error("bug in fsynth: an image that does not open is reported");
  refuseJournal(sb);
  const nodes = new Nodes(new Disk(image, sb));
  nodes.expect(ROOT_INODE, "directory");
  // Both cost a look at all groups or inodes; most callers want neither.
  let groups: readonly Use[] | undefined;
  let index: UsageIndex | undefined;
  const indexed = (): UsageIndex => (index ??= usageIndex(nodes));
  return {
    format: profileOf(sb),
    size: sb.size * sb.fragmentSize,
    uuid: undefined,
    label: sb.label,
    root: ROOT_INODE,
    // UFS1 has no field for the birth time.
    times: sb.version === 1 ? { atime: true, ctime: true, btime: false, nanoseconds: true } : undefined,
    node: (id) => nodes.node(id),
    children: (id) => nodes.children(id),
    target: (id) => nodes.target(id),
    content: (id) => nodes.content(id),
    xattrs: (id) => nodes.xattrs(id),
    inspect: () => inspectVolume(nodes, indexed()),
    usage: () => usageOf(nodes, indexed()),
    locate: (offset) => locateByte(nodes, (groups ??= groupUses(nodes)), indexed, offset),
    buildOptions: () => buildOptionsOf(nodes),
  };
}

/** NetBSD's journal holds newer versions of blocks until the file system is unmounted. */
function refuseJournal(sb: Super): void {
  const { f } = sb.records.Superblock;
  const journal =
    !sb.old &&
    (sb.flags & FsFlags.wapbl) !== 0 &&
    f.fs_journal_version.get(sb.view, 0) === 1 &&
    (f.fs_journal_location.get(sb.view, 0) === 1 || f.fs_journal_location.get(sb.view, 0) === 2);
  if (!journal || f.fs_clean.get(sb.view, 0) === FS_ISCLEAN) return;
  throw new FsynthError(
    "unsupported",
    "ffs: the file system was not unmounted and its journal (WAPBL) has to be replayed; mounting it once, or fsck_ffs, does it",
    { format: "ffs", record: "fs.fs_journal_version", offset: sb.place + f.fs_journal_version.offset },
  );
}
