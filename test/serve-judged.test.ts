// Clients of others: QEMU's tools, libnbd's, the kernel's where it has one, curl and Python; e2fsck on what they bring home.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { buildExt4, buildFfs, buildTar, fromTar, openImage, Tree } from "../src/index.ts";
import { serveImage } from "../src/serve/index.ts";
import { pattern } from "./arbitrary/tree.ts";
import { bin, fsynth, requireFreshBuild } from "./cli-run.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import { findTool, need } from "./judge/need.ts";
import { OPT, Talk } from "./nbd-talk.ts";

requireFreshBuild();

const folder = mkdtempSync(join(tmpdir(), "fsynth-served-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const T = 1_600_000_000;
const MIB = 1 << 20;

function sample(): Tree {
  const tree = new Tree().directory("/", { mtime: T }).file("/large", pattern(3_000_001, 7), { mtime: T });
  for (let i = 0; i < 60; i++) tree.file(`/many/${i}`, pattern(i * 311, i), { mtime: T });
  return tree.directory("/many", { mtime: T });
}

const source = join(folder, "root.tar");
await buildTar(sample()).writeTo(source);
const image = buildExt4(await fromTar(source), { size: 16 * MIB });
const written = join(folder, "written.ext4");
await image.writeTo(written);

interface Told {
  readonly status: number | null;
  readonly out: string;
}

/** Runs a tool without holding up the server, which is in this process. */
async function tell(tool: string, ...args: readonly string[]): Promise<Told> {
  const child = spawn(findTool(tool) ?? tool, args, { env: { ...process.env, LC_ALL: "C" }, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (out += bytes.toString("latin1")));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { status, out };
}

async function ok(tool: string, ...args: readonly string[]): Promise<string> {
  const { status, out } = await tell(tool, ...args);
  expect(status, `${tool} ${args.join(" ")}: ${out}`).toBe(0);
  return out;
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

let count = 0;
async function serve(options: object = {}, served = image): Promise<string> {
  const server = await serveImage(served, { socket: join(folder, `s${++count}`), ...options });
  closing.push(() => server.close());
  return server.uri;
}

const same = (path: string): void => expect(Buffer.compare(readFileSync(path), readFileSync(written))).toBe(0);

describe.skipIf(!need("qemu-img", "qemu-io"))("QEMU's tools", () => {
  test("qemu-img: info, map, compare, convert", async () => {
    const uri = await serve();
    const info = JSON.parse(await ok("qemu-img", "info", "--output=json", uri)) as Record<string, unknown>;
    expect(info).toMatchObject({ format: "raw", "virtual-size": image.size });
    expect(await ok("qemu-img", "compare", "-f", "raw", "-F", "raw", uri, written)).toContain("identical");
    const copy = join(folder, "converted.ext4");
    await ok("qemu-img", "convert", "-f", "raw", "-O", "raw", uri, copy);
    same(copy);
    expect(e2fsck(copy)).toEqual([]);
    expect(statSync(copy).blocks * 512).toBeLessThan(image.size / 2);
    const map = JSON.parse(await ok("qemu-img", "map", "--output=json", "-f", "raw", uri)) as {
      start: number;
      length: number;
      zero: boolean;
    }[];
    const bytes = readFileSync(written);
    expect(map.reduce((sum, { length }) => sum + length, 0)).toBe(image.size);
    expect(map.filter(({ zero }) => zero).length).toBeGreaterThan(0);
    for (const { start, length, zero } of map) {
      if (zero) expect(bytes.subarray(start, start + length).every((byte) => byte === 0)).toBe(true);
    }
  });

  test("by TCP and an export's name; FFS, and a size that is no multiple of a block", async () => {
    const tar = buildTar(sample());
    for (const [served, name] of [
      [buildFfs(sample()), "ffs"],
      [tar, ""],
    ] as const) {
      const path = join(folder, "other");
      await served.writeTo(path);
      const server = await serveImage(served, { port: 0, exportName: name });
      closing.push(() => server.close());
      expect(await ok("qemu-img", "compare", "-f", "raw", "-F", "raw", server.uri, path)).toContain("identical");
    }
  });

  test("qemu-io: reads, writes, zeros, discards and flushes over the overlay; qemu-img convert into it", async () => {
    const save = join(folder, "saved.ext4");
    const uri = await serve({ overlay: { limit: 64 * MIB }, save });
    const commands = [
      "read -P 0 0 1024",
      "write -P 0x5a 1048676 123456",
      "read -P 0x5a 1048676 123456",
      "write -z 2M 1M",
      "read -P 0 2M 1M",
      "discard 4M 1M",
      "flush",
      "write -f -P 1 15M 64k",
      "read -P 1 15M 64k",
    ];
    const out = await ok("qemu-io", "-f", "raw", ...commands.flatMap((one) => ["-c", one]), uri);
    expect(out).not.toMatch(/failed|error/i);
    expect((await tell("qemu-io", "-r", "-f", "raw", "-c", "read -P 0x5a 1048676 123456", uri)).out).not.toContain("failed");
    // All of another image over it: what is left is that image.
    const other = join(folder, "over.ext4");
    await buildExt4(new Tree().file("/over", pattern(2_000_000, 1)), { size: image.size }).writeTo(other);
    await ok("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", other, uri);
    expect(await ok("qemu-img", "compare", "-f", "raw", "-F", "raw", uri, other)).toContain("identical");
    for (const close of closing.splice(0)) await close();
    expect(Buffer.compare(readFileSync(save), readFileSync(other))).toBe(0);
    expect(e2fsck(save)).toEqual([]);
  });

  test("a source that changed is an I/O error, and the server goes on", async () => {
    const path = join(folder, "changing.tar");
    await buildTar(sample()).writeTo(path);
    const events: string[] = [];
    const uri = await serve(
      { onEvent: ({ kind, message }: { kind: string; message: string }) => kind === "failed" && events.push(message) },
      buildExt4(await fromTar(path)),
    );
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0x55));
    const { status, out } = await tell("qemu-img", "convert", "-f", "raw", "-O", "raw", uri, join(folder, "never"));
    expect(status).not.toBe(0);
    expect(out).toContain("Input/output error");
    expect(events[0]).toMatch(/archive .*changing\.tar" changed since its headers were read/);
    expect(await ok("qemu-io", "-r", "-f", "raw", "-c", "read 1024 1024", uri)).not.toContain("failed");
  });
});

describe.skipIf(!need("nbdinfo", "nbdcopy"))("libnbd", () => {
  test("nbdinfo tells what was agreed on; nbdcopy copies, with several connections and holes", async () => {
    const uri = await serve({ exportName: "root" });
    const { exports } = JSON.parse(await ok("nbdinfo", "--json", "--list", uri)) as { exports: Record<string, unknown>[] };
    expect(exports[0]).toMatchObject({
      "export-name": "root",
      "export-size": image.size,
      is_read_only: true,
      can_multi_conn: true,
      can_df: true,
      contexts: ["base:allocation"],
    });
    expect(exports[0]).toMatchObject({ block_size_minimum: 1, block_size_preferred: 4096, block_size_maximum: 33_554_432 });
    const totals = await ok("nbdinfo", "--map", "--totals", uri);
    expect(totals).toMatch(/hole,zero/);
    const copy = join(folder, "copied.ext4");
    await ok("nbdcopy", uri, copy);
    same(copy);
    expect(e2fsck(copy)).toEqual([]);
    await ok("nbdcopy", "--no-extents", "--connections=4", "--requests=8", uri, copy);
    same(copy);
  });

  test("nbdcopy into an overlay, in parallel", async () => {
    const uri = await serve({ overlay: { limit: 64 * MIB } });
    const other = join(folder, "random");
    writeFileSync(other, pattern(image.size - 5 * MIB, 77));
    truncateSync(other, image.size);
    await ok("nbdcopy", "--flush", other, uri);
    const back = join(folder, "back");
    await ok("nbdcopy", uri, back);
    expect(Buffer.compare(readFileSync(back), readFileSync(other))).toBe(0);
  });
});

/** The kernel's client needs its module, which nothing that could be installed here brings: its absence is no failure. */
function kernelClient(): boolean {
  const able = existsSync("/dev/nbd0") && process.getuid?.() === 0 && findTool("nbd-client") !== undefined;
  if (!able) console.warn("SKIPPED: the client of the kernel, since there is no /dev/nbd0 (module nbd)");
  return able;
}

test.skipIf(!kernelClient())("the kernel's client", async () => {
  const socket = join(folder, "kernel");
  await serve({ socket });
  await ok("nbd-client", "-unix", socket, "/dev/nbd0", "-readonly");
  try {
    expect(await ok("cmp", "/dev/nbd0", written)).toBe("");
  } finally {
    await ok("nbd-client", "-d", "/dev/nbd0");
  }
});

describe("HTTP", () => {
  test.skipIf(!need("curl"))("curl: ranges, heads, resumed downloads", async () => {
    const uri = await serve({ socket: undefined, port: 0, protocol: "http" });
    const path = join(folder, "part");
    await ok("curl", "-sf", "-r", "1000-2047", "-o", path, uri);
    expect(readFileSync(path)).toEqual(readFileSync(written).subarray(1000, 2048));
    await ok("curl", "-sf", "-C", "-", "-o", join(folder, "resumed"), uri);
    same(join(folder, "resumed"));
    truncateSync(join(folder, "resumed"), 5_000_000);
    await ok("curl", "-sf", "-C", "-", "-o", join(folder, "resumed"), uri);
    same(join(folder, "resumed"));
    expect(await ok("curl", "-sfI", uri)).toMatch(/Accept-Ranges: bytes/i);
  });

  test.skipIf(!need("python3"))("Python", async () => {
    const uri = await serve({ socket: undefined, port: 0, protocol: "http" });
    const program = `import sys, urllib.request
r = urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers={"Range": "bytes=-512"}))
assert r.status == 206
data = r.read()
assert data == open(sys.argv[2], "rb").read()[-512:]`;
    await ok("python3", "-c", program, uri, written);
  });

  test.skipIf(!need("qemu-img"))("qemu-img, where it has the driver", async ({ skip }) => {
    const uri = await serve({ socket: undefined, port: 0, protocol: "http" });
    const { status, out } = await tell("qemu-img", "compare", "-f", "raw", "-F", "raw", uri, written);
    if (status !== 0 && /Unknown protocol|unknown driver|module/i.test(out) && process.env.CI !== "true")
      return skip(`qemu-block-extra is missing: ${out}`);
    expect(out).toContain("identical");
  });
});

describe("the command line", () => {
  /** Starts fsynth serve; its URI is its first line. */
  async function started(
    ...args: readonly string[]
  ): Promise<{ readonly uri: string; readonly child: ChildProcess; readonly ended: () => Promise<Told> }> {
    const { SOURCE_DATE_EPOCH: _, ...env } = process.env;
    const child = spawn(process.execPath, [bin, "serve", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    let [out, errors] = ["", ""];
    child.stderr.on("data", (bytes: Buffer) => (errors += bytes.toString()));
    const ended = new Promise<Told>((resolve) => child.on("close", (status) => resolve({ status, out: errors })));
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (bytes: Buffer) => {
        out += bytes.toString();
        if (out.includes("\n")) resolve();
      });
      void ended.then(() => resolve());
    });
    closing.push(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    return { uri: out.trim(), child, ended: () => ended };
  }

  test.skipIf(!need("qemu-img", "qemu-io"))("a tar, read-only; SIGTERM ends it in order", async () => {
    const socket = join(folder, "cli");
    const { uri, child, ended } = await started("-f", "ext4", "--size", "16M", "--socket", socket, source);
    expect(uri).toBe(`nbd+unix:///?socket=${socket}`);
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(await ok("qemu-img", "compare", "-f", "raw", "-F", "raw", uri, written)).toContain("identical");
    expect((await tell("qemu-io", "-f", "raw", "-c", "write 0 512", uri)).out).toMatch(/read.?only|Permission|not permitted/i);
    child.kill("SIGTERM");
    expect(await ended()).toEqual({ status: 0, out: "" });
    expect(existsSync(socket)).toBe(false);
  });

  test.skipIf(!need("qemu-io"))("--writable --save --once: an image file served, and written back to itself", async () => {
    const path = join(folder, "own.ext4");
    await image.writeTo(path);
    const { uri, ended } = await started("--writable", "--save", path, "--once", "--socket", join(folder, "once"), path);
    // A label: s_volume_name, and the checksum that goes with it, come from tune2fs on a copy.
    const label = readFileSync(path);
    await ok("qemu-io", "-f", "raw", "-c", "write -P 0x41 12M 4k", uri);
    const { status, out } = await ended();
    expect([status, out]).toEqual([0, expect.stringMatching(/saved/)]);
    label.fill(0x41, 12 * MIB, 12 * MIB + 4096);
    expect(Buffer.compare(readFileSync(path), label)).toBe(0);
    expect((await openImage(path)).lookup("/large")?.size).toBe(3_000_001);
  });

  test.skipIf(!need("curl"))("--http --port 0, and SIGINT", async () => {
    const { uri, child, ended } = await started("-f", "ext4", "--size", "16M", "--http", "--port", "0", source);
    expect(uri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    await ok("curl", "-sf", "-o", join(folder, "http"), uri);
    same(join(folder, "http"));
    child.kill("SIGINT");
    expect((await ended()).status).toBe(0);
  });

  test("HTTP requests far ahead of their answers, and SIGTERM: it ends in order", async () => {
    const { uri, child, ended } = await started("-f", "ext4", "--size", "16M", "--http", "--port", "0", source);
    const clients = Array.from({ length: 20 }, () => connect(Number(new URL(uri).port), "127.0.0.1").pause());
    for (const client of clients) {
      client.on("error", () => {});
      client.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(4000));
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const held = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "latin1"))?.[1]);
    expect(held).toBeLessThan(400_000);
    child.kill("SIGTERM");
    expect(await ended()).toEqual({ status: 0, out: "" });
    for (const client of clients) client.destroy();
  });

  test("clients that misbehave in ever new ways are told of for a while, and hide no source that changed", async () => {
    const path = join(folder, "noted.tar");
    await buildTar(sample()).writeTo(path);
    const socket = join(folder, "noted");
    const { child, ended } = await started("-f", "ext4", "--socket", socket, path);
    for (let i = 0; i < 150; i++) {
      const client = new Talk({ path: socket });
      await client.greet();
      client.sendOption(OPT.name, Buffer.from(`x${i}`));
      await client.gone();
    }
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0x55));
    const client = new Talk({ path: socket });
    const [info] = await client.go();
    const size = Number(info?.data.readBigUInt64BE(2));
    for (let at = 0; at < size; at += 65_536) await client.read(at, Math.min(65_536, size - at));
    client.end();
    child.kill("SIGTERM");
    const { status, out } = await ended();
    expect(status).toBe(0);
    expect(out.match(/there is no export/g)?.length).toBe(100);
    expect(out.match(/no more is told of clients that are dropped/g)?.length).toBe(1);
    expect(out).toMatch(/noted\.tar" changed since its headers were read/);
  });

  test("wrong uses", () => {
    const refused: readonly [readonly string[], number, RegExp][] = [
      [[source], 2, /either --socket .* or --port/],
      [["--port", "0"], 2, /nothing to serve/],
      [["--port", "0", source], 3, /found tar, expected an image/],
      [["--port", "0", source, source], 2, /-f with a format/],
      [["--port", "0", "--size", "1M", written], 2, /need -f/],
      [["--port", "70000", written], 2, /--port is "70000"/],
      [["--socket", "x", "--listen", "0.0.0.0", written], 2, /--listen goes with --port/],
      [["--port", "0", "--http", "-w", written], 2, /--http is for reading/],
      [["--port", "0", "--save", "x", written], 2, /--save is for what clients write/],
      [["--socket", written, written], 2, /is no socket/],
      [["--socket", "", written], 2, /--socket is empty/],
      [["--port", "0", "--listen", "", written], 2, /--listen is empty/],
      [["--socket", join(folder, "none", "s"), written], 4, /there is no folder/],
      [["-f", "ext9", "--port", "0", source], 2, /unknown format "ext9"/],
    ];
    for (const [args, status, message] of refused) {
      const ran = fsynth(["serve", ...args]);
      expect([ran.status, ran.stderr], args.join(" ")).toEqual([status, expect.stringMatching(message)]);
      expect(ran.stdout).toBe("");
    }
  });
});
