import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { host } from "#host";
import { buildImage } from "../src/build.ts";
import type { Image } from "../src/image/image.ts";
import type { Content } from "../src/tree/content.ts";
import { Tree } from "../src/tree/tree.ts";
import { folderForEach } from "./folders.ts";
import { need, needLoopMount, needRoot } from "./judge/need.ts";
import { blocks } from "./sinks-format.ts";

const MiB = 1 << 20;

let dir = "";
const base = folderForEach("sinks", (folder) => (dir = folder));

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 9)) % 251);
}

function imageOf(tree: Tree = new Tree().file("/a", bytes(3 * MiB + 5)).file("/z", "end"), spare = 0): Image {
  return buildImage(blocks, "blocks", tree, { spare });
}

const failing: Content = {
  size: 20 * MiB,
  read(offset, target) {
    if (offset > 10 * MiB) throw new Error("lost");
    target.fill(1);
  },
};

async function expectFile(path: string, image: Image): Promise<void> {
  expect(Buffer.compare(fs.readFileSync(path), await image.bytes())).toBe(0);
}

const modeOf = (path: string): number => fs.statSync(path).mode & 0o7777;

describe("a new file", () => {
  test("has the bytes of the image, the umask's mode, and nothing beside it", async () => {
    const image = imageOf();
    const path = join(dir, "out.img");
    const before = process.umask(0o027);
    try {
      expect(await image.writeTo(path)).toEqual({ path, size: image.size });
    } finally {
      process.umask(before);
    }
    await expectFile(path, image);
    expect(modeOf(path)).toBe(0o640);
    expect(fs.readdirSync(dir)).toEqual(["out.img"]);
  });

  test("is sparse: neither holes nor zeros of contents take room", async () => {
    const tree = new Tree()
      .file("/zeros", new Uint8Array(20 * MiB))
      .file("/one", "1")
      .file("/x", bytes(70_000));
    const image = imageOf(tree, 2 ** 42);
    const path = join(dir, "out.img");
    await image.writeTo(path);
    const { size, blocks: sectors } = fs.statSync(path);
    expect(size).toBe(image.size);
    expect(sectors * 512).toBeLessThan(100_000);
    const file = host.files.openRead(path);
    for (const offset of [0, 20 * MiB, 2 ** 41]) {
      const read = new Uint8Array(200_000);
      file.readAt(offset, read);
      expect(Buffer.compare(read, await image.read(offset, read.length))).toBe(0);
    }
    file.close();
  });

  test("with the longest of names, in any bytes", async () => {
    const image = imageOf();
    for (const name of ["n".repeat(255), `${"ä".repeat(127)}x`, `\udcff${"y".repeat(200)}`]) {
      await image.writeTo(`${dir}/${name}`);
      expect(host.files.readDirectory(dir)).toEqual([name]);
      host.files.remove(`${dir}/${name}`);
    }
  });

  test("asked for its digest and to be flushed", async () => {
    const image = imageOf();
    const { sha256 } = await image.writeTo(join(dir, "out"), { sha256: true, fsync: true });
    expect(sha256).toBe(
      createHash("sha256")
        .update(fs.readFileSync(join(dir, "out")))
        .digest("hex"),
    );
  });
});

