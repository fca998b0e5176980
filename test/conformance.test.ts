// What every format owes, asked of all that formats/index.ts lists: a format that is added there is tested here without a line more,
// but for the witness that reads its images.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { formats } from "../formats/index.ts";
import { type BuildOptions, buildImage } from "../src/build.ts";
import { FsynthError } from "../src/error.ts";
import type { Format } from "../src/image/format.ts";
import type { Image } from "../src/image/image.ts";
import { flagOf, type Option } from "../src/image/options.ts";
import { MAX_BYTES_REGION, type Region } from "../src/image/region.ts";
import { fromCpio } from "../src/sources/cpio.ts";
import { fromImage, openImage } from "../src/sources/image.ts";
import { fromTar } from "../src/sources/tar.ts";
import { compareTreesFully } from "../src/tree/compare.ts";
import { type Content, sparseContent } from "../src/tree/content.ts";
import { takeSnapshot } from "../src/tree/snapshot.ts";
import { Tree } from "../src/tree/tree.ts";
import { pattern } from "./arbitrary/tree.ts";
import { asCpioHolds } from "./judge/cpio.ts";
import { judge, needTools } from "./judge/ext.ts";
import { asTarHolds } from "./judge/tar.ts";
import type { FfsProfileName } from "./judge/ufs.ts";
import { asFfsHolds } from "./judge/ufs-read.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-conformance-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Reads the image at a path back and gives what is not as in the tree; undefined where the judge is missing. */
type Witness = ((path: string, tree: Tree) => Promise<unknown[]>) | undefined;

/** By format. */
const WITNESSES: Readonly<Record<string, Witness>> = {
  ext: needTools() ? (path, tree) => judge(path, tree, { tools: true, kernel: false }) : undefined,
  ffs: async (path, tree) => {
    const volume = await openImage(path);
    const profile = volume.format as FfsProfileName; // the volume is one of FFS
    return compareTreesFully(takeSnapshot(await fromImage(volume)), asFfsHolds(tree, profile, 16384));
  },
  cpio: async (path, tree) => compareTreesFully(takeSnapshot(await fromCpio(path)), asCpioHolds(takeSnapshot(tree))),
  tar: async (path, tree) => compareTreesFully(takeSnapshot(await fromTar(path)), asTarHolds(takeSnapshot(tree))),
};

/** Time within every format's range. */
const T = 1_600_000_000;

const steps: ((tree: Tree) => void)[] = [
  (tree) => tree.directory("/", { mode: 0o751, mtime: T }),
  (tree) => tree.directory("/d/e/f", { mode: 0o1777, uid: 65_534, gid: 65_536, mtime: T + 1 }),
  (tree) => tree.directory("/d", { mtime: T + 2 }).directory("/d/e", { mtime: T + 2 }),
  (tree) => tree.file("/d/file", pattern(70_001, 1), { mode: 0o4755, uid: 70_000, gid: 2 ** 31, mtime: T + 3 }),
  (tree) => tree.file("/d/e/one", pattern(1, 2), { mtime: T }).file("/d/empty", "", { mode: 0, mtime: 0 }),
  (tree) => tree.file("/block", pattern(8192, 3), { mtime: T }).file("/large", pattern(3_000_000, 4), { mtime: T }),
  (tree) => tree.file("/sparse", sparse(), { mtime: T }).file("/hole", sparseContent(50_000), { mtime: T }),
  (tree) => tree.symlink("/d/short", "../block", { mtime: T }).symlink("/d/long", "x/".repeat(400), { mtime: T }),
  (tree) => tree.device("/null", "c", 1, 3, { mode: 0o666, mtime: T }).device("/disk", "b", 8, 17, { mode: 0o660, mtime: T }),
  (tree) => tree.fifo("/fifo", { mtime: T }).socket("/socket", { mode: 0o755, mtime: T }),
  (tree) => tree.file("/names/\udcff\udcfe", "bytes", { mtime: T }).file(`/names/${"n".repeat(255)}`, "long", { mtime: T }),
  (tree) =>
    tree.file("/names/é 😀", "text", { mtime: T }).file("/names/new\nline", "", { mtime: T }).directory("/names", { mtime: T }),
];

const links = (tree: Tree): Tree => tree.link("/d/e/f/linked", "/block").link("/a-link", "/block").link("/fifo too", "/fifo");

function sparse(): Content {
  const data = pattern(6000, 5);
  const extents = [
    { offset: 12_288, length: 4000 },
    { offset: 999_000, length: 2000 },
  ];
  return sparseContent(1_500_000, extents, {
    size: 6000,
    read: (at, target) => target.set(data.subarray(at, at + target.length)),
  });
}

type Order = "as written" | "backwards";

function wholeSample(order: Order = "as written"): Tree {
  const tree = new Tree();
  for (const step of order === "backwards" ? steps.toReversed() : steps) step(tree);
  return links(tree);
}

