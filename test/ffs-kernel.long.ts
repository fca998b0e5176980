// Linux's own driver as judge: random trees as FFS images of both versions and byte orders, mounted in a guest that lists all
// that it sees. The images travel inside the initramfs and are mounted through loop devices.

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCpio } from "../src/build.ts";
import { crc32c } from "../src/bytes/crc.ts";
import { bytesContent } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { type Recipe, type RecipeEntry, recipeArbitrary, treeOf } from "./arbitrary/tree.ts";
import { runSeed } from "./judge/ext.ts";
import { boot, fetchKernel, type Kernel } from "./judge/kernel.ts";
import { findTool, need } from "./judge/need.ts";
import { buildFfsProfile, limitsOf } from "./judge/ufs.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-ffs-kernel-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const able = need("qemu-system-x86_64", "busybox", "apt-get", "apt-cache", "dpkg-deb");
const TREES = Number(process.env.FSYNTH_FFS_RUNS ?? 104);
/** What Linux mounts: fragments of up to 4096 bytes. */
const MOUNTED = [
  [4096, 512],
  [8192, 1024],
  [16384, 2048],
  [32768, 4096],
] as const;

const INIT = `#!/bin/busybox sh
B=/bin/busybox
$B insmod /lib/modules/loop.ko && $B insmod /lib/modules/ufs.ko || echo NO MODULES
$B mknod /loop0 b 7 0
for image in /images/*; do
  echo "IMAGE $image"
  $B losetup -r /loop0 $image && $B mount -t ufs -o ro,ufstype=TYPE /loop0 /mnt || echo MOUNT FAILED
  cd /mnt
  $B find . -exec $B stat -c 'N|%n|%f|%u|%g|%h|%s|%t:%T|%Y|%X|%Z|%i' {} +
  $B find . -type f -exec $B sha256sum {} +
  $B find . -type l | while read -r link; do echo "T|$link|$($B readlink "$link")"; done
  cd /
  $B umount /mnt
  $B losetup -d /loop0
done
echo END
$B poweroff -f
`;

let kernel: Kernel;

/** A listing goes over a serial line: names of letters and digits, with what tells them apart. */
function plain(text: string): string {
  const safe = text.replace(/[^\w./-]/gu, "_");
  const sum = (crc32c(0, new TextEncoder().encode(text)) >>> 0).toString(16);
  return safe === text ? text : `${safe.slice(0, 200)}-${sum}`;
}

const plainPath = (path: string): string => path.split("/").map(plain).join("/");

function plainRecipe(recipe: Recipe): Recipe {
  return recipe.map((entry): RecipeEntry => {
    const to = entry.to === undefined ? {} : { to: plainPath(entry.to) };
    const target = entry.target === undefined ? {} : { target: plain(entry.target) };
    return { ...entry, path: plainPath(entry.path), ...to, ...target };
  });
}

const TYPE = { file: 8, directory: 4, symlink: 10, "character-device": 2, "block-device": 6, fifo: 1, socket: 12 } as const;

/** Lines as the guest writes them for a tree. */
async function expectedLines(tree: Tree): Promise<string[]> {
  const lines: string[] = [];
  const links = new Map<object, number>();
  const entries = [...tree.entries(), ["/", tree.root] as const];
  for (const [, node] of entries) links.set(node, (links.get(node) ?? 0) + 1);
  for (const [path, node] of entries) {
    const name = path === "/" ? "." : `.${path}`;
    const type = (TYPE[node.kind] << 12) | node.mode;
    const directory = node.kind === "directory";
    const count = directory ? 2 + [...node.children.values()].filter(({ kind }) => kind === "directory").length : links.get(node);
    const size = node.kind === "file" ? node.content.size : node.kind === "symlink" ? node.target.length : 0;
    const device = "major" in node ? `${node.major.toString(16)}:${node.minor.toString(16)}` : "0:0";
    const times = [node.mtime, node.atime, node.ctime].map(({ sec }) => sec).join("|");
    lines.push(`N|${name}|${type.toString(16)}|${node.uid}|${node.gid}|${count}|${directory ? "" : size}|${device}|${times}`);
    if (node.kind === "symlink") lines.push(`T|${name}|${node.target}`);
    if (node.kind !== "file") continue;
    const bytes = new Uint8Array(node.content.size);
    await node.content.read(0, bytes);
    lines.push(`${createHash("sha256").update(bytes).digest("hex")}  ${name}`);
  }
  return lines;
}

