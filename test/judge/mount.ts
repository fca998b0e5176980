// The Linux kernel as a judge: an image is mounted read-only and everything in it is read.

import { closeSync, constants, lstatSync, mkdtempSync, openSync, readdirSync, readlinkSync, readSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeName } from "../../src/bytes/names.ts";
import { parseGetfattr } from "../../src/sources/xattrs.ts";
import type { Extent } from "../../src/tree/content.ts";
import { digestOf, type JudgedEntry, type Manifest, type Precision, settleNodes } from "./manifest.ts";
import { runOk } from "./need.ts";

/**
 * Mounts the image at `path` and gives `work` a folder that shows it. The mount is taken out of the system's tree at
 * once and lives only as long as this process holds it open: nothing stays behind, even after SIGKILL.
 */
export async function mounted<T>(
  path: string,
  work: (root: string) => T | Promise<T>,
  options = "ro",
  type = "ext4",
): Promise<T> {
  const point = mkdtempSync(join(tmpdir(), "fsynth-mount-"));
  let held: number | undefined;
  try {
    runOk("mount", ["-t", type, "-o", `loop,${options}`, path, point]);
    held = openSync(point, constants.O_RDONLY | constants.O_DIRECTORY);
    runOk("umount", ["-l", point]);
    return await work(`/proc/${process.pid}/fd/${held}`);
  } finally {
    if (held !== undefined) closeSync(held);
    rmdirSync(point);
  }
}

/** Mounts the image writable, and is back when everything is written and unmounted. */
export async function mountedWritable<T>(path: string, work: (root: string) => T | Promise<T>): Promise<T> {
  const point = mkdtempSync(join(tmpdir(), "fsynth-mount-"));
  const unmount = (): void => void runOk("umount", [point]);
  runOk("mount", ["-t", "ext4", "-o", "loop,rw", path, point]);
  process.once("exit", unmount);
  try {
    return await work(point);
  } finally {
    process.removeListener("exit", unmount);
    unmount();
    rmdirSync(point);
  }
}

const KINDS: Readonly<Record<number, string>> = {
  1: "fifo",
  2: "character-device",
  4: "directory",
  6: "block-device",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** What the kernel shows of an image. Large files are read where `extents` say that data is. */
export function mountManifest(
  path: string,
  precision: Precision,
  extents: ReadonlyMap<string, readonly Extent[]> = new Map(),
): Promise<Manifest> {
  return mounted(path, async (root) => {
    const manifest: Manifest = new Map();
    const xattrs = parseGetfattr(runOk("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--", "."], { cwd: root }));
    const visit = async (hostPath: Buffer, inTree: string): Promise<void> => {
      const stat = lstatSync(hostPath, { bigint: true });
      const time = (ns: bigint): string => {
        const sec = ns >= 0n || ns % 1_000_000_000n === 0n ? ns / 1_000_000_000n : ns / 1_000_000_000n - 1n;
        return `${sec}.${ns - sec * 1_000_000_000n}`;
      };
      const kind = KINDS[Number(stat.mode >> 12n)] ?? "unknown";
      const shown = inTree === "" ? "/" : inTree;
      const entry: JudgedEntry = {
        kind,
        mode: (Number(stat.mode) & 0o7777).toString(8),
        owner: `${stat.uid}:${stat.gid}`,
        links: Number(stat.nlink),
        node: String(stat.ino),
        mtime: time(stat.mtimeNs),
        atime: time(stat.atimeNs),
        ctime: time(stat.ctimeNs),
        xattrs: Object.fromEntries(
          [...(xattrs.get(shown) ?? [])].map(([name, value]) => [name, Buffer.from(value).toString("hex")]),
        ),
      };
      if (precision.extra) entry.btime = time(stat.birthtimeNs);
      if (kind === "file") {
        entry.size = Number(stat.size);
        entry.content = await contentDigest(hostPath, entry.size, extents.get(inTree));
      } else if (kind === "symlink") {
        const target = readlinkSync(hostPath, { encoding: "buffer" });
        entry.size = Number(stat.size);
        entry.target = decodeName(target);
      } else if (kind.endsWith("device")) {
        // glibc's gnu_dev_major and gnu_dev_minor.
        const { rdev } = stat;
        entry.device = `${((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)}:${(rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)}`;
      }
      manifest.set(shown, entry);
      if (kind !== "directory") return;
      for (const name of readdirSync(hostPath, { encoding: "buffer" })) {
        await visit(Buffer.concat([hostPath, Buffer.from("/"), name]), `${inTree}/${decodeName(name)}`);
      }
    };
    // The root is held open behind a magic link: "/." leads through it.
    await visit(Buffer.from(`${root}/.`), "");
    return settleNodes(manifest);
  });
}

async function contentDigest(path: Buffer, size: number, extents: readonly Extent[] | undefined): Promise<string> {
  const fd = openSync(path, "r");
  try {
    return await digestOf(size, extents, (offset, target) => {
      for (let done = 0; done < target.length; ) {
        const count = readSync(fd, target, done, target.length - done, offset + done);
        if (count === 0) throw new Error(`${path.toString()}: ends at ${offset + done}, expected ${size} bytes`);
        done += count;
      }
    });
  } finally {
    closeSync(fd);
  }
}
