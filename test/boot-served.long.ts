// Machines that boot what is written nowhere: a tar and a directory, read by Debian's kernel through QEMU from our server.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildExt4, buildTar, extractTree, fromDirectory, fromTar, type Tree } from "../src/index.ts";
import { prepareBoot, runMachine } from "../src/qemu/index.ts";
import { pattern } from "./arbitrary/tree.ts";
import { bin, requireFreshBuild } from "./cli-run.ts";
import { busyboxRoot, expectedSums, mixedTree, SUMS, sumsOf } from "./judge/guest.ts";
import { fetchKernel, type Kernel } from "./judge/kernel.ts";
import { need } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-boot-served-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const able = need("qemu-system-x86_64", "busybox", "apt-get", "apt-cache", "dpkg-deb");

/** No boot may take longer, in seconds. */
const LIMIT = 300;

let kernel: Kernel;
beforeAll(() => {
  if (!able) return;
  const download = join(folder, "kernel");
  mkdirSync(download);
  kernel = fetchKernel(download);
}, 600_000);

const SCRIPT = `${SUMS}
[ -e /written ] && echo "SOMEBODY WAS HERE"
sums root /
echo mine > /written && sync && echo "WROTE $(cat /written)"
echo "ALL READ"`;

/** A bootable root with files of all kinds and 100 MB of content. */
function rootTree(): Tree {
  const tree = busyboxRoot(SCRIPT);
  for (const [path, node] of mixedTree(pattern, 5).entries()) {
    if (node.kind === "file" && path.startsWith("/")) tree.file(`/data${path}`, node.content);
  }
  for (let i = 0; i < 20; i++) tree.file(`/big/${i}`, pattern(5_000_000 + i, i));
  return tree;
}

const CONTENT = 100_000_000;

/** The largest regular file that a process holds open, named or not, bytes. */
function largestOpen(pid: number, except: string): number {
  let largest = 0;
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const path = `/proc/${pid}/fd/${fd}`;
      const stat = statSync(path);
      if (stat.isFile() && readlinkSync(path) !== except) largest = Math.max(largest, stat.blocks * 512);
    } catch {
      // Closed meanwhile.
    }
  }
  return largest;
}

describe.skipIf(!able)("a root that is written nowhere", () => {
  test("fsynth boot of a tar: the guest reads everything, and no file of its size is there", async () => {
    requireFreshBuild();
    const tar = join(folder, "root.tar");
    await buildTar(rootTree()).writeTo(tar);
    const args = ["boot", "-f", "ext4", "--accel", "tcg", "--kernel", kernel.image, "--modules", kernel.modules, "-m", "256M"];
    const temporary = join(folder, "tmp");
    mkdirSync(temporary);
    const child = spawn(
      process.execPath,
      [bin, ...args, "--append", "quiet", "--expect", "ALL READ", "--timeout", String(LIMIT), tar],
      {
        env: { ...process.env, TMPDIR: temporary },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let [out, errors] = ["", ""];
    child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString("latin1")));
    child.stderr.on("data", (bytes: Buffer) => (errors += bytes.toString()));
    let largest = 0;
    const looking = setInterval(() => {
      const children = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && parentOf(Number(name)) === child.pid);
      for (const pid of [child.pid as number, ...children.map(Number)]) {
        try {
          largest = Math.max(largest, largestOpen(pid, tar));
        } catch {
          // Ended meanwhile.
        }
      }
    }, 1000);
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    clearInterval(looking);
    expect(status, `${errors}\n${out.slice(-2000)}`).toBe(0);
    expect(sumsOf(out, "root")).toEqual(await expectedSums(await fromTar(tar)));
    expect(out).toContain("WROTE mine");
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(CONTENT / 4);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("a directory, twice: what the first guest wrote the second does not find", async () => {
    const directory = join(folder, "root");
    await extractTree(rootTree(), directory);
    const root = buildExt4(fromDirectory(directory, { xattrs: "none" }), { size: "fit+16M", inodes: "fit+100" });
    const prepared = await prepareBoot({
      root,
      kernel: kernel.image,
      modules: kernel.modules,
      accelerator: "tcg",
      memory: 256,
      append: "quiet",
    });
    try {
      for (let i = 0; i < 2; i++) {
        const result = await runMachine(prepared, { expect: "ALL READ", timeout: LIMIT });
        expect(result.reason, result.error?.message).toBe("expected");
        expect(result.console).toContain("WROTE mine");
        expect(result.console).not.toContain("SOMEBODY WAS HERE");
        expect(sumsOf(result.console, "root")).toEqual(await expectedSums(fromDirectory(directory, { xattrs: "none" })));
      }
    } finally {
      prepared.close();
    }
  });

  test("a source that changes while the guest runs: the guest gets an I/O error, the user a line", async () => {
    const tar = join(folder, "changing.tar");
    const waits = `echo "READY"; sleep 5; sha256sum /big/19 && echo "NOBODY NOTICED"\necho "ALL DONE"`;
    const tree = busyboxRoot(waits);
    for (let i = 0; i < 20; i++) tree.file(`/big/${i}`, pattern(500_000 + i, i));
    await buildTar(tree).writeTo(tar);
    const root = buildExt4(await fromTar(tar), { size: "fit+16M", inodes: "fit+100" });
    const prepared = await prepareBoot({
      root,
      kernel: kernel.image,
      modules: kernel.modules,
      accelerator: "tcg",
      memory: 256,
      append: "quiet",
    });
    const notes: string[] = [];
    let changed = false;
    let shown = "";
    try {
      const result = await runMachine(prepared, {
        expect: "ALL DONE",
        timeout: LIMIT,
        onNote: (line) => notes.push(line),
        onConsole(bytes) {
          shown += new TextDecoder().decode(bytes);
          if (changed || !shown.includes("READY")) return;
          changed = true;
          writeFileSync(tar, Buffer.alloc(statSync(tar).size, 0x55));
        },
      });
      expect(changed).toBe(true);
      expect(result.console).not.toContain("NOBODY NOTICED");
      expect(notes[0]).toMatch(/the guest gets an I\/O error: .*changed since its headers were read/);
    } finally {
      prepared.close();
    }
  });
});

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  } catch {
    return undefined;
  }
}
