// Debian's kernel under QEMU, without installing it: the package is downloaded and unpacked where the test wants it.

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { runOk } from "./need.ts";

export interface Kernel {
  /** The kernel image. */
  readonly image: string;
  /** The folder of its modules, `…/lib/modules/VERSION`. */
  readonly modules: string;
}

/** Downloads and unpacks the kernel that linux-image-amd64 stands for into `folder`. */
export function fetchKernel(folder: string): Kernel {
  const depends = runOk("apt-cache", ["depends", "linux-image-amd64"]).toString();
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`linux-image-amd64 depends on no kernel:\n${depends}`);
  runOk("apt-get", ["-q", "download", name], { cwd: folder });
  const archive = readdirSync(folder).find((file) => file.endsWith(".deb"));
  runOk("dpkg-deb", ["-x", join(folder, archive as string), folder]); // downloaded just now
  const image = readdirSync(join(folder, "boot")).find((file) => file.startsWith("vmlinuz-"));
  const [version] = readdirSync(join(folder, "lib/modules"));
  return { image: join(folder, "boot", image as string), modules: join(folder, "lib/modules", version as string) }; // the package has both
}

/** Boots `kernel` with `initrd`, without any hardware acceleration, and gives what it wrote to its serial console until it was off. */
export function boot(kernel: Kernel, initrd: string, seconds: number): Promise<string> {
  const qemu = spawn(
    "qemu-system-x86_64",
    [
      "-M",
      "q35",
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-m",
      "512",
      "-nodefaults",
      "-display",
      "none",
      "-serial",
      "stdio",
      "-no-reboot",
    ].concat(["-kernel", kernel.image, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1"]),
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  return new Promise((resolve, reject) => {
    const said: Buffer[] = [];
    const late = setTimeout(() => qemu.kill("SIGKILL"), seconds * 1000);
    qemu.stdout.on("data", (chunk: Buffer) => said.push(chunk));
    qemu.stderr.on("data", (chunk: Buffer) => said.push(chunk));
    qemu.on("error", reject);
    qemu.on("close", (status, signal) => {
      clearTimeout(late);
      const text = Buffer.concat(said).toString("latin1");
      if (status === 0) resolve(text);
      else reject(new Error(`QEMU ended with ${status ?? signal}, after:\n${text.slice(-4000)}`));
    });
  });
}
