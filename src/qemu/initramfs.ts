// The initramfs that fsynth makes: busybox, the modules, the script. In memory, and the same for the same kernel and busybox.

import { buildCpio, type Image, Tree } from "../index.ts";
import { initScript } from "./init.ts";
import type { Module } from "./modules.ts";

/** What goes into it, as an uncompressed cpio archive: it is read from memory, and decompression takes time in an emulated machine. */
export function buildInitramfs(busybox: Uint8Array, modules: readonly Module[]): Image {
  const tree = new Tree();
  tree.file("/init", initScript, { mode: 0o755 });
  tree.file("/bin/busybox", busybox, { mode: 0o755 });
  tree.directory("/dev").directory("/proc").directory("/sys").directory("/root").directory("/modules");
  // The kernel opens it for the first program, before anything is mounted.
  tree.device("/dev/console", "c", 5, 1, { mode: 0o600 });
  tree.file("/modules/order", modules.map(({ name }) => `${name}\n`).join(""));
  for (const { name, bytes } of modules) tree.file(`/modules/${name}.ko`, bytes);
  return buildCpio(tree, { mtime: 0 });
}
