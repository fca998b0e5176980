// `fsynth/qemu`: boots images under QEMU. For Node, Bun and Deno.

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
