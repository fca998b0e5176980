// An FFS image as a volume.

import type { ImageBytes, VolumeReader } from "../../../src/image/volume.ts";
import { ROOT_INODE } from "../disk/dinode.ts";
import { buildOptionsOf } from "./build-options.ts";
import { Disk } from "./disk.ts";
import { refuse } from "./fault.ts";
import { inspectVolume } from "./inspect.ts";
import { locateByte } from "./locate.ts";
import { Nodes } from "./nodes.ts";
import { profileOf } from "./profile.ts";
import { readSuperblock } from "./superblock.ts";
import { groupUses, type UsageIndex, type Use, usageIndex, usageOf } from "./usage.ts";

/** Opens an image. Throws `corrupt` with the place for what is broken, `unsupported` for what the reader lacks. */
export function openFfs(image: ImageBytes): VolumeReader {
  const sb = readSuperblock(image, refuse);
  if (!sb) throw new Error("bug in fsynth: an image that does not open is reported");
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
