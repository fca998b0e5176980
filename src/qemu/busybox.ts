// The static busybox that the initramfs runs.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { BootError } from "./error.ts";
import type { Arch } from "./machine.ts";
import { findProgram } from "./program.ts";

/** e_machine (System V ABI and its supplements). */
const MACHINE: Readonly<Record<Arch, number>> = { i386: 3, x86_64: 62, aarch64: 183 };
const PT_INTERP = 3;

/** The program of the busybox at `path`, or of the first on this host. Throws `no-busybox` unless it is static and for `arch`. */
export function loadBusybox(arch: Arch, path: string | undefined): Uint8Array {
  const package_ = `Debian's package busybox-static${arch === "x86_64" ? "" : ` for ${arch}`} has one`;
  if (path !== undefined) {
    const bytes = host.files.readFile(path);
    const objection = unfit(bytes, arch);
    if (objection !== undefined) throw new BootError("no-busybox", `${quoteName(path)}: ${objection}; ${package_}`);
    return bytes;
  }
  const objections: string[] = [];
  for (const name of ["busybox.static", "busybox-static", "busybox"]) {
    const found = findProgram(name);
    if (found === undefined) continue;
    const bytes = host.files.readFile(found);
    const objection = unfit(bytes, arch);
    if (objection === undefined) return bytes;
    objections.push(`${found}: ${objection}`);
  }
  const why = objections.length > 0 ? objections.join("; ") : "there is none here";
  throw new BootError(
    "no-busybox",
    `the initramfs needs a static busybox: ${why}; ${package_}, --busybox names it (or --initrd brings its own)`,
  );
}

/** Why a program does not run in an initramfs of `arch`. */
function unfit(bytes: Uint8Array, arch: Arch): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f454c46) return "no ELF program";
  const machine = view.getUint16(18, true);
  // A kernel for x86_64 runs programs of i386 too, where it was built to.
  if (machine !== MACHINE[arch]) return `a program for machine ${machine}, expected ${MACHINE[arch]} (${arch})`;
  const wide = bytes[4] === 2;
  const table = wide ? Number(view.getBigUint64(0x20, true)) : view.getUint32(0x1c, true);
  const [size, count] = [view.getUint16(wide ? 0x36 : 0x2a, true), view.getUint16(wide ? 0x38 : 0x2c, true)];
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    if (at + 4 <= bytes.length && view.getUint32(at, true) === PT_INTERP) return "it is linked dynamically";
  }
  return undefined;
}
