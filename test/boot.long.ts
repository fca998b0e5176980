// Machines that really boot: Debian's kernel, without acceleration, as a judge of our images and of the launcher.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ext } from "../formats/ext/index.ts";
import { buildCpio, buildExt2, buildExt4, buildFfs, buildImage, fromDirectory, openImage, type Tree } from "../src/index.ts";
import { type BootOptions, type BootResult, boot, prepareBoot, runMachine } from "../src/qemu/index.ts";
import { kernelAt } from "../src/qemu/kernel.ts";
import { ModuleFolder } from "../src/qemu/modules.ts";
import { pattern } from "./arbitrary/tree.ts";
import { bin, requireFreshBuild } from "./cli-run.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import { busyboxRoot, expectedSums, mixedTree, SUMS, sumsOf } from "./judge/guest.ts";
import { fetchKernel, type Kernel } from "./judge/kernel.ts";
import { need, run, runOk } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-boots-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const able = need("qemu-system-x86_64", "busybox", "apt-get", "apt-cache", "dpkg-deb", "e2fsck", "resize2fs");

/** No boot may take longer, in seconds. */
const LIMIT = 240;

let kernel: Kernel;
beforeAll(() => {
  if (!able) return;
  const download = join(folder, "kernel");
  mkdirSync(download);
  kernel = fetchKernel(download);
}, 600_000);

/** Boots with Debian's kernel, emulated; what the host has for acceleration shall not matter. */
async function booted(options: BootOptions): Promise<BootResult> {
  const result = await boot({
    kernel: kernel.image,
    modules: kernel.modules,
    accelerator: "tcg",
    memory: 256,
    append: "quiet",
    timeout: LIMIT,
    ...options,
  });
  if (process.env.FSYNTH_SHOW === "1") console.log(result.console, result.marks);
  return result;
}

/** What a result should be, in one comparison that shows the console when it is not. */
function outcome(result: BootResult): string {
  return result.error ? `${result.reason}: ${result.error.message}\n${result.console.slice(-3000)}` : result.reason;
}

// ---- A root of Debian's own packages

const PACKAGES = (
  "base-files bash coreutils dash e2fsprogs libacl1 libattr1 libblkid1 libc6 libcom-err2 libcrypt1 " +
  "libext2fs2 libgmp10 libmount1 libpcre2-8-0 libselinux1 libss2 libtinfo6 libuuid1 mount util-linux"
).split(" ");

const DEBIAN_INIT = `#!/bin/bash
mount -t proc proc /proc
echo "bash $BASH_VERSION, $(stat -f -c %T /)"
sha256sum /bin/bash /usr/bin/sha256sum
echo "written by the guest" > /srv/written
cp -a /usr/share/doc/base-files /srv/copied
rm -r /usr/share/doc/bash
sync
mount -o remount,ro / && echo "ALL IS DONE"
echo o > /proc/sysrq-trigger
sleep 60
`;

let debian: Tree;
function debianRoot(): Tree {
  if (debian) return debian;
  const packages = join(folder, "packages");
  const root = join(folder, "debian");
  mkdirSync(packages);
  runOk("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", ...PACKAGES], { cwd: packages });
  for (const file of readdirSync(packages)) runOk("dpkg-deb", ["-x", join(packages, file), root]);
  debian = fromDirectory(root);
  for (const name of ["/dev", "/proc", "/sys", "/srv"]) debian.directory(name);
  return debian.file("/sbin/init", DEBIAN_INIT, { mode: 0o755 });
}