const plain = { read: (_: number, target: Uint8Array): void => void target.fill(1) };

/** Calls `work` and gives the FsynthError that it must throw. */
function refusal(work: () => unknown): FsynthError {
  try {
    work();
  } catch (error) {
    if (error instanceof FsynthError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const all = formats.flatMap((format) => format.profiles.map((profile) => [profile.name, format] as const));

test("every format has names and profiles of its own, and a witness", () => {
  const names = all.map(([profile]) => profile);
  expect(new Set(names).size).toBe(names.length);
  expect(formats.map(({ name }) => name).filter((name) => !Object.hasOwn(WITNESSES, name))).toEqual([]);
  for (const { name, profiles, options } of formats) {
    expect(profiles.length, name).toBeGreaterThan(0);
    for (const { summary, capabilities } of profiles) {
      expect(summary).toMatch(/\S.*\.$/);
      // Whatever the first says of itself, the others say of themselves.
      expect(Object.keys(capabilities)).toEqual(expect.arrayContaining(Object.keys(formats[0]?.profiles[0]?.capabilities ?? {})));
    }
    for (const [option, { help }] of Object.entries(options) as unknown as [string, Option][]) {
      expect(help, `${name} ${flagOf(option)}`).toMatch(/^\S.*\.$/s);
    }
  }
});

describe.each(all)("%s", (profile, format: Format) => {
  const build = (tree: Tree, options: object = {}): Image => buildImage(format, profile, tree, options as BuildOptions); // of any format
  const sockets = format.profiles.every(({ capabilities }) => capabilities.sockets !== false);
  const sample = (order?: Order): Tree => {
    const tree = wholeSample(order);
    if (!sockets) tree.remove("/socket");
    return tree;
  };
  const image = build(sample());
  const whole = image.bytes();

  test("the same tree gives the same bytes, however it was made", async () => {
    const digest = await image.sha256();
    expect(await build(sample()).sha256()).toBe(digest);
    expect(await build(sample("backwards")).sha256()).toBe(digest);
    expect(build(sample("backwards")).plan.summary).toEqual(image.plan.summary);
  });

  test("an image does not change with the tree it was made of", async () => {
    const tree = sample();
    const early = build(tree);
    tree.remove("/d");
    tree.file("/more", "x").chmod("/block", 0);
    expect(await early.sha256()).toBe(await image.sha256());
    expect(await build(tree).sha256()).not.toBe(await image.sha256());
  });

  test("options that are given as they are by default change nothing", async () => {
    const inputs = Object.fromEntries(
      (Object.entries(format.options) as unknown as [string, Option][])
        .filter(([, option]) => ["string", "number", "boolean"].includes(typeof option.default) && option.default !== "")
        .map(([name, option]) => [name, option.default]),
    );
    expect(Object.keys(inputs).length).toBeGreaterThan(0);
    expect(await build(sample(), inputs).sha256()).toBe(await image.sha256());
    expect(refusal(() => build(sample(), { ...inputs, unheardOf: 1 }))).toMatchObject({
      code: "usage",
      where: { option: "unheardOf" },
    });
  });

  describe("the regions", () => {
    const regions = [...image.plan.regions()];

    test("ascend without gaps and end with the image", () => {
      let at = 0;
      for (const region of regions) {
        expect(region.offset).toBe(at);
        expect(region.length).toBeGreaterThan(0);
        if (region.kind === "bytes") expect(region.length).toBeLessThanOrEqual(MAX_BYTES_REGION);
        if (region.kind === "content") {
          expect(region.start + region.length).toBeLessThanOrEqual(region.content.size);
          expect(region.path()).toMatch(/^\/./);
        }
        at += region.length;
      }
      expect(at).toBe(image.size);
      expect(image.plan.summary.size).toBe(image.size);
    });

    test("from any byte on are the rest of all", () => {
      const shape = ({ kind, offset, length }: Region): string => `${kind} ${offset}+${length}`;
      const offsets = new Set([0, 1, image.size - 1]);
      for (const { offset, length } of regions)
        for (const at of [offset - 1, offset, offset + (length >> 1)]) if (at >= 0) offsets.add(at);
      for (const from of offsets) {
        const expected = regions.filter(({ offset, length }) => offset + length > from).map(shape);
        expect([...image.plan.regions(from)].map(shape), `from ${from}`).toEqual(expected);
      }
      expect([...image.plan.regions(image.size)]).toEqual([]);
      for (const from of [-1, 0.5, image.size + 1, Number.NaN]) expect(() => [...image.plan.regions(from)]).toThrow(FsynthError);
    });

    test("hold nothing but zeros in holes, and are the same when asked for twice", async () => {
      const bytes = await whole;
      for (const region of regions) {
        const part = bytes.subarray(region.offset, region.offset + region.length);
        if (region.kind === "hole")
          expect(
            part.some((byte) => byte !== 0),
            `hole at ${region.offset}`,
          ).toBe(false);
        if (region.kind !== "bytes") continue;
        const again = new Uint8Array(region.length);
        await region.fill(again);
        expect(Buffer.compare(again, part), `region at ${region.offset}`).toBe(0);
      }
    });
  });

  test("bytes, ranges, stream, file and digest agree", async () => {
    const bytes = await whole;
    expect(bytes.length).toBe(image.size);
    const digest = await image.sha256();
    const path = join(folder, `agree-${profile}`);
    expect((await image.writeTo(path, { sha256: true })).sha256).toBe(digest);
    expect(Buffer.compare(readFileSync(path), bytes)).toBe(0);
    const chunks: Uint8Array[] = [];
    for await (const chunk of image.stream() as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk); // Node's streams are iterable
    expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0);
    for (let i = 0, at = 0; at < image.size; at += 1 + ((i * 48_271) % 300_007), i++) {
      const length = (i * 16_807) % 70_001;
      expect(Buffer.compare(await image.read(at, length), bytes.subarray(at, at + length)), `${length} bytes at ${at}`).toBe(0);
    }
  });

  test("the tree survives", async ({ skip }) => {
    const witness = WITNESSES[format.name];
    if (!witness) return skip("its judge is missing");
    const path = join(folder, `witness-${profile}`);
    await image.writeTo(path);
    expect(await witness(path, sample())).toEqual([]);
  });

  test("an empty tree is one", async ({ skip }) => {
    const witness = WITNESSES[format.name];
    if (!witness) return skip("its judge is missing");
    const path = join(folder, `empty-${profile}`);
    const empty = build(new Tree());
    await empty.writeTo(path);
    expect(empty.plan.summary.entries).toBe(0);
    expect(await witness(path, new Tree())).toEqual([]);
  });

  test("planning reads no content, and content may come later", async () => {
    const late = (): Tree => {
      const tree = sample();
      for (const [, node] of tree.entries()) {
        if (node.kind !== "file") continue;
        const { content } = node;
        const read = async (offset: number, target: Uint8Array): Promise<void> => {
          await Promise.resolve();
          await content.read(offset, target);
        };
        node.content = content.extents ? { size: content.size, extents: content.extents, read } : { size: content.size, read };
      }
      return tree;
    };
    expect(await build(late()).sha256()).toBe(await image.sha256());
    const broken = sample().file("/broken", {
      size: 9999,
      read() {
        throw new Error("the disk is gone");
      },
    });
    await expect(build(broken).bytes()).rejects.toMatchObject({ code: "source", where: { path: "/broken" } });
  });

  test("what does not fit is refused with every path, whatever loss is allowed", () => {
    const tree = new Tree()
      .file("/a/huge", { size: 2 ** 52, ...plain }, { mtime: T })
      .file("/b", { size: 2 ** 52, ...plain }, { mtime: T });
    for (const allowLoss of [false, true]) {
      const { code, violations, message } = refusal(() => build(tree, { allowLoss }));
      expect(code).toBe("unsupported");
      expect(violations.map((line) => line.split(":")[0])).toEqual(["/b", "/a/huge"]);
      for (const path of ["/a/huge", "/b"]) expect(message).toContain(path);
    }
  });

  test.each([
    ["times", { mtime: 253_370_764_800 }],
    ["xattrs", { mtime: T, xattrs: { "user.a": "1" } }],
  ])("%s that it lacks are refused with every path, or left out and counted", (what, metadata) => {
    const tree = new Tree().directory("/", { mtime: T });
    for (const name of ["x", "y", "z"]) tree.file(`/${name}`, "", metadata);
    const lost = build(tree, { allowLoss: true }).plan.warnings;
    // What a profile holds is no loss, and needs no leave.
    if (lost.length === 0) {
      expect(build(tree).plan.warnings).toEqual([]);
      return;
    }
    expect(lost).toHaveLength(1);
    expect(lost[0]).toMatchObject({ code: what, message: expect.stringMatching(/\b3 .*\/x/) as string });
    const { code, violations } = refusal(() => build(tree));
    expect(code).toBe("unsupported");
    expect(violations.map((line) => line.split(":")[0])).toEqual(["/x", "/y", "/z"]);
  });

  test("the options of every tree are heeded", async () => {
    const set = { mtime: 7, owner: "5:6", exclude: ["names", "/d/e"] };
    const changed = sample();
    for (const [, node] of [...changed.entries(), ["/", changed.root] as const]) {
      Object.assign(node, { uid: 5, gid: 6 });
      for (const which of ["atime", "mtime", "ctime", "btime"] as const) node[which] = { sec: 7, nsec: 0 };
    }
    changed.remove("/names");
    changed.remove("/d/e");
    const digest = await build(sample(), set).sha256();
    expect(digest).not.toBe(await image.sha256());
    expect(await build(changed, { mtime: 7 }).sha256()).toBe(digest);
  });
});