describe("an older file", () => {
  test("is replaced, and its mode kept; other names of it keep what they had", async () => {
    const path = join(dir, "out.img");
    fs.writeFileSync(path, "old");
    fs.chmodSync(path, 0o604);
    fs.linkSync(path, join(dir, "other"));
    const image = imageOf();
    await image.writeTo(path);
    await expectFile(path, image);
    expect(modeOf(path)).toBe(0o604);
    expect(fs.readFileSync(join(dir, "other"), "utf8")).toBe("old");
  });

  test.skipIf(!needRoot())("keeps its owner when root replaces it", async () => {
    const path = join(dir, "out.img");
    fs.writeFileSync(path, "old");
    fs.chownSync(path, 1234, 4321);
    await imageOf().writeTo(path);
    expect(fs.statSync(path)).toMatchObject({ uid: 1234, gid: 4321 });
  });

  test("that others may not read is never readable to them, not even while it is replaced", async () => {
    const path = join(dir, "out.img");
    fs.writeFileSync(path, "old");
    fs.chmodSync(path, 0o600);
    const modes: number[] = [];
    const content: Content = {
      size: 10,
      read() {
        for (const name of fs.readdirSync(dir)) modes.push(modeOf(join(dir, name)));
      },
    };
    await imageOf(new Tree().file("/f", content)).writeTo(path);
    expect(modes).toEqual([0o600, 0o600]);
  });

  test("is as it was when the build fails, and nothing else is left", async () => {
    const path = join(dir, "out.img");
    fs.writeFileSync(path, "old");
    const image = imageOf(new Tree().file("/f", failing));
    await expect(image.writeTo(path)).rejects.toMatchObject({ code: "source", where: { path: "/f" } });
    await expect(image.writeTo(path, { compress: "gzip" })).rejects.toMatchObject({ code: "source" });
    await expect(image.writeTo(path, { compress: "zstd" })).rejects.toMatchObject({ code: "source" });
    expect(fs.readdirSync(dir)).toEqual(["out.img"]);
    expect(fs.readFileSync(path, "utf8")).toBe("old");
  });

  test("may be what the new one is made of", async () => {
    const path = join(dir, "out.img");
    fs.writeFileSync(path, bytes(20 * MiB));
    const file = host.files.openRead(path);
    const content: Content = { size: file.size, read: (offset, target) => void file.readAt(offset, target) };
    const image = imageOf(new Tree().file("/old", content));
    const digest = await image.sha256();
    expect((await image.writeTo(path, { sha256: true })).sha256).toBe(digest);
    file.close();
  });
});

describe("a symlink", () => {
  test("stays; what it leads to is replaced or made", async () => {
    fs.mkdirSync(join(dir, "sub"));
    fs.symlinkSync("sub/one", join(dir, "first"));
    fs.symlinkSync("../second", join(dir, "sub/one"));
    const image = imageOf();
    for (let round = 0; round < 2; round++) {
      await image.writeTo(join(dir, "first"));
      await expectFile(join(dir, "second"), image);
      expect(fs.lstatSync(join(dir, "first")).isSymbolicLink()).toBe(true);
      expect(fs.readdirSync(dir).sort()).toEqual(["first", "second", "sub"]);
    }
  });

  test("in a loop is refused", async () => {
    fs.symlinkSync("b", join(dir, "a"));
    fs.symlinkSync("a", join(dir, "b"));
    await expect(imageOf().writeTo(join(dir, "a"))).rejects.toMatchObject({ code: "io" });
  });
});

describe("refused before any work", () => {
  const untouchable = imageOf(new Tree().file("/f", { size: 5, read: () => expect.unreachable("content was read") }));

  test("folders, missing folders, files as folders, the empty path", async () => {
    fs.writeFileSync(join(dir, "file"), "");
    await expect(untouchable.writeTo(dir)).rejects.toMatchObject({ code: "usage" });
    await expect(untouchable.writeTo(`${dir}/new/`)).rejects.toMatchObject({ code: "usage" });
    await expect(untouchable.writeTo("")).rejects.toMatchObject({ code: "usage" });
    await expect(untouchable.writeTo(`${dir}/none/out`)).rejects.toThrow(/folder .* does not exist/);
    await expect(untouchable.writeTo(`${dir}/file/out`)).rejects.toThrow(/is a file, no directory/);
    await expect(untouchable.writeTo(`${dir}/out`, { compress: "xz" as "gzip" })).rejects.toMatchObject({ code: "usage" });
  });

  test.skipIf(!needRoot() || !need("mount", "umount"))("a folder on a read-only file system", async () => {
    execFileSync("mount", ["-t", "tmpfs", "-o", "ro,size=1m", "none", dir]);
    try {
      await expect(untouchable.writeTo(join(dir, "out"))).rejects.toMatchObject({ code: "io" });
    } finally {
      execFileSync("umount", [dir]);
    }
  });
});

