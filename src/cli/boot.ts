// `fsynth boot`: an image, or what one can be made of, under QEMU.

import { Option } from "commander";
import { writers } from "../../formats/writers.ts";
import { type BuildOptions, buildImage } from "../build.ts";
import type { Image } from "../image/image.ts";
import { parseBytes } from "../image/size.ts";
import { qemuArguments } from "../qemu/arguments.ts";
import { type BootOptions, type BootResult, type Marks, prepareBoot, runMachine, shellCommand } from "../qemu/index.ts";
import {
  ACCELERATORS,
  type AcceleratorName,
  ARCHES,
  type Arch,
  type GuestOs,
  MACHINES,
  type Machine,
  SYSTEMS,
} from "../qemu/machine.ts";
import { isBootable } from "../qemu/root.ts";
import { newCommand, parse } from "./command.ts";
import { STATUS, usage } from "./failure.ts";
import { hostPath } from "./path.ts";
import { note, print } from "./print.ts";
import { addSourceFlags, readSources } from "./source-options.ts";

const HELP = `
IMAGE is a disk (ext2, ext3, ext4, FFS; plain, .gz or .zst) or an initramfs (cpio). Of anything else that fsynth build takes, an
image of -f FORMAT is planned, and served to the machine without being written anywhere. Without --writable, what the guest
writes goes with it.

Examples:
  fsynth boot root.ext4 --kernel vmlinuz --modules lib/modules --expect 'login:' --timeout 60
  fsynth boot root.ext4                              the newest kernel of this host, until the guest is off
  fsynth boot --interactive --memory 1G rootfs.tar   a root out of a tar, with the keyboard (Ctrl-] ends)
  fsynth boot initrd.cpio.gz --expect ready --timing --repeat 5
  fsynth boot netbsd.img --kernel netbsd --os netbsd
  fsynth boot root.ext4 --dry-run                    the command that would run, to be pasted

Exit status: 0 the text was seen, or the guest powered off and none was expected; 1 it was not seen, the guest panicked, fell
silent or ran out of time; 2 usage, 3 no QEMU, kernel, modules or busybox, or bad input, 4 the system failed; 130, 143 interrupted.`;

interface BootFlags {
  readonly format: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly initramfs: boolean;
  readonly modules?: string;
  readonly module: readonly string[];
  readonly busybox?: string;
  readonly append?: string;
  readonly init?: string;
  readonly os: GuestOs;
  readonly arch?: Arch;
  readonly machine?: Machine["name"];
  readonly accel: AcceleratorName | "auto";
  readonly qemu?: string;
  readonly memory: number;
  readonly cpus: number;
  readonly disk: readonly string[];
  readonly writable?: true;
  readonly network?: true;
  readonly forward: readonly NonNullable<BootOptions["forwards"]>[number][];
  readonly share: readonly string[];
  readonly shareWritable: readonly string[];
  readonly var: readonly string[];
  readonly file: readonly string[];
  readonly console: "serial" | "virtio";
  readonly expect?: string;
  readonly expectRegex?: RegExp;
  readonly timeout?: number;
  readonly stall?: number;
  readonly grace?: number;
  readonly interactive?: true;
  readonly timing?: true;
  readonly repeat: number;
  readonly dryRun?: true;
  readonly json?: true;
  readonly quiet?: true;
  readonly exclude: readonly string[];
}

