// The judges judged: on images that mke2fs made, the kernel and debugfs see the same tree, which is the one that was
// put in; and a broken image does not get past e2fsck.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fromDirectory } from "../src/sources/directory.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { debugfsManifest } from "./judge/debugfs.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import { differences, expectedManifest, type JudgedEntry, type Manifest } from "./judge/manifest.ts";
import { mounted, mountManifest } from "./judge/mount.ts";
import { need, needLoopMount, needRoot, runOk } from "./judge/need.ts";

const able = need("mke2fs", "e2fsck", "debugfs", "getfattr", "setfattr", "setfacl") && needRoot() && needLoopMount();
let folder = "";

function script(commands: string): void {
  runOk("bash", ["-euc", commands], { cwd: join(folder, "tree") });
}

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "fsynth-judges-"));
  fs.mkdirSync(join(folder, "tree"));
  if (!able) return;
  script(String.raw`
    mkdir -p "sp ace" deep/er; printf x > $'new\nline'; printf y > $'tab\tq"\\b'; printf z > $'\xff\xferaw'; printf é > é
    head -c 70000 /dev/urandom > big; truncate -s 3M deep/er/hole; printf end >> deep/er/hole
    ln big deep/link; ln -s "$(printf %060d 0)" long; ln -s "$(printf %059d 0)" short; ln -s "$(printf %01000d 0)" longest
    mkfifo fifo; mknod c c 5 1; mknod b b 259 70000; chmod 7755 big; chown 70000:80000 é; chmod 1777 "sp ace"
    setfattr -n user.e -v '' é; setfattr -n user.x -v 0x00ff10 $'new\nline'; setfattr -n trusted.t -v 1 fifo; setfattr -h -n trusted.l -v 2 short
    setfacl -m u:33:r é; setfacl -d -m g:44:rwx "sp ace"; setfattr -n user.r -v root .
    for i in $(seq 300); do : > deep/er/file-$i; done`);
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

test("a missing judge is told, and fails with CI=true", () => {
  const ci = process.env.CI;
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  try {
    delete process.env.CI;
    expect(need("sh", "no-such-judge")).toBe(false);
    expect(need("sh")).toBe(true);
    expect(warn.mock.calls).toEqual([["SKIPPED: tests that need no-such-judge, which is missing here"]]);
    process.env.CI = "true";
    expect(() => need("sh", "no-such-judge")).toThrow(/no-such-judge is missing, and with CI=true every judge must be here/);
  } finally {
    warn.mockRestore();
    if (ci === undefined) delete process.env.CI;
    else process.env.CI = ci;
  }
});

/** mke2fs keeps no nanoseconds and makes its own birth times. */
function timeless(manifest: Manifest): Manifest {
  const strip = (entry: JudgedEntry): JudgedEntry => {
    const { btime: _, ...rest } = { ...entry, atime: "", mtime: "", ctime: "" };
    return rest;
  };
  return new Map([...manifest].filter(([path]) => path !== "/lost+found").map(([path, entry]) => [path, strip(entry)]));
}

describe.skipIf(!able).each([
  ["ext4", 1024, 256],
  ["ext4", 4096, 256],
  ["ext2", 1024, 128],
  ["ext3", 2048, 256],
])("%s of mke2fs, blocks of %i, inodes of %i", (type, blockSize, inodeSize) => {
  const image = (): string => join(folder, `${type}-${blockSize}`);
  const precision = { extra: inodeSize > 128 };

  test("all judges see what was put in", async () => {
    runOk("mke2fs", [
      "-q",
      "-F",
      "-t",
      type,
      "-b",
      `${blockSize}`,
      "-I",
      `${inodeSize}`,
      "-d",
      join(folder, "tree"),
      image(),
      "32M",
    ]);
    expect(e2fsck(image())).toEqual([]);
    const kernel = await mountManifest(image(), precision);
    const tool = await debugfsManifest(image(), precision);
    expect([...kernel.keys()].sort()).toEqual([...tool.keys()].sort());
    for (const [path, entry] of kernel) expect(tool.get(path)).toEqual(entry);
    expect(kernel.get("/lost+found")?.mode).toBe("700");

    const tree = takeSnapshot(fromDirectory(join(folder, "tree"), { xattrs: "getfattr" }));
    const expected = timeless(await expectedManifest(tree, precision));
    expect(
      differences(new Map([...timeless(kernel), ["/lost+found", kernel.get("/lost+found") as JudgedEntry]]), expected),
    ).toEqual([]);
    const hole = expected.get("/deep/er/hole");
    expect(hole?.size).toBe((3 << 20) + 3);
    expect(expected.get("/deep/link")).toMatchObject({ node: "/big", links: 2 });
  });
});