describe.skipIf(!able)("a root of Debian's packages", () => {
  const cases = (["ext2", "ext3", "ext4"] as const).flatMap((profile) =>
    [1024, 2048, 4096].map((size) => [profile, size] as const),
  );
  test.each(cases)("%s in blocks of %i: a shell writes, powers off, and the file system is clean", async (profile, blockSize) => {
    const path = join(folder, "debian.img");
    await buildImage(ext, profile, debianRoot(), { blockSize, size: "fit+8M", inodes: "fit+500", owner: "0:0" }).writeTo(path);
    const result = await booted({ root: path, writable: true, expect: "ALL IS DONE" });
    expect(outcome(result)).toBe("expected");
    expect(result.stopped).toBe("guest");
    expect(result.console).toMatch(/bash 5\.\S+, ext2\/ext3/);
    expect(e2fsck(path)).toEqual([]);
    const volume = await openImage(path);
    expect(new TextDecoder().decode(volume.read("/srv/written"))).toBe("written by the guest\n");
    expect(volume.lookup("/srv/copied/copyright")?.kind).toBe("file");
    expect(volume.lookup("/usr/share/doc/bash")).toBeUndefined();
    const sums = runOk("sha256sum", [join(folder, "debian/bin/bash")])
      .toString()
      .slice(0, 64);
    expect(result.console).toContain(`${sums}  /bin/bash`);
  });

  test("what was not to be written is not: the image stays as it was", async () => {
    const path = join(folder, "debian.img");
    const image = buildExt4(debianRoot(), { size: "fit+8M", inodes: "fit+500", owner: "0:0" });
    await image.writeTo(path);
    const result = await booted({ root: path, expect: "ALL IS DONE" });
    expect(outcome(result)).toBe("expected");
    expect(result.stopped).toBe("quit");
    expect(run("sha256sum", [path]).stdout.toString().slice(0, 64)).toBe(await image.sha256());
  });
});

// ---- Images as further disks

const MOUNTS = `${SUMS}
while read -r name type options; do
  for block in /sys/block/*; do
    [ "$(cat $block/serial 2> /dev/null)" = "$name" ] || continue
    mount -t "$type" -o "$options" "/dev/$(basename $block)" /mnt && sums "$name" /mnt && umount /mnt
  done
done < /disks`;

interface Disk {
  readonly name: string;
  readonly how: string;
  readonly tree: Tree;
  readonly path: string;
}

describe.skipIf(!able)("Linux reads what we wrote", () => {
  test("ffs1 and ffs2, both byte orders, and ext of every profile: every file", async () => {
    const disks: Disk[] = [];
    const add = async (
      name: string,
      how: string,
      build: (tree: Tree) => { writeTo(path: string): Promise<unknown> },
    ): Promise<void> => {
      const tree = mixedTree(pattern, disks.length);
      const path = join(folder, `${name}.img`);
      await build(tree).writeTo(path);
      disks.push({ name, how: `disk${disks.length + 1} ${how}`, tree, path });
    };
    for (const byteOrder of ["little", "big"] as const) {
      for (const [blockSize, fragmentSize] of [
        [4096, 512],
        [8192, 1024],
        [16384, 2048],
        [32768, 4096],
      ] as const) {
        const sizes = { byteOrder, blockSize, fragmentSize };
        await add(`ffs1-${byteOrder}-${blockSize}`, "ufs ro,ufstype=44bsd", (tree) => buildFfs(tree, { version: 1, ...sizes }));
        await add(`ffs2-${byteOrder}-${blockSize}`, "ufs ro,ufstype=ufs2", (tree) => buildFfs(tree, { version: 2, ...sizes }));
      }
    }
    for (const profile of ["ext2", "ext3", "ext4", "ext4-nojournal", "ext2-netbsd"]) {
      await add(profile, "ext4 ro", (tree) => buildImage(ext, profile, tree, {}));
    }
    const root = busyboxRoot(MOUNTS).file("/disks", disks.map(({ how }) => `${how}\n`).join(""));
    const result = await booted({
      root: buildExt4(root, { size: "fit+4M", inodes: "fit+50" }),
      disks: disks.map(({ path }) => path),
      extraModules: ["ufs"],
    });
    expect(outcome(result)).toBe("poweroff");
    for (const [i, { name, tree }] of disks.entries()) {
      expect(`${name}\n${sumsOf(result.console, `disk${i + 1}`).join("\n")}`).toBe(
        `${name}\n${(await expectedSums(tree)).join("\n")}`,
      );
    }
  });

  test.each([
    ["ffs1", 1, "little"],
    ["ffs2", 2, "little"],
    ["ffs2", 2, "big"],
  ] as const)("%s (version %i, %s endian) as the root, by its id", async (_name, version, byteOrder) => {
    const root = busyboxRoot(`${SUMS}\ncat /proc/cmdline\nsums root /`);
    const result = await booted({ root: buildFfs(root, { version, byteOrder }) });
    expect(outcome(result)).toBe("poweroff");
    expect(result.console).toMatch(/root=UUID=[0-9a-f]{16} rootfstype=ufs rootflags=ufstype=\w+ ro/);
    expect(sumsOf(result.console, "root")).toEqual(await expectedSums(root));
  });

  test("a cpio archive alone, as an initramfs", async () => {
    const tree = busyboxRoot(`${SUMS}\nsums root /`);
    tree.symlink("/init", "sbin/init").device("/dev/console", "c", 5, 1, { mode: 0o600 });
    const path = join(folder, "initrd.cpio.gz");
    await buildCpio(tree).writeTo(path);
    const result = await booted({ root: path });
    expect(outcome(result)).toBe("poweroff");
    expect(sumsOf(result.console, "root")).toEqual(await expectedSums(tree));
  });

  test("a compressed image, unpacked where nobody sees it", async () => {
    const path = join(folder, "root.ext4.zst");
    await buildExt4(busyboxRoot("echo UNPACKED"), { size: "fit+1M" }).writeTo(path);
    expect(outcome(await booted({ root: path, expect: "UNPACKED" }))).toBe("expected");
  });
});

