// The launcher without a machine: its tables, its choices, what it makes, and how it takes what QEMU does. Machines that boot
// are in boot.long.ts.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, fstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootCommand, timingLines } from "../src/cli/boot.ts";
import { buildCpio, buildExt2, buildExt4, buildFfs, buildTar, FsynthError, fromCpio, Tree } from "../src/index.ts";
import { type Choice, chooseAccelerator, type Objection, probeAccelerator, probeMemory } from "../src/qemu/accelerator.ts";
import { kernelArguments, type MachineSpec, qemuArguments, shellCommand } from "../src/qemu/arguments.ts";
import { loadBusybox } from "../src/qemu/busybox.ts";
import { Console } from "../src/qemu/console.ts";
import { type BootOptions, type BootResult, boot, findMachine, MACHINES, type Machine } from "../src/qemu/index.ts";
import { initScript } from "../src/qemu/init.ts";
import { buildInitramfs } from "../src/qemu/initramfs.ts";
import { findModules, kernelAt, newestKernel } from "../src/qemu/kernel.ts";
import { compareReleases, kernelRelease, releaseOfName } from "../src/qemu/kernel-version.ts";
import { ModuleFolder } from "../src/qemu/modules.ts";
import { namelessFile, namelessImage } from "../src/qemu/nameless.ts";
import { rootArguments, wantedDrivers } from "../src/qemu/prepare.ts";
import { bestLeash, startLeashed } from "../src/qemu/process.ts";
import { openRoot, type RootFilesystem, recogniseRoot } from "../src/qemu/root.ts";
import { bin, fsynth, type Ran, requireFreshBuild } from "./cli-run.ts";
import { need, needRoot } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-qemu-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const q35 = findMachine("x86_64", "linux") as Machine; // in the table

/** Something wrong with what `work` does: its reason or code, and its sentence. */
async function refusal(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof FsynthError) return `${"reason" in error ? String(error.reason) : error.code}: ${error.message}`;
    throw error;
  }
  return "nothing is wrong";
}

describe("the command line of QEMU", () => {
  const spec = (machine: Machine, more: Partial<MachineSpec> = {}): MachineSpec => ({
    machine,
    accelerator: "tcg",
    memory: 256,
    cpus: 1,
    kernel: "vmlinuz",
    append: "console=ttyS0",
    disks: [],
    network: false,
    forwards: [],
    shares: [],
    fwCfg: [],
    console: "serial",
    ...more,
  });
  const disks = [
    { id: "root", path: "root.ext4", writable: false },
    { id: "disk1", path: "a,b:c", writable: true },
  ];

  test("q35, as it is started", () => {
    const args = qemuArguments(spec(q35, { initrd: "/dev/fd/4", disks, accelerator: "kvm", cpus: 2 }), { qmpDescriptor: 3 });
    expect(args.join(" ")).toBe(
      [
        "-nodefaults -no-user-config -no-reboot -display none -machine q35 -accel kvm -cpu host -smp 2 -m 256M",
        "-chardev stdio,id=console,signal=off -chardev socket,id=qmp,fd=3 -mon chardev=qmp,mode=control",
        "-serial chardev:console -kernel vmlinuz -initrd /dev/fd/4 -append console=ttyS0",
        "-drive if=none,id=root,driver=raw,file.driver=file,file.filename=root.ext4,snapshot=on -device virtio-blk-pci,drive=root,serial=root",
        "-drive if=none,id=disk1,driver=raw,file.driver=file,file.filename=a,,b:c,cache=writeback -device virtio-blk-pci,drive=disk1,serial=disk1",
      ].join(" "),
    );
  });

  test("microvm with everything, to be pasted", () => {
    const machine = findMachine("x86_64", "linux", "microvm") as Machine; // in the table
    const args = qemuArguments(
      spec(machine, {
        console: "virtio",
        network: true,
        forwards: [
          { protocol: "tcp", hostPort: 2222, guestPort: 22 },
          { protocol: "udp", address: "0.0.0.0", hostPort: 53, guestPort: 5353 },
        ],
        shares: [
          { tag: "share", path: "/srv/a,b" },
          { tag: "rw", path: "/srv/c", writable: true },
        ],
        fwCfg: [
          { name: "opt/org.smolbsd.var.x", text: "1,2" },
          { name: "opt/org.smolbsd.file.y", path: "y" },
        ],
      }),
    );
    expect(args.join(" ")).toBe(
      [
        "-nodefaults -no-user-config -no-reboot -display none -machine microvm,rtc=on -accel tcg -cpu max -smp 1 -m 256M",
        "-global virtio-mmio.force-legacy=false -chardev stdio,id=console,signal=off,mux=on -mon chardev=console,mode=readline",
        "-device virtio-serial-device -device virtconsole,chardev=console -kernel vmlinuz -append console=ttyS0",
        "-netdev user,id=net,ipv6=off,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp:0.0.0.0:53-:5353 -device virtio-net-device,netdev=net",
        "-fsdev local,id=share0,path=/srv/a,,b,security_model=none,readonly=on -device virtio-9p-device,fsdev=share0,mount_tag=share",
        "-fsdev local,id=share1,path=/srv/c,security_model=none -device virtio-9p-device,fsdev=share1,mount_tag=rw",
        "-fw_cfg name=opt/org.smolbsd.var.x,string=1,,2 -fw_cfg name=opt/org.smolbsd.file.y,file=y",
      ].join(" "),
    );
  });

  // NetBSD cannot be booted in our tests, there being no kernel to be had; so its arguments are pinned in full.
  test.each([
    ["x86_64", "microvm", "tcg", "microvm,rtc=on,acpi=off,pic=off -accel tcg -cpu qemu64", "console=com -z root=ld0a", "device"],
    [
      "x86_64",
      "microvm",
      "nvmm",
      "microvm,rtc=on,acpi=off,pic=off -accel nvmm -cpu host,+invtsc",
      "console=com -z root=ld0a",
      "device",
    ],
    [
      "i386",
      "microvm",
      "kvm",
      "microvm,rtc=on,acpi=off,pic=off -accel kvm -cpu host,+invtsc",
      "console=com -z root=ld0a",
      "device",
    ],
    ["i386", "pc", "tcg", "pc -accel tcg -cpu max", "console=com -z root=ld0a", "pci"],
    ["aarch64", "virt", "tcg", "virt,gic-version=max -accel tcg -cpu max,pauth-impdef=on", "console=com -z root=ld0a", "device"],
  ] as const)("NetBSD on %s %s under %s", (arch, name, accelerator, machineArguments, append, bus) => {
    const machine = findMachine(arch, "netbsd", name) as Machine; // in the table
    const root = recogniseRoot(new Uint8Array(70_000));
    expect(root).toBeUndefined();
    const words = rootArguments(
      machine,
      { kind: "ffs", drivers: ["ufs"], mountOptions: "x", readOnly: true, name: "UUID=1" },
      undefined,
      false,
    );
    expect(kernelArguments(machine, accelerator, "serial", words, "", 1)).toBe(append);
    const line = qemuArguments(spec(machine, { accelerator, disks: disks.slice(0, 1), append })).join(" ");
    expect(line).toContain(`-machine ${machineArguments} -smp`);
    expect(line).toContain(`-device virtio-blk-${bus},drive=root,serial=root`);
    expect(line.includes("virtio-mmio.force-legacy=false")).toBe(bus === "device");
  });

  test("on virt the first disk is given last, which NetBSD's numbers need", () => {
    const machine = findMachine("aarch64", "netbsd") as Machine; // in the table
    const args = qemuArguments(spec(machine, { disks }));
    const given = args.filter((arg) => arg.startsWith("virtio-blk"));
    expect(given.map((arg) => /drive=(\w+)/.exec(arg)?.[1])).toEqual(["disk1", "root"]);
  });

  test("no row has what is known to hang", () => {
    for (const machine of MACHINES.filter(({ os, name }) => os === "linux" && name === "microvm")) {
      expect(machine.properties).not.toContain("acpi=off");
      expect(kernelArguments(machine, "tcg", "serial", [], "", 2_000_000)).toContain("no_timer_check tsc_early_khz=2000000");
      expect(kernelArguments(machine, "kvm", "serial", [], "", 1)).toBe("console=ttyS0 reboot=t panic=-1");
    }
    for (const machine of MACHINES) expect(machine.cpu.tcg).not.toContain("host");
  });

  test("what the user adds comes last", () => {
    expect(kernelArguments(q35, "tcg", "virtio", ["root=UUID=1", "ro"], "quiet root=/dev/vdb", 1)).toBe(
      "console=hvc0 reboot=t panic=-1 root=UUID=1 ro quiet root=/dev/vdb",
    );
  });

  test.skipIf(!need("sh"))("survives a shell", () => {
    const words = ["plain", "with space", "it's", "a$b`c`", "", "*", "a\nb", 'q"q', "~", "x=1;y"];
    const told = execFileSync("sh", ["-c", `printf '%s\\0' ${shellCommand(words)}`]).toString();
    expect(told.split("\0").slice(0, -1)).toEqual(words);
  });
});

