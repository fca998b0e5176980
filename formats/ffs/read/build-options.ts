// The options that rebuild an image of ours byte for byte from the tree that it holds. Of the number of inodes only as much
// is said as the planner would not find by itself: what is said is also demanded of smaller layouts, which it tries first.

import { walkNodes } from "../../../src/image/walk.ts";
import type { Time } from "../../../src/tree/node.ts";
import { isLater } from "../../../src/tree/snapshot.ts";
import { ROOT_INODE } from "../disk/dinode.ts";
import { makeFrame, shapeFor } from "../geometry.ts";
import { ffsOptions } from "../options.ts";
import { idText } from "./inspect.ts";
import type { Nodes } from "./nodes.ts";
import type { Super } from "./superblock.ts";

/** Options by API name; what stands at its default is left out. */
export function buildOptionsOf(nodes: Nodes): Readonly<Record<string, unknown>> {
  const { superblock: sb } = nodes.disk;
  const { f } = sb.records.Superblock;
  const options: Record<string, unknown> = { size: sb.size * sb.fragmentSize, fsId: idText(sb.id) };
  const unless = (name: keyof typeof ffsOptions, value: unknown): void => {
    if (value !== ffsOptions[name].default) options[name] = value;
  };
  unless("blockSize", sb.blockSize);
  unless("fragmentSize", sb.fragmentSize);
  unless("minfree", f.fs_minfree.get(sb.view, 0));
  unless("optimization", f.fs_optim.get(sb.view, 0) === 0 ? "time" : "space");
  unless("label", sb.label);
  unless("byteOrder", sb.order);
  if (sb.version === 2 && sb.place !== 65536) options.superblock = sb.place;
  let last: number = ROOT_INODE;
  let newest: Time | undefined;
  for (const { inode } of walkNodes(nodes, ROOT_INODE)) {
    last = Math.max(last, inode.number);
    if (newest === undefined || isLater(inode.mtime, newest)) newest = inode.mtime;
  }
  const inodes = inodesOption(sb, last + 1);
  if (inodes !== undefined) options.inodes = inodes;
  // Of the image's own time the disk has the seconds; the latest time within that second lowers no other.
  if (sb.time !== newest?.sec) options.clampMtime = { sec: sb.time, nsec: 999_999_999 };
  return options;
}

/** The number of inodes to ask for: none when as many as needed come to this layout, else the least that does. */
function inodesOption(sb: Super, used: number): number | undefined {
  const frame = makeFrame(sb.version, sb.order, sb.blockSize, sb.fragmentSize, sb.place);
  const fits = (inodes: number): boolean => {
    const shape = shapeFor(frame, sb.size, inodes);
    return shape?.fpg === sb.fpg && shape.ipg === sb.ipg && shape.groups === sb.groups;
  };
  if (fits(used)) return undefined;
  const least = Math.max(used, (sb.ipg - sb.inodesPerBlock) * sb.groups + 1);
  return fits(least) ? least : sb.ipg * sb.groups;
}
