// One extended attribute: this header, the name, and from the next multiple of 8 the value, filled up to another one.
// Specification: NetBSD sys/ufs/ufs/extattr.h (struct extattr).

import { type Scalars, struct, u8 } from "../../../src/bytes/struct.ts";

export function extattrTable({ u32 }: Scalars) {
  return struct("extattr", 7, {
    /** Of the whole record. */
    ea_length: [0, u32],
    ea_namespace: [4, u8],
    /** Bytes behind the value that only fill up. */
    ea_contentpadlen: [5, u8],
    ea_namelength: [6, u8],
  });
}

/** Bytes before the name. */
export const EXT_HEADER = 7;

/** ea_namespace. */
export const Namespace = { user: 1, system: 2 } as const;
