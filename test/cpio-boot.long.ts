// The kernel as judge: an initramfs of busybox, modules and every kind of node, plain, compressed and in several parts, boots
// under QEMU and lists what it got.

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { cpioOptions } from "../formats/cpio/index.ts";
import { type BuildOptions, buildCpio } from "../src/build.ts";
import { decodeName, encodeName } from "../src/bytes/names.ts";
import { Tree } from "../src/tree/tree.ts";
import { boot, fetchKernel, type Kernel } from "./judge/kernel.ts";
import { findTool, need } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-boot-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const able = need("qemu-system-x86_64", "busybox", "apt-get", "apt-cache", "dpkg-deb", "zstd");

/** A name that is no UTF-8, and one for a shell to stumble over. */
const ODD = ["byte \xff", "it's *"].map((name) => decodeName(Uint8Array.from(name, (char) => char.charCodeAt(0))));

const INIT = `#!/bin/busybox sh
B=/bin/busybox
echo LISTING
$B find / -xdev -exec $B stat -c 'N|%n|%f|%u|%g|%h|%s|%t:%T|%Y|%i' {} +
$B find / -xdev -type f -exec $B sha256sum {} +
$B find / -xdev -type l | while read -r link; do echo "T|$link|$($B readlink "$link")"; done
$B insmod /lib/modules/loop.ko && $B mknod /loop b 7 0 && $B dd if=/loop of=/dev/null count=0 && echo MODULE WORKS
echo END
$B poweroff -f
`;

let kernel: Kernel;

function initramfs(): Tree {
  const tree = new Tree();
  const mtime = 1_600_000_000;
  tree.directory("/", { mtime: 1_500_000_000, mode: 0o751 });
  tree.file("/init", INIT, { mode: 0o755, mtime });
  tree.file("/bin/busybox", readFileSync(findTool("busybox") as string), { mode: 0o4755, mtime }); // able says that it is here
  tree.link("/bin/sh", "/bin/busybox");
  tree.link("/sbin/poweroff", "/bin/busybox");
  tree.file("/lib/modules/loop.ko", readFileSync(join(kernel.modules, "kernel/drivers/block/loop.ko")), { mtime });
  tree.directory("/lib/modules", { mtime: 1_400_000_000, mode: 0o700 });
  tree.directory("/dev").device("/dev/console", "c", 5, 1, { mode: 0o600, mtime });
  tree.device("/dev/disk", "b", 259, 70_000, { mode: 0o660, gid: 6, mtime });
  tree.directory("/kinds", { mtime: 1_450_000_000 });
  tree.fifo("/kinds/fifo", { mode: 0o622, mtime }).socket("/kinds/socket", { mode: 0o777, mtime });
  tree.symlink("/kinds/link", "../init", { mtime }).symlink("/kinds/long", "x".repeat(4000), { mtime });
  tree.link("/kinds/second fifo", "/kinds/fifo");
  tree.file("/kinds/owned", "of somebody", { uid: 2 ** 32 - 2, gid: 70_000, mode: 0o2640, mtime: 2 ** 32 - 1 });
  tree.file("/kinds/empty", "", { mtime: 0 }).link("/kinds/empty too", "/kinds/empty");
  for (const name of ODD) tree.file(`/names/${name}`, name.length.toString(), { mtime });
  tree.file("/TRAILER!!!", "not the end", { mtime });
  tree.directory(`/${"deep/".repeat(40)}`);
  return tree;
}

interface Told {
  readonly mode: number;
  readonly line: string;
  readonly inode: string;
}

/** What the machine told of each path. */
function parse(said: string): { nodes: Map<string, Told>; sums: Map<string, string>; targets: Map<string, string> } {
  const nodes = new Map<string, Told>();
  const sums = new Map<string, string>();
  const targets = new Map<string, string>();
  const from = said.indexOf("LISTING");
  for (const line of said.slice(from).split(/\r*\n/)) {
    const fields = line.split("|");
    const path = fields[1] ?? "";
    const sum = /^([0-9a-f]{64}) {2}(.*)$/.exec(line);
    if (fields[0] === "N") {
      const mode = Number.parseInt(fields[2] as string, 16);
      nodes.set(path, { mode, line: fields.slice(2, -1).join("|"), inode: fields.at(-1) as string });
    } else if (fields[0] === "T") targets.set(path, fields[2] as string);
    else if (sum) sums.set(sum[2] as string, sum[1] as string);
  }
  return { nodes, sums, targets };
}

const TYPE = { file: 8, directory: 4, symlink: 10, "character-device": 2, "block-device": 6, fifo: 1, socket: 12 } as const;

