// A build on another host: everything that a machine, a user or a day may have of its own is chosen, and the digest told.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { bin } from "../cli-run.ts";
import { need } from "../judge/need.ts";

const preload = new URL("preload.mjs", import.meta.url).href;
const root = fileURLToPath(new URL("../..", import.meta.url));

/** What is of the host and must not show. */
export interface Host {
  readonly locale: string;
  readonly zone: string;
  readonly user: string;
  /** Milliseconds that its clock is off. */
  readonly shift: number;
  /** Seed of the order in which folders are listed. */
  readonly shuffle: number;
  readonly umask: number;
  /** Most bytes that a read or write of a file moves at once. */
  readonly short: number | undefined;
  /** One processor alone, or all. */
  readonly alone: boolean;
  readonly threads: number;
  /** How the source gets there: as the directory or archive that it is, or through a pipe in pieces up to so many bytes. */
  readonly pieces: number;
  /** Runs in the folder of the source, so that paths are relative. */
  readonly inside: boolean;
  /** Another name of the machine, where that may be set. */
  readonly renamed: boolean;
}

const YEAR = 365 * 86_400_000;

export const hostArbitrary: fc.Arbitrary<Host> = fc.record({
  locale: fc.constantFrom("C", "POSIX", "C.UTF-8", "tr_TR.UTF-8", "de_DE.UTF-8", "ja_JP.SJIS", "sv_SE", ""),
  zone: fc.constantFrom("UTC", "America/St_Johns", "Pacific/Kiritimati", "Asia/Kathmandu", "XXX-14:59", ""),
  user: fc.constantFrom("root", "nobody", "Ünal Şahin"),
  shift: fc.constantFrom(0, YEAR, -30 * YEAR, 90 * YEAR),
  shuffle: fc.nat(1e9),
  umask: fc.constantFrom(0, 0o22, 0o77, 0o777),
  short: fc.oneof(fc.constant(undefined), fc.constantFrom(511, 4096, 70_001)),
  alone: fc.boolean(),
  threads: fc.constantFrom(1, 4, 16),
  pieces: fc.constantFrom(1, 511, 512, 65_536, 1_000_003),
  inside: fc.boolean(),
  renamed: fc.boolean(),
});

/** Whether processors can be taken away: more than one is here, and a tool that does it. */
const mayPin = availableParallelism() > 1 && need("taskset");

let mayRename: boolean | undefined;

/** Whether a process may be given another name of the machine: containers may keep that even from root. */
function renames(): boolean {
  if (mayRename === undefined) {
    mayRename = need("unshare") && spawnSync("unshare", ["--uts", "true"]).status === 0;
    if (!mayRename) console.warn("SKIPPED: other names of the machine, which unshare --uts is not allowed to give here");
  }
  return mayRename;
}

/** What a source is read from. */
export interface HostSource {
  readonly path: string;
  /** It is fed through a pipe. */
  readonly piped: boolean;
}

/** SHA-256 of what `fsynth build ARGS -o - SOURCE` gives on `host`. Throws with what it said when it fails. */
export async function digestOn(host: Host, args: readonly string[], { path, piped }: HostSource): Promise<string> {
  const slash = path.lastIndexOf("/");
  const [cwd, name] = host.inside ? [path.slice(0, slash), path.slice(slash + 1)] : [root, path];
  const fsynth = [
    process.execPath,
    "--import",
    preload,
    bin,
    "build",
    "-q",
    "--no-progress",
    ...args,
    "-o",
    "-",
    piped ? "-" : name,
  ];
  const command = [
    ...(host.renamed && renames() ? ["unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"] : []),
    ...(host.alone && mayPin ? ["taskset", "-c", "0"] : []),
    ...fsynth,
  ];
  const { SOURCE_DATE_EPOCH: _epoch, ...inherited } = process.env;
  const { shift, shuffle, umask, short, locale, zone, user } = host;
  const child = spawn(command[0] as string, command.slice(1), {
    cwd,
    env: {
      ...inherited,
      FSYNTH_HOST: JSON.stringify({ shift, shuffle, umask, short }),
      LC_ALL: locale,
      LANG: locale,
      LANGUAGE: locale,
      TZ: zone,
      USER: user,
      LOGNAME: user,
      HOME: join("/home", user),
      HOSTNAME: user,
      UV_THREADPOOL_SIZE: String(host.threads),
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const hash = createHash("sha256");
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => hash.update(chunk));
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  // It may end before it has read everything.
  child.stdin.on("error", () => {});
  const ended = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  if (piped) feed(child.stdin, fs.readFileSync(path), host.pieces);
  else child.stdin.end();
  const status = await ended;
  if (status !== 0) throw new Error(`exit status ${status} of ${command.join(" ")}\n${said}`);
  return hash.digest("hex");
}

/** Writes `bytes` in at most 200 pieces of sizes from 1 to `most`, then the rest. */
function feed(to: NodeJS.WritableStream, bytes: Uint8Array, most: number): void {
  let at = 0;
  for (let i = 0; i < 200 && at < bytes.length; i++) {
    const length = 1 + ((i * 7919) % most);
    to.write(bytes.subarray(at, at + length));
    at += length;
  }
  to.end(bytes.subarray(at));
}
