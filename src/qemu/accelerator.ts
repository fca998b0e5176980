// Which accelerator to use. That one exists and opens says little: on some hosts a virtual machine is made and then makes no
// progress. So each is tried on a program of a few bytes that must end within two seconds, and the answer kept until the host boots again.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir, uptime } from "node:os";
import { dirname, join } from "node:path";
import { type AcceleratorName, type Arch, archOf, type Machine } from "./machine.ts";
import { type NamelessFile, namelessFile } from "./nameless.ts";
import { probeProgram } from "./probe-program.ts";
import { FIRST_DESCRIPTOR, startLeashed } from "./process.ts";

/** How long a probe may take, ms. On hardware it takes some 50, without acceleration 300. */
export const PROBE_LIMIT = 2000;

/** What came of a try: nothing to say against it, or why it is passed over. */
export type Objection =
  | { readonly why: string /** It will be so until the host boots again. */; readonly lasting: boolean }
  | undefined;

/** The accelerator that was chosen. */
export interface Choice {
  /** As QEMU calls it. */
  readonly name: AcceleratorName;
  /** For the user, in a few words. */
  readonly why: string;
}

/** Objections by key, kept between runs. `undefined`: not known yet; "": none. */
export interface ProbeMemory {
  read(key: string): string | undefined;
  write(key: string, objection: string): void;
}

const WORKS = "it works";
const BEFORE = ", as found before";

/** What each system has beside tcg. */
const OF_SYSTEM: Readonly<Record<string, AcceleratorName>> = { linux: "kvm", darwin: "hvf", netbsd: "nvmm", win32: "whpx" };

/** The first of the system's accelerators to which there is no objection, else tcg. */
export async function chooseAccelerator(
  arch: Arch,
  host: { readonly platform: string; readonly arch: string },
  probe: (name: AcceleratorName) => Promise<Objection>,
  memory: ProbeMemory,
): Promise<Choice> {
  const name = OF_SYSTEM[host.platform];
  if (name === undefined) return { name: "tcg", why: `no accelerator is known for ${host.platform}` };
  const own = archOf(host.arch);
  if (own !== arch && !(own === "x86_64" && arch === "i386"))
    return { name: "tcg", why: `${arch} on a host of ${own ?? host.arch}` };
  const known = memory.read(name);
  if (known !== undefined)
    return known === "" ? { name, why: WORKS + BEFORE } : { name: "tcg", why: `${name} ${known}${BEFORE}` };
  const objection = await probe(name);
  // That it is forbidden or not there can be mended at any time, and is found out quickly.
  if (objection === undefined || objection.lasting) memory.write(name, objection?.why ?? "");
  return objection === undefined ? { name, why: WORKS } : { name: "tcg", why: `${name} ${objection.why}` };
}

/** Runs the probe under `name`. */
export async function probeAccelerator(
  name: AcceleratorName,
  qemu: string,
  machine: Machine,
  limit = PROBE_LIMIT,
): Promise<Objection> {
  const program = probeProgram(machine.arch);
  const file: NamelessFile = await namelessFile(program.bytes);
  try {
    const cpu = machine.cpu[name === "tcg" ? "tcg" : "accelerated"];
    const common = ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-m", "16M", "-accel", name, "-cpu", cpu];
    const probe = startLeashed(qemu, [...common, ...program.args(`/dev/fd/${FIRST_DESCRIPTOR}`)], [file.descriptor]);
    let said = "";
    probe.errors.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    probe.output.resume();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      probe.kill();
    }, limit);
    const { status } = await probe.ended.finally(() => clearTimeout(timer));
    if (late) return { why: `made no progress within ${limit / 1000} s`, lasting: true };
    if (status === program.status) return undefined;
    const last = said
      .trim()
      .split("\n")
      .at(-1)
      ?.replace(/^.*qemu-system-\S+: /, "");
    return { why: `failed (${last || `exit status ${status}`})`, lasting: false };
  } finally {
    file.close();
  }
}

/**
 * A memory in the user's cache folder, for this boot of the host and this QEMU. Where it cannot be written there is none, and
 * every start probes anew.
 */
export function probeMemory(qemu: string, machine: Machine, folder = cacheFolder()): ProbeMemory {
  const { size, mtimeMs } = statSync(qemu);
  const identity = [bootIdentity(), qemu, size, mtimeMs, machine.name, machine.arch].join("\n");
  const key = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  const path = (name: string): string => join(folder, `accelerator-${name}-${key}`);
  return {
    read(name) {
      try {
        return readFileSync(path(name), "utf8").trim();
      } catch {
        return undefined;
      }
    },
    write(name, objection) {
      try {
        writeCached(path(name), `${objection}\n`);
      } catch {
        // Then it is probed again.
      }
    },
  };
}

/** Writes a file of the cache folder so that no reader sees half of it. */
export function writeCached(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, path);
}

/** Where this user's programs keep what can be made again (XDG Base Directory Specification). */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(base?.startsWith("/") ? base : join(homedir(), ".cache"), "fsynth");
}

/** The same until the host boots again. */
function bootIdentity(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // To the minute: what is left of a second differs from call to call.
    return String(Math.round((Date.now() / 1000 - uptime()) / 60));
  }
}
