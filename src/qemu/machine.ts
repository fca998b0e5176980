// The machines, as data: which program emulates them, how their devices are called, and what their kernels want to be told.
//
// Sources: QEMU's documentation of the machines q35, microvm and virt; Linux Documentation/admin-guide/kernel-parameters;
// NetBSD boot(8) and x86/multiboot. What is measured stands beside it.

/** The architectures of the table. */
export const ARCHES = ["x86_64", "i386", "aarch64"] as const;
/** The operating systems of the table. */
export const SYSTEMS = ["linux", "netbsd"] as const;
/** Linux's, macOS's, NetBSD's, that of Windows, and emulation, which is everywhere. */
export const ACCELERATORS = ["kvm", "hvf", "nvmm", "whpx", "tcg"] as const;

/** An architecture, as QEMU and Linux call it. */
export type Arch = (typeof ARCHES)[number];
/** An operating system that is booted. */
export type GuestOs = (typeof SYSTEMS)[number];
/** An accelerator, as QEMU calls it. */
export type AcceleratorName = (typeof ACCELERATORS)[number];

/** In arguments: the frequency of this host's processor in kHz, at which emulation lets the guest's counter of time run. */
export const HOST_KHZ = "HOST_KHZ";

/** One row of the table. */
export interface Machine {
  /** What it emulates. */
  readonly arch: Arch;
  /** What it boots. */
  readonly os: GuestOs;
  /** QEMU's name of it. */
  readonly name: "q35" | "pc" | "microvm" | "virt";
  /** Properties of `-machine`. */
  readonly properties: readonly string[];
  /** Programs that emulate it; the first that is there is taken. */
  readonly programs: readonly string[];
  /** Debian's package of the first. */
  readonly package: string;
  /** How virtio devices hang on it: `virtio-blk-pci` or `virtio-blk-device`. */
  readonly bus: "pci" | "device";
  /** Disks given last are found first. */
  readonly reversedDisks: boolean;
  /** `console=` for each kind of console. */
  readonly consoles: Readonly<Record<ConsoleKind, string>>;
  /** `-cpu` with hardware acceleration, and without. */
  readonly cpu: { readonly accelerated: string; readonly tcg: string };
  /** What the kernel is always told. */
  readonly kernelArguments: readonly string[];
  /** What it is told besides where there is no acceleration. */
  readonly tcgArguments: readonly string[];
  /** The first disk, for kernels that find their root themselves. */
  readonly rootDevice: string;
  /** Drivers of the bus, in Linux's names of modules. */
  readonly drivers: readonly string[];
}

/** A serial port, or a virtio console. */
export type ConsoleKind = "serial" | "virtio";

// A triple fault resets every x86 machine, and panic=-1 resets without waiting; QEMU then ends, because of -no-reboot.
const LINUX_X86 = ["reboot=t", "panic=-1"];

const pciLinux = { os: "linux", bus: "pci", reversedDisks: false, rootDevice: "/dev/vda", drivers: ["virtio_pci"] } as const;
const netbsd = { os: "netbsd", tcgArguments: [], rootDevice: "ld0a", drivers: [] } as const;
const hostOrMax = { accelerated: "host", tcg: "max" } as const;
const x86_64 = { arch: "x86_64", programs: ["qemu-system-x86_64"], package: "qemu-system-x86", cpu: hostOrMax } as const;
const i386 = {
  arch: "i386",
  programs: ["qemu-system-i386", "qemu-system-x86_64"],
  package: "qemu-system-x86",
  cpu: hostOrMax,
} as const;
const aarch64 = {
  arch: "aarch64",
  name: "virt",
  properties: ["gic-version=max"],
  programs: ["qemu-system-aarch64"],
  package: "qemu-system-arm",
  // Pointer authentication as the architecture specifies it is slow to emulate; QEMU has a cheaper one.
  cpu: { accelerated: "host", tcg: "max,pauth-impdef=on" },
} as const;

const linuxX86 = {
  ...pciLinux,
  name: "q35",
  properties: [],
  consoles: { serial: "ttyS0", virtio: "hvc0" },
  kernelArguments: LINUX_X86,
  tcgArguments: [],
} as const;

// Without acceleration the calibration of timers hangs in many boots of a microvm, unless it is left out: one in five still does with
// no_timer_check alone, none of twenty that are told the frequency too. Without ACPI (acpi=off) Debian's kernel finds no disk, so that it stays on.
const linuxMicrovm = {
  ...linuxX86,
  name: "microvm",
  properties: ["rtc=on"],
  bus: "device",
  tcgArguments: ["no_timer_check", `tsc_early_khz=${HOST_KHZ}`],
  drivers: ["virtio_mmio"],
} as const;

// NetBSD's kernels for virtual machines read their virtio-mmio devices from the command line, which QEMU writes without ACPI.
const netbsdMicrovm = {
  ...netbsd,
  name: "microvm",
  properties: ["rtc=on", "acpi=off", "pic=off"],
  bus: "device",
  reversedDisks: false,
  consoles: { serial: "com", virtio: "viocon" },
  kernelArguments: ["-z"],
} as const;
const netbsdCpu = { accelerated: "host,+invtsc", tcg: "qemu64" } as const;

/** The table of machines. The first row of an architecture and a system is their default. */
export const MACHINES: readonly Machine[] = [
  { ...x86_64, ...linuxX86 },
  { ...x86_64, ...linuxMicrovm },
  { ...i386, ...linuxX86 },
  { ...i386, ...linuxMicrovm },
  {
    ...aarch64,
    ...pciLinux,
    consoles: { serial: "ttyAMA0", virtio: "hvc0" },
    kernelArguments: ["panic=-1"],
    tcgArguments: [],
  },
  { ...x86_64, ...netbsdMicrovm, cpu: netbsdCpu },
  { ...i386, ...netbsdMicrovm, cpu: netbsdCpu },
  // What is older than PVH (NetBSD 9 and before) is multiboot, and finds its disks on PCI.
  { ...i386, ...netbsdMicrovm, name: "pc", properties: [], bus: "pci", consoles: { serial: "com", virtio: "com" } },
  {
    ...aarch64,
    ...netbsd,
    bus: "device",
    // virt numbers its virtio-mmio slots downwards.
    reversedDisks: true,
    consoles: { serial: "com", virtio: "viocon" },
    kernelArguments: ["-z"],
  },
];

/** The machine of that name, by default the first for `arch` and `os`. */
export function findMachine(arch: Arch, os: GuestOs, name?: string): Machine | undefined {
  return MACHINES.find((row) => row.arch === arch && row.os === os && (name === undefined || row.name === name));
}

/** How Node calls the architectures. */
export function archOf(nodeArch: string): Arch | undefined {
  const names: Readonly<Record<string, Arch>> = { x64: "x86_64", ia32: "i386", arm64: "aarch64" };
  return names[nodeArch];
}
