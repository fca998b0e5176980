// POSIX ACLs: Linux hands them out as xattrs of version 2 with an id in every entry; ext keeps version 1, where only
// named users and groups carry an id.
//
// Specification: Linux include/uapi/linux/posix_acl_xattr.h, fs/ext4/acl.h.

import { viewOf } from "../../src/bytes/struct.ts";

const XATTR_VERSION = 2;
const DISK_VERSION = 1;
const USER = 0x02;
const GROUP = 0x08;
/** ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ, ACL_GROUP, ACL_MASK, ACL_OTHER. */
const TAGS = new Set([0x01, USER, 0x04, GROUP, 0x10, 0x20]);

/** The disk's form of an ACL in Linux's xattr form, or a sentence that says why it is none. */
export function aclToDisk(value: Uint8Array): Uint8Array | string {
  if (value.length < 4 || (value.length - 4) % 8 !== 0) return `an ACL of ${value.length} bytes; expected 4 and 8 for each entry`;
  const view = viewOf(value);
  const version = view.getUint32(0, true);
  if (version !== XATTR_VERSION) return `an ACL of version ${version}; expected ${XATTR_VERSION}`;
  const out = new Uint8Array(value.length);
  const disk = viewOf(out);
  disk.setUint32(0, DISK_VERSION, true);
  let at = 4;
  for (let from = 4; from < value.length; from += 8) {
    const tag = view.getUint16(from, true);
    if (!TAGS.has(tag)) return `an ACL entry with tag 0x${tag.toString(16)}`;
    disk.setUint16(at, tag, true);
    disk.setUint16(at + 2, view.getUint16(from + 2, true), true);
    at += 4;
    if (tag === USER || tag === GROUP) {
      disk.setUint32(at, view.getUint32(from + 4, true), true);
      at += 4;
    }
  }
  return out.slice(0, at);
}
