import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildImage } from "../src/build.ts";
import { FsynthError } from "../src/error.ts";
import { type Content, sparseContent } from "../src/tree/content.ts";
import { contentSeed } from "../src/tree/content-seed.ts";
import { treeDigest } from "../src/tree/digest.ts";
import { detectHoles } from "../src/tree/holes.ts";
import { Tree } from "../src/tree/tree.ts";
import { blocks, HEADER } from "./sinks-format.ts";

const MiB = 1 << 20;

/** Bytes that differ from place to place, none of them zero. */
function pattern(length: number, salt = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => 1 + ((i * 31 + (i >> 8) * salt) % 255));
}

function sampleTree(): Tree {
  return new Tree()
    .file("/a", "hello\n")
    .file("/b", pattern(9 * MiB + 13))
    .file("/empty", "")
    .file("/late", slow(pattern(300_000, 7)))
    .file(
      "/sparse",
      sparseContent(3 * MiB, [{ offset: 100_000, length: 5 }], { size: 5, read: (_, target) => void target.fill(9) }),
    )
    .file("/zeros", new Uint8Array(1 * MiB))
    .file("/z", "the end");
}

/** Content that takes its time. */
function slow(bytes: Uint8Array): Content {
  return {
    size: bytes.length,
    async read(offset, target) {
      await Promise.resolve();
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

/** The image of {@link sampleTree}, put together by hand. */
function expected(): Uint8Array {
  const all = new Uint8Array(20 * MiB);
  all.set([0xf5, 1, 2, 3], HEADER - 4);
  let at = 8192;
  let end = HEADER;
  const put = (size: number, ...parts: [number, Uint8Array][]): void => {
    if (size > 0) at = Math.ceil(end / 4096) * 4096;
    for (const [offset, bytes] of parts) all.set(bytes, at + offset);
    if (size > 0) end = at + size;
  };
  put(6, [0, new TextEncoder().encode("hello\n")]);
  put(9 * MiB + 13, [0, pattern(9 * MiB + 13)]);
  put(300_000, [0, pattern(300_000, 7)]);
  put(3 * MiB, [100_000, new Uint8Array(5).fill(9)]);
  put(7, [0, new TextEncoder().encode("the end")]);
  put(1 * MiB);
  return all.subarray(0, end);
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("every sink gives the same bytes", () => {
  const image = buildImage(blocks, "blocks", sampleTree());

  test("memory", async () => {
    expect(image.size).toBe(expected().length);
    expect(same(await image.bytes(), expected())).toBe(true);
  });

  test("digest", async () => {
    expect(await image.sha256()).toBe(sha256(expected()));
  });

  test("stream, in chunks that belong to the reader", async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of image.stream() as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBe(MiB);
    expect(new Set(chunks.map((chunk) => chunk.buffer)).size).toBe(chunks.length);
    expect(same(Buffer.concat(chunks), expected())).toBe(true);
  });

  test("ranges", async () => {
    const all = expected();
    await fc.assert(
      fc.asyncProperty(fc.nat(all.length + 5), fc.oneof(fc.nat(9000), fc.nat(11 * MiB)), async (offset, length) => {
        expect(same(await image.read(offset, length), all.subarray(offset, offset + length))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("all at once, without disturbing each other", async () => {
    const [bytes, digest, range] = await Promise.all([image.bytes(), image.sha256(), image.read(9 * MiB, 500_000)]);
    expect(same(bytes, expected())).toBe(true);
    expect(digest).toBe(sha256(expected()));
    expect(same(range, expected().subarray(9 * MiB, 9 * MiB + 500_000))).toBe(true);
  });
});

describe("stream", () => {
  test("makes nothing before it is asked, and nothing after it is cancelled", async () => {
    let reads = 0;
    const content: Content = {
      size: 50 * MiB,
      read(_, target) {
        reads++;
        target.fill(1);
      },
    };
    const reader = buildImage(blocks, "blocks", new Tree().file("/f", content)).stream().getReader();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(reads).toBe(0);
    await reader.read();
    await reader.read();
    const before = reads;
    expect(before).toBeLessThanOrEqual(3);
    await reader.cancel();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(reads).toBe(before);
  });
});

describe("ranges", () => {
  const image = buildImage(blocks, "blocks", sampleTree(), { spare: 2 ** 43 });

  test("far inside a hole of terabytes, at once", async () => {
    expect(await image.read(2 ** 42, 4)).toEqual(new Uint8Array(4));
    expect((await image.read(image.size - 3, 100)).length).toBe(3);
    expect((await image.read(image.size, 100)).length).toBe(0);
  });

  test("refuses what is no range", async () => {
    await expect(image.read(-1, 4)).rejects.toMatchObject({ code: "usage" });
    await expect(image.read(0, 0.5)).rejects.toMatchObject({ code: "usage" });
  });

  test("an image too large for one array says so", async () => {
    await expect(image.bytes()).rejects.toMatchObject({ code: "unsupported" });
  });
});

describe("progress", () => {
  test("rises and ends with everything, once", async () => {
    const image = buildImage(blocks, "blocks", sampleTree());
    const seen: number[] = [];
    await image.sha256({
      onProgress({ done, total }) {
        expect(total).toBe(image.size);
        seen.push(done);
      },
    });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.filter((done) => done === image.size)).toHaveLength(1);
    expect(seen.at(-1)).toBe(image.size);
  });
});

describe("the event loop", () => {
  test("gets its turns while a long image is made", async () => {
    const content: Content = { size: 4000 * MiB, read: () => {} };
    const image = buildImage(blocks, "blocks", new Tree().file("/f", content));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const start = performance.now();
    await image.sha256();
    clearInterval(timer);
    expect(turns).toBeGreaterThan((performance.now() - start) / 300);
  });
});

describe("failing contents", () => {
  const failing = (error: Error): Content => ({
    size: 10,
    read() {
      throw error;
    },
  });

  test("name the file in the tree and keep their code", async () => {
    const cause = new FsynthError("io", "cannot read: gone", { path: "/host/x" });
    const image = buildImage(blocks, "blocks", new Tree().file("/dir/x", failing(cause)));
    const error = await image.bytes().catch((caught: unknown) => caught as FsynthError);
    expect(error).toMatchObject({ code: "io", where: { path: "/dir/x" }, cause });
    expect((error as Error).message).toBe('"/dir/x": cannot read: gone');
  });

  test("of the caller's own are errors of the source", async () => {
    const rejecting: Content = { size: 10, read: () => Promise.reject(new Error("no network")) };
    const image = buildImage(blocks, "blocks", new Tree().file("/x", rejecting));
    await expect(image.sha256()).rejects.toMatchObject({ code: "source", where: { path: "/x" } });
  });
});

describe("what is derived", () => {
  const build = (tree: Tree, options = {}): string | undefined => buildImage(blocks, "blocks", tree, options).uuid;

  test("depends on metadata and options, not on contents nor on how options are spelled", () => {
    const uuid = build(new Tree().file("/a", "1"));
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8/);
    expect(build(new Tree().file("/a", "2"))).toBe(uuid);
    expect(build(new Tree().file("/a", "1"), { spare: "0", exclude: [] })).toBe(uuid);
    expect(build(new Tree().file("/a", "1", { uid: 5 }))).not.toBe(uuid);
    expect(build(new Tree().file("/a", "1"), { spare: 4096 })).not.toBe(uuid);
  });

  test("a content seed makes it depend on contents", async () => {
    const one = new Tree().file("/a", "1").file("/b", "2");
    const two = new Tree().file("/a", "1").file("/b", "3");
    const [a, b] = [await contentSeed(one), await contentSeed(two)];
    expect(build(one, { seed: a })).toBe(build(one, { seed: await contentSeed(one) }));
    expect(build(one, { seed: a })).not.toBe(build(two, { seed: b }));
    expect(build(one, { seed: a })).not.toBe(build(one));
  });
});

describe("builds refuse", () => {
  test("a promise instead of a tree, unknown profiles and options", () => {
    const promised = Promise.resolve(new Tree()) as unknown as Tree;
    expect(() => buildImage(blocks, "blocks", promised)).toThrow(/await it first/);
    expect(() => buildImage(blocks, "ext9", new Tree())).toThrow(/no profile "ext9"/);
    expect(() => buildImage(blocks, "blocks", new Tree(), { lable: "x" } as object)).toThrow(/no option "lable"/);
    expect(() => buildImage(blocks, "blocks", new Tree(), { mtime: "soon" as unknown as number })).toThrow(/--mtime/);
  });
});

describe("tree digest", () => {
  const tree = (): Tree => new Tree().file("/a", "1", { mtime: 5 }).link("/b", "/a");

  test("changes with metadata, contents, links and holes, and with nothing else", async () => {
    const digest = await treeDigest(tree());
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await treeDigest(new Tree().file("/b", "1", { mtime: 5 }).link("/a", "/b"))).toBe(digest);
    expect(await treeDigest(tree().chmod("/a", 0o600))).not.toBe(digest);
    expect(await treeDigest(new Tree().file("/a", "2", { mtime: 5 }).link("/b", "/a"))).not.toBe(digest);
    expect(await treeDigest(tree().file("/b", "1", { mtime: 5 }))).not.toBe(digest);
    const zeros = new Tree().file("/z", new Uint8Array(8192), { mtime: 5 });
    const dense = await treeDigest(zeros);
    await detectHoles(zeros);
    expect(await treeDigest(zeros)).not.toBe(dense);
  });
});

describe("detected holes", () => {
  test("are the aligned runs of zeros, and contents read the same", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 20_000 })), { maxLength: 12 }), async (runs) => {
        const parts = runs.map(([zero, length], i) => (zero ? new Uint8Array(length) : pattern(length, i)));
        const bytes = new Uint8Array(Buffer.concat(parts));
        const tree = new Tree().file("/f", bytes);
        await detectHoles(tree);
        const node = tree.lookup("/f");
        if (node?.kind !== "file") throw new Error("no file");
        const read = new Uint8Array(bytes.length);
        await node.content.read(0, read);
        expect(same(read, bytes)).toBe(true);
        const holes = new Set<number>();
        for (let at = 0; at < bytes.length; at += 4096) if (!bytes.subarray(at, at + 4096).some(Boolean)) holes.add(at);
        const data = new Set<number>();
        const extents = node.content.extents ?? [{ offset: 0, length: bytes.length }];
        for (const { offset, length } of extents) for (let at = offset; at < offset + length; at += 4096) data.add(at);
        for (let at = 0; at < bytes.length; at += 4096) expect(data.has(at)).toBe(!holes.has(at));
      }),
      { numRuns: 200 },
    );
  });

  test("across windows, beside holes that were there, once for hard links, and of terabytes at no cost", async () => {
    const bytes = new Uint8Array(3 * MiB);
    bytes[MiB - 1] = 1;
    bytes[2 * MiB + 4096] = 2;
    const tree = new Tree()
      .file("/f", bytes)
      .link("/g", "/f")
      .file("/huge", sparseContent(2 ** 43, [{ offset: 2 ** 42, length: 8192 }], { size: 8192, read: (_, t) => void t.fill(0) }))
      .file("/dense", pattern(10_000));
    const dense = tree.lookup("/dense");
    const before = dense?.kind === "file" && dense.content;
    await detectHoles(tree);
    const extents = (path: string): unknown => {
      const node = tree.lookup(path);
      return node?.kind === "file" && node.content.extents;
    };
    expect(extents("/f")).toEqual([
      { offset: MiB - 4096, length: 4096 },
      { offset: 2 * MiB + 4096, length: 4096 },
    ]);
    expect(tree.lookup("/g")).toBe(tree.lookup("/f"));
    expect(extents("/huge")).toEqual([]);
    expect(dense?.kind === "file" && dense.content).toBe(before);
  });
});
