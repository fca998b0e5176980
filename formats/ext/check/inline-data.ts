// Data in the inode: 60 bytes in i_block, the rest in the xattr system.data.
// Specification: Linux Documentation/filesystems/ext4/inlinedata.rst.

import { I_BLOCK_SIZE } from "../disk/inode.ts";
import { storedXattrs } from "../read/xattrs.ts";
import type { Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

const SYSTEM_DATA = [0x64, 0x61, 0x74, 0x61];

/** Bytes of data in the inode; undefined without the xattr that goes with it. */
export function inlineSize({ disk }: State, inode: Raw): number | undefined {
  let broken = false;
  const stored = storedXattrs(disk, inode.record, () => {
    broken = true;
  });
  const data = stored.find(
    ({ index, name }) => index === 7 && name.length === 4 && SYSTEM_DATA.every((byte, i) => byte === name[i]),
  );
  return data === undefined || broken ? undefined : I_BLOCK_SIZE + data.size;
}
