// The command line under a runtime: pipes, files, exit statuses.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Runtime } from "./binaries.ts";
import type { Prepared } from "./files.ts";
import { type Outcome, outcome } from "./suite.ts";

/** Runs the commands of the package at `top`; `env` is what the runtime is run with. */
export async function runCommands(
  runtime: Runtime,
  top: string,
  { tar, zstd }: Prepared,
  scratch: string,
  env: NodeJS.ProcessEnv,
): Promise<Outcome[]> {
  const fsynth = (
    wanted: number,
    args: readonly string[],
    input?: Uint8Array,
  ): { readonly stdout: Buffer; readonly told: string } => {
    const command = [...runtime.args, join(top, "bin/fsynth.js"), ...args];
    const { error, status, stdout, stderr } = spawnSync(runtime.binary, command, { input, env, maxBuffer: 64 << 20 });
    if (error) throw error;
    if (status !== wanted) throw new Error(`exit status ${status}, expected ${wanted}: ${stderr.toString()}`);
    return { stdout, told: stderr.toString() };
  };
  const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const file = join(scratch, "command.ext2.gz");
  const commands: Readonly<Record<string, () => string>> = {
    pipes: () => {
      const { stdout, told } = fsynth(0, ["build", "--quiet", "-f", "cpio", "-o", "-", "-"], readFileSync(zstd));
      return `${digest(stdout)} ${told}`;
    },
    "compressed file": () => {
      const { told } = fsynth(0, ["build", "--quiet", "-f", "ext2", "-o", file, tar]);
      return `${digest(readFileSync(file))} ${told}`;
    },
    ls: () => {
      const { stdout, told } = fsynth(0, ["ls", "--manifest", file]);
      return `${digest(stdout)} ${told}`;
    },
    usage: () => fsynth(2, ["build", "-f", "ext9", "-o", "-", tar]).told,
    corrupt: () => fsynth(3, ["ls", "-"], new Uint8Array(512)).told,
  };
  const outcomes: Outcome[] = [];
  for (const [name, work] of Object.entries(commands)) outcomes.push(await outcome(`cli/${name}`, async () => work()));
  return outcomes;
}
