// What a kernel module says of itself: the section .modinfo of its ELF file, texts `key=value` one behind the other.
//
// Specification: System V ABI, chapter 4 (Object Files); Linux include/linux/moduleparam.h and module.h.

import { FsynthError } from "../error.ts";

/** Every value of every key, in the order of the file. Throws `corrupt` for what is no ELF file. */
export function readModinfo(bytes: Uint8Array, path: string): ReadonlyMap<string, readonly string[]> {
  const section = modinfoSection(bytes, path);
  const found = new Map<string, string[]>();
  let start = 0;
  for (let at = 0; at <= section.length; at++) {
    if (at < section.length && section[at] !== 0) continue;
    const text = String.fromCharCode(...section.subarray(start, at));
    start = at + 1;
    const equals = text.indexOf("=");
    if (equals < 1) continue;
    const key = text.slice(0, equals);
    const values = found.get(key);
    if (values) values.push(text.slice(equals + 1));
    else found.set(key, [text.slice(equals + 1)]);
  }
  return found;
}

function modinfoSection(bytes: Uint8Array, path: string): Uint8Array {
  const broken = (found: string, expected: string): FsynthError =>
    new FsynthError("corrupt", `kernel module ${path}: ${found}, expected ${expected}`, { path });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f454c46) throw broken("no ELF file", "one");
  const wide = bytes[4] === 2;
  const little = bytes[5] === 1;
  const word = (at: number): number => {
    if (at + (wide ? 8 : 4) > bytes.length) throw broken(`it ends at byte ${bytes.length}`, `more than ${at}`);
    return wide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  };
  const short = (at: number): number => view.getUint16(at, little);
  // e_shoff, e_shentsize, e_shnum, e_shstrndx
  const table = word(wide ? 0x28 : 0x20);
  const [size, count, names] = wide ? [short(0x3a), short(0x3c), short(0x3e)] : [short(0x2e), short(0x30), short(0x32)];
  if (table + size * count > bytes.length) throw broken(`it ends at byte ${bytes.length}`, `${table + size * count} or more`);
  // sh_offset, sh_size
  const section = (index: number): Uint8Array => {
    const at = table + index * size;
    const offset = word(at + (wide ? 0x18 : 0x10));
    return bytes.subarray(offset, offset + word(at + (wide ? 0x20 : 0x14)));
  };
  const texts = section(names);
  const wanted = ".modinfo\0";
  for (let i = 0; i < count; i++) {
    const name = view.getUint32(table + i * size, little);
    if (String.fromCharCode(...texts.subarray(name, name + wanted.length)) === wanted) return section(i);
  }
  throw broken("no section .modinfo", "one");
}
