// Where the runtimes are: the binaries in the packages of tools/runtimes, installed when they are not there.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** A runtime that runs a script from the command line. */
export interface Runtime {
  /** As the table calls it, without its version. */
  readonly name: string;
  readonly binary: string;
  /** What stands before the script. */
  readonly args: readonly string[];
}

const NODE_RELEASES = [20, 22, 24, 26];

/** All of them. Throws where a binary is missing, and on systems that the packages do not serve. */
export function findRuntimes(top: string): Runtime[] {
  const system = `${process.platform}-${process.arch}`;
  const names = { "linux-x64": ["x64", "x64", "x64"], "linux-arm64": ["arm64", "aarch64", "arm64"] }[system];
  if (!names) throw new Error(`tools/runtimes has no binaries for ${system}, only for linux-x64 and linux-arm64`);
  const [node, bun, deno] = names;
  const folder = join(top, "tools/runtimes");
  const packages = join(folder, "node_modules");
  const runtimes: Runtime[] = [
    ...NODE_RELEASES.map((release) => ({
      name: `Node ${release}`,
      binary: join(packages, `node${release}-linux-${node}/bin/node`),
      args: [],
    })),
    { name: "Bun", binary: join(packages, `@oven/bun-linux-${bun}/bin/bun`), args: ["run", "--no-install"] },
    { name: "Deno", binary: join(packages, `@deno/linux-${deno}-glibc/deno`), args: ["run", "--allow-all", "--cached-only"] },
  ];
  if (!runtimes.every(({ binary }) => existsSync(binary))) {
    execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  for (const { name, binary } of runtimes) if (!existsSync(binary)) throw new Error(`${name}: nothing is at ${binary}`);
  return runtimes;
}

/** What the binary says of itself, such as `22.23.3`. */
export function versionOf({ binary }: Runtime): string {
  return /\d+\.\d+\.\d+/.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }))?.[0] ?? "?";
}