describe("leftovers", () => {
  const deadPid = (): number => spawnSync("true").pid;

  test("of dead processes are removed by the next build of that name; all else stays", async () => {
    const image = imageOf();
    const self = host.files.processStart(process.pid);
    const kept = [
      `.out.img.fsynth-1-${host.files.processStart(1)}-1.tmp`,
      `.out.img.fsynth-${process.pid}-${self}-99999.tmp`,
      `.other.img.fsynth-${deadPid()}-5-1.tmp`,
      ".out.img.fsynth-x.tmp",
      ".out.img.fsynth-1-2-3.tmp.bak",
    ];
    // The second: a number that a later process was given.
    const gone = [`.out.img.fsynth-${deadPid()}-5-1.tmp`, `.out.img.fsynth-${process.pid}-1-1.tmp`];
    for (const name of [...kept, ...gone]) fs.writeFileSync(join(dir, name), "");
    await image.writeTo(join(dir, "out.img"));
    expect(fs.readdirSync(dir).sort()).toEqual([...kept, "out.img"].sort());
  });
});

describe("other users", () => {
  test.skipIf(!needRoot())("write where they may, and are told where they may not", async () => {
    fs.chmodSync(base, 0o755);
    const image = imageOf();
    for (const [name, mode] of [
      ["closed", 0o755],
      ["unlisted", 0o733],
      ["sticky", 0o1777],
    ] as const) {
      fs.mkdirSync(join(dir, name));
      fs.chmodSync(join(dir, name), mode);
      fs.writeFileSync(join(dir, name, ".x.fsynth-4194305-1-1.tmp"), "of a dead process of another user");
    }
    process.setegid?.(65534);
    process.seteuid?.(65534);
    try {
      await expect(image.writeTo(join(dir, "closed/x"))).rejects.toMatchObject({ code: "io", cause: { code: "EACCES" } });
      await image.writeTo(join(dir, "unlisted/x"));
      await image.writeTo(join(dir, "sticky/x"));
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
    expect(fs.statSync(join(dir, "sticky/x"))).toMatchObject({ uid: 65534, gid: 65534 });
    expect(fs.readdirSync(join(dir, "closed"))).toEqual([".x.fsynth-4194305-1-1.tmp"]);
  });
});

describe("a full disk", () => {
  test.skipIf(!needRoot() || !need("mount", "umount"))("leaves nothing, and the older file as it was", async () => {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", dir]);
    try {
      fs.writeFileSync(join(dir, "out"), "old");
      for (const compress of ["none", "gzip", "zstd"] as const) {
        let state = 1;
        const noise = Uint8Array.from({ length: 5 * MiB }, () => (state = Math.imul(state, 0x9e3779b1) + 12345) >>> 23);
        const image = imageOf(new Tree().file("/f", noise));
        await expect(image.writeTo(join(dir, "out"), { compress })).rejects.toThrow(/^cannot .*out.*ENOSPC/);
      }
      expect(fs.readdirSync(dir)).toEqual(["out"]);
      expect(fs.readFileSync(join(dir, "out"), "utf8")).toBe("old");
    } finally {
      execFileSync("umount", [dir]);
    }
  });
});

describe("what is no regular file is written through", () => {
  test("/dev/null stays what it is, and takes terabytes", async () => {
    const before = fs.statSync("/dev/null");
    await imageOf(undefined, 2 ** 40).writeTo("/dev/null");
    const after = fs.statSync("/dev/null");
    expect(after.isCharacterDevice()).toBe(true);
    expect(after.rdev).toBe(before.rdev);
    expect(after.ino).toBe(before.ino);
  });

  test("/dev/full fails with the system's words", async () => {
    await expect(imageOf().writeTo("/dev/full")).rejects.toThrow(/ENOSPC/);
    expect(fs.statSync("/dev/full").isCharacterDevice()).toBe(true);
  });

  test.skipIf(!need("mkfifo", "sha256sum"))("a fifo gets the bytes when its reader comes, and stays a fifo", async () => {
    const fifo = join(dir, "fifo");
    execFileSync("mkfifo", [fifo]);
    const image = imageOf();
    const writing = image.writeTo(fifo);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const reader = spawn("sha256sum", [fifo], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    for await (const chunk of reader.stdout) out += String(chunk);
    await writing;
    expect(out.slice(0, 64)).toBe(await image.sha256());
    expect(fs.statSync(fifo).isFIFO()).toBe(true);
  });

  test.skipIf(!need("mkfifo", "head"))("a fifo whose reader leaves is a closed pipe", async () => {
    const fifo = join(dir, "fifo");
    execFileSync("mkfifo", [fifo]);
    const reader = spawn("head", ["-c", "10", fifo], { stdio: "ignore" });
    const error = await imageOf()
      .writeTo(fifo)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "io", cause: { code: "EPIPE" } });
    reader.kill();
  });

  test.skipIf(!needRoot() || !needLoopMount())(
    "a block device only with force, only if it is large enough, and its old bytes do not show through holes",
    async () => {
      const backing = join(dir, "disk");
      fs.writeFileSync(backing, new Uint8Array(5 * MiB).fill(0xee));
      const device = execFileSync("losetup", ["-f", "--show", backing], { encoding: "utf8" }).trim();
      try {
        const image = imageOf(undefined, 300_000);
        await expect(image.writeTo(device)).rejects.toMatchObject({ code: "usage", message: expect.stringMatching(/force/) });
        await image.writeTo(device, { force: true, fsync: true });
        expect(fs.statSync(device).isBlockDevice()).toBe(true);
        const all = execFileSync("head", ["-c", String(image.size), device], { maxBuffer: 100 * MiB });
        expect(Buffer.compare(all, await image.bytes())).toBe(0);
        const large = imageOf(undefined, 3 * MiB).writeTo(device, { force: true });
        await expect(large).rejects.toThrow(`has ${5 * MiB} bytes`);
      } finally {
        execFileSync("losetup", ["-d", device]);
      }
    },
  );
});