describe.skipIf(!able)("nothing gets past", () => {
  test("e2fsck, when an image is broken or left dirty", () => {
    const image = join(folder, "broken");
    runOk("mke2fs", ["-q", "-F", "-t", "ext2", "-b", "1024", image, "1M"]);
    expect(e2fsck(image)).toEqual([]);
    runOk("debugfs", ["-w", "-R", "set_inode_field <2> links_count 7", image]);
    expect(e2fsck(image).join("\n")).toMatch(/Inode 2 ref count is 7, should be 3/);
    runOk("mke2fs", ["-q", "-F", "-t", "ext2", "-b", "1024", image, "1M"]);
    runOk("debugfs", ["-w", "-R", "set_super_value mtime 4000000000", image]);
    expect(e2fsck(image).join("\n")).toMatch(/in the future/);
    fs.writeFileSync(image, new Uint8Array(4096));
    expect(e2fsck(image).join("\n")).toMatch(/did not come to its pass 5[\s\S]*exit status/);
  });

  test("the comparison, when any one thing differs", async () => {
    const tree = takeSnapshot(fromDirectory(join(folder, "tree"), { xattrs: "getfattr" }));
    const expected = await expectedManifest(tree, { extra: true });
    const lostFound: JudgedEntry = {
      ...(expected.get("/deep") as JudgedEntry),
      kind: "directory",
      mode: "700",
      owner: "0:0",
      links: 2,
    };
    const sound = (): Manifest => new Map([...structuredClone(expected), ["/lost+found", lostFound]]);
    expect(differences(sound(), expected)).toEqual([]);
    const spoilt = (path: string, change: Partial<JudgedEntry>): string[] => {
      const found = sound();
      found.set(path, { ...(found.get(path) as JudgedEntry), ...change });
      return differences(found, expected);
    };
    expect(spoilt("/big", { mode: "755" })).toEqual(['"/big": mode is "755", expected "7755"']);
    expect(spoilt("/big", { content: "0" }).length).toBe(1);
    expect(spoilt("/big", { links: 1 })).toEqual(['"/big": links is 1, expected 2']);
    expect(spoilt("/c", { device: "5:2" }).length).toBe(1);
    expect(spoilt("/long", { target: "x" }).length).toBe(1);
    expect(spoilt("/", { xattrs: {} }).length).toBe(1);
    expect(spoilt("/big", { mtime: "1.0" }).length).toBe(1);
    expect(spoilt("/lost+found", { mode: "755" }).length).toBe(1);
    const missing = sound();
    missing.delete("/big");
    expect(differences(missing, expected)).toEqual(['"/big": found nothing, expected it']);
    const more = sound();
    more.set("/more", lostFound);
    expect(differences(more, expected)).toEqual(['"/more": found a directory, expected nothing']);
  });

  test("a mount, which leaves nothing behind", async () => {
    const image = join(folder, "gone");
    runOk("mke2fs", ["-q", "-F", "-t", "ext2", image, "1M"]);
    await mounted(image, (root) => {
      expect(fs.readdirSync(root)).toContain("lost+found");
      // By its device: other tests mount at the same time.
      const device = runOk("losetup", ["--noheadings", "--output", "NAME", "--associated", image]).toString().trim();
      expect(device).toMatch(/^\/dev\/loop\d+$/u);
      expect(fs.readFileSync("/proc/self/mounts", "utf8")).not.toContain(`${device} `);
    });
    await expect.poll(() => runOk("losetup", ["-a"]).toString()).not.toContain(image);
  });
});
