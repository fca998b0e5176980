// Random trees packed by tar-stream and read back, its extract beside our reader, and archives with random damage.

import { Readable } from "node:stream";
import fc from "fast-check";
import { extract, type Header, pack } from "tar-stream";
import { expect, test } from "vitest";
import { ustar } from "../formats/tar/records.ts";
import { fromTar } from "../src/sources/tar.ts";
import { fromTarStream } from "../src/sources/tar-stream.ts";
import { Tree } from "../src/tree/tree.ts";
import { chunked, END, entry, lines, octal, outcomes, pax, temporary } from "./tar-made.ts";

const ALL = process.env.FSYNTH_TEST === "all";

interface Item {
  readonly path: readonly string[];
  readonly kind: "file" | "directory" | "symlink" | "link" | "fifo" | "character-device" | "block-device";
  readonly content: Uint8Array;
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sec: number;
  readonly device: readonly [number, number];
  readonly xattrs: Readonly<Record<string, string>>;
}

const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("a", "b", "c", "usr", "bin") },
  fc.stringMatching(/^[a-zé ]{1,30}$/),
  fc.stringMatching(/^[a-z]{99,120}$/),
  fc.constantFrom("\u{1f600}", "with\nnewline", "back\\slash", "=", " "),
);

const item: fc.Arbitrary<Item> = fc.record({
  path: fc.array(name, { minLength: 1, maxLength: 4 }),
  kind: fc.constantFrom("file", "file", "directory", "symlink", "link", "fifo", "character-device", "block-device"),
  content: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(511, 512, 513, 70_000).map((length) => new Uint8Array(length).fill(length % 251)),
  ),
  target: fc.oneof(name, fc.stringMatching(/^[a-z/]{1,200}$/)),
  mode: fc.integer({ min: 1, max: 0o7777 }), // tar-stream takes 0 for none given
  uid: fc.integer({ min: 0, max: 0o777777 }),
  gid: fc.integer({ min: 0, max: 0o777777 }),
  sec: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  device: fc.tuple(fc.integer({ min: 0, max: 0o777777 }), fc.integer({ min: 0, max: 0o777777 })),
  xattrs: fc.dictionary(
    fc.stringMatching(/^user\.[a-z]{1,9}$/),
    fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\u{fffd}")),
    { maxKeys: 2 },
  ),
});

/** Packs what makes a tree, and makes the tree beside it: what cannot stand where it is to stand is left out of both. */
function packed(items: readonly Item[]): { readonly tree: Tree; readonly bytes: Promise<Buffer> } {
  const tree = new Tree();
  const out = pack();
  const files: string[] = [];
  for (const { path, kind, content, target, mode, uid, gid, sec, device, xattrs } of items) {
    const where = path.join("/");
    const metadata = { mode, uid, gid, mtime: sec, xattrs };
    const blocked = path.some((_, i) => i > 0 && tree.lookup(path.slice(0, i).join("/"))?.kind === "symlink");
    const header: Partial<Header> & { name: string } = { name: where, mode, uid, gid, mtime: new Date(sec * 1000) };
    const records = Object.entries(xattrs).map(([key, value]) => [`SCHILY.xattr.${key}`, value]);
    if (records.length > 0) header.pax = Object.fromEntries(records);
    try {
      if (blocked || (kind === "directory" && tree.lookup(where)?.kind === "symlink")) continue;
      if (kind === "file") tree.file(where, content, metadata);
      else if (kind === "directory") tree.directory(where, metadata);
      else if (kind === "symlink") tree.symlink(where, target, metadata);
      else if (kind === "fifo") tree.fifo(where, metadata);
      else if (kind === "link") {
        const to = files[uid % Math.max(files.length, 1)];
        if (to === undefined || to.split("/").some((_, i, all) => tree.lookup(all.slice(0, i).join("/"))?.kind !== "directory"))
          continue;
        tree.link(where, to);
        header.linkname = to;
      } else tree.device(where, kind === "block-device" ? "b" : "c", device[0], device[1], metadata);
    } catch {
      continue;
    }
    if (kind === "file") files.push(where);
    if (kind === "symlink") header.linkname = target;
    if (kind === "character-device" || kind === "block-device") [header.devmajor, header.devminor] = device;
    header.type = kind;
    if (kind === "file") out.entry(header, Buffer.from(content));
    else out.entry(header);
  }
  out.finalize();
  return { tree, bytes: collected(out) };
}

async function collected(chunks: AsyncIterable<unknown>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk as Uint8Array); // a pack gives bytes
  return Buffer.concat(all);
}

test("random trees packed by tar-stream are the trees they were, read by us and through tar-stream's extract", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 12 }), fc.integer({ min: 1, max: 3000 }), async (items, chunk) => {
      const { tree, bytes } = packed(items);
      const archive = await bytes;
      // Parents that the archive leaves out have the image's own time, here and there.
      const expected = await lines(tree);
      expect(await lines(await fromTar(archive))).toEqual(expected);
      expect(await lines(await fromTar(chunked(archive, chunk)))).toEqual(expected);
      const through = await fromTarStream(Readable.from(chunked(archive, chunk)).pipe(extract()));
      expect(await lines(through)).toEqual(expected);
    }),
    { numRuns: ALL ? 3000 : 150 },
  );
});

