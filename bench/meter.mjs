// One run of one command: the output removed before, then wall and CPU time, peak memory, and what the output takes.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;

/** Makes the folder of outputs anew, empty and at rest: no run pays for the removal or the write-back of what another left. */
function clear(directory) {
  fs.rmSync(directory, { recursive: true, force: true });
  fs.mkdirSync(directory, { recursive: true });
  spawnSync("sync", ["-f", directory]);
}

/** Compiles bench/NAME.c into `folder`; undefined where there is no C compiler. */
export function compiled(name, folder) {
  const program = join(folder, name);
  const done = spawnSync("cc", ["-O2", "-o", program, join(here, `${name}.c`)], { encoding: "utf8" });
  if (done.error?.code === "ENOENT") return undefined;
  if (done.status !== 0) throw new Error(`cc ${name}.c failed: ${done.stderr}`);
  return program;
}

/**
 * How commands are timed: by timed.c, or without a C compiler by GNU time, whose CPU times are whole centiseconds and whose
 * wall time is this process's, its own fork and wait included.
 */
export function makeMeter(folder) {
  const timed = compiled("timed", folder);
  const figures = join(folder, "figures");
  if (timed) return { name: "wait4", wrap: (argv) => [timed, figures, ...argv], read: () => readTimed(figures) };
  if (spawnSync("time", ["--version"]).error) {
    throw new Error("neither a C compiler nor GNU time is here; expected cc or /usr/bin/time (Debian: gcc, time)");
  }
  const format = "%U %S %M %x";
  return {
    name: "GNU time",
    wrap: (argv) => ["time", "-q", "-o", figures, "-f", format, ...argv],
    read: (elapsed) => readGnuTime(figures, elapsed),
  };
}

function readTimed(path) {
  const [wall, user, system, peak, status] = fs.readFileSync(path, "utf8").trim().split(" ").map(Number);
  return { wall: wall / 1e6, cpu: (user + system) / 1e6, peak: peak * 1024, status };
}

function readGnuTime(path, elapsed) {
  const line = fs.readFileSync(path, "utf8").trim().split("\n").at(-1);
  const [user, system, peak, status] = line.split(" ").map(Number);
  return { wall: elapsed, cpu: user + system, peak: peak * 1024, status };
}

/**
 * Runs `command` once: `{ argv }`, or `{ shell }`, a line for sh. Both find the output's path in `$O`, argv also as the word
 * `OUT`. `reports` says that the last line the command prints is a JSON object with figures of its own, whose `seconds`
 * stand for the wall time; `summary` that it is one of use to others. `image` is the image's name where the output is a folder.
 *
 * Gives `{ wall, cpu, peak, printed }`, in seconds and bytes, with `{ image, size, allocated }` when there is an image, or
 * `{ failed }` with a sentence.
 */
export function measure(meter, command, outputs, limit) {
  clear(outputs);
  const out = join(outputs, "out");
  const argv =
    command.shell === undefined ? command.argv.map((word) => (word === "OUT" ? out : word)) : ["sh", "-c", command.shell];
  const [program, ...args] = meter.wrap(argv);
  const start = process.hrtime.bigint();
  const done = spawnSync(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 64 << 20,
    timeout: limit * 1000,
    killSignal: "SIGKILL",
    env: { ...process.env, LC_ALL: "C", TZ: "UTC0", O: out },
  });
  const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
  if (done.error?.code === "ETIMEDOUT") return { failed: `not done after ${limit} s` };
  if (done.error) return { failed: done.error.message };
  if (done.status !== 0) return { failed: `the meter ended with ${done.status ?? done.signal}: ${lastLine(done.stderr)}` };
  const { status, ...figures } = meter.read(elapsed);
  if (status !== 0) return { failed: `exit ${status}: ${lastLine(done.stderr) || lastLine(done.stdout)}`.replaceAll(out, "OUT") };
  const image = join(out, command.image ?? "");
  const output = fs.lstatSync(image, { throwIfNoEntry: false });
  const size = output?.isFile() ? { image, size: output.size, allocated: output.blocks * 512 } : {};
  const printed = command.reports || command.summary ? JSON.parse(lastLine(done.stdout)) : undefined;
  if (command.reports) figures.wall = printed.seconds;
  return { ...figures, ...size, printed };
}

function lastLine(text) {
  return text.trimEnd().split("\n").at(-1);
}
