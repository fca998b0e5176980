// From options to a machine: finds the programs and the kernel, makes the initramfs, and says what it chose.

import { cpus } from "node:os";
import { join } from "node:path";
import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Image } from "../index.ts";
import { type Choice, cacheFolder, chooseAccelerator, probeAccelerator, probeMemory, writeCached } from "./accelerator.ts";
import { type DiskSpec, kernelArguments, type MachineSpec } from "./arguments.ts";
import { loadBusybox } from "./busybox.ts";
import { BootError } from "./error.ts";
import { ROOT_DISK } from "./init.ts";
import { buildInitramfs } from "./initramfs.ts";
import { findModules, type Kernel, kernelAt, newestKernel } from "./kernel.ts";
import { archOf, findMachine, MACHINES, type Machine } from "./machine.ts";
import type { Wanted } from "./modules.ts";
import { type NamelessFile, namelessImage, namelessStream } from "./nameless.ts";
import type { MachineOptions } from "./options.ts";
import { FIRST_DESCRIPTOR } from "./process.ts";
import { findProgram, isProgram } from "./program.ts";
import { openRoot, type RootFilesystem, recogniseRoot } from "./root.ts";

/** A machine that can be started, as often as wanted until it is closed. */
export interface Prepared {
  /** The path of the emulator. */
  readonly qemu: string;
  /** All that its command line depends on. */
  readonly spec: MachineSpec;
  /** The accelerator, and why. */
  readonly accelerator: Choice;
  /** The kernel that boots. */
  readonly kernel: Kernel;
  /** What QEMU inherits, as its descriptors 4, 5, …: files that are open, and images that are served to it over a connection. */
  readonly descriptors: readonly (number | Image)[];
  /** Gives back descriptors and temporary files. */
  close(): void;
}

/** Where the files that fsynth makes go: to descriptors that a started QEMU inherits, or to the cache folder, for a command to be pasted. */
export type Keeping = "descriptors" | "cache";

/** Finds and makes all that a boot needs. Throws {@link BootError} for what is missing, `usage` for options that do not fit. */
export async function prepareBoot(
  options: MachineOptions,
  onNote?: (line: string) => void,
  keeping: Keeping = "descriptors",
): Promise<Prepared> {
  const files = new Files(keeping);
  try {
    const machine = chosenMachine(options);
    checkNumbers(options);
    const qemu = findQemu(machine, options.qemu);
    const accelerator = await chosenAccelerator(machine, qemu, options.accelerator ?? "auto");
    onNote?.(`accelerator ${accelerator.name}: ${accelerator.why}`);
    const kernel = options.kernel === undefined ? hostKernel(machine) : kernelAt(options.kernel);
    if (options.kernel === undefined) onNote?.(`kernel ${kernel.path}`);

    const root = await preparedRoot(options.root, files);
    const initrd = options.initrd ?? root?.archive;
    if (options.initrd !== undefined && root?.archive !== undefined) {
      throw new FsynthError("usage", "the root is a cpio archive, which is an initrd, and another initrd is given", {
        option: "initrd",
      });
    }
    const disks = diskSpecs(root?.disk, options);
    if (disks.length === 0 && initrd === undefined)
      throw new BootError("no-root", "nothing to boot: neither a root nor an initrd was given");
    const own = machine.os === "linux" && initrd === undefined && !options.noInitramfs;
    const made = own ? await ownInitramfs(machine, kernel, root?.filesystem, disks.length, options) : undefined;
    if (made?.modules !== undefined) onNote?.(`initramfs of ${made.modules.length} modules: ${made.modules.join(" ") || "none"}`);
    const initrdPath = made?.image
      ? await files.keep(made.image, "initramfs")
      : initrd === undefined
        ? undefined
        : await files.path(initrd, "initrd");

    const consoleKind = options.console ?? "serial";
    const rootWords = root?.filesystem ? rootArguments(machine, root.filesystem, made, initrd !== undefined) : [];
    const init = options.init === undefined || machine.os !== "linux" ? [] : [`init=${options.init}`];
    const spec: MachineSpec = {
      machine,
      accelerator: accelerator.name,
      memory: options.memory ?? 512,
      cpus: options.cpus ?? 1,
      kernel: kernel.path,
      initrd: initrdPath,
      append: kernelArguments(machine, accelerator.name, consoleKind, [...rootWords, ...init], options.append ?? "", hostKhz()),
      disks,
      network: options.network ?? (options.forwards ?? []).length > 0,
      forwards: options.forwards ?? [],
      shares: options.shares ?? [],
      fwCfg: options.fwCfg ?? [],
      console: consoleKind,
    };
    return { qemu, spec, accelerator, kernel, descriptors: files.descriptors, close: () => files.close() };
  } catch (error) {
    files.close();
    throw error;
  }
}