test("what tar-stream loses is refused", async () => {
  const through = (bytes: Uint8Array): Promise<unknown> => fromTarStream(Readable.from([bytes]).pipe(extract()));
  const archive = (...parts: Uint8Array[]): Buffer => Buffer.concat([...parts, END]);
  await expect(through(archive(entry({ name: "f\xff" })))).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringContaining("bytes that tar-stream lost"),
  });
  await expect(through(archive(pax("x", ["SCHILY.xattr.user.a", Buffer.from([0xff])]), entry({ name: "f" })))).rejects.toThrow(
    "bytes that tar-stream lost",
  );
  await expect(through(archive(pax("x", ["GNU.sparse.major", "1"]), entry({ name: "f" })))).rejects.toThrow(
    "it is stored sparse; fromTar reads",
  );
  await expect(through(archive(entry({ name: "f", typeflag: "V" })))).rejects.toThrow("has no type for it");
  await expect(through(archive(entry({ name: "l", typeflag: "1", linkname: "none" })))).rejects.toMatchObject({
    code: "source",
    where: { path: "l" },
  });
  await expect(through(archive(entry({ name: "f" }), entry({ name: "f", chksum: "0000000\0" })))).rejects.toThrow();
  const times = (await through(
    archive(pax("x", ["mtime", "5.25"], ["uid", "3000000000"], ["atime", "1"]), entry({ name: "f", uname: "x" }, "abc")),
  )) as Tree;
  expect(times.lookup("f")).toMatchObject({ uid: 3_000_000_000, mtime: { sec: 5, nsec: 250_000_000 }, atime: { sec: 1 } });
  const limited = fromTarStream(Readable.from([archive(entry({ name: "f" }, "x".repeat(5000)))]).pipe(extract()), {
    maxBytes: 100,
  });
  await expect(limited).rejects.toThrow("more than 100 bytes");
});

// Everything that has a parser of its own.
const SEED = Buffer.concat([
  pax("g", ["mtime", "1.5"], ["comment", "c"]),
  pax(
    "x",
    ["path", "dir/file"],
    ["size", "5"],
    ["SCHILY.xattr.user.a", "b"],
    ["SCHILY.acl.access", "user::rwx,user:7:r-x,group::r--,mask::rwx,other::---"],
  ),
  entry({ name: "a" }, "hello"),
  entry({ name: "././@LongLink", typeflag: "L" }, `${"l".repeat(120)}\0`),
  entry({ name: "././@LongLink", typeflag: "K" }, `${"k".repeat(120)}\0`),
  entry({ name: "long", typeflag: "2", linkname: "a", magic: "ustar ", version: " \0" }),
  pax("x", ["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "10000"]),
  entry({ name: "s1" }, Buffer.concat([Buffer.from("1\n1024\n512\n".padEnd(512, "\0")), Buffer.alloc(512, 1)])),
  pax("x", ["GNU.sparse.size", "10000"], ["GNU.sparse.map", "1024,512"]),
  entry({ name: "s2" }, Buffer.alloc(512, 2)),
  entry({
    name: "s3",
    typeflag: "S",
    magic: "ustar ",
    version: " \0",
    size: octal(512, 12),
    patches: [
      [386, `${octal(1024, 12)}\0${octal(512, 12)}\0`],
      [482, "\x01"],
      [483, octal(10_000, 12)],
    ],
  }),
  Buffer.alloc(512),
  Buffer.alloc(512, 3),
  entry({ name: "h", typeflag: "1", linkname: "dir/file" }, "other"),
  entry({ name: "d/", typeflag: "5", prefix: "p" }),
  entry({ name: "c", typeflag: "3", devmajor: octal(5, 8) }),
  END,
]);

/** Sets the checksum of the block that holds `at`, as if the damage were meant. */
function resum(bytes: Buffer, at: number): void {
  const block = bytes.subarray(at - (at % 512), at - (at % 512) + 512);
  const { offset, size } = ustar.f.chksum;
  block.fill(0x20, offset, offset + size);
  block.write(
    `${octal(
      block.reduce((total, byte) => total + byte, 0),
      7,
    )}\0 `,
    offset,
    "latin1",
  );
}

const patch = fc.record({
  at: fc.integer({ min: 0, max: SEED.length - 1 }),
  byte: fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0, 0x20, 0x30, 0x37, 0x39, 0x0a, 0x3d, 0x80, 0xff, 0x53, 0x78),
  ),
  meant: fc.boolean(),
});

test("the seed of the damage is sound", async () => {
  const all = await outcomes(SEED, temporary());
  expect(all[0]).toHaveLength(11);
  for (const got of all) expect(got).toEqual(all[0]);
});

test("damaged archives give an error or a tree, the same by every way of reading; never a crash, never a hang", async () => {
  const folder = temporary();
  await fc.assert(
    fc.asyncProperty(fc.array(patch, { minLength: 1, maxLength: 4 }), async (patches) => {
      const bytes = Buffer.from(SEED);
      for (const { at, byte, meant } of patches) {
        bytes[at] = byte;
        if (meant) resum(bytes, at);
      }
      const [memory, ...others] = await outcomes(bytes, folder);
      for (const other of others) expect(other).toEqual(memory);
    }),
    { numRuns: ALL ? 20_000 : 600, interruptAfterTimeLimit: ALL ? 600_000 : 30_000 },
  );
});
