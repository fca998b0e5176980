// Commands of the system, for the few things that no runtime can do itself (reading xattrs).

import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { CommandResult } from "./port.ts";

/** Runs `command` in `cwd` and waits; `undefined` when there is no such command. Its messages are in English, whatever the locale. */
export function runCommand(command: string, args: readonly string[], cwd: string): CommandResult | undefined {
  if (/\p{Surrogate}/u.test(cwd)) {
    throw new FsynthError("unsupported", `cannot run ${command} in ${quoteName(cwd)}: the path is not UTF-8`, { path: cwd });
  }
  const { status, signal, error, stdout, stderr } = process.getBuiltinModule("node:child_process").spawnSync(command, args, {
    cwd,
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new FsynthError("io", `cannot run ${command}: ${error.message}`, { path: cwd }, { cause: error });
  }
  return { status: status ?? `signal ${signal}`, stdout, stderr };
}
