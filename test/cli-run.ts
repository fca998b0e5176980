// Runs the command line as users do: the built one, in its own process.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What `npx fsynth` runs. */
export const bin = join(root, "bin/fsynth.js");

/** Throws when dist is older than the sources it was built from: what would be tested is not what is there. */
export function requireFreshBuild(): void {
  const newest = (folder: string, ending: string): number =>
    Math.max(
      0,
      ...fs
        .readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(ending))
        .map((name) => fs.statSync(join(root, folder, name)).mtimeMs),
    );
  const bundle = join(root, "dist/cli/main.js");
  const built = fs.existsSync(bundle) ? fs.statSync(bundle).mtimeMs : 0;
  if (Math.max(newest("src", ".ts"), newest("formats", ".ts")) > built) {
    throw new Error("dist is older than the sources; run npm run build");
  }
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs fsynth and waits. Signals of its end show as no status. */
export function fsynth(
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly input?: Uint8Array;
    /** A descriptor for standard input, instead of `input`. */
    readonly stdin?: number;
  } = {},
): Ran {
  const { SOURCE_DATE_EPOCH: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    ...options,
    ...(options.stdin === undefined ? {} : { stdio: [options.stdin, "pipe", "pipe"] }),
    env: { ...env, ...options.env },
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  return { status, stdout: stdout.toString("latin1"), stderr: stderr.toString("utf8") };
}