describe("compressed", () => {
  test.skipIf(!need("zstd"))(
    "by the ending of the name or as asked, the same bytes each time, read by the usual tools",
    async () => {
      const image = imageOf(new Tree().file("/a", bytes(9 * MiB + 77)));
      const digest = await image.sha256();
      const sha = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
      await image.writeTo(join(dir, "x.gz"));
      await image.writeTo(join(dir, "y"), { compress: "gzip" });
      await image.writeTo(join(dir, "x.zst"));
      await image.writeTo(join(dir, "plain.gz"), { compress: "none" });
      const gz = fs.readFileSync(join(dir, "x.gz"));
      expect([...gz.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
      expect(sha(gunzipSync(gz))).toBe(digest);
      expect(Buffer.compare(gz, fs.readFileSync(join(dir, "y")))).toBe(0);
      const zst = join(dir, "x.zst");
      expect(sha(execFileSync("zstd", ["-dc", zst], { maxBuffer: 100 * MiB }))).toBe(digest);
      expect(execFileSync("zstd", ["-lv", zst], { encoding: "utf8" })).toMatch(/Frames: +3\n/i);
      await expectFile(join(dir, "plain.gz"), image);
    },
  );

  test("bytes do not depend on how the input was cut, and an empty input is whole", async () => {
    const data = bytes(5 * MiB + 321);
    const cut = async function* (size: number): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
    };
    const all = async (stream: AsyncIterable<Uint8Array>): Promise<Buffer> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream) chunks.push(chunk.slice());
      return Buffer.concat(chunks);
    };
    const encoders: ((source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>)[] = [
      (source) => host.gzip(source),
      (source) => host.zstd(source),
    ];
    for (const encode of encoders) {
      const whole = await all(encode(cut(data.length)));
      for (const size of [1021, 65_536, 4 * MiB]) expect(Buffer.compare(await all(encode(cut(size))), whole)).toBe(0);
    }
    const nothing = async function* (): AsyncGenerator<Uint8Array> {};
    expect(gunzipSync(await all(host.gzip(nothing()))).length).toBe(0);
    expect(await all(host.zstd(nothing()))).toEqual(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0]));
  });

  test("bytes are those of every other machine", async () => {
    const sha = async (stream: AsyncIterable<Uint8Array>): Promise<string> => {
      const hash = createHash("sha256");
      for await (const chunk of stream) hash.update(chunk);
      return hash.digest("hex");
    };
    const one = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes(5 * MiB);
    };
    expect(await sha(host.gzip(one()))).toBe("d9d0c223a31ea2a996000551b6b842f41fa2a189e8a8944bcd503482ddc71ed3");
    expect(await sha(host.zstd(one()))).toBe("b9537e7aa14db3a12bed73af3129778b49b4ddf80d3565a81a465c532f696602");
  });
});
