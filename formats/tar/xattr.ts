// Extended attributes in pax headers: SCHILY.xattr.NAME with raw bytes (star, GNU tar, Go), LIBARCHIVE.xattr.NAME with the
// name percent-encoded and the value in base64 (bsdtar writes both, then with the same spelling of the name), RHT.security.selinux (GNU tar), SCHILY.acl.* as text.

import { compareBytes, decodeName, encodeName, quoteName } from "../../src/bytes/names.ts";
import type { Xattrs } from "../../src/tree/node.ts";
import { aclXattr, type IdOf } from "./acl.ts";
import type { NamedAcl } from "./entry.ts";
import type { Fail } from "./pax.ts";

const NONE: readonly never[] = [];
const SCHILY = "SCHILY.xattr.";
const LIBARCHIVE = "LIBARCHIVE.xattr.";

/** Whether a record has to do with xattrs. */
export function isXattrKey(key: string): boolean {
  return key.startsWith(SCHILY) || key.startsWith(LIBARCHIVE) || key === "RHT.security.selinux" || key.startsWith("SCHILY.acl.");
}

/** What the records of an entry carry. */
export interface FoundXattrs {
  readonly xattrs: Xattrs | undefined;
  /** The nine permission bits of an access ACL that was given as text: some tars write another mode beside it. */
  readonly aclMode: number | undefined;
  /** ACLs that name someone whose number the entry does not tell. */
  readonly namedAcls: readonly NamedAcl[];
}

/** The xattrs that the records of an entry carry; `owner` knows the numbers of the entry's own owner, and is asked for when there are ACLs. */
export function xattrsOf(records: Iterable<readonly [string, Uint8Array]>, owner: () => IdOf, fail: Fail): FoundXattrs {
  let found: Map<string, Uint8Array> | undefined;
  const schily: (readonly [rest: string, value: Uint8Array])[] = [];
  const libarchive = new Set<string>();
  let selinux: Uint8Array | undefined;
  const acls: Pick<NamedAcl, "which" | "text">[] = [];
  for (const [key, value] of records) {
    if (key.startsWith(SCHILY)) schily.push([key.slice(SCHILY.length), value]);
    else if (key.startsWith(LIBARCHIVE)) {
      const rest = key.slice(LIBARCHIVE.length);
      libarchive.add(rest);
      found ??= new Map();
      found.set(percentDecoded(rest), base64Decoded(value) ?? fail(`the value of ${quoteName(key)} is not base64`));
    } else if (key === "RHT.security.selinux") selinux = value;
    else if (key === "SCHILY.acl.access") acls.push({ which: "access", text: decodeName(value) });
    else if (key === "SCHILY.acl.default") acls.push({ which: "default", text: decodeName(value) });
  }
  for (const [rest, value] of schily) {
    if (libarchive.has(rest) || (found && repeatsLibarchive(found, rest, value))) continue;
    found ??= new Map();
    // GNU tar writes the two characters that a key cannot hold as %3D and %25.
    found.set(rest.replaceAll("%3D", "=").replaceAll("%25", "%"), value);
  }
  if (selinux && selinux.length > 0 && !found?.has("security.selinux")) {
    // The record lacks the NUL that setfilecon(3) stores.
    const label = new Uint8Array(selinux.length + (selinux.at(-1) === 0 ? 0 : 1));
    label.set(selinux);
    found ??= new Map();
    found.set("security.selinux", label);
  }
  if (acls.length === 0) return { xattrs: found, aclMode: undefined, namedAcls: NONE };
  const namedAcls: NamedAcl[] = [];
  let aclMode: number | undefined;
  const idOf = owner();
  for (const acl of acls) {
    const name = `system.posix_acl_${acl.which}`;
    if (acl.text === "" || found?.has(name)) continue;
    const result = aclXattr(acl.which, acl.text, idOf, fail);
    if (acl.which === "access") aclMode = result.mode;
    if (result.missing !== undefined) namedAcls.push({ ...acl, idOf });
    else if (result.value) {
      found ??= new Map();
      found.set(name, result.value);
    }
  }
  return { xattrs: found, aclMode, namedAcls };
}

/**
 * libarchive used to write an xattr whose name holds `=` under SCHILY as it is, so that it reads as another name with
 * another value. Such a record spells one that is known already.
 */
function repeatsLibarchive(found: ReadonlyMap<string, Uint8Array>, rest: string, value: Uint8Array): boolean {
  for (const [name, known] of found) {
    if (!name.startsWith(`${rest}=`)) continue;
    const tail = encodeName(name.slice(rest.length + 1));
    const spelled = new Uint8Array(tail.length + 1 + known.length);
    spelled.set(tail);
    spelled[tail.length] = 0x3d;
    spelled.set(known, tail.length + 1);
    if (compareBytes(spelled, value) === 0) return true;
  }
  return false;
}

function percentDecoded(text: string): string {
  if (!text.includes("%")) return text;
  const bytes: number[] = [];
  const raw = encodeName(text);
  for (let i = 0; i < raw.length; i++) {
    const hex = raw[i] === 0x25 ? /^[0-9a-fA-F]{2}$/.exec(String.fromCharCode(raw[i + 1] ?? 0, raw[i + 2] ?? 0)) : null;
    if (hex) {
      bytes.push(Number.parseInt(hex[0], 16));
      i += 2;
    } else bytes.push(raw[i] as number); // i is in range
  }
  return decodeName(Uint8Array.from(bytes));
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The bytes behind base64, padded or not; undefined when it is none. */
function base64Decoded(text: Uint8Array): Uint8Array | undefined {
  let length = text.length;
  while (length > 0 && text[length - 1] === 0x3d && text.length - length < 2) length--;
  if (length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const value = ALPHABET.indexOf(String.fromCharCode(text[i] as number)); // i is in range
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xfff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = (bits >>> held) & 0xff;
    }
  }
  return bytes;
}
