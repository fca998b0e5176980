// POSIX ACLs from the disk's form back to the one of Linux's xattrs (../acl.ts has the other way).
// Specification: Linux include/uapi/linux/posix_acl_xattr.h, fs/ext4/acl.h.

import { viewOf } from "../../../src/bytes/struct.ts";

const XATTR_VERSION = 2;
const DISK_VERSION = 1;
const USER = 0x02;
const GROUP = 0x08;
/** Tags without an id: owner, group, mask, others. */
const SHORT = new Set([0x01, 0x04, 0x10, 0x20]);
/** ACL_UNDEFINED_ID. */
const NO_ID = 0xffff_ffff;

/** The xattr form of an ACL, or a sentence that says why it is none. */
export function aclFromDisk(value: Uint8Array): Uint8Array | string {
  if (value.length < 4) return `an ACL of ${value.length} bytes`;
  const view = viewOf(value);
  const version = view.getUint32(0, true);
  if (version !== DISK_VERSION) return `an ACL of version ${version}`;
  const out = new Uint8Array(4 + Math.ceil((value.length - 4) / 4) * 8);
  const wide = viewOf(out);
  wide.setUint32(0, XATTR_VERSION, true);
  let to = 4;
  for (let at = 4; at < value.length; ) {
    if (at + 4 > value.length) return "an ACL that is cut off";
    const tag = view.getUint16(at, true);
    const named = tag === USER || tag === GROUP;
    if (!named && !SHORT.has(tag)) return `an ACL entry with tag 0x${tag.toString(16)}`;
    if (named && at + 8 > value.length) return "an ACL that is cut off";
    wide.setUint16(to, tag, true);
    wide.setUint16(to + 2, view.getUint16(at + 2, true), true);
    wide.setUint32(to + 4, named ? view.getUint32(at + 4, true) : NO_ID, true);
    to += 8;
    at += named ? 8 : 4;
  }
  return out.slice(0, to);
}
