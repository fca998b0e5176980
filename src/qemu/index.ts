/**
 * Boots images under QEMU, without root (docs/boot.md). For Node, Bun and Deno.
 *
 * @example
 * ```ts no-run
 * import { buildExt4, fromDirectory } from "fsynth";
 * import { boot } from "fsynth/qemu";
 * const { reason, error } = await boot({ root: buildExt4(fromDirectory("rootfs")), expect: "login:", timeout: 60 });
 * if (error) throw error;
 * console.log(reason);
 * ```
 *
 * @packageDocumentation
 */

export type { Choice } from "./accelerator.ts";
export {
  type Attachment,
  type DiskSpec,
  type FileDiskSpec,
  type Forward,
  type FwCfg,
  type MachineSpec,
  qemuArguments,
  type ServedDiskSpec,
  type Share,
  shellCommand,
} from "./arguments.ts";
export { type BootResult, boot, type Marks, runMachine } from "./boot.ts";
export { BootError, type BootFailure } from "./error.ts";
export type { Kernel } from "./kernel.ts";
export {
  ACCELERATORS,
  type AcceleratorName,
  ARCHES,
  type Arch,
  type ConsoleKind,
  findMachine,
  type GuestOs,
  MACHINES,
  type Machine,
  SYSTEMS,
} from "./machine.ts";
export type { BootOptions, MachineOptions, RunOptions } from "./options.ts";
export { type Keeping, type Prepared, prepareBoot } from "./prepare.ts";