/** The files that are made for one machine. */
class Files {
  readonly #open: (NamelessFile | Image)[] = [];
  constructor(readonly keeping: Keeping) {}

  get descriptors(): (number | Image)[] {
    return this.#open.map((one) => ("descriptor" in one ? one.descriptor : one));
  }

  add(file: NamelessFile): string {
    return `/dev/fd/${this.#push(file)}`;
  }

  /** An image as a disk that need not be written; where nothing is inherited, as a file. */
  async disk(image: Image): Promise<RootDisk> {
    return this.keeping === "descriptors" ? { connection: this.#push(image) } : { path: await this.keep(image, "root") };
  }

  #push(one: NamelessFile | Image): number {
    return FIRST_DESCRIPTOR + this.#open.push(one) - 1;
  }

  async path(source: string | Image, what: string): Promise<string> {
    return typeof source === "string" ? source : await this.keep(source, what);
  }

  /** An image as a file that QEMU can open. */
  async keep(image: Image, what: string): Promise<string> {
    if (this.keeping === "descriptors") return this.add(await namelessImage(image));
    const path = join(cacheFolder(), `${what}-${(await image.sha256()).slice(0, 16)}`);
    if (host.files.stat(path)?.size !== image.size) writeCached(path, await image.bytes());
    return path;
  }

  close(): void {
    for (const one of this.#open) if ("descriptor" in one) one.close();
  }
}

function chosenMachine({ os = "linux", arch = archOf(process.arch), machine }: MachineOptions): Machine {
  const found = arch && findMachine(arch, os, machine);
  if (found) return found;
  const rows = MACHINES.map((row) => `${row.arch} ${row.os} ${row.name}`).join(", ");
  throw new FsynthError(
    "usage",
    `no machine for ${arch ?? process.arch} ${os}${machine === undefined ? "" : ` ${machine}`}; there is ${rows}`,
    {
      option: "machine",
    },
  );
}

function checkNumbers({ memory, cpus }: MachineOptions): void {
  for (const [option, value, max] of [
    ["memory", memory, 2 ** 31],
    ["cpus", cpus, 4096],
  ] as const) {
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) continue;
    throw new FsynthError("usage", `option ${option} is ${value}, expected a whole number from 1 to ${max}`, { option });
  }
}

function findQemu(machine: Machine, given: string | undefined): string {
  if (given !== undefined) {
    const found = given.includes("/") ? given : findProgram(given);
    if (found !== undefined && isProgram(found)) return found;
    throw new BootError("no-qemu", `${quoteName(given)} is no program; --qemu names ${machine.programs.join(" or ")}`);
  }
  const found = machine.programs.map(findProgram).find((path) => path !== undefined);
  if (found !== undefined) return found;
  throw new BootError("no-qemu", `there is no ${machine.programs.join(" and no ")}; Debian's package ${machine.package} has it`);
}

async function chosenAccelerator(
  machine: Machine,
  qemu: string,
  wanted: MachineOptions["accelerator"] & string,
): Promise<Choice> {
  if (wanted !== "auto") return { name: wanted, why: "as asked for" };
  const memory = probeMemory(qemu, machine);
  return await chooseAccelerator(machine.arch, process, (name) => probeAccelerator(name, qemu, machine), memory);
}

function hostKernel(machine: Machine): Kernel {
  if (machine.os !== "linux" || machine.arch !== archOf(process.arch) || process.platform !== "linux") {
    throw new BootError("no-kernel", `this host has no kernel of ${machine.os} for ${machine.arch}; give one with --kernel`);
  }
  return newestKernel();
}

/** Where the system does not tell, a counter of nanoseconds is what QEMU takes. */
function hostKhz(): number {
  const info = host.files.stat("/proc/cpuinfo") ? new TextDecoder().decode(host.files.readFile("/proc/cpuinfo")) : "";
  const mhz = Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(info)?.[1] ?? cpus()[0]?.speed ?? 0);
  return Math.round((mhz > 0 ? mhz : 1000) * 1000);
}

type RootDisk = { readonly path: string } | { readonly connection: number };

interface PreparedRoot {
  readonly disk?: RootDisk;
  readonly filesystem?: RootFilesystem;
  /** The root was a cpio archive. */
  readonly archive?: string | Image;
}

