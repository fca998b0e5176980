// POSIX ACLs as star and GNU tar write them (`user::rwx,user:joe:r-x:1000,…`), turned into Linux's xattr encoding
// (include/uapi/linux/posix_acl_xattr.h: a version, then tag, permissions and id of each entry, little-endian).

import { quoteName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import type { Fail } from "./pax.ts";

/** The number of a user or group that an ACL names; undefined when it is not known. */
export type IdOf = (kind: "user" | "group", name: string) => number | undefined;

/** The numbers of root and of an entry's own owner. */
export function ownerIds(uname: string | undefined, uid: number, gname: string | undefined, gid: number): IdOf {
  return (kind, name) => {
    if (name === "root") return 0;
    return kind === "user" ? (name === uname ? uid : undefined) : name === gname ? gid : undefined;
  };
}

/** What an ACL came to. */
export interface AclResult {
  /** The nine permission bits that Linux shows for it: the mask stands for the group. */
  readonly mode: number;
  /** Undefined for an access ACL that says no more than the mode does, and when a number is missing. */
  readonly value: Uint8Array | undefined;
  /** The user or group whose number is missing. */
  readonly missing: string | undefined;
}

const VERSION = 2;
const TAG = { owner: 0x01, user: 0x02, owningGroup: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;
const NO_ID = 0xffff_ffff;

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
  /** The user or group whose number is missing. */
  readonly missing?: string;
}

/** The value of `system.posix_acl_<which>` for an ACL in text form. */
export function aclXattr(which: "access" | "default", text: string, idOf: IdOf, fail: Fail): AclResult {
  const entries: AclEntry[] = [];
  for (const line of text.split(/[,\n]/)) {
    const entry = line.replace(/#.*$/, "").trim();
    if (entry === "") continue;
    entries.push(parseEntry(entry, idOf, fail));
  }
  const count = (tag: number): number => entries.filter((entry) => entry.tag === tag).length;
  const named = count(TAG.user) + count(TAG.group);
  const whole = [TAG.owner, TAG.owningGroup, TAG.other].every((tag) => count(tag) === 1);
  if (!whole || count(TAG.mask) > 1 || (named > 0 && count(TAG.mask) === 0)) {
    fail(`the ACL ${quoteName(text)} lacks or repeats one of user::, group::, other:: and mask::`);
  }
  const permissions = (tag: number): number => entries.find((entry) => entry.tag === tag)?.permissions ?? 0;
  const group = count(TAG.mask) > 0 ? TAG.mask : TAG.owningGroup;
  const mode = permissions(TAG.owner) * 64 + permissions(group) * 8 + permissions(TAG.other);
  const missing = entries.find((entry) => entry.missing !== undefined)?.missing;
  if (missing !== undefined || (which === "access" && entries.length === 3)) return { mode, value: undefined, missing };
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const value = new Uint8Array(4 + 8 * entries.length);
  const view = viewOf(value);
  view.setUint32(0, VERSION, true);
  entries.forEach(({ tag, permissions, id }, i) => {
    view.setUint16(4 + i * 8, tag, true);
    view.setUint16(6 + i * 8, permissions, true);
    view.setUint32(8 + i * 8, id, true);
  });
  return { mode, value, missing };
}

function parseEntry(text: string, idOf: IdOf, fail: Fail): AclEntry {
  const parts = text.replace(/^d(?:efault)?:/, "").split(":");
  const kind = parts[0] ?? "";
  // `mask:rwx` and `other:rwx` may leave the empty name out.
  const short = /^(m|mask|o|other)$/.test(kind) && parts.length === 2;
  const name = short ? "" : (parts[1] ?? "").trim();
  const permissions = readPermissions((short ? parts[1] : parts[2]) ?? "");
  const number = parts[3]?.trim();
  if (permissions === undefined) fail(`the ACL entry ${quoteName(text)} is not KIND:NAME:rwx`);
  if (/^(m|mask)$/.test(kind)) return { tag: TAG.mask, permissions, id: NO_ID };
  if (/^(o|other)$/.test(kind)) return { tag: TAG.other, permissions, id: NO_ID };
  const user = /^(u|user)$/.test(kind);
  if (!user && !/^(g|group)$/.test(kind))
    fail(`the ACL entry ${quoteName(text)} starts with neither user, group, mask nor other`);
  if (name === "") return { tag: user ? TAG.owner : TAG.owningGroup, permissions, id: NO_ID };
  const id = [number, name].find((digits) => digits !== undefined && /^\d{1,10}$/.test(digits) && Number(digits) < NO_ID);
  const known = id === undefined ? idOf(user ? "user" : "group", name) : Number(id);
  const tag = user ? TAG.user : TAG.group;
  if (known === undefined) return { tag, permissions, id: NO_ID, missing: `${user ? "user" : "group"} ${quoteName(name)}` };
  return { tag, permissions, id: known };
}

function readPermissions(text: string): number | undefined {
  if (!/^[rwx-]{1,3}$/.test(text.trim())) return undefined;
  return (text.includes("r") ? 4 : 0) | (text.includes("w") ? 2 : 0) | (text.includes("x") ? 1 : 0);
}
