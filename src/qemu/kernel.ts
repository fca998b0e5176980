// The kernel that boots: the one that is named, or the newest of this host that can be read.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { BootError } from "./error.ts";
import { compareReleases, KERNEL_HEAD, kernelRelease, releaseOfName } from "./kernel-version.ts";
import { ModuleFolder } from "./modules.ts";

/** A kernel that can be booted. */
export interface Kernel {
  /** Of its file. */
  readonly path: string;
  /** Undefined where neither its header nor its name tells. */
  readonly release: string | undefined;
}

/** Names of kernels that boot on something else than a plain machine, or slowly. */
const UNSUITABLE = /xen|zfcpdump|[+-]debug/;

/** The kernel at `path`. */
export function kernelAt(path: string): Kernel {
  const head = kernelHead(path);
  if (!isKernel(head)) throw new BootError("no-kernel", `${quoteName(path)} is no kernel that QEMU boots`);
  return { path, release: kernelRelease(head) ?? releaseOfName(path) };
}

/** By magic numbers: bzImage, EFI, ELF (PVH, multiboot), an image for arm64, or one of these compressed by gzip. */
function isKernel(head: Uint8Array): boolean {
  const at = (offset: number, text: string): boolean =>
    text === String.fromCharCode(...head.subarray(offset, offset + text.length));
  return at(0x202, "HdrS") || at(0, "MZ") || at(0, "\x7fELF") || at(0x38, "ARM\x64") || at(0, "\x1f\x8b");
}

function kernelHead(path: string): Uint8Array {
  const stat = host.files.stat(path);
  if (stat?.kind !== "file") {
    throw new BootError("no-kernel", `${quoteName(path)}: ${stat ? `a ${stat.kind}` : "nothing is there"}, expected a kernel`);
  }
  try {
    const handle = host.files.openRead(path);
    try {
      const head = new Uint8Array(KERNEL_HEAD);
      return head.subarray(0, handle.readAt(0, head));
    } finally {
      handle.close();
    }
  } catch (cause) {
    throw new BootError(
      "no-kernel",
      `${unreadable(path)}: ${cause instanceof FsynthError ? cause.message : String(cause)}`,
      cause,
    );
  }
}

function unreadable(path: string): string {
  return `the kernel ${quoteName(path)} cannot be read; \`sudo chmod a+r ${path}\` lets everybody, or --kernel names another`;
}

/** The newest kernel under `top` (of this host: ""). Throws `no-kernel` when there is none that can be read. */
export function newestKernel(top = ""): Kernel {
  const found: Kernel[] = [];
  const closed: string[] = [];
  for (const path of candidates(top)) {
    try {
      const kernel = kernelAt(path);
      if (kernel.release !== undefined) found.push(kernel);
    } catch (error) {
      if (!(error instanceof BootError)) throw error;
      closed.push(path);
    }
  }
  // Of the same release, that beside its modules comes last and wins.
  const newest = found.sort((a, b) => compareReleases(a.release ?? "", b.release ?? "")).at(-1);
  if (newest) return newest;
  if (closed[0] !== undefined) throw new BootError("no-kernel", unreadable(closed[0]));
  throw new BootError(
    "no-kernel",
    "no kernel under /boot or /lib/modules; --kernel and --modules name one (Debian's package linux-image-amd64, or -arm64, installed or unpacked)",
  );
}

function candidates(top: string): string[] {
  const paths: string[] = [];
  const names = (folder: string): string[] =>
    host.files.stat(folder)?.kind === "directory" ? host.files.readDirectory(folder).sort() : [];
  for (const name of names(`${top}/boot`)) {
    if (/^vmlinu[xz]-/.test(name)) paths.push(`${top}/boot/${name}`);
  }
  for (const folder of ["/lib/modules", "/usr/lib/modules"]) {
    for (const name of names(top + folder)) paths.push(`${top}${folder}/${name}/vmlinuz`);
  }
  return paths.filter((path) => !UNSUITABLE.test(path.slice(top.length)) && host.files.stat(path)?.kind === "file");
}

/**
 * The modules of `kernel`: in `given`, a folder of one release or one that holds it, or by default under `top`/lib/modules.
 * Undefined where there are none, which a kernel with all drivers built in does not need.
 */
export function findModules(kernel: Kernel, given: string | undefined, top = ""): ModuleFolder | undefined {
  const isFolder = (path: string): boolean => host.files.stat(path)?.kind === "directory";
  if (given !== undefined) {
    if (!isFolder(given))
      throw new BootError("no-modules", `${quoteName(given)} is no directory; --modules wants …/lib/modules/RELEASE`);
    const inner = kernel.release === undefined ? undefined : `${given}/${kernel.release}`;
    const modules = new ModuleFolder(inner !== undefined && isFolder(inner) ? inner : given);
    if (modules.size > 0) return modules;
    throw new BootError("no-modules", `${quoteName(given)} holds no modules; --modules wants …/lib/modules/RELEASE`);
  }
  if (kernel.release === undefined) return undefined;
  const folder = [`${top}/lib/modules/${kernel.release}`, `${top}/usr/lib/modules/${kernel.release}`].find(isFolder);
  return folder === undefined ? undefined : new ModuleFolder(folder);
}
