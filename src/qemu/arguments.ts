// The command line of QEMU: a pure function of what the machine shall have.

import { type AcceleratorName, type ConsoleKind, HOST_KHZ, type Machine } from "./machine.ts";

/** A disk of the machine. */
export type DiskSpec = FileDiskSpec | ServedDiskSpec;

/** A disk in a file. */
export interface FileDiskSpec {
  /** Its name within QEMU, which the guest sees as its serial number. */
  readonly id: string;
  /** Of a raw image, as QEMU opens it. */
  readonly path: string;
  /** What the guest writes reaches the file; otherwise it goes with the machine. */
  readonly writable: boolean;
}

/** A disk that this process serves; what the guest writes goes with the machine. */
export interface ServedDiskSpec {
  /** Its name within QEMU, which the guest sees as its serial number. */
  readonly id: string;
  /** The descriptor that QEMU inherits: a connection to an NBD server. */
  readonly connection: number;
  /** Always false. */
  readonly writable: false;
}

/** A port of this host that leads to one of the guest. */
export interface Forward {
  /** One of the two that QEMU forwards. */
  readonly protocol: "tcp" | "udp";
  /** Default 127.0.0.1. */
  readonly address?: string | undefined;
  /** 1 to 65535. */
  readonly hostPort: number;
  /** 1 to 65535. */
  readonly guestPort: number;
}

/** A folder of this host that the guest can mount by 9p. */
export interface Share {
  /** `mount -t 9p -o trans=virtio TAG /mnt`. */
  readonly tag: string;
  /** Of the folder. */
  readonly path: string;
  /** Lets the guest write to it. Default false. */
  readonly writable?: boolean | undefined;
}

/** A value that the guest finds under its name in fw_cfg (`/sys/firmware/qemu_fw_cfg/by_name`). */
export type FwCfg = { readonly name: string } & ({ readonly text: string } | { readonly path: string });

/** All that the command line depends on. */
export interface MachineSpec {
  /** The row of the table. */
  readonly machine: Machine;
  /** As QEMU calls it. */
  readonly accelerator: AcceleratorName;
  /** MiB. */
  readonly memory: number;
  /** How many. */
  readonly cpus: number;
  /** Its path. */
  readonly kernel: string;
  /** Its path. */
  readonly initrd?: string | undefined;
  /** The kernel's command line. */
  readonly append: string;
  /** In the order in which the guest shall number them. */
  readonly disks: readonly DiskSpec[];
  /** User-mode network. */
  readonly network: boolean;
  /** Ports that lead to the guest. */
  readonly forwards: readonly Forward[];
  /** Folders for 9p. */
  readonly shares: readonly Share[];
  /** Values for fw_cfg. */
  readonly fwCfg: readonly FwCfg[];
  /** Which console the guest speaks on. */
  readonly console: ConsoleKind;
}

/** The end of a socket that QEMU inherits for its machine protocol; without one its monitor is at C-a c of the console. */
export interface Attachment {
  /** The number of the inherited descriptor. */
  readonly qmpDescriptor?: number;
}

/**
 * What stands behind the program's name.
 *
 * @example
 * ```ts
 * import { findMachine, qemuArguments } from "fsynth/qemu";
 * const machine = findMachine("x86_64", "linux", "microvm");
 * if (machine === undefined) throw new Error("the table has no such machine");
 * const disks = [{ id: "root", path: "root.ext4", writable: false }];
 * const nothing = { network: false, forwards: [], shares: [], fwCfg: [] };
 * const args = qemuArguments({
 *   machine, accelerator: "kvm", memory: 512, cpus: 1, kernel: "vmlinuz", append: "root=/dev/vda", disks, console: "serial", ...nothing,
 * });
 * console.log(machine.programs[0], args);
 * ```
 */
