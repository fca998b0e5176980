// QEMU as a process that never outlives us: not when we end, not when a signal ends us, and not when we are killed.

import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex, Readable, Writable } from "node:stream";
import { atEnd } from "../host/node-exit.ts";
import { findProgram } from "./program.ts";

/** A running program. */
export interface Leashed {
  readonly pid: number;
  readonly input: Writable;
  readonly output: Readable;
  readonly errors: Readable;
  /** Our end of the socket that the program has as descriptor 3. */
  readonly socket: Duplex;
  /** Our ends of the further sockets, in order. */
  readonly connections: readonly Duplex[];
  /** How it ended; rejects when it could not be started. */
  readonly ended: Promise<{ readonly status: number | null; readonly signal: NodeJS.Signals | null }>;
  kill(): void;
}

/** The first descriptor behind the standard ones and the socket. */
export const FIRST_DESCRIPTOR = 4;

/** How the program dies with us when we are killed: by the kernel's doing, or by a shell that sees our end of a pipe close. */
export type Leash = "setpriv" | "shell";

/** setpriv(1) sets what prctl(2) calls the signal of the parent's death; it becomes the program itself. */
export function bestLeash(): Leash {
  return process.platform === "linux" && findProgram("setpriv") !== undefined ? "setpriv" : "shell";
}

/** Starts `program`, which inherits `descriptors` as 4, 5, …; "socket" makes one, whose other end is ours. */
export function startLeashed(
  program: string,
  args: readonly string[],
  descriptors: readonly (number | "socket")[] = [],
  leash: Leash = bestLeash(),
): Leashed {
  const [file, ...rest] =
    leash === "setpriv"
      ? [findProgram("setpriv") ?? "setpriv", "--pdeathsig", "KILL", "--", program, ...args]
      : [program, ...args];
  const child = spawn(file as string, rest, {
    // Node's pipes are pairs of sockets.
    stdio: ["pipe", "pipe", "pipe", "pipe", ...descriptors.map((one) => (one === "socket" ? "pipe" : one))],
    env: { ...process.env, LC_ALL: "C" },
  });
  const forget = atEnd(() => child.kill("SIGKILL"));
  const watcher = leash === "shell" && child.pid !== undefined ? watch(child.pid) : undefined;
  const done = (): void => {
    forget();
    watcher?.kill("SIGKILL");
  };
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on("error", (error) => {
      done();
      reject(error);
    });
    // Behind the last byte of its output.
    child.on("close", (status, signal) => {
      done();
      resolve({ status, signal });
    });
    child.on("exit", done);
  });
  ended.catch(() => {}); // whoever awaits it learns; until then nobody need
  const [input, output, errors, socket, ...more] = child.stdio as unknown as [Writable, Readable, Readable, Duplex, ...unknown[]]; // as asked for above
  const connections = more.filter((_, i) => descriptors[i] === "socket") as Duplex[]; // as asked for above
  for (const stream of [input, output, errors, socket, ...connections]) stream.on("error", () => {});
  return { pid: child.pid ?? 0, input, output, errors, socket, connections, ended, kill: () => void child.kill("SIGKILL") };
}

/** A shell in a session of its own, to which signals of our terminal do not go: it reads until our end of its pipe closes. */
function watch(pid: number): ChildProcess {
  const watcher = spawn("/bin/sh", ["-c", 'read -r line; kill -9 "$1" 2> /dev/null', "sh", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watcher.on("error", () => {});
  watcher.stdin?.on("error", () => {});
  watcher.unref();
  return watcher;
}