// ---- Finding the root

describe.skipIf(!able)("the root is found", () => {
  const marked = (name: string): Tree =>
    busyboxRoot(`cat /name; cat /proc/cmdline; ${name === "right" ? "echo FOUND IT" : "echo WRONG ONE"}`).file(
      "/name",
      `${name}\n`,
    );

  /** Boots with the root behind two other disks. */
  async function last(root: string, decoys: readonly string[], append = ""): Promise<BootResult> {
    const options = {
      kernel: kernel.image,
      modules: kernel.modules,
      accelerator: "tcg" as const,
      memory: 256,
      append: `quiet ${append}`,
    };
    const prepared = await prepareBoot({ ...options, root, disks: decoys });
    try {
      const spec = { ...prepared.spec, disks: prepared.spec.disks.toReversed() };
      return await runMachine({ ...prepared, spec }, { timeout: LIMIT, expect: /FOUND IT|WRONG ONE/ });
    } finally {
      prepared.close();
    }
  }

  test("by UUID, behind other disks", async () => {
    const [root, decoy] = [join(folder, "right.img"), join(folder, "wrong.img")];
    await buildExt4(marked("right"), { size: "fit+1M" }).writeTo(root);
    await buildExt4(marked("wrong"), { size: "fit+1M" }).writeTo(decoy);
    const result = await last(root, [decoy, decoy]);
    expect(result.console).toMatch(/root=UUID=[0-9a-f-]{36} /);
    expect(result.console).toContain("FOUND IT");
    expect(result.console).toMatch(/is \/dev\/vdc/);
  });

  test("by UUID, behind a copy of itself: the one that was meant", async () => {
    const [root, decoy] = [join(folder, "right.img"), join(folder, "wrong.img")];
    const uuid = "01234567-89ab-cdef-0123-456789abcdef";
    await buildExt4(marked("right"), { size: "fit+1M", uuid }).writeTo(root);
    await buildExt4(marked("wrong"), { size: "fit+1M", uuid }).writeTo(decoy);
    expect((await last(root, [decoy])).console).toContain("FOUND IT");
  });

  test("by LABEL, as the user says", async () => {
    const [root, decoy] = [join(folder, "right.img"), join(folder, "wrong.img")];
    await buildExt2(marked("right"), { size: "fit+1M", label: "the one" }).writeTo(root);
    await buildExt2(marked("wrong"), { size: "fit+1M", label: "theone" }).writeTo(decoy);
    // A label with a space cannot be written on a kernel's command line.
    await buildExt2(marked("right"), { size: "fit+1M", label: "the-one" }).writeTo(root);
    const result = await last(root, [decoy], "root=LABEL=the-one");
    expect(result.console).toContain("FOUND IT");
  });

  test("or what is missing is named", async () => {
    const result = await booted({
      root: buildExt2(marked("right")),
      append: "quiet root=UUID=11111111-2222-3333-4444-555555555555",
    });
    expect(result.reason).toBe("init");
    expect(result.error?.message).toMatch(/no disk is UUID=11111111-2222-3333-4444-555555555555; there is .*vda/);
  });
});

