// An ext image as a volume.

import { formatUuid } from "../../../src/image/seed.ts";
import type { ImageBytes, VolumeReader } from "../../../src/image/volume.ts";
import { ReservedInode } from "../disk/inode.ts";
import { buildOptionsOf, madeLostFound } from "./build-options.ts";
import { refuse } from "./fault.ts";
import { inspectVolume } from "./inspect.ts";
import { locateByte } from "./locate.ts";
import { Nodes } from "./nodes.ts";
import { openRecords } from "./opened.ts";
import { profileOf } from "./profile.ts";
import { groupUses, type UsageIndex, type Use, usageIndex, usageOf } from "./usage.ts";

/** Opens an image. Throws `corrupt` with the place for what is broken, `unsupported` for what the reader lacks. */
export function openExt(image: ImageBytes): VolumeReader {
  const opened = openRecords(image, refuse);
  if (!opened) throw new Error("bug in fsynth: an image that does not open is reported");
  const { superblock: sb } = opened;
  const nodes = new Nodes(opened);
  nodes.expect(ReservedInode.root, "directory");
  // Both cost a look at all groups or inodes; most callers want neither.
  let groups: readonly Use[] | undefined;
  let index: UsageIndex | undefined;
  const indexed = (): UsageIndex => (index ??= usageIndex(nodes));
  return {
    format: profileOf(sb),
    size: sb.blocks * sb.blockSize,
    uuid: formatUuid(sb.uuid),
    label: sb.label,
    root: ReservedInode.root,
    // The fields behind the first 128 bytes hold what 32 bits of seconds do not.
    times: sb.inodeSize > 128 ? undefined : { atime: true, ctime: true, btime: false, nanoseconds: false },
    node: (id) => nodes.node(id),
    children: (id) => nodes.children(id),
    target: (id) => nodes.target(id),
    content: (id) => nodes.content(id),
    xattrs: (id) => nodes.xattrs(id),
    inspect: () => inspectVolume(nodes, indexed()),
    usage: () => usageOf(nodes, indexed()),
    locate: (offset) => locateByte(nodes, (groups ??= groupUses(nodes)), indexed, offset),
    buildOptions: () => buildOptionsOf(nodes),
    remade() {
      const made = madeLostFound(nodes);
      return made === undefined ? [] : [made];
    },
  };
}
