// What a source is, told from its first bytes and never from its name.

import { isTarHead } from "../../formats/tar/open.ts";
import { BLOCK } from "../../formats/tar/records.ts";
import { viewOf } from "../bytes/struct.ts";
import { isTreeText } from "../tree/tree-text.ts";

/** How many bytes recognition wants to see: of a compressed stream, and for everything (the superblock of FFS lies deepest). */
export const HEAD = { compression: 8, all: 65_536 + 2048 } as const;

export type Compression = "gzip" | "zstd" | "xz" | "bzip2" | "lz4" | "lzip" | "lzma" | "compress";

/** What is inside, once decompressed. */
export type SourceKind = "tar" | "tree.txt" | "cpio" | "ext" | "ffs" | "empty";

/** The compression that `head` starts. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  if (starts(head, 0x1f, 0x8b)) return "gzip";
  if (starts(head, 0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  // A skippable frame (RFC 8878, 3.1.2), which zstd tools may put in front.
  if (((head[0] ?? 0) & 0xf0) === 0x50 && starts(head.subarray(1), 0x2a, 0x4d, 0x18)) return "zstd";
  if (starts(head, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return "xz";
  if (starts(head, 0x42, 0x5a, 0x68) && (head[3] ?? 0) >= 0x31 && (head[3] ?? 0) <= 0x39) return "bzip2";
  if (starts(head, 0x04, 0x22, 0x4d, 0x18)) return "lz4";
  if (starts(head, 0x4c, 0x5a, 0x49, 0x50)) return "lzip";
  if (starts(head, 0x5d, 0x00, 0x00)) return "lzma";
  if (starts(head, 0x1f, 0x9d)) return "compress";
  return undefined;
}

/** What `head` is the front of; undefined for what is not known. */
export function kindOf(head: Uint8Array): SourceKind | undefined {
  if (head.length === 0) return "empty";
  if (isTreeText(head)) return "tree.txt";
  if (isCpio(head)) return "cpio";
  if (isTarHead(head)) return "tar";
  // ext: s_magic of the superblock at 1024. FFS: fs_magic of the superblock at 8192 or 65536, in either byte order.
  if (at16le(head, 1024 + 0x38) === 0xef53) return "ext";
  if (isFfs(head, 8192) || isFfs(head, 65_536)) return "ffs";
  // Nothing but zeros is a tar archive without entries, when it is not longer than an empty record.
  if (head.length >= 2 * BLOCK && head.length < HEAD.all && head.every((byte) => byte === 0)) return "tar";
  return undefined;
}

/** Other things by their first bytes, to be named in a refusal. */
export function otherName(head: Uint8Array): string | undefined {
  const text = String.fromCharCode(...head.subarray(0, 16));
  if (text.startsWith("hsqs")) return "a squashfs image";
  if (text.startsWith("QFI\u{fb}")) return "a qcow2 image";
  if (text.startsWith("PK\u{3}\u{4}")) return "a zip archive";
  if (text.startsWith("!<arch>\n")) return "an ar archive (such as a .deb; the data.tar in it can be read)";
  if (text.startsWith("\u{7f}ELF")) return "an ELF program";
  if (text.startsWith("7z\u{bc}\u{af}")) return "a 7z archive";
  if (String.fromCharCode(...head.subarray(32_769, 32_774)) === "CD001") return "an ISO 9660 image";
  if (at16le(head, 510) === 0xaa55) return "a disk with a boot sector";
  return undefined;
}

function isCpio(head: Uint8Array): boolean {
  const magic = String.fromCharCode(...head.subarray(0, 6));
  return magic === "070701" || magic === "070702" || magic === "070707" || starts(head, 0xc7, 0x71) || starts(head, 0x71, 0xc7);
}

function isFfs(head: Uint8Array, at: number): boolean {
  if (head.length < at + 1376) return false;
  const view = viewOf(head);
  // UFS1, UFS2, UFS2 with extended attributes.
  return [true, false].some((little) => [0x00011954, 0x19540119, 0x19012038].includes(view.getUint32(at + 1372, little)));
}

function starts(head: Uint8Array, ...bytes: readonly number[]): boolean {
  return bytes.every((byte, i) => head[i] === byte);
}

function at16le(head: Uint8Array, at: number): number {
  return (head[at] ?? 0) | ((head[at + 1] ?? 0) << 8);
}