/** A directory's size is the format's own; inodes are compared by their links. */
function foundLines(said: string): string[] {
  return said
    .split(/\r*\n/)
    .filter((line) => /^([NT]\||[0-9a-f]{64} )/.test(line))
    .map((line) => {
      if (!line.startsWith("N|")) return line;
      const fields = line.split("|").slice(0, -1);
      if ((fields[2] as string).startsWith("4")) fields[6] = "";
      return fields.join("|");
    });
}

describe.skipIf(!able).each([
  ["ffs1", "44bsd"],
  ["ffs2", "ufs2"],
] as const)("Linux mounts %s", (profile, type) => {
  beforeAll(() => {
    if (kernel) return;
    const download = join(folder, "kernel");
    mkdirSync(download);
    kernel = fetchKernel(download);
  }, 600_000);

  test(`${TREES} random trees`, async () => {
    const seed = runSeed();
    // The driver keeps 32 bits of seconds, and reads device numbers in an encoding that agrees with NetBSD's below 256.
    const reach = { maxTime: 2 ** 31 - 1, maxMajor: 255, maxMinor: 255 };
    const limits = { ...limitsOf(profile, 4096), ...reach, maxFile: 8 << 20, maxCrowd: 100 };
    const recipes = fc.sample(recipeArbitrary(limits, 25), { seed, numRuns: TREES }).map(plainRecipe);
    const initramfs = new Tree().file("/init", INIT.replace("TYPE", type), { mode: 0o755 });
    initramfs.file("/bin/busybox", readFileSync(findTool("busybox") as string), { mode: 0o755 }); // able says that it is here
    initramfs.directory("/dev").device("/dev/console", "c", 5, 1).directory("/mnt");
    for (const [module, path] of [
      ["loop", "drivers/block/loop.ko"],
      ["ufs", "fs/ufs/ufs.ko"],
    ] as const) {
      initramfs.file(`/lib/modules/${module}.ko`, readFileSync(join(kernel.modules, "kernel", path)));
    }
    const trees: Tree[] = [];
    for (const [i, recipe] of recipes.entries()) {
      // Times are part of the listing: every node has its own.
      const tree = treeOf(recipe.map((entry) => ({ ...entry, mtime: entry.mtime ?? "1500000000" })));
      for (const [, node] of tree.entries()) if (node.mtime.sec === 0 && node.mtime.nsec === 0) Object.assign(node, zeroTimes());
      trees.push(tree);
      const [blockSize, fragmentSize] = MOUNTED[i % MOUNTED.length] as (typeof MOUNTED)[number];
      const options = { blockSize, fragmentSize, byteOrder: byteOrderOf(i), size: i % 3 === 0 ? "fit+2M" : "fit" } as const;
      const bytes = await buildFfsProfile(profile, tree, options).bytes();
      initramfs.file(`/images/${String(i).padStart(4, "0")}`, bytesContent(bytes));
    }
    const initrd = join(folder, `${profile}.cpio`);
    await buildCpio(initramfs).writeTo(initrd);
    const said = await boot(kernel, initrd, 1200);
    rmSync(initrd);
    expect(said).not.toMatch(/NO MODULES|MOUNT FAILED/);
    expect(said).toContain("END");
    const parts = said.split(/^IMAGE .*$/m).slice(1);
    expect(parts).toHaveLength(trees.length);
    for (const [i, tree] of trees.entries()) {
      // Of a number of 64 bits the driver reads the first four bytes, which are none of a big-endian one's.
      const blind = profile === "ffs2" && byteOrderOf(i) === "big";
      const seen = (line: string): string => (blind ? line.replace(/\|[0-9a-f]+:[0-9a-f]+\|/, "|0:0|") : line);
      const found = foundLines(parts[i] as string).sort();
      const expected = (await expectedLines(tree)).map(seen).sort();
      const differing = {
        image: i,
        found: found.filter((line) => !expected.includes(line)),
        missing: expected.filter((line) => !found.includes(line)),
      };
      expect(differing).toEqual({ image: i, found: [], missing: [] });
    }
  }, 1_800_000);
});

function byteOrderOf(image: number): "little" | "big" {
  return (image >> 2) % 2 === 0 ? "little" : "big";
}

/** What the image's own time is made of would depend on the rest of the tree. */
function zeroTimes(): object {
  const time = { sec: 1_500_000_000, nsec: 0 };
  return { mtime: time, atime: time, ctime: time, btime: time };
}
