// What the figures were measured on: the machine, its kernel, the tools and their versions. No names of hosts, no paths.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";

/** The type of the file system that holds `path`, by the kernel's table of mounts: `ext4`, `tmpfs`, … */
export function filesystemOf(path) {
  const real = fs.realpathSync(path);
  let best = { point: "", type: "unknown" };
  for (const line of fs.readFileSync("/proc/self/mounts", "utf8").trimEnd().split("\n")) {
    const [, point, type] = line.split(" ");
    const holds = point === "/" || real === point || real.startsWith(`${point}/`);
    if (holds && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}

export function machine() {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? "unknown",
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: /^PRETTY_NAME="(.*)"$/m.exec(fs.readFileSync("/etc/os-release", "utf8"))?.[1] ?? os.type(),
    kernel: os.release(),
    node: process.version,
  };
}

const VERSIONS = {
  mke2fs: ["mke2fs", "-V"],
  "mke2fs (MKE2FS)": [process.env.MKE2FS, "-V"],
  tar: ["tar", "--version"],
  cp: ["cp", "--version"],
  cpio: ["cpio", "--version"],
  bsdtar: ["bsdtar", "--version"],
  gzip: ["gzip", "--version"],
  zstd: ["zstd", "--version"],
  supermin: ["supermin", "--version"],
  cc: ["cc", "--version"],
};

/** Packages of programs that do not tell their version. */
const PACKAGES = { genext2fs: "genext2fs", makefs: "makefs" };

/** Name to version, of the tools that are here. */
export function tools() {
  const found = {};
  for (const [name, [program, flag]] of Object.entries(VERSIONS)) {
    if (!program) continue;
    const done = spawnSync(program, [flag], { encoding: "utf8" });
    if (done.error) continue;
    const first = `${done.stdout}\n${done.stderr}`.trim().split("\n")[0] ?? "";
    found[name] = /v?(\d+(?:\.\d+)+)/.exec(first)?.[1] ?? first;
  }
  for (const [name, pack] of Object.entries(PACKAGES)) {
    const done = spawnSync("dpkg-query", ["-W", pack], { encoding: "utf8" });
    if (done.status === 0) found[name] = done.stdout.trim().split("\t")[1];
  }
  return found;
}

/** The version of fsynth, and the commit it was built from where this is a git checkout; `+` for changes on top of it. */
export function ourselves() {
  const top = join(import.meta.dirname, "..");
  const { version } = JSON.parse(fs.readFileSync(join(top, "package.json"), "utf8"));
  const git = (...args) => spawnSync("git", ["-C", top, ...args], { encoding: "utf8" });
  const commit = git("rev-parse", "--short=10", "HEAD");
  if (commit.status !== 0) return version;
  const changed = git("status", "--porcelain", "--untracked-files=no", "src", "formats").stdout !== "";
  return `${version} (${commit.stdout.trim()}${changed ? "+" : ""})`;
}
