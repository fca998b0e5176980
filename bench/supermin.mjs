// supermin as a peer: it makes bootable appliances of packages that are installed on the host, and of a kernel with its modules.
// fsynth gets the same files as two directories, unpacked before the clock starts.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";

const PACKAGES = "bash coreutils grep sed util-linux e2fsprogs perl-base".split(" ");

/** The kernel and its modules: what supermin's own variables name, else the last one that is installed. */
function kernel() {
  const { SUPERMIN_KERNEL, SUPERMIN_MODULES } = process.env;
  if (SUPERMIN_KERNEL && SUPERMIN_MODULES) return { image: SUPERMIN_KERNEL, modules: SUPERMIN_MODULES };
  const versions = fs.existsSync("/lib/modules") ? fs.readdirSync("/lib/modules").sort() : [];
  const version = versions.filter((name) => fs.existsSync(`/lib/modules/${name}/modules.dep`)).at(-1);
  return version && { image: `/boot/vmlinuz-${version}`, modules: `/lib/modules/${version}` };
}

const places = ({ work }) => ({
  prepared: join(work, "appliance.d"),
  root: join(work, "appliance"),
  overlay: join(work, "appliance-modules"),
});

/** Makes what both read; gives a sentence where that cannot be. */
export function prepareAppliance(context) {
  const { prepared, root, overlay } = places(context);
  const supermin = (...args) => spawnSync("supermin", args, { encoding: "utf8" });
  if (supermin("--version").error) return "supermin is not installed";
  const found = kernel();
  if (!found) return "supermin finds no kernel; SUPERMIN_KERNEL and SUPERMIN_MODULES can name one";
  for (const args of [
    ["--prepare", ...PACKAGES, "-o", prepared],
    ["--build", "-f", "chroot", prepared, "-o", root],
  ]) {
    const done = supermin(...args);
    if (done.status !== 0) return `supermin ${args[0]} failed: ${done.stderr.trim().split("\n").at(-1)}`;
  }
  fs.cpSync(found.modules, join(overlay, "lib/modules", found.modules.split("/").at(-1)), { recursive: true });
  return undefined;
}

export const applianceSources = (context) => [places(context).root, places(context).overlay];

export const supermin = {
  name: "supermin",
  note: "makes an initrd, too",
  command(context) {
    const { image, modules } = kernel();
    const env = [`SUPERMIN_KERNEL=${image}`, `SUPERMIN_MODULES=${modules}`];
    const build = ["supermin", "--build", "--copy-kernel", "-f", "ext2", places(context).prepared, "-o", "OUT"];
    return { argv: ["env", ...env, ...build], image: "root" };
  },
};
