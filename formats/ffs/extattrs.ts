// Extended attributes of UFS2: records one behind the other in up to two blocks that the inode points to.
// Specification: NetBSD sys/ufs/ufs/extattr.h (struct extattr), sys/ufs/ffs/ffs_extattr.c.

import { decodeName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import type { Xattr } from "../../src/tree/snapshot-node.ts";
import { EXT_HEADER, Namespace } from "./disk/extattr.ts";
import type { FfsRecords } from "./disk/records.ts";

/** Xattrs by the prefix of their names; what follows it is the name on the disk. */
const PREFIXES = [
  ["user.", Namespace.user],
  ["system.", Namespace.system],
] as const;

function roundUp8(length: number): number {
  return (length + 7) & ~7;
}

interface Named {
  readonly namespace: number;
  readonly name: Uint8Array;
}

/** Where an xattr goes; undefined when its prefix has no namespace here. */
export function namespaceOf({ name }: Xattr): Named | undefined {
  const text = decodeName(name);
  for (const [prefix, namespace] of PREFIXES) {
    if (text.startsWith(prefix) && text.length > prefix.length) return { namespace, name: name.subarray(prefix.length) };
  }
  return undefined;
}

/** Whether the disk has another form for it. */
export function isAcl({ name }: Xattr): boolean {
  return decodeName(name).startsWith("system.posix_acl_");
}

function recordSize(name: Uint8Array, value: Uint8Array): number {
  return roundUp8(EXT_HEADER + name.length) + roundUp8(value.length);
}

/** The area that holds `xattrs`, which all have a namespace. */
export function extendedAttributes(xattrs: readonly Xattr[], records: FfsRecords): Uint8Array {
  const placed = xattrs.map((xattr) => ({ ...(namespaceOf(xattr) as Named), value: xattr.value })); // checked by the caller
  const area = new Uint8Array(placed.reduce((sum, { name, value }) => sum + recordSize(name, value), 0));
  const view = viewOf(area);
  const { f } = records.ExtAttr;
  let at = 0;
  for (const { namespace, name, value } of placed) {
    const size = recordSize(name, value);
    f.ea_length.set(view, at, size);
    f.ea_namespace.set(view, at, namespace);
    f.ea_contentpadlen.set(view, at, roundUp8(value.length) - value.length);
    f.ea_namelength.set(view, at, name.length);
    area.set(name, at + EXT_HEADER);
    area.set(value, at + roundUp8(EXT_HEADER + name.length));
    at += size;
  }
  return area;
}