/** Compares what the machine told with the tree; gives every difference. */
async function differences(said: string, tree: Tree): Promise<string[]> {
  const { nodes, sums, targets } = parse(said);
  const wrong: string[] = [];
  const check = (path: string, what: string, found: unknown, expected: unknown): void => {
    if (found !== expected) wrong.push(`${path}: ${what} is ${String(found)}, expected ${String(expected)}`);
  };
  const inodeOf = new Map<object, string>();
  const entries = [...tree.entries(), ["/", tree.root] as const];
  const links = new Map<object, number>();
  for (const [, node] of entries) links.set(node, (links.get(node) ?? 0) + 1);
  for (const [path, node] of entries) {
    const name = Buffer.from(encodeName(path)).toString("latin1");
    const told = nodes.get(name);
    nodes.delete(name);
    if (told === undefined) {
      wrong.push(`${name}: found nothing`);
      continue;
    }
    const [mode, uid, gid, count, size, device, mtime] = told.line.split("|");
    const type = (TYPE[node.kind] << 12) | (node.kind === "symlink" ? 0o777 : node.mode);
    check(name, "mode", mode, type.toString(16));
    check(name, "owner", `${uid}:${gid}`, `${node.uid}:${node.gid}`);
    if (node.kind !== "directory") check(name, "link count", count, String(links.get(node)));
    if (inodeOf.has(node)) check(name, "inode", told.inode, inodeOf.get(node));
    inodeOf.set(node, told.inode);
    // A directory made by the tree itself has the image's own time, that of the newest node. The console is written to.
    if ((node.mtime.sec > 0 || name === "/kinds/empty") && name !== "/dev/console")
      check(name, "mtime", mtime, String(node.mtime.sec));
    if (node.kind === "character-device" || node.kind === "block-device")
      check(name, "device", device, `${node.major.toString(16)}:${node.minor.toString(16)}`);
    if (node.kind === "symlink") check(name, "target", targets.get(name), node.target);
    if (node.kind === "file") {
      check(name, "size", size, String(node.content.size));
      const bytes = new Uint8Array(node.content.size);
      await node.content.read(0, bytes);
      check(name, "content", sums.get(name), createHash("sha256").update(bytes).digest("hex"));
    }
  }
  // The kernel brings a few of its own.
  nodes.delete("/root");
  for (const path of nodes.keys()) wrong.push(`${path}: found, expected nothing`);
  return wrong;
}

const early = (): Uint8Array => new Uint8Array(readFileSync(join(folder, "early.cpio")));

describe.skipIf(!able)("Linux unpacks an initramfs", () => {
  beforeAll(async () => {
    const download = join(folder, "kernel");
    mkdirSync(download);
    kernel = fetchKernel(download);
    // Files of its own, as microcode has them.
    const code = new Tree().file("/kernel/x86/microcode/GenuineIntel.bin", "no microcode", { mtime: 5 });
    await buildCpio(code, { rootEntry: false }).writeTo(join(folder, "early.cpio"));
  }, 600_000);

  const cases: [name: string, file: string, options: () => BuildOptions<typeof cpioOptions>][] = [
    ["plain", "initrd.cpio", () => ({})],
    ["in one gzip member", "initrd.cpio.gz", () => ({ linkData: "first" })],
    ["in one zstd frame", "initrd.cpio.zst", () => ({ like: "gnu" })],
    ["with checksums, aligned, unpadded", "crc.cpio", () => ({ checksum: true, align: 4096, padding: "none" })],
  ];
  test.each(cases)("%s", async (_name, file, options) => {
    const tree = initramfs();
    await buildCpio(tree, options()).writeTo(join(folder, file));
    const said = await boot(kernel, join(folder, file), 240);
    expect(said).toContain("MODULE WORKS");
    expect(await differences(said, tree)).toEqual([]);
  });

  test.each(["parts.cpio", "parts.cpio.gz", "parts.cpio.zst"])("in parts: %s", async (file) => {
    const tree = initramfs();
    // What stands behind lays itself over what stands before.
    const over = new Tree().file("/kinds/over", "laid over", { mtime: 7 }).directory("/kinds", { mode: 0o711, mtime: 9 });
    const packed = join(folder, "over.cpio.gz");
    await buildCpio(over, { rootEntry: false }).writeTo(packed);
    const later = new Tree().file("/later", "not compressed yet", { mtime: 8 });
    const options = {
      prepend: [early()],
      append: [
        { content: new Uint8Array(readFileSync(packed)), stored: true },
        await buildCpio(later, { rootEntry: false }).bytes(),
      ],
    };
    await buildCpio(tree, options).writeTo(join(folder, file));
    const said = await boot(kernel, join(folder, file), 240);
    tree.file("/kernel/x86/microcode/GenuineIntel.bin", "no microcode", { mtime: 5 });
    // Of the times of a directory that comes several times, Linux takes the first.
    tree.file("/kinds/over", "laid over", { mtime: 7 }).directory("/kinds", { mode: 0o711, mtime: 1_450_000_000 });
    tree.file("/later", "not compressed yet", { mtime: 8 });
    expect(await differences(said, tree)).toEqual([]);
  });
});