// ---- The machine and its devices

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number }; // of a server that listens on a port
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

function received(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const socket = connect(port, "127.0.0.1");
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      said += text;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(said));
  });
}

const DEVICES = `
ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0
mount -t 9p -o trans=virtio,version=9p2000.L given /mnt && cat /mnt/note
echo "guest was here" > /mnt/answer || echo "the share cannot be written"
umount /mnt
mount -t 9p -o trans=virtio,version=9p2000.L open /mnt && echo "guest was here" > /mnt/answer
cat /sys/firmware/qemu_fw_cfg/by_name/opt/org.smolbsd.var.greeting/raw; echo
cat /sys/firmware/qemu_fw_cfg/by_name/opt/org.smolbsd.file.list/raw
echo LISTENING
echo "over the network" | nc -l -p 80
echo "ANSWERED"`;

describe.skipIf(!able)("the machine", () => {
  test.each([
    ["q35", "serial"],
    ["microvm", "serial"],
    ["q35", "virtio"],
  ] as const)("%s with a %s console: network, 9p and fw_cfg reach the guest", async (machine, kind) => {
    const [given, open] = [join(folder, "given"), join(folder, "open, too")];
    for (const path of [given, open]) mkdirSync(path, { recursive: true });
    writeFileSync(join(given, "note"), "a note on the share\n");
    writeFileSync(join(folder, "list, of files"), "a file in fw_cfg\n");
    const hostPort = await freePort();
    let said = "";
    let answer: Promise<string> | undefined;
    const result = await booted({
      root: buildExt4(busyboxRoot(DEVICES), { size: "fit+1M" }),
      machine,
      console: kind,
      forwards: [{ protocol: "tcp", hostPort, guestPort: 80 }],
      shares: [
        { tag: "given", path: given },
        { tag: "open", path: open, writable: true },
      ],
      fwCfg: [
        { name: "opt/org.smolbsd.var.greeting", text: "good morning, guest" },
        { name: "opt/org.smolbsd.file.list", path: join(folder, "list, of files") },
      ],
      expect: "ANSWERED",
      onConsole(bytes) {
        said += new TextDecoder().decode(bytes);
        if (said.includes("LISTENING")) answer ??= new Promise((resolve) => setTimeout(() => resolve(received(hostPort)), 500));
      },
    });
    expect(outcome(result)).toBe("expected");
    for (const text of ["a note on the share", "the share cannot be written", "good morning, guest", "a file in fw_cfg"]) {
      expect(result.console).toContain(text);
    }
    expect(await answer).toBe("over the network\n");
    expect(readFileSync(join(open, "answer"), "utf8")).toBe("guest was here\n");
    expect(existsSync(join(given, "answer"))).toBe(false);
    rmSync(open, { recursive: true });
  });

  test("what is typed is heard, and two processors are two", async () => {
    async function* typed(): AsyncGenerator<string> {
      await heard;
      yield "grep -c ^processor /proc/cpuinfo; echo $((6 * 7)) is the answer\n";
    }
    let hear = (): void => {};
    const heard = new Promise<void>((resolve) => {
      hear = resolve;
    });
    let said = "";
    const result = await booted({
      root: buildExt4(busyboxRoot("echo LISTENING; exec sh"), { size: "fit+1M" }),
      cpus: 2,
      input: typed(),
      expect: "42 is the answer",
      onConsole(bytes) {
        said += new TextDecoder().decode(bytes);
        if (said.includes("LISTENING")) hear();
      },
    });
    expect(outcome(result)).toBe("expected");
    expect(result.console).toMatch(/\n2\r*\n/);
    const { started = 0, console = 0, init = 0, expected = 0, ended = 0 } = result.marks;
    expect([started, console, init, expected, ended].every((mark, i, all) => mark > 0 && mark >= (all[i - 1] ?? 0))).toBe(true);
  });

  test("its modules are those that depmod lists, whether depmod was there or not", async () => {
    const listed = join(folder, "listed");
    const { release } = kernelAt(kernel.image);
    mkdirSync(join(listed, "lib/modules"), { recursive: true });
    runOk("cp", ["-r", kernel.modules, join(listed, "lib/modules")]);
    runOk("busybox", ["depmod", "-b", listed, release as string]); // the kernel has one
    const [bare, full] = [kernel.modules, join(listed, "lib/modules", release as string)].map((path) => new ModuleFolder(path));
    expect(existsSync(join(listed, "lib/modules", release as string, "modules.dep"))).toBe(true);
    for (const name of ["ext4", "ufs", "virtio_pci", "virtio_mmio", "virtio_net", "9p", "btrfs"]) {
      const wanted = [{ names: [name], purpose: "the test" }];
      const [a, b] = await Promise.all([bare?.closure(wanted), full?.closure(wanted)]);
      expect(a?.map((module) => module.name)).toEqual(b?.map((module) => module.name));
      expect(a?.at(-1)?.name).toBe(name.replace("-", "_"));
    }
  });
});

