// The block of multiple mount protection: whoever has the file system mounted writes its sequence number there.
// Specification: Linux Documentation/filesystems/ext4/mmp.rst.

import { crc32c } from "../../../src/bytes/crc.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { Superblock } from "../disk/superblock.ts";
import { hex } from "../read/fault.ts";
import type { State } from "./state.ts";

const MAGIC = 0x004d4d50;
/** Nobody has it mounted. */
const CLEAN = 0xff4d4d50;
const CHECKSUM = 0x3fc;

export function checkMmp({ sb, disk, findings }: State): void {
  if (!sb.features.has("mmp")) return;
  const tell = findings.at("multiple mount protection");
  const block = Superblock.f.s_mmp_block.get(sb.view, 0);
  if (block <= sb.firstBlock || block >= sb.blocks) {
    tell("mmp", `s_mmp_block is ${block}`, `${sb.firstBlock + 1} to ${sb.blocks - 1}`);
    return;
  }
  const bytes = disk.block(block);
  const view = viewOf(bytes);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC) tell("mmp", `its block starts with ${hex(magic)}`, hex(MAGIC));
  const sequence = view.getUint32(4, true);
  if (sequence !== CLEAN) tell("mmp", `its sequence number is ${hex(sequence)}`, `${hex(CLEAN)}: mounted by nobody`);
  if (!sb.checksums) return;
  const stored = view.getUint32(CHECKSUM, true);
  const sum = crc32c(sb.checksumSeed, bytes, 0, CHECKSUM);
  if (stored !== sum) tell("mmp", `its checksum is ${hex(stored)}`, hex(sum));
}
