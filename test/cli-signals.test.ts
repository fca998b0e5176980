// What is left when a build does not come to its end.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bin, fsynth, requireFreshBuild } from "./cli-run.ts";
import { folderForEach } from "./folders.ts";
import { need, needRoot } from "./judge/need.ts";

const MiB = 1 << 20;
let out = "";
const base = folderForEach("signals", (folder) => (out = join(folder, "out.img")));
const source = join(base, "source");
beforeAll(() => {
  requireFreshBuild();
  fs.mkdirSync(source);
  let state = 1;
  const noise = Buffer.from(Uint8Array.from({ length: 4 * MiB }, () => (state = Math.imul(state, 0x9e3779b1) + 12345) >>> 23));
  const file = fs.openSync(join(source, "noise"), "w");
  for (let i = 0; i < 60; i++) fs.writeSync(file, noise);
  fs.closeSync(file);
});

const listed = (): string[] => fs.readdirSync(join(out, "..")).sort();
const leftovers = (): string[] => listed().filter((name) => name.startsWith(".out.img.fsynth-"));

/** Starts a build that takes seconds, and waits until it writes. */
async function started(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [bin, "build", "-f", "ext4", "--compress", "gzip", "-o", out, source]);
  for (let wait = 0; wait < 1000; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(child.exitCode).toBe(null);
    const [name] = leftovers();
    if (name !== undefined && fs.statSync(join(out, "..", name)).size > 0) return child;
  }
  throw new Error("the build never began to write");
}

function ended(child: ChildProcess): Promise<{ status: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.on("exit", (status, signal) => resolve({ status, signal }));
  });
}

describe("a build that is ended", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s exits with %i at once, leaves nothing, and the older output as it was", async (signal, status) => {
    fs.writeFileSync(out, "old");
    const child = await started();
    const since = performance.now();
    child.kill(signal);
    expect(await ended(child)).toEqual({ status, signal: null });
    expect(performance.now() - since).toBeLessThan(2000);
    expect(listed()).toEqual(["out.img"]);
    expect(fs.readFileSync(out, "utf8")).toBe("old");
  });

  test("by SIGKILL leaves one hidden file, which the next build of that name removes", async () => {
    const child = await started();
    child.kill("SIGKILL");
    await ended(child);
    expect(listed()).toEqual(leftovers());
    expect(leftovers()).toHaveLength(1);
    expect(fsynth(["build", "-q", "-f", "ext2", "-o", out, join(bin, "../../examples/hello")]).status).toBe(0);
    expect(listed()).toEqual(["out.img"]);
  });

  test.skipIf(!need("bash", "head"))("by a reader that has enough exits with 141, quietly", () => {
    const script = '"$1" "$2" build -q -f ext4 --xattrs none -o - "$3" | head -c 1000 | wc -c; echo "$PIPESTATUS"';
    const pipes = execFileSync("bash", ["-c", script, "bash", process.execPath, bin, source], { encoding: "utf8" });
    expect(pipes).toBe("1000\n141\n");
  });

  test.skipIf(!need("bash", "head"))("by a full pipe and a signal ends at once", async () => {
    const child = spawn(process.execPath, [bin, "build", "-f", "ext4", "-o", "-", source], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    await new Promise((resolve) => child.stdout?.once("readable", resolve));
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill("SIGTERM");
    expect(await ended(child)).toEqual({ status: 143, signal: null });
    child.stdout?.destroy();
  });
});

describe("a full disk", () => {
  test.skipIf(!needRoot() || !need("mount", "umount"))("leaves nothing, and the older output as it was", () => {
    const dir = join(out, "..");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", dir]);
    try {
      fs.writeFileSync(out, "old");
      const { status, stderr } = fsynth(["build", "-f", "ext4", "--xattrs", "none", "-o", out, source]);
      expect(status).toBe(4);
      expect(stderr).toMatch(/^fsynth: cannot write .*ENOSPC.*\n$/);
      expect(listed()).toEqual(["out.img"]);
      expect(fs.readFileSync(out, "utf8")).toBe("old");
    } finally {
      execFileSync("umount", [dir]);
    }
  });
});
