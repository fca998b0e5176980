// Contexts of encryption: which policy an inode was encrypted under. Keys and contents are nobody's business here.
// Specification: Linux Documentation/filesystems/fscrypt.rst.

import { isEncryptionContext, storedXattrs } from "../read/xattrs.ts";
import { unreported } from "./findings.ts";
import type { Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

/** By version: bytes of the context, and of the policy in front of its nonce. */
const CONTEXTS: Readonly<Record<number, readonly [context: number, policy: number]>> = { 1: [28, 12], 2: [40, 24] };

/** A text that is equal for inodes of one policy; undefined without a sound context. */
export function readPolicy({ disk }: State, inode: Raw): string | undefined {
  const context = storedXattrs(disk, inode.record, unreported).find(isEncryptionContext);
  const version = context?.value[0];
  if (context === undefined || version === undefined || version === 0) return undefined;
  const lengths = CONTEXTS[version];
  if (lengths === undefined) return `version ${version}`;
  return context.value.length === lengths[0] ? context.value.subarray(0, lengths[1]).join(" ") : undefined;
}
