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

/** What an ACL came to: its value (none when it says no more than the mode does), or the name whose number is missing. */
export type AclResult = { readonly value: Uint8Array | undefined } | { readonly missing: string };

const VERSION = 2;
const TAG = { owner: 0x01, user: 0x02, owningGroup: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;
const NO_ID = 0xffff_ffff;

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/** The value of `system.posix_acl_<which>` for an ACL in text form. */
export function aclXattr(which: "access" | "default", text: string, idOf: IdOf, fail: Fail): AclResult {
  const entries: AclEntry[] = [];
  for (const line of text.split(/[,\n]/)) {
    const entry = line.replace(/#.*$/, "").trim();
    if (entry === "") continue;
    const parsed = parseEntry(entry, idOf, fail);
    if (typeof parsed === "string") return { missing: parsed };
    entries.push(parsed);
  }
  const count = (tag: number): number => entries.filter((entry) => entry.tag === tag).length;
  const named = count(TAG.user) + count(TAG.group);
  const whole = [TAG.owner, TAG.owningGroup, TAG.other].every((tag) => count(tag) === 1);
  if (!whole || count(TAG.mask) > 1 || (named > 0 && count(TAG.mask) === 0)) {
    fail(`the ACL ${quoteName(text)} lacks or repeats one of user::, group::, other:: and mask::`);
  }
  if (which === "access" && entries.length === 3) return { value: undefined };
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const value = new Uint8Array(4 + 8 * entries.length);
  const view = viewOf(value);
  view.setUint32(0, VERSION, true);
  entries.forEach(({ tag, permissions, id }, i) => {
    view.setUint16(4 + i * 8, tag, true);
    view.setUint16(6 + i * 8, permissions, true);
    view.setUint32(8 + i * 8, id, true);
  });
  return { value };
}

/** One entry, or the user or group whose number is missing. */
function parseEntry(text: string, idOf: IdOf, fail: Fail): AclEntry | string {
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
  if (known === undefined) return `${user ? "user" : "group"} ${quoteName(name)}`;
  return { tag: user ? TAG.user : TAG.group, permissions, id: known };
}

function readPermissions(text: string): number | undefined {
  if (!/^[rwx-]{1,3}$/.test(text.trim())) return undefined;
  return (text.includes("r") ? 4 : 0) | (text.includes("w") ? 2 : 0) | (text.includes("x") ? 1 : 0);
}