export function qemuArguments(spec: MachineSpec, { qmpDescriptor }: Attachment = {}): string[] {
  const { machine, accelerator, bus } = { ...spec, bus: spec.machine.bus };
  const pasted = qmpDescriptor === undefined;
  const args = ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"];
  args.push("-machine", [machine.name, ...machine.properties].join(), "-accel", accelerator);
  args.push("-cpu", accelerator === "tcg" ? machine.cpu.tcg : machine.cpu.accelerated);
  args.push("-smp", String(spec.cpus), "-m", `${spec.memory}M`);
  if (bus === "device") args.push("-global", "virtio-mmio.force-legacy=false");

  args.push("-chardev", `stdio,id=console,signal=off${pasted ? ",mux=on" : ""}`);
  if (pasted) args.push("-mon", "chardev=console,mode=readline");
  else args.push("-chardev", `socket,id=qmp,fd=${qmpDescriptor}`, "-mon", "chardev=qmp,mode=control");
  if (spec.console === "serial") args.push("-serial", "chardev:console");
  else args.push("-device", `virtio-serial-${bus}`, "-device", "virtconsole,chardev=console");

  args.push("-kernel", spec.kernel);
  if (spec.initrd !== undefined) args.push("-initrd", spec.initrd);
  if (spec.append !== "") args.push("-append", spec.append);
  for (const disk of machine.reversedDisks ? spec.disks.toReversed() : spec.disks) args.push(...diskArguments(disk, bus));
  if (spec.network) {
    args.push("-netdev", ["user", "id=net", "ipv6=off", ...spec.forwards.map(forwardProperty)].join());
    args.push("-device", `virtio-net-${bus},netdev=net`);
  }
  spec.shares.forEach(({ tag, path, writable }, i) => {
    const mode = writable ? "" : ",readonly=on";
    args.push("-fsdev", `local,id=share${i},path=${property(path)},security_model=none${mode}`);
    args.push("-device", `virtio-9p-${bus},fsdev=share${i},mount_tag=${property(tag)}`);
  });
  for (const value of spec.fwCfg) {
    const held = "text" in value ? `string=${property(value.text)}` : `file=${property(value.path)}`;
    args.push("-fw_cfg", `name=${property(value.name)},${held}`);
  }
  return args;
}

function diskArguments(disk: DiskSpec, bus: string): string[] {
  const { id } = disk;
  // Named by its parts, a path is a path even when it starts like a protocol (`nbd:`).
  const held =
    "path" in disk
      ? `file.driver=file,file.filename=${property(disk.path)},${disk.writable ? "cache=writeback" : "snapshot=on"}`
      : `file.driver=nbd,file.server.type=fd,file.server.str=${disk.connection},cache=writeback`;
  return ["-drive", `if=none,id=${id},driver=raw,${held}`, "-device", `virtio-blk-${bus},drive=${id},serial=${id}`];
}

function forwardProperty({ protocol, address, hostPort, guestPort }: Forward): string {
  return `hostfwd=${protocol}:${address ?? "127.0.0.1"}:${hostPort}-:${guestPort}`;
}

/** A value in a list of properties: QEMU reads two commas as one. */
function property(value: string): string {
  return value.replaceAll(",", ",,");
}

/** The kernel's command line: the console, what the machine needs, the root, and last what the user adds. */
export function kernelArguments(
  machine: Machine,
  accelerator: AcceleratorName,
  console: ConsoleKind,
  root: readonly string[],
  more: string,
  hostKhz: number,
): string {
  const own = [`console=${machine.consoles[console]}`, ...machine.kernelArguments];
  if (accelerator === "tcg") own.push(...machine.tcgArguments.map((word) => word.replace(HOST_KHZ, String(hostKhz))));
  return [...own, ...root, ...(more === "" ? [] : [more])].join(" ");
}

/**
 * Words as one line for a POSIX shell.
 *
 * @example
 * ```ts
 * import { shellCommand } from "fsynth/qemu";
 * console.log(shellCommand(["qemu-system-x86_64", "-append", "root=/dev/vda quiet"]));
 * ```
 */
export function shellCommand(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}