/** Runs `fsynth boot`; gives the exit status. */
export async function bootCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("boot", "[options] IMAGE|SOURCE...", "Boots an image under QEMU, without root.");
  for (const flag of flagTable()) command.addOption(flag);
  addSourceFlags(command);
  command.addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const flags = command.opts<BootFlags>();
  if (flags.expect !== undefined && flags.expectRegex !== undefined)
    throw usage("--expect and --expect-regex do not go together");
  if (flags.repeat > 1 && flags.expect === undefined && flags.expectRegex === undefined) {
    throw usage("--repeat needs a text that ends a boot: --expect or --expect-regex", "repeat");
  }
  if (flags.repeat > 1 && flags.writable)
    throw usage("--repeat does not go with --writable: each boot would find another disk", "repeat");
  if (flags.interactive && !process.stdin.isTTY) throw usage("--interactive needs a terminal on standard input", "interactive");

  const say = flags.quiet ? undefined : (line: string): void => note(`fsynth: ${line}`);
  const options = { ...machineOptions(flags), root: await rootOf(command.args, flags) };
  const prepared = await prepareBoot(options, say, flags.dryRun ? "cache" : "descriptors");
  try {
    if (flags.dryRun) return await print(`${shellCommand([prepared.qemu, ...qemuArguments(prepared.spec)])}\n`);
    const results: BootResult[] = [];
    for (let i = 0; i < flags.repeat; i++) {
      const keyboard = flags.interactive ? openKeyboard() : undefined;
      try {
        const result = await runMachine(prepared, {
          expect: flags.expect ?? flags.expectRegex,
          timeout: flags.timeout,
          stall: flags.stall,
          grace: flags.grace,
          // A disk that cannot be read is told of, whoever wants it quiet.
          onNote: (line) => note(`fsynth: ${line}`),
          onConsole: flags.quiet || flags.json ? undefined : (bytes) => void process.stdout.write(bytes),
          input: keyboard?.input,
          signal: keyboard?.signal,
        });
        results.push(result);
        if (result.error) break;
      } finally {
        keyboard?.close();
      }
    }
    return await report(results, flags);
  } finally {
    prepared.close();
  }
}

/** A number of seconds or of anything else that is not negative. */
function amountOf(flag: string, whole: boolean): (text: string) => number {
  return (text) => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (whole ? Number.isInteger(value) && value > 0 : value >= 0) return value;
    throw usage(`option ${flag} is "${text}"; expected ${whole ? "a whole number from 1" : "seconds, 0 for never"}`);
  };
}

function flagTable(): Option[] {
  const profiles = writers.flatMap((format) => format.profiles.map(({ name }) => name));
  const seconds = (flag: string, help: string): Option => new Option(`${flag} <SECONDS>`, help).argParser(amountOf(flag, false));
  const count = (flag: string, help: string, initial: number): Option =>
    new Option(`${flag} <N>`, help).argParser(amountOf(flag, true)).default(initial);
  const many = (flags: string, help: string): Option =>
    new Option(flags, `${help} Can be repeated.`).argParser((text, before: readonly string[]) => [...before, text]).default([]);
  return [
    new Option("-f, --format <FORMAT>", "The image made of sources. Default: ext4.").choices(profiles).default("ext4"),
    new Option("--kernel <FILE>", "Default: the newest of this host that can be read."),
    new Option("--initrd <FILE>", "An initramfs instead of the one that fsynth makes."),
    new Option("--no-initramfs", "Boots without one: the kernel has its drivers built in."),
    new Option("--modules <DIR>", "…/lib/modules/RELEASE of the kernel. Default: that of this host."),
    many("--module <NAME>", "A module to load besides those that are needed."),
    new Option("--busybox <FILE>", "A static busybox for the initramfs. Default: one of this host."),
    new Option("--append <ARGS>", "More arguments for the kernel."),
    new Option("--init <PATH>", "The program that the root starts with."),
    new Option("--os <NAME>", `One of ${SYSTEMS.join(", ")}. Default: linux.`).choices(SYSTEMS).default("linux"),
    new Option("--arch <NAME>", `One of ${ARCHES.join(", ")}. Default: that of this host.`).choices(ARCHES),
    new Option("--machine <NAME>", "QEMU's machine: q35, microvm, pc, virt. Default: the usual one.").choices([
      ...new Set(MACHINES.map(({ name }) => name)),
    ]),
    new Option("--accel <NAME>", `auto (tries what the host has), ${ACCELERATORS.join(", ")}. Default: auto.`)
      .choices(["auto", ...ACCELERATORS])
      .default("auto"),
    new Option("--qemu <PROGRAM>", "The emulator. Default: by the architecture."),
    new Option("-m, --memory <BYTES>", "Default: 512M.")
      .argParser((text) => {
        const bytes = parseBytes(text);
        if (bytes !== undefined && bytes >= 1 << 20 && bytes % (1 << 20) === 0) return bytes / (1 << 20);
        throw usage(`option --memory is "${text}"; expected whole mebibytes such as 512M or 2G`);
      })
      .default(512),
    count("--cpus", "Default: 1.", 1),
    many("--disk <FILE>", "A further disk, raw."),
    new Option("-w, --writable", "Lets the guest write to its disks."),
    new Option("--network", "A network in user mode: 10.0.2.15/24, gateway 10.0.2.2, DNS 10.0.2.3."),
    new Option(
      "--forward <[tcp:|udp:][ADDRESS:]PORT:PORT>",
      "A port of this host (of 127.0.0.1) to one of the guest. Can be repeated.",
    )
      .argParser((text, before: BootFlags["forward"]) => [...before, forwardOf(text)])
      .default([]),
    many("--share <[TAG=]DIR>", "A folder that the guest can mount by 9p as TAG (share), to read."),
    many("--share-writable <[TAG=]DIR>", "The same, to write."),
    many("--var <NAME=VALUE>", "A value in fw_cfg, opt/org.smolbsd.var.NAME (a NAME with a slash is used as it is)."),
    many("--file <NAME=FILE>", "A file in fw_cfg, opt/org.smolbsd.file.NAME."),
    new Option("--console <KIND>", "serial or virtio. Default: serial.").choices(["serial", "virtio"]).default("serial"),
    new Option("-e, --expect <TEXT>", "Ends with 0 when the console shows TEXT, with 1 when it does not."),
    new Option("--expect-regex <PATTERN>", "The same for a regular expression of JavaScript, ^ and $ at lines.").argParser(
      pattern,
    ),
    seconds("--timeout", "Ends the machine after that time. Default: 600 with --expect, else never."),
    seconds("--stall", "Ends it when the console is silent for so long. Default with --expect: 60, 180 without acceleration."),
    seconds(
      "--grace",
      "What a --writable guest has to power off after the text, before its power button is pressed. Default: 10.",
    ),
    new Option("-i, --interactive", "The keyboard goes to the guest; Ctrl-] ends the machine."),
    new Option("--timing", "Tells when QEMU, the console, init, the text and the end came."),
    count("--repeat", "Boots N times; --timing then gives median and range.", 1),
    new Option("--dry-run", "Prints the command that would run, with its initramfs kept in the user's cache folder."),
    new Option("--json", "Tells what came of it as one JSON object, instead of showing the console."),
    new Option("-q, --quiet", "Shows neither the console nor what was chosen."),
  ];
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text, "m");
  } catch (error) {
    throw usage(`option --expect-regex: ${error instanceof Error ? error.message : String(error)}`, "expectRegex");
  }
}