async function preparedRoot(root: string | Image | undefined, files: Files): Promise<PreparedRoot | undefined> {
  if (root === undefined) return undefined;
  if (typeof root !== "string") {
    const found = recogniseRoot(await root.read(0, 65_536 + 2048));
    if (found === "cpio") return { archive: root };
    if (found === undefined)
      throw new BootError("no-root", "the image is neither ext, FFS nor cpio, and nothing else can be booted");
    return { disk: await files.disk(root), filesystem: found };
  }
  const opened = await openRoot(root);
  if (opened.found === "cpio") return { archive: root };
  if (opened.unpacked === undefined) return { disk: { path: root }, filesystem: opened.found };
  if (files.keeping === "cache") {
    throw new FsynthError("usage", `${quoteName(root)} is compressed, and a command to be pasted needs it plain`, {
      option: "dry-run",
    });
  }
  return { disk: { path: files.add(await namelessStream(opened.unpacked)) }, filesystem: opened.found };
}

function diskSpecs(root: RootDisk | undefined, { disks = [], writable = false }: MachineOptions): DiskSpec[] {
  const specs: DiskSpec[] = [];
  if (root) specs.push("path" in root ? { id: ROOT_DISK, ...root, writable } : { id: ROOT_DISK, ...root, writable: false });
  disks.forEach((path, i) => {
    if (host.files.stat(path) === undefined) throw new FsynthError("io", `disk ${quoteName(path)}: nothing is there`, { path });
    specs.push({ id: `disk${i + 1}`, path, writable });
  });
  return specs;
}

interface Made {
  /** Undefined when the kernel needs none. */
  readonly image: Image | undefined;
  readonly modules: readonly string[];
  /** The driver that mounts the root. */
  readonly driver: string | undefined;
}

/** The initramfs for this machine. */
async function ownInitramfs(
  machine: Machine,
  kernel: Kernel,
  filesystem: RootFilesystem | undefined,
  disks: number,
  options: MachineOptions,
): Promise<Made> {
  const folder = findModules(kernel, options.modules);
  if (folder === undefined) {
    const which =
      kernel.release === undefined ? "which release it is cannot be told" : `there is no /lib/modules/${kernel.release}`;
    throw new BootError(
      "no-modules",
      `no modules for ${quoteName(kernel.path)}: ${which}; --modules names …/lib/modules/RELEASE, and --no-initramfs boots a kernel with its drivers built in`,
    );
  }
  const modules = await folder.closure(wantedDrivers(machine, filesystem, options));
  const names = modules.map(({ name }) => name);
  const driver = filesystem?.drivers.find((name) => folder.has(name) !== undefined);
  // With one disk there is no order to get wrong.
  if (modules.length === 0 && disks === 1) return { image: undefined, modules: names, driver };
  return { image: buildInitramfs(loadBusybox(machine.arch, options.busybox), modules), modules: names, driver };
}

/** The drivers for exactly the devices that the machine has. */
export function wantedDrivers(machine: Machine, filesystem: RootFilesystem | undefined, options: MachineOptions): Wanted[] {
  const wanted: Wanted[] = machine.drivers.map((name) => ({ names: [name], purpose: `the machine ${machine.name}` }));
  wanted.push({ names: ["virtio_blk"], purpose: "its disks" });
  if (filesystem) wanted.push({ names: filesystem.drivers, purpose: `a root of ${filesystem.kind}` });
  if (options.network || (options.forwards ?? []).length > 0) wanted.push({ names: ["virtio_net"], purpose: "the network" });
  if ((options.shares ?? []).length > 0) {
    wanted.push({ names: ["9pnet_virtio"], purpose: "shares" }, { names: ["9p"], purpose: "shares" });
  }
  if ((options.fwCfg ?? []).length > 0) wanted.push({ names: ["qemu_fw_cfg"], purpose: "values in fw_cfg" });
  if (options.console === "virtio") wanted.push({ names: ["virtio_console"], purpose: "the virtio console" });
  for (const name of options.extraModules ?? []) wanted.push({ names: [name.replaceAll("-", "_")], purpose: "--module" });
  return wanted;
}

/** What the kernel and our script are told of the root. */
export function rootArguments(
  machine: Machine,
  filesystem: RootFilesystem,
  made: Pick<Made, "image" | "driver"> | undefined,
  otherInitrd: boolean,
): string[] {
  if (machine.os === "netbsd") return [`root=${machine.rootDevice}`];
  // A kernel by itself knows disks by device only; an initramfs knows file systems by their names.
  const named = made?.image !== undefined || otherInitrd;
  const ours = made?.image !== undefined ? `SERIAL=${ROOT_DISK}` : machine.rootDevice;
  const words = [
    `root=${named ? (filesystem.name ?? ours) : machine.rootDevice}`,
    `rootfstype=${made?.driver ?? filesystem.drivers[0]}`,
  ];
  if (filesystem.mountOptions !== "") words.push(`rootflags=${filesystem.mountOptions}`);
  // Without --writable what is written goes with the machine, so that a root may think itself writable.
  return [...words, filesystem.readOnly ? "ro" : "rw"];
}