/** A boot header as Documentation/arch/x86/boot.rst has it. */
function bzImage(release: string): Uint8Array {
  const bytes = new Uint8Array(0x3000);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x202, 0x48647253);
  view.setUint16(0x206, 0x20f, true);
  view.setUint16(0x20e, 0x1c00, true);
  bytes.set(new TextEncoder().encode(`${release} (somebody@somewhere) #1 SMP\0rest`), 0x1e00);
  return bytes;
}

describe("kernels", () => {
  test("tell their release", () => {
    expect(kernelRelease(bzImage("6.1.0-56-amd64"))).toBe("6.1.0-56-amd64");
    expect(kernelRelease(new Uint8Array(0x3000))).toBeUndefined();
    expect(kernelRelease(bzImage("6.1").subarray(0, 0x1e00))).toBeUndefined();
    expect(releaseOfName("/boot/vmlinuz-6.1.0-9-arm64")).toBe("6.1.0-9-arm64");
    expect(releaseOfName("/usr/lib/modules/6.8.1-arch1-1/vmlinuz")).toBe("6.8.1-arch1-1");
    expect(releaseOfName("/somewhere/vmlinuz")).toBeUndefined();
  });

  test("are ordered as people order them", () => {
    const sorted = [
      "5.10.0-28-amd64",
      "6.1.0-9-amd64",
      "6.1.0-10-amd64",
      "6.1.0-10-cloud-amd64",
      "6.9-rc2",
      "6.9-rc10",
      "6.9",
      "6.9.1",
      "6.12",
    ];
    expect(sorted.toReversed().sort(compareReleases)).toEqual(sorted);
  });

  function hostWith(files: Readonly<Record<string, Uint8Array | string>>): string {
    const top = mkdtempSync(join(folder, "host-"));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(top, path, ".."), { recursive: true });
      writeFileSync(join(top, path), content);
    }
    return top;
  }

  test("the newest is taken, its header before its name, and none that is for something else", () => {
    const top = hostWith({
      "boot/vmlinuz-6.1.0-9-amd64": bzImage("6.1.0-9-amd64"),
      "boot/vmlinuz-old": bzImage("6.1.0-10-amd64"),
      "boot/vmlinuz-9.9-xen": bzImage("9.9-xen"),
      "boot/initrd.img-9.9": "",
      "lib/modules/6.1.0-2-amd64/vmlinuz": bzImage("6.1.0-2-amd64"),
    });
    expect(newestKernel(top)).toEqual({ path: join(top, "boot/vmlinuz-old"), release: "6.1.0-10-amd64" });
    const beside = hostWith({ "lib/modules/6.8.0/vmlinuz": bzImage("6.8.0"), "lib/modules/6.8.0/kernel/x.ko": "" });
    const kernel = newestKernel(beside);
    expect(kernel.release).toBe("6.8.0");
    expect(findModules(kernel, undefined, beside)?.has("x")).toBe("module");
    expect(findModules({ path: "x", release: "6.9" }, undefined, beside)).toBeUndefined();
  });

  test("none, or none that is one, is told", async () => {
    expect(await refusal(() => newestKernel(hostWith({})))).toMatch(/^no-kernel: no kernel under .*--kernel/);
    expect(await refusal(() => kernelAt(join(folder, "nowhere")))).toMatch(/^no-kernel: .*nothing is there/);
    expect(await refusal(() => kernelAt(join(hostWith({ text: "#!/bin/sh" }), "text")))).toMatch(/^no-kernel: .*is no kernel/);
  });

  // As root every file can be read; so for a moment this is nobody.
  test.skipIf(!needRoot())("that only root can read are told with what to do", async () => {
    const top = hostWith({ "boot/vmlinuz-6.1.0-9-amd64": bzImage("6.1.0-9-amd64") });
    for (const path of [folder, top]) chmodSync(path, 0o755);
    chmodSync(join(top, "boot/vmlinuz-6.1.0-9-amd64"), 0o600);
    process.seteuid?.(65_534);
    try {
      expect(await refusal(() => newestKernel(top))).toMatch(
        /^no-kernel: the kernel ".*-9-amd64" cannot be read; `sudo chmod a\+r .*--kernel/,
      );
    } finally {
      process.seteuid?.(0);
    }
  });
});

/** An ELF file with nothing but a section .modinfo. */
function moduleFile(info: readonly string[], wide = true, little = true): Uint8Array {
  const text = new TextEncoder().encode(`${info.join("\0")}\0`);
  const names = new TextEncoder().encode("\0.shstrtab\0.modinfo\0");
  const header = wide ? 64 : 52;
  const entry = wide ? 64 : 40;
  const table = header + text.length + names.length;
  const bytes = new Uint8Array(table + 3 * entry);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x7f454c46);
  bytes.set([wide ? 2 : 1, little ? 1 : 2], 4);
  const word = (at: number, value: number): void => {
    if (wide) view.setBigUint64(at, BigInt(value), little);
    else view.setUint32(at, value, little);
  };
  word(wide ? 0x28 : 0x20, table);
  [entry, 3, 1].forEach((value, i) => {
    view.setUint16((wide ? 0x3a : 0x2e) + 2 * i, value, little);
  });
  bytes.set(text, header);
  bytes.set(names, header + text.length);
  const section = (index: number, name: number, offset: number, size: number): void => {
    view.setUint32(table + index * entry, name, little);
    word(table + index * entry + (wide ? 0x18 : 0x10), offset);
    word(table + index * entry + (wide ? 0x20 : 0x14), size);
  };
  section(1, 1, header + text.length, names.length);
  section(2, 11, header, text.length);
  return bytes;
}

describe("modules", () => {
  const files: Readonly<Record<string, Uint8Array>> = {
    "kernel/fs/ext4/ext4.ko": moduleFile(["license=GPL", "softdep=pre: crypto-crc32c", "depends=jbd2,mb-cache", "intree=Y"]),
    "kernel/fs/jbd2/jbd2.ko": moduleFile(["softdep=pre: crypto-crc32c post: nothing", "depends="], false),
    "kernel/fs/mb-cache.ko": moduleFile(["depends=", "name=mb_cache"], true, false),
    "kernel/crypto/crc32c_generic.ko": moduleFile(["alias=crypto-crc32c", "depends="], false, false),
    "kernel/a.ko": moduleFile(["depends=", "softdep=pre: b"]),
    "kernel/b.ko": moduleFile(["depends=a"]),
    "kernel/broken.ko": moduleFile(["depends=gone"]),
    "kernel/text.ko": new TextEncoder().encode("no module".repeat(20)),
  };
  let count = 0;
  function modulesWith(held: Readonly<Record<string, Uint8Array | string>>): ModuleFolder {
    const top = join(folder, `modules-${count++}`);
    for (const [path, content] of Object.entries(held)) {
      mkdirSync(join(top, path, ".."), { recursive: true });
      writeFileSync(join(top, path), content);
    }
    return new ModuleFolder(top);
  }
  const namesOf = async (held: ModuleFolder, ...names: string[]): Promise<string[]> =>
    (await held.closure(names.map((name) => ({ names: [name], purpose: "the test" })))).map(({ name }) => name);

  test("come with what they depend on, in an order in which they load", async () => {
    expect(await namesOf(modulesWith(files), "ext4")).toEqual(["crc32c_generic", "jbd2", "mb_cache", "ext4"]);
    expect(await namesOf(modulesWith(files), "jbd2", "ext4", "jbd2")).toEqual(["crc32c_generic", "jbd2", "mb_cache", "ext4"]);
    // a wants b first if it can have it, b needs a.
    expect(await namesOf(modulesWith(files), "a")).toContain("a");
  });

  test("are found by depmod's list, where there is one", async () => {
    const list = "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko\nkernel/fs/jbd2/jbd2.ko:\n";
    expect(await refusal(() => namesOf(modulesWith({ ...files, "modules.dep": list }), "ext4"))).toMatch(
      /no-modules: .*mb_cache/,
    );
    const aliased = {
      ...files,
      "kernel/fast.ko": moduleFile(["depends="]),
      "modules.dep": `${list}kernel/fs/mb-cache.ko:\nkernel/fast.ko:\n`,
    };
    const held = modulesWith({ ...aliased, "modules.alias": "alias crypto-crc32c fast\n" });
    expect(await namesOf(held, "ext4")).toEqual(["fast", "jbd2", "mb_cache", "ext4"]);
  });

  test("that are built in are not loaded, and need not be there", async () => {
    const held = modulesWith({ ...files, "modules.builtin": "kernel/fs/jbd2/jbd2.ko\nkernel/drivers/virtio/virtio-pci.ko\n" });
    expect(await namesOf(held, "ext4", "virtio_pci")).toEqual(["crc32c_generic", "mb_cache", "ext4"]);
  });

  test.skipIf(!need("zstd", "xz"))("are decompressed", async () => {
    const held: Record<string, Uint8Array> = {};
    for (const [path, bytes] of Object.entries(files)) {
      const [ending, packed] = path.includes("ext4")
        ? [".xz", execFileSync("xz", ["-c", "--check=crc32"], { input: bytes })]
        : path.includes("jbd2")
          ? [".zst", execFileSync("zstd", ["-c"], { input: bytes })]
          : [".gz", gzipSync(bytes)];
      held[path + ending] = packed;
    }
    const modules = await modulesWith(held).closure([{ names: ["ext4"], purpose: "the test" }]);
    expect(modules.map(({ name }) => name)).toEqual(["crc32c_generic", "jbd2", "mb_cache", "ext4"]);
    expect(Buffer.from(modules[3]?.bytes ?? []).equals(files["kernel/fs/ext4/ext4.ko"] as Uint8Array)).toBe(true); // it is there
  });

  test("that are missing or broken are named", async () => {
    const held = modulesWith(files);
    expect(
      await refusal(() =>
        held.closure([
          { names: ["ufs"], purpose: "a root of ffs" },
          { names: ["x", "y"], purpose: "z" },
        ]),
      ),
    ).toMatch(/^no-modules: .*no module ufs for a root of ffs; none x or y for z/);
    expect(await held.closure([{ names: ["nice-to-have"] }])).toEqual([]);
    expect(await refusal(() => namesOf(held, "broken"))).toMatch(/no-modules: .*broken\.ko depends on the module gone/);
    expect(await refusal(() => namesOf(held, "text"))).toMatch(/corrupt: kernel module .*text\.ko: no ELF file, expected one/);
    const cut = { "kernel/ext4.ko": (files["kernel/fs/ext4/ext4.ko"] as Uint8Array).subarray(0, 150) }; // it is there
    expect(await refusal(() => namesOf(modulesWith(cut), "ext4"))).toMatch(/corrupt: .*it ends at byte 150/);
  });

  test("of a machine are those of its devices and its root, and no more", () => {
    const names = (options: BootOptions, machine = q35): string[] =>
      wantedDrivers(machine, recogniseRoot(extHead) as RootFilesystem, options).map((wanted) => wanted.names.join("|"));
    const extHead = new Uint8Array(70_000);
    extHead.set([0x53, 0xef], 1024 + 0x38);
    expect(names({})).toEqual(["virtio_pci", "virtio_blk", "ext4|ext3|ext2"]);
    expect(names({}, findMachine("x86_64", "linux", "microvm"))).toEqual(["virtio_mmio", "virtio_blk", "ext4|ext3|ext2"]);
    const all: BootOptions = {
      forwards: [{ protocol: "tcp", hostPort: 1, guestPort: 1 }],
      shares: [{ tag: "a", path: "/" }],
      fwCfg: [{ name: "opt/x", text: "" }],
      console: "virtio",
      extraModules: ["virtio-rng"],
    };
    expect(names(all).slice(3)).toEqual(["virtio_net", "9pnet_virtio", "9p", "qemu_fw_cfg", "virtio_console", "virtio_rng"]);
  });
});

describe("the initramfs", () => {
  test("is the same every time, and holds the modules in their order", async () => {
    const modules = ["b", "a"].map((name) => ({ name, bytes: new TextEncoder().encode(name) }));
    const [one, two] = [buildInitramfs(new Uint8Array(5000), modules), buildInitramfs(new Uint8Array(5000), modules)];
    expect(await one.sha256()).toBe(await two.sha256());
    const tree = await fromCpio(await one.bytes());
    const order = tree.lookup("/modules/order");
    const text = new Uint8Array(4);
    if (order?.kind === "file") await order.content.read(0, text);
    expect(new TextDecoder().decode(text)).toBe("b\na\n");
    expect(tree.lookup("/init")?.mode).toBe(0o755);
    expect(tree.lookup("/dev/console")).toMatchObject({ kind: "character-device", major: 5, minor: 1 });
  });

  test.skipIf(!need("busybox"))("starts with a script that busybox accepts", () => {
    const { status, stderr } = spawnSync("busybox", ["sh", "-n"], { input: initScript });
    expect(`${status} ${stderr.toString()}`).toBe("0 ");
  });

  test.skipIf(!need("busybox"))("whose script reads identities as we write them", async () => {
    const functions = initScript.slice(initScript.indexOf("hex() {"), initScript.indexOf("device=\n"));
    const tree = new Tree().file("/a", "a");
    const identity = async (name: string, image: { writeTo(path: string): Promise<unknown> }): Promise<string> => {
      const path = join(folder, name);
      await image.writeTo(path);
      const script = `for c in dd hexdump sed; do eval "$c() { busybox $c \\"\\$@\\"; }"; done\n${functions}\nidentity "$1"; echo "$uuid $label"`;
      return execFileSync("busybox", ["sh", "-c", script, "sh", path]).toString().trim();
    };
    const uuid = "01234567-89ab-cdef-0123-456789abcdef";
    const hex = (text: string): string => Buffer.from(text).toString("hex");
    expect(await identity("ext", buildExt2(tree, { uuid, label: "root" }))).toBe(`${uuid.replaceAll("-", "")} ${hex("root")}`);
    for (const [version, byteOrder] of [
      [1, "little"],
      [1, "big"],
      [2, "little"],
      [2, "big"],
    ] as const) {
      const image = buildFfs(tree, { version, byteOrder, ...(version === 2 ? { label: "bsd" } : {}) });
      const told = recogniseRoot(await image.read(0, 70_000));
      expect(told).toMatchObject({ kind: "ffs", mountOptions: `ufstype=${version === 1 ? "44bsd" : "ufs2"}`, readOnly: true });
      const name = typeof told === "object" ? told.name : "";
      expect(name).toMatch(/^UUID=[0-9a-f]{16}$/);
      const [id, label = ""] = (await identity("ffs", image)).split(" ");
      expect([`UUID=${id}`, label]).toEqual([name, version === 2 ? hex("bsd") : ""]);
    }
  });

  test.skipIf(!need("busybox"))("takes no busybox that cannot run in it", async () => {
    expect(loadBusybox("x86_64", undefined).length).toBeGreaterThan(500_000);
    expect(await refusal(() => loadBusybox("aarch64", undefined))).toMatch(
      /^no-busybox: .*machine 62, expected 183.*busybox-static for aarch64/,
    );
    expect(await refusal(() => loadBusybox("x86_64", process.execPath))).toMatch(
      /^no-busybox: .*linked dynamically; Debian's package busybox-static/,
    );
    writeFileSync(join(folder, "script"), "#!/bin/sh\n".repeat(20));
    expect(await refusal(() => loadBusybox("x86_64", join(folder, "script")))).toMatch(/no ELF program/);
  });
});

describe("the root", () => {
  test("is told by UUID, then by label", async () => {
    const tree = new Tree().file("/a", "a");
    const path = join(folder, "named.img");
    await buildExt4(tree, { uuid: "01234567-89ab-cdef-0123-456789abcdef" }).writeTo(path);
    const { found } = await openRoot(path);
    expect(found).toEqual({
      kind: "ext",
      drivers: ["ext4", "ext3", "ext2"],
      mountOptions: "",
      readOnly: false,
      name: "UUID=01234567-89ab-cdef-0123-456789abcdef",
    });
    const head = await buildExt4(tree, { label: "root" }).read(0, 70_000);
    head.fill(0, 1024 + 0x68, 1024 + 0x78);
    expect(recogniseRoot(head)).toMatchObject({ name: "LABEL=root" });
    head.fill(0, 1024 + 0x78, 1024 + 0x88);
    const nameless = recogniseRoot(head);
    if (typeof nameless !== "object") throw new Error("no root");
    expect(nameless.name).toBeUndefined();
    const initramfs = buildInitramfs(new Uint8Array(0), []);
    expect(rootArguments(q35, nameless, { image: initramfs, driver: "ext4" }, false)[0]).toBe("root=SERIAL=root");
    expect(rootArguments(q35, nameless, undefined, false)).toEqual(["root=/dev/vda", "rootfstype=ext4", "rw"]);
    expect(rootArguments(q35, { ...nameless, name: "UUID=1" }, undefined, false)[0]).toBe("root=/dev/vda");
    expect(rootArguments(q35, { ...nameless, name: "UUID=1" }, undefined, true)[0]).toBe("root=UUID=1");
  });

  test("is no tar", async () => {
    writeFileSync(join(folder, "text"), "hello\n");
    expect(await refusal(() => openRoot(join(folder, "text")))).toMatch(
      /^no-root: .*found something else, expected an image of ext, FFS or cpio/,
    );
    expect(await refusal(() => openRoot(join(folder, "nowhere")))).toMatch(/^io: .*no such file/);
    await buildCpio(new Tree().file("/init", "x")).writeTo(join(folder, "x.cpio.gz"));
    expect((await openRoot(join(folder, "x.cpio.gz"))).found).toBe("cpio");
  });
});

describe("the accelerator", () => {
  class Memory {
    readonly held = new Map<string, string>();
    read(name: string): string | undefined {
      return this.held.get(name);
    }
    write(name: string, objection: string): void {
      this.held.set(name, objection);
    }
  }
  const linux = { platform: "linux", arch: "x64" };
  const choose = (
    memory: Memory,
    objection: Objection,
    host = linux,
    arch: "x86_64" | "i386" | "aarch64" = "x86_64",
  ): Promise<Choice> => chooseAccelerator(arch, host, () => Promise.resolve(objection), memory);

  test("is what works, and remembered", async () => {
    const memory = new Memory();
    expect(await choose(memory, undefined)).toEqual({ name: "kvm", why: "it works" });
    expect(await choose(memory, { why: "broke", lasting: true })).toEqual({ name: "kvm", why: "it works, as found before" });
  });

  test("is none that makes no progress, and that is remembered", async () => {
    const memory = new Memory();
    expect(await choose(memory, { why: "made no progress within 2 s", lasting: true })).toEqual({
      name: "tcg",
      why: "kvm made no progress within 2 s",
    });
    expect(await choose(memory, undefined)).toEqual({ name: "tcg", why: "kvm made no progress within 2 s, as found before" });
  });

  test("that is forbidden is asked again the next time", async () => {
    const memory = new Memory();
    expect((await choose(memory, { why: "failed (Permission denied)", lasting: false })).name).toBe("tcg");
    expect((await choose(memory, undefined)).name).toBe("kvm");
  });

  test.each([
    ["darwin", "arm64", "aarch64", "hvf"],
    ["netbsd", "x64", "x86_64", "nvmm"],
    ["win32", "x64", "x86_64", "whpx"],
    ["linux", "x64", "i386", "kvm"],
    ["linux", "x64", "aarch64", "tcg"],
    ["linux", "arm64", "x86_64", "tcg"],
    ["sunos", "x64", "x86_64", "tcg"],
  ] as const)("of %s on %s for %s is %s", async (platform, hostArch, arch, expected) => {
    expect((await choose(new Memory(), undefined, { platform, arch: hostArch }, arch)).name).toBe(expected);
  });

  test("is remembered on the disk for this boot and this QEMU", () => {
    const cache = join(folder, "cache");
    const [one, other] = [join(folder, "qemu-one"), join(folder, "qemu-other")];
    for (const path of [one, other]) writeFileSync(path, path);
    probeMemory(one, q35, cache).write("kvm", "made no progress");
    expect(probeMemory(one, q35, cache).read("kvm")).toBe("made no progress");
    expect(probeMemory(other, q35, cache).read("kvm")).toBeUndefined();
    expect(probeMemory(one, q35, cache).read("hvf")).toBeUndefined();
    expect(readdirSync(cache)).toHaveLength(1);
    // A folder that cannot be made is no reason to fail.
    probeMemory(one, q35, join(one, "below a file")).write("kvm", "");
  });

  test.skipIf(!need("qemu-system-x86_64"))("is really tried: emulation works, and nonsense does not", async () => {
    const qemu = execFileSync("sh", ["-c", "command -v qemu-system-x86_64"]).toString().trim();
    expect(await probeAccelerator("tcg", qemu, q35, 20_000)).toBeUndefined();
    expect(await probeAccelerator("whpx", qemu, q35, 20_000)).toMatchObject({
      lasting: false,
      why: expect.stringMatching(/^failed \(.*whpx/),
    });
  });

  test("that stands still is passed over within three seconds, with its process gone", async () => {
    const qemu = program("still", 'echo $$ > "$0.pid"; exec sleep 1000');
    const began = performance.now();
    expect(await probeAccelerator("kvm", qemu, q35)).toEqual({ why: "made no progress within 2 s", lasting: true });
    expect(performance.now() - began).toBeLessThan(3000);
    expect(alive(Number(readFileSync(`${qemu}.pid`, "utf8")))).toBe(false);
  });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A program that stands in for QEMU where a real machine would only take longer to do the same. */
function program(name: string, script: string): string {
  const path = join(mkdtempSync(join(folder, "bin-")), name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

describe("the console", () => {
  const feed = (console: Console, ...chunks: string[]): string[] =>
    chunks.flatMap((chunk) => console.feed(new TextEncoder().encode(chunk)).map((sign) => sign.kind));

  test("shows the expected text, wherever it is cut", () => {
    expect(feed(new Console("login:"), "Debian\r\nhost log", "in", ": ")).toEqual(["first", "expected"]);
    expect(feed(new Console("login:"), "log\nin:")).toEqual(["first"]);
    expect(feed(new Console(/^ready \d+$/m), "not ready 1\nrea", "dy 12\n")).toEqual(["first", "expected"]);
    expect(feed(new Console(/x/g), "x", "x")).toEqual(["first", "expected"]);
    expect(feed(new Console("é"), ...["é"].flatMap((text) => [text]))).toEqual(["first", "expected"]);
    const halves = new Console("é");
    const bytes = new TextEncoder().encode("é");
    expect([...halves.feed(bytes.subarray(0, 1)), ...halves.feed(bytes.subarray(1))].map(({ kind }) => kind)).toEqual([
      "first",
      "expected",
    ]);
  });

  test("shows a panic with its line, once", () => {
    const console = new Console(undefined);
    expect(feed(console, "[    1.2] Kernel pan")).toEqual(["first"]);
    const [sign] = console.feed(new TextEncoder().encode("ic - not syncing: VFS: Unable to mount root fs\r\n[ 1.3] more\n"));
    expect(sign).toEqual({ kind: "panic", line: "Kernel panic - not syncing: VFS: Unable to mount root fs" });
    expect(feed(console, "Kernel panic - not syncing: again\n")).toEqual([]);
    expect(
      new Console(undefined).feed(new TextEncoder().encode("[   1.0000000] panic: cannot mount root, error = 79\n"))[1],
    ).toEqual({
      kind: "panic",
      line: "panic: cannot mount root, error = 79",
    });
    expect(feed(new Console(undefined), "do not panic: all is well\n")).toEqual(["first"]);
  });

  test("shows the first program, and why our own gave up", () => {
    expect(feed(new Console(undefined), "fsynth: init\r\n")).toEqual(["first", "init"]);
    expect(feed(new Console(undefined), "[ 0.5] Run /sbin/init as init process\n")).toEqual(["first", "init"]);
    expect(new Console(undefined).feed(new TextEncoder().encode("fsynth: cannot boot: no disk is x; there is vda\n"))[1]).toEqual(
      {
        kind: "init-failed",
        line: "no disk is x; there is vda",
      },
    );
  });
});

const kernelFile = join(folder, "vmlinuz");
const rootFile = join(folder, "root.img");

beforeAll(async () => {
  writeFileSync(kernelFile, bzImage("6.1"));
  await buildExt2(new Tree().file("/a", "a")).writeTo(rootFile);
});

// What a machine does to its launcher, done by a script: it has QEMU's descriptors.
const PROTOCOL = `printf '{"QMP": {"version": {}}}\\n' >&3
answer() { while read -r line <&3; do case $line in *'"quit"'*) exit 0 ;; *powerdown*) echo POWER BUTTON; printf '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}\\n' >&3; exit 0 ;; esac; done; }`;

describe("a run", () => {
  async function ran(script: string, options: BootOptions = {}): Promise<BootResult> {
    return await boot({
      qemu: program("qemu", `${PROTOCOL}\n${script}`),
      kernel: kernelFile,
      root: rootFile,
      noInitramfs: true,
      arch: "x86_64",
      accelerator: "tcg",
      ...options,
    });
  }
  const shutdown = (reason: string): string =>
    `printf '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "${reason}"}}\\n' >&3; sleep 0.1`;

  test("ends when the text is seen", async () => {
    const result = await ran("echo booting; echo login:; answer", { expect: "login:" });
    expect(result).toMatchObject({ reason: "expected", seen: true, stopped: "quit", error: undefined });
    expect(result.console).toBe("booting\nlogin:\n");
    expect(Object.keys(result.marks)).toEqual(["started", "console", "expected", "ended"]);
  });

  test("lets a writable guest power off by itself", async () => {
    const result = await ran(`echo login:; sleep 0.5; echo synced; ${shutdown("guest-shutdown")}`, {
      expect: "login:",
      writable: true,
    });
    expect(result).toMatchObject({ reason: "expected", stopped: "guest", console: "login:\nsynced\n" });
  });

  test("presses the power button of one that goes on, when its time is over", async () => {
    const result = await ran("echo login:; answer", { expect: "login:", writable: true, grace: 0.5 });
    expect(result).toMatchObject({ reason: "expected", stopped: "powerdown", console: "login:\nPOWER BUTTON\n" });
  });

  test("kills what does not even quit", async () => {
    const result = await ran("echo login:; exec sleep 1000", { expect: "login:" });
    expect(result).toMatchObject({ reason: "expected", stopped: "killed" });
  });

  test.each([
    ["poweroff", shutdown("guest-shutdown"), {}],
    ["reset", shutdown("guest-reset"), {}],
    ["not-seen", shutdown("guest-shutdown"), { expect: "login:" }],
    ["qemu", "echo 'qemu: no such device' >&2; exit 1", { expect: "login:" }],
    ["qemu", "kill -9 $$", {}],
    ["panic", "echo 'Kernel panic - not syncing: VFS'; answer", { expect: "login:" }],
    ["panic", `echo 'Kernel panic - not syncing: VFS'; ${shutdown("guest-reset")}`, {}],
    ["init", "echo 'fsynth: cannot boot: no disk is x'; answer", {}],
    ["stalled", "echo one; answer", { stall: 0.3 }],
    ["timeout", "while echo tick; do sleep 0.1; done", { timeout: 0.5, expect: "login:" }],
  ] as const)("that ends by %s says so: %s", async (reason, script, options) => {
    const result = await ran(script, options);
    expect(result.reason).toBe(reason);
    expect(result.error?.reason).toBe(["poweroff", "reset"].includes(reason) ? undefined : reason);
    const sentences: Readonly<Record<string, RegExp>> = {
      "not-seen": /^the guest ended before the console showed "login:"/,
      qemu: /^QEMU ended with (exit status 1: qemu: no such device|SIGKILL)/,
      panic: /^Kernel panic - not syncing: VFS$/,
      init: /^no disk is x$/,
      stalled: /^the console was silent for 0.3 s; the console's last lines:\n {2}one$/,
      timeout: /^the time of 0.5 s is over; the console's last lines:\n( {2}tick\n?)+$/,
    };
    if (result.error) expect(result.error.message).toMatch(sentences[reason] as RegExp); // every failure has one
  });

  test("is ended by a signal of its caller", async () => {
    const ending = new AbortController();
    const result = await ran("echo one; answer", { signal: ending.signal, onConsole: () => ending.abort() });
    expect(result).toMatchObject({ reason: "interrupted", seen: false });
    expect((await ran("answer", { signal: AbortSignal.abort() })).reason).toBe("interrupted");
  });

  test("gets what is typed", async () => {
    const result = await ran('read -r line; echo "heard $line"; answer', {
      input: (async function* () {
        yield "hello\n";
      })(),
      expect: "heard hello",
    });
    expect(result.seen).toBe(true);
  });

  test("needs something to run", async () => {
    expect(await refusal(() => ran("", { qemu: "/nowhere/qemu" }))).toMatch(/^no-qemu: "\/nowhere\/qemu" is no program/);
    expect(await refusal(() => ran("", { root: undefined }))).toMatch(/^no-root: nothing to boot/);
    expect(await refusal(() => ran("", { noInitramfs: false }))).toMatch(
      /^no-modules: no modules for .*no \/lib\/modules\/6\.1; --modules/,
    );
    expect(await refusal(() => ran("", { machine: "virt" }))).toMatch(
      /^usage: no machine for x86_64 linux virt; there is x86_64 linux q35/,
    );
    expect(await refusal(() => ran("", { memory: 0.5 }))).toMatch(/^usage: option memory is 0.5/);
    expect(await refusal(() => ran("", { disks: ["/nowhere"] }))).toMatch(/^io: disk "\/nowhere": nothing is there/);
    const path = process.env.PATH;
    process.env.PATH = "/nowhere";
    try {
      expect(await refusal(() => ran("", { arch: "aarch64", qemu: undefined }))).toBe(
        "no-qemu: there is no qemu-system-aarch64; Debian's package qemu-system-arm has it",
      );
    } finally {
      process.env.PATH = path;
    }
  });

  test("gets a planned root over a connection, other files without names, and leaves none", async () => {
    const temporary = mkdtempSync(join(folder, "tmp-"));
    const before = process.env.TMPDIR;
    process.env.TMPDIR = temporary;
    try {
      const root = buildExt2(new Tree().file("/a", "a"));
      const initrd = buildCpio(new Tree().file("/init", "b"));
      const script =
        'sha256sum < /dev/fd/5; head -c 16 <&4; case "$*" in *-initrd\\ /dev/fd/5*server.type=fd,file.server.str=4,*) echo NAMED ;; esac; answer';
      const result = await ran(script, { root, initrd, expect: "NAMED", timeout: 20 });
      expect(result.console.slice(0, 64)).toBe(await initrd.sha256());
      expect(result.console).toContain("NBDMAGICIHAVEOPT");
      expect(result.seen).toBe(true);
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
  });
});

describe("the launcher", () => {
  beforeAll(requireFreshBuild);

  /** Starts `fsynth boot` with a program that lives long, and waits until that runs. */
  async function started(
    env: Readonly<Record<string, string>>,
  ): Promise<{ readonly launcher: ChildProcess; readonly pid: number }> {
    const qemu = program("qemu", 'echo "pid $$"; exec /bin/sleep 1000');
    const args = [
      "boot",
      rootFile,
      "--kernel",
      kernelFile,
      "--no-initramfs",
      "--arch",
      "x86_64",
      "--accel",
      "tcg",
      "--qemu",
      qemu,
    ];
    const launcher = spawn(process.execPath, [bin, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = await new Promise<number>((resolve) => {
      launcher.stdout?.once("data", (bytes: Uint8Array) =>
        resolve(Number(/pid (\d+)/.exec(new TextDecoder().decode(bytes))?.[1])),
      );
    });
    return { launcher, pid };
  }

  async function gone(pid: number): Promise<boolean> {
    for (let i = 0; i < 250 && alive(pid); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    return !alive(pid);
  }

  // Without setpriv in the PATH a shell keeps watch.
  const empty = mkdtempSync(join(folder, "path-"));
  const leashes: [string, Readonly<Record<string, string>>][] = [
    [bestLeash(), {}],
    ["a shell", { PATH: empty }],
  ];
  describe.each(leashes)("with %s", (_name, env) => {
    test.each([
      ["SIGKILL", null],
      ["SIGTERM", 143],
      ["SIGINT", 130],
      ["SIGHUP", 129],
    ] as const)("takes its machine along when it is ended by %s, and leaves no file", async (signal, status) => {
      const temporary = mkdtempSync(join(folder, "tmp-"));
      const { launcher, pid } = await started({ ...env, TMPDIR: temporary });
      expect(alive(pid)).toBe(true);
      const ended = new Promise((resolve) => void launcher.on("exit", resolve));
      launcher.kill(signal);
      expect(await ended).toBe(status);
      expect(await gone(pid)).toBe(true);
      expect(readdirSync(temporary)).toEqual([]);
    });
  });

  test("tells when there is no such program", async () => {
    await expect(startLeashed("/nowhere/qemu", [], [], "shell").ended).rejects.toThrow("ENOENT");
  });

  const boots = (script: string, ...more: string[]): Ran => {
    const qemu = program("qemu", `${PROTOCOL}\n${script}`);
    return fsynth([
      "boot",
      rootFile,
      "--kernel",
      kernelFile,
      "--no-initramfs",
      "--arch",
      "x86_64",
      "--accel",
      "tcg",
      "--qemu",
      qemu,
      ...more,
    ]);
  };

  test("shows the console, and ends with 0 when the text was seen and with 1 when it was not", () => {
    expect(boots("echo hello; echo login:; answer", "--expect", "login:")).toEqual({
      status: 0,
      stdout: "hello\nlogin:\n",
      stderr: "fsynth: accelerator tcg: as asked for\n",
    });
    const missed = boots("echo hello; answer", "--expect", "login:", "--timeout", "0.5");
    expect(missed).toMatchObject({ status: 1, stdout: "hello\n" });
    expect(missed.stderr).toContain("fsynth: the time of 0.5 s is over; the console's last lines:\n  hello\n");
    expect(boots("echo login: 7; answer", "-q", "--expect-regex", "^login: \\d$")).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(boots("echo no >&2; exit 1", "-q")).toMatchObject({
      status: 4,
      stderr: "fsynth: QEMU ended with exit status 1: no; the console said nothing\n",
    });
  });

  test("times boots", () => {
    const { status, stdout, stderr } = boots("echo login:; answer", "-q", "--expect", "login:", "--timing", "--repeat", "3");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    const line = (name: string): RegExp => new RegExp(`^${name} +\\d+ ms {2}\\(\\d+ to \\d+, 3 boots\\)$`, "m");
    for (const name of ["QEMU started", "first console byte", "expected text", "the end"]) expect(stderr).toMatch(line(name));
    expect(stderr).not.toContain("init");
    const told = JSON.parse(boots("echo login:; answer", "--json", "--expect", "login:").stdout) as Record<string, unknown>;
    expect(told).toMatchObject({ reason: "expected", seen: true, stopped: "quit", accelerator: "tcg", console: "login:\n" });
  });

  test("median and range are what they are called", () => {
    const all = [{ ended: 10 }, { ended: 50, init: 3 }, { ended: 20 }, { ended: 30 }];
    expect(timingLines(all)).toEqual(["init                     3 ms", "the end                 25 ms  (10 to 50, 4 boots)"]);
  });

  test("prints a command that runs", () => {
    const { status, stdout } = boots(
      'echo "$@"',
      "-q",
      "--dry-run",
      "--append",
      "it's quiet",
      "--var",
      "x=a,b",
      "--memory",
      "1G",
    );
    expect(status).toBe(0);
    const told = execFileSync("sh", ["-c", stdout]).toString();
    expect(told).toContain("-m 1024M");
    expect(told).toContain("root=/dev/vda rootfstype=ext4 rw it's quiet");
    expect(told).toContain("-fw_cfg name=opt/org.smolbsd.var.x,string=a,,b");
    expect(told).not.toContain("qmp");
  });

  test.skipIf(!need("script"))("hands over the keyboard, but for the key that ends the machine", () => {
    const qemu = program("qemu", `echo READY; echo "heard $(dd bs=1 count=5 2> /dev/null)"; ${PROTOCOL}\nanswer`);
    const line = [process.execPath, bin, "boot", rootFile, "--kernel", kernelFile, "--no-initramfs", "--arch", "x86_64"];
    const command = shellCommand([...line, "--accel", "tcg", "--qemu", qemu, "--interactive"]);
    // A terminal is made by script(1). It takes its keys when the guest is there to read them.
    const typing = `(sleep 2; printf hello; sleep 2; printf '\\035'; sleep 3) | script -qec "$1" /dev/null`;
    const { status, stdout } = spawnSync("sh", ["-c", typing, "sh", command]);
    expect(stdout.toString()).toContain("READY\r\nheard hello\r\n");
    expect(status).toBe(0);
  });

  test("a folder for temporary files that is not there is an error in words", () => {
    const packed = join(folder, "packed.ext4.gz");
    writeFileSync(packed, gzipSync(readFileSync(rootFile)));
    const args = [
      "--kernel",
      kernelFile,
      "--no-initramfs",
      "--arch",
      "x86_64",
      "--accel",
      "tcg",
      "--qemu",
      program("qemu", "exit 0"),
      "-q",
    ];
    const missing = join(folder, "missing");
    const { status, stderr } = spawnSync(process.execPath, [bin, "boot", packed, ...args], {
      env: { ...process.env, TMPDIR: missing },
      encoding: "utf8",
    });
    expect(stderr).toBe(
      `fsynth: cannot make a temporary file in "${missing}" (TMPDIR names the folder): there is no such folder\n`,
    );
    expect(status).toBe(4);
  });

  test("small files go to the first folder that takes them", async () => {
    const bytes = Buffer.from("small");
    for (const make of [
      () => namelessFile(bytes, [join(folder, "missing"), folder]),
      () => namelessImage(buildTar(new Tree()), ["/dev/full", folder]),
    ]) {
      const file = await make();
      expect(fstatSync(file.descriptor).size).toBeGreaterThan(0);
      file.close();
    }
    await expect(namelessFile(bytes, [join(folder, "missing")])).rejects.toMatchObject({ code: "io" });
    expect(readdirSync(folder).filter((name) => name.startsWith("fsynth-boot-"))).toEqual([]);
  });

  test("makes an image of sources, which goes with the machine", () => {
    const source = join(folder, "source");
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, "hello"), "hello\n");
    const qemu = program("qemu", `${PROTOCOL}\necho "$@"; answer`);
    const machine = ["--kernel", kernelFile, "--no-initramfs", "--arch", "x86_64", "--accel", "tcg", "--qemu", qemu, "-q"];
    expect(fsynth(["boot", source, ...machine, "--expect", "file.driver=nbd,file.server.type=fd,file.server.str=4"]).status).toBe(
      0,
    );
    expect(fsynth(["boot", "-f", "cpio", source, ...machine, "--expect", "-initrd /dev/fd/4"]).status).toBe(0);
    expect(fsynth(["boot", source, ...machine, "--writable"])).toMatchObject({ status: 2 });
  });

  test.each([
    [[], "nothing to boot: an IMAGE, sources for one, or --initrd"],
    [["--expect", "a", "--expect-regex", "b"], "--expect and --expect-regex do not go together"],
    [["--expect-regex", "("], "option --expect-regex: Invalid regular expression"],
    [["--repeat", "2"], "--repeat needs a text that ends a boot"],
    [["--repeat", "2", "--expect", "x", "-w"], "--repeat does not go with --writable"],
    [["--repeat", "0"], 'option --repeat is "0"; expected a whole number from 1'],
    [["--timeout", "-1"], 'option --timeout is "-1"; expected seconds'],
    [["--memory", "1000"], 'option --memory is "1000"; expected whole mebibytes'],
    [["--forward", "80"], 'option --forward is "80"; expected PORT:PORT'],
    [["--forward", "80:99999"], 'option --forward is "80:99999"; expected PORT:PORT'],
    [["--var", "x"], 'option --var is "x"; expected NAME='],
    [["--interactive"], "--interactive needs a terminal"],
    [["--arch", "vax"], "Allowed choices are x86_64, i386, aarch64"],
  ])("refuses %j", async (args, sentence) => {
    const told = await refusal(() => bootCommand([...args, ...(args.length > 0 ? [rootFile] : [])]));
    expect(told).toMatch(/^usage: /);
    expect(told).toContain(sentence);
  });
});
