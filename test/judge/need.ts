// Whether a foreign judge is here. A missing one is skipped aloud; with CI=true, on machines that promise to have them
// all, it is a failure.
//
//   test.skipIf(!need("e2fsck", "debugfs"))("…", () => { … });

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Debian keeps e2fsck, debugfs and mount's helpers out of an ordinary user's PATH. */
const folders = [...(process.env.PATH ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"].filter(Boolean);

/** The full path of a tool, if it is here. */
export function findTool(name: string): string | undefined {
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

const told = new Set<string>();

function missing(what: string): false {
  if (process.env.CI === "true") throw new Error(`${what} is missing, and with CI=true every judge must be here`);
  if (!told.has(what)) {
    told.add(what);
    console.warn(`SKIPPED: tests that need ${what}, which is missing here`);
  }
  return false;
}

/** Whether all these tools are here. */
export function need(...tools: readonly string[]): boolean {
  return tools.map((tool) => findTool(tool) !== undefined || missing(tool)).every(Boolean);
}

/** Whether this is root. */
export function needRoot(): boolean {
  return process.getuid?.() === 0 || missing("root");
}

let loopMount: boolean | undefined;

/** Whether file systems in files can be mounted; tried once. */
export function needLoopMount(): boolean {
  if (!needRoot() || !need("mount", "umount", "losetup", "mke2fs")) return false;
  loopMount ??= tryLoopMount();
  return loopMount || missing("the right to mount a loop device");
}

function tryLoopMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-need-"));
  try {
    const image = join(folder, "image");
    writeFileSync(image, "");
    truncateSync(image, 1 << 20);
    if (run("mke2fs", ["-q", "-F", "-t", "ext2", image]).status !== 0) return false;
    if (run("mount", ["-o", "loop,ro", image, folder]).status !== 0) return false;
    return run("umount", [folder]).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether the packages of `folder` (`tools`), which no `npm ci` of ours brings, are installed as its lockfile says. */
export function needPackages(folder: string): boolean {
  const top = fileURLToPath(new URL(`../../${folder}/`, import.meta.url));
  const read = <T>(path: string): T => JSON.parse(readFileSync(join(top, path), "utf8"));
  const { packages } = read<{ readonly packages: Readonly<Record<string, { readonly version: string }>> }>("package-lock.json");
  const { devDependencies } = read<{ readonly devDependencies: object }>("package.json");
  const installed = (name: string): boolean => {
    const path = `node_modules/${name}`;
    if (!existsSync(join(top, path))) return false;
    return read<{ readonly version: string }>(`${path}/package.json`).version === packages[path]?.version;
  };
  return Object.keys(devDependencies).every(installed) || missing(`the packages of ${folder} (npm ci --prefix ${folder})`);
}

/**
 * Whether Linux lets this process grow a mounted file system: that takes CAP_SYS_RESOURCE, which containers and some
 * virtual machines keep even from root. Nothing that could be installed brings it, so its absence is no failure in CI.
 */
export function mayResizeOnline(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  const may = ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
  if (!may) console.warn("SKIPPED: growing mounted images, for which root here lacks CAP_SYS_RESOURCE");
  return may;
}

export interface Run {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Runs a tool in the C locale and UTC and waits for it. */
export function run(
  tool: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: string | Uint8Array } = {},
): Run {
  const { error, status, stdout, stderr } = spawnSync(findTool(tool) ?? tool, args, {
    ...options,
    env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

/** As {@link run}; an exit status other than 0 is an error that shows what the tool said. */
export function runOk(
  tool: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly input?: string | Uint8Array } = {},
): Buffer {
  const { status, stdout, stderr } = run(tool, args, options);
  if (status !== 0)
    throw new Error(`${tool} ${args.join(" ")}: exit status ${status}\n${Buffer.concat([stdout, stderr]).toString()}`);
  return stdout;
}