// ---- Failures

describe.skipIf(!able)("a guest that fails", () => {
  test("by a panic is told with the kernel's line", async () => {
    const result = await booted({ root: buildExt4(busyboxRoot("exit 3"), { size: "fit+1M" }), expect: "never" });
    expect(result.reason).toBe("panic");
    expect(result.error?.message).toMatch(/^Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300/);
  });

  test("by falling silent is stopped", async () => {
    const began = performance.now();
    const result = await booted({
      root: buildExt4(busyboxRoot("echo LAST LINE; sleep 1000"), { size: "fit+1M" }),
      expect: "never",
      stall: 25,
    });
    expect(result.reason).toBe("stalled");
    expect(result.error?.message).toContain("LAST LINE");
    expect(performance.now() - began).toBeLessThan(120_000);
  });

  test("by powering off before the text is told", async () => {
    const result = await booted({ root: buildExt4(busyboxRoot("echo nothing more"), { size: "fit+1M" }), expect: "never" });
    expect(result.reason).toBe("not-seen");
    expect(result.error?.message).toContain('before the console showed "never"');
  });

  test("by not ending when it was writable is asked by its power button, then made to", async () => {
    const path = join(folder, "stubborn.img");
    await buildExt4(busyboxRoot("echo STUBBORN; while :; do sleep 1; done"), { size: "fit+1M" }).writeTo(path);
    const result = await booted({ root: path, writable: true, expect: "STUBBORN", grace: 2 });
    expect(outcome(result)).toBe("expected");
    expect(result.stopped).toBe("quit");
    const { expected = 0, ended = 0 } = result.marks;
    expect(ended - expected).toBeGreaterThan(3900);
    expect(ended - expected).toBeLessThan(9000);
  });
});

// ---- Growing, which needs a capability that root often lacks outside of a machine

const GROW = `#!/bin/bash
mount -t proc proc /proc
mount -t sysfs sysfs /sys
while read -r name profile; do
  for block in /sys/block/*; do
    [ "$(cat $block/serial 2> /dev/null)" = "$name" ] || continue
    device=/dev/\${block##*/}
    mount -t ext4 "$device" /mnt && resize2fs "$device" 2>&1 && echo "GREW $name $profile to $(stat -f -c "%b of %S" /mnt)"
    dd if=/dev/zero of=/mnt/added bs=1M count=64 status=none && echo "FILLED $name"
    (cd /mnt && sha256sum -c --quiet /sums-$profile && echo "KEPT $name")
    umount /mnt
  done
done < /disks
sync
mount -o remount,ro /
echo "ALL IS DONE"
echo o > /proc/sysrq-trigger
sleep 60
`;