function forwardOf(text: string): BootFlags["forward"][number] {
  const match = /^(?:(tcp|udp):)?(?:(\d+(?:\.\d+){3}):)?(\d+):(\d+)$/.exec(text);
  const [hostPort, guestPort] = [Number(match?.[3]), Number(match?.[4])];
  if (!match || hostPort > 65_535 || guestPort > 65_535 || guestPort === 0) {
    throw usage(`option --forward is "${text}"; expected PORT:PORT, such as 2222:22, udp:5353:53 or 0.0.0.0:8080:80`);
  }
  return { protocol: match[1] === "udp" ? "udp" : "tcp", address: match[2], hostPort, guestPort };
}

function pair(text: string, flag: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usage(`option ${flag} is "${text}"; expected NAME=…`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function machineOptions(flags: BootFlags): BootOptions {
  const path = (text: string | undefined): string | undefined => (text === undefined ? undefined : hostPath(text));
  const share = (writable: boolean) => (text: string) => {
    const [, tag, folder] = /^(?:([\w.-]+)=)?(.+)$/.exec(text) ?? [];
    return { tag: tag ?? "share", path: hostPath(folder ?? text), writable };
  };
  const named = (kind: string, name: string): string => (name.includes("/") ? name : `opt/org.smolbsd.${kind}.${name}`);
  return {
    kernel: path(flags.kernel),
    initrd: path(flags.initrd),
    noInitramfs: !flags.initramfs,
    modules: path(flags.modules),
    extraModules: flags.module,
    busybox: path(flags.busybox),
    append: flags.append,
    init: flags.init,
    os: flags.os,
    arch: flags.arch,
    machine: flags.machine,
    accelerator: flags.accel,
    qemu: flags.qemu,
    memory: flags.memory,
    cpus: flags.cpus,
    disks: flags.disk.map(hostPath),
    writable: flags.writable,
    network: flags.network,
    forwards: flags.forward,
    shares: [...flags.share.map(share(false)), ...flags.shareWritable.map(share(true))],
    fwCfg: [
      ...flags.var.map((text) => pair(text, "--var")).map(([name, value]) => ({ name: named("var", name), text: value })),
      ...flags.file
        .map((text) => pair(text, "--file"))
        .map(([name, file]) => ({ name: named("file", name), path: hostPath(file) })),
    ],
    console: flags.console,
  };
}

/** One bootable image as it is; anything else as sources of one. */
async function rootOf(sources: readonly string[], flags: BootFlags): Promise<string | Image | undefined> {
  const [first, ...more] = sources;
  if (first === undefined) {
    if (flags.initrd !== undefined) return undefined;
    throw usage("nothing to boot: an IMAGE, sources for one, or --initrd");
  }
  if (more.length === 0 && first !== "-" && (await isBootable(hostPath(first)))) return hostPath(first);
  if (flags.writable) throw usage("--writable needs an image: what is made of sources goes with the machine", "writable");
  const format = writers.find(({ profiles }) => profiles.some(({ name }) => name === flags.format));
  if (format === undefined) throw usage(`unknown format "${flags.format}"`, "format");
  const tree = await readSources(sources, flags, ({ message }) => note(`fsynth: warning: ${message}`));
  // Room for what a guest writes in its short life. The formats of archives have no size.
  const room = "size" in format.options ? { size: "fit+64M", inodes: "fit+1000" } : {};
  return buildImage(format, flags.format, tree, room as BuildOptions); // the options were looked up in the format's table
}

/** The terminal in raw mode: every key goes to the guest but the one that ends the machine, as in telnet. */
function openKeyboard(): { readonly input: AsyncIterable<Uint8Array>; readonly signal: AbortSignal; close(): void } {
  const ended = new AbortController();
  const { stdin } = process;
  stdin.setRawMode(true);
  note("fsynth: Ctrl-] ends the machine\r");
  async function* keys(): AsyncGenerator<Uint8Array> {
    for await (const chunk of stdin) {
      const bytes = chunk as Uint8Array; // no encoding was asked for
      if (bytes.includes(0x1d)) {
        ended.abort();
        return;
      }
      yield bytes;
    }
  }
  return {
    input: keys(),
    signal: ended.signal,
    close() {
      stdin.setRawMode(false);
      stdin.pause();
    },
  };
}

const MARKS: readonly (readonly [keyof Marks, string])[] = [
  ["started", "QEMU started"],
  ["console", "first console byte"],
  ["init", "init"],
  ["expected", "expected text"],
  ["ended", "the end"],
];

async function report(results: readonly BootResult[], flags: BootFlags): Promise<number> {
  const last = results.at(-1);
  if (last === undefined) return 0;
  const { error, reason } = last;
  if (flags.json) {
    const told = results.map((result) => ({
      reason: result.reason,
      seen: result.seen,
      stopped: result.stopped,
      accelerator: result.accelerator.name,
      marks: result.marks,
      error: result.error?.message,
      console: result.console,
    }));
    await print(`${JSON.stringify(flags.repeat > 1 ? told : told[0])}\n`);
  }
  // What the guest left stands before the cursor.
  if (!flags.json && !flags.quiet && !last.console.endsWith("\n") && last.console !== "") await print("\n");
  if (flags.timing) for (const line of timingLines(results.map(({ marks }) => marks))) note(line);
  if (error && !(flags.interactive && reason === "interrupted")) {
    note(`fsynth: ${error.message}`);
    return reason === "qemu" ? STATUS.system : STATUS.found;
  }
  return 0;
}

/** One line a mark: its time, or the median and range of several boots. */
export function timingLines(all: readonly Marks[]): string[] {
  return MARKS.flatMap(([key, name]) => {
    const times = all.flatMap((marks) => marks[key] ?? []).sort((a, b) => a - b);
    if (times.length === 0) return [];
    const middle = (times.length - 1) / 2;
    const median = ((times[Math.floor(middle)] ?? 0) + (times[Math.ceil(middle)] ?? 0)) / 2;
    const range =
      times.length > 1 ? `  (${Math.round(times[0] ?? 0)} to ${Math.round(times.at(-1) ?? 0)}, ${times.length} boots)` : "";
    return [`${name.padEnd(18)} ${String(Math.round(median)).padStart(7)} ms${range}`];
  });
}