describe.skipIf(!able)("an image", () => {
  /** Bytes; more than two groups of the largest blocks. */
  const GROWN = 300 << 20;
  const GROWING = [
    ["ext2", {}],
    ["ext3", {}],
    ["ext4", {}],
    ["ext4", { blockSize: 1024 }],
    ["ext2", { blockSize: 1024 }],
    ["ext4-nojournal", { blockSize: 2048 }],
    ["ext4", { features: ["meta_bg", "^resize_inode"] }],
    ["ext4", { features: ["^flex_bg"] }],
    ["ext4", { features: ["inline_data", "metadata_csum_seed", "ea_inode"] }],
  ] as const;

  test("grows while it is mounted, in every profile that can", async () => {
    debianRoot();
    const root = fromDirectory(join(folder, "debian"));
    for (const name of ["/dev", "/proc", "/sys", "/mnt"]) root.directory(name);
    root.file("/sbin/init", GROW, { mode: 0o755 });
    const paths: string[] = [];
    for (const [i, [profile, options]] of GROWING.entries()) {
      const tree = mixedTree(pattern, i);
      const path = join(folder, `grow-${i}.img`);
      await buildImage(ext, profile, tree, { ...options, size: "fit+4M" }).writeTo(path);
      truncateSync(path, GROWN);
      paths.push(path);
      const sums = (await expectedSums(tree)).map((line) => line.replace(/^(\S+) /, "$1  "));
      root.file(`/sums-${i}`, `${sums.join("\n")}\n`);
    }
    root.file("/disks", paths.map((_, i) => `disk${i + 1} ${i}\n`).join(""));
    const result = await booted({
      root: buildExt4(root, { size: "fit+8M", inodes: "fit+100", owner: "0:0" }),
      disks: paths,
      writable: true,
      memory: 512,
      expect: "ALL IS DONE",
      timeout: 600,
    });
    expect(outcome(result)).toBe("expected");
    for (const [i, [profile, options]] of GROWING.entries()) {
      const label = `${profile} ${JSON.stringify(options)}`;
      const [, blocks, size] = new RegExp(`GREW disk${i + 1} ${i} to (\\d+) of (\\d+)`).exec(result.console) ?? [];
      expect(Number(blocks) * Number(size), `${label}\n${result.console}`).toBeGreaterThan(GROWN * 0.9);
      for (const word of [`FILLED disk${i + 1}`, `KEPT disk${i + 1}`]) {
        expect(result.console.includes(word) ? "" : `${label}: no "${word}" in\n${result.console}`).toBe("");
      }
      expect([label, ...e2fsck(paths[i] as string)]).toEqual([label]); // as many as there are cases
    }
  });
});

// ---- The launcher itself

describe.skipIf(!able)("the launcher", () => {
  beforeAll(requireFreshBuild);

  function alive(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return !readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
    } catch {
      return false;
    }
  }

  /** The QEMU that `launcher` started. */
  function qemuOf(launcher: ChildProcess): number | undefined {
    const children = readFileSync(`/proc/${launcher.pid}/task/${launcher.pid}/children`, "utf8")
      .trim()
      .split(" ")
      .filter(Boolean)
      .map(Number);
    return children.find(
      (pid) =>
        readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith("/usr/bin/qemu") ||
        readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("qemu-system"),
    );
  }

  test.each(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "ended by %s leaves no process, socket or file",
    async (signal) => {
      const temporary = mkdtempSync(join(folder, "tmp-"));
      const image = join(folder, "kept.img");
      await buildExt4(busyboxRoot("echo RUNNING; sleep 1000"), { size: "fit+1M" }).writeTo(image);
      const args = ["boot", image, "--kernel", kernel.image, "--modules", kernel.modules, "--accel", "tcg", "-m", "256M"];
      const launcher = spawn(process.execPath, [bin, ...args], {
        env: { ...process.env, TMPDIR: temporary },
        stdio: ["ignore", "pipe", "ignore"],
      });
      const ended = new Promise((resolve) => void launcher.on("exit", resolve));
      await new Promise((resolve) => void launcher.stdout?.once("data", resolve));
      const qemu = qemuOf(launcher);
      expect(qemu !== undefined && alive(qemu)).toBe(true);
      launcher.kill(signal);
      await ended;
      for (let i = 0; i < 100 && alive(qemu as number); i++) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(alive(qemu as number)).toBe(false);
      expect(readdirSync(temporary)).toEqual([]);
    },
  );
});
