// The tar reader on archives that are made here byte by byte: dialects, precedence, limits and damage.

import { join } from "node:path";
import { expect, test } from "vitest";
import { fromTar } from "../src/sources/tar.ts";
import type { FileNode, Node } from "../src/tree/node.ts";
import { chunked, END, entry, header, lines, octal, outcomes, pax, readBytes, record, temporary } from "./tar-made.ts";

async function one(bytes: Uint8Array, path = "f"): Promise<Node> {
  const { tree } = await readBytes(bytes);
  const node = tree.lookup(path);
  expect(node, `nothing at ${path}`).toBeDefined();
  return node as Node;
}

function archive(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...parts, END]);
}

test("a file, its metadata and its content", async () => {
  const node = (await one(
    archive(entry({ name: "f", mode: "0104755", uid: octal(1000, 8), gid: octal(100, 8) }, "hello")),
  )) as FileNode;
  expect(node).toMatchObject({ kind: "file", mode: 0o4755, uid: 1000, gid: 100, mtime: { sec: 1_700_000_000, nsec: 0 } });
  expect([node.atime, node.ctime, node.btime]).toEqual([node.mtime, node.mtime, node.mtime]);
  const bytes = new Uint8Array(5);
  await node.content.read(0, bytes);
  expect(Buffer.from(bytes).toString()).toBe("hello");
});

test("every kind of entry", async () => {
  const { tree, warnings } = await readBytes(
    archive(
      entry({ name: "./", typeflag: "5", mode: "0000700" }),
      entry({ name: "./d/", typeflag: "5", size: octal(4096, 12) }),
      entry({ name: "d/v7/" }),
      entry({ name: "d/dump/", typeflag: "D" }, "Yf\0Nd\0\0"),
      entry({ name: "d/f", typeflag: "\0" }, "x"),
      entry({ name: "d/contiguous", typeflag: "7" }, "y"),
      entry({ name: "d/hard", typeflag: "1", linkname: "./d/f" }),
      entry({ name: "d/soft", typeflag: "2", linkname: "../nowhere", size: octal(10, 12) }),
      entry({ name: "d/char", typeflag: "3", devmajor: octal(5, 8), devminor: octal(1, 8) }),
      entry({ name: "d/block", typeflag: "4", devmajor: octal(259, 8), devminor: octal(1_000_000, 8) }),
      entry({ name: "/d/fifo", typeflag: "6" }),
      entry({ name: "a label", typeflag: "V" }),
    ),
  );
  expect(warnings).toEqual([]);
  expect((await lines(tree)).map((line) => line.replace(/ 0:0 1700000000.000000000/, "").replace(/ [0-9a-f]{16}$/, ""))).toEqual([
    "/ directory 700",
    "/d directory 644",
    "/d/block block-device 644 259,1000000",
    "/d/char character-device 644 5,1",
    "/d/contiguous file 644 1",
    "/d/dump directory 644",
    "/d/f file 644 1",
    "/d/fifo fifo 644",
    "/d/hard = /d/f",
    "/d/soft symlink 644 -> ../nowhere",
    "/d/v7 directory 644",
  ]);
});

test("a ustar prefix counts in POSIX headers, and is something else in GNU ones", async () => {
  const prefix = { name: "f", prefix: "long/way" };
  expect((await readBytes(archive(entry(prefix)))).tree.lookup("long/way/f")).toBeDefined();
  const gnu = { name: "f", magic: "ustar ", version: " \0", patches: [[345, octal(1234, 12)]] } as const;
  expect(await one(archive(entry(gnu)))).toMatchObject({ atime: { sec: 1234 }, ctime: { sec: 1_700_000_000 } });
  // star: the prefix is 131 bytes, two times follow.
  const star = {
    name: "f",
    prefix: "p".repeat(100),
    patches: [
      [476, octal(77, 12)],
      [488, octal(78, 12)],
      [508, "tar\0"],
    ],
  } as const;
  const node = await one(archive(entry(star)), `${"p".repeat(100)}/f`);
  expect(node).toMatchObject({ atime: { sec: 77 }, ctime: { sec: 78 } });
});

test("a header from before POSIX has no prefix and no magic", async () => {
  const v7 = { name: "f", magic: "\0\0\0\0\0\0", version: "\0\0", prefix: "garbage" };
  expect(await one(archive(entry(v7, "x")))).toMatchObject({ kind: "file" });
});

test("numbers: blank, led by spaces, without an end, base-256, negative", async () => {
  expect(await one(archive(entry({ name: "f", uid: "\0\0\0\0\0\0\0\0", gid: "     17 ", mode: "00100644" })))).toMatchObject({
    uid: 0,
    gid: 0o17,
    mode: 0o644,
  });
  const wide = Buffer.from([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe]);
  const before1970 = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x9c]);
  expect(await one(archive(entry({ name: "f", uid: wide, mtime: before1970 })))).toMatchObject({
    uid: 4_294_967_294,
    mtime: { sec: -100, nsec: 0 },
  });
  await expect(readBytes(archive(entry({ name: "f", uid: "00x00" })))).rejects.toThrow(
    'entry "f" at byte 0: its uid is no number, expected 0 to 4294967295',
  );
  const negative = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
  await expect(readBytes(archive(entry({ name: "f", uid: negative })))).rejects.toThrow(
    "its uid is -2, expected 0 to 4294967295",
  );
  const huge = Buffer.alloc(12, 0x7f).fill(0x80, 0, 1);
  await expect(readBytes(archive(entry({ name: "f", size: huge })))).rejects.toThrow("its size is a number beyond 2^53");
  await expect(readBytes(archive(entry({ name: "f", mtime: huge })))).rejects.toThrow(
    "its mtime is a number beyond 2^53, expected seconds within 2^53",
  );
});

test("checksums of unsigned and of signed bytes are right, others are not", async () => {
  const name = Buffer.from("fé");
  const right = header({ name });
  expect((await readBytes(archive(right))).tree.lookup("fé")).toBeDefined();
  const unsigned = Number.parseInt(right.toString("latin1", 148, 154), 8);
  expect((await readBytes(archive(header({ name, chksum: `${octal(unsigned - 512, 7)}\0 ` })))).tree.lookup("fé")).toBeDefined();
  await expect(readBytes(archive(header({ name, chksum: `${octal(unsigned - 1, 7)}\0 ` })))).rejects.toThrow(
    `at byte 0: the checksum of a header is ${unsigned - 1}, expected ${unsigned}; this is no tar archive`,
  );
  await expect(readBytes(archive(entry({ name: "f" }), header({ name, chksum: "garbage " })))).rejects.toMatchObject({
    code: "corrupt",
    message: `the bytes given: at byte 512: the checksum of a header is no number, expected ${unsigned}`,
    where: { format: "tar", offset: 512 },
  });
});

test("names that are not UTF-8 keep their bytes", async () => {
  const node = await one(
    archive(entry({ name: Buffer.from([0x66, 0xff, 0xc3]) }), entry({ name: "l", typeflag: "2", linkname: "\xff" })),
    "f\udcff\udcc3",
  );
  expect(node.kind).toBe("file");
  const long = Buffer.concat([Buffer.alloc(120, 0x61), Buffer.from([0xfe, 0])]);
  expect(
    (
      await one(
        archive(entry({ name: "././@LongLink", typeflag: "L" }, long), entry({ name: "short" })),
        `${"a".repeat(120)}\udcfe`,
      )
    ).kind,
  ).toBe("file");
});

test("GNU long names and links", async () => {
  const long = `${"d".repeat(150)}/${"e".repeat(150)}`;
  const bytes = archive(
    entry({ name: "f" }),
    entry({ name: "././@LongLink", typeflag: "K" }, `${long}/target\0`),
    entry({ name: "././@LongLink", typeflag: "L" }, `${long}/link\0`),
    entry({ name: long.slice(0, 100), typeflag: "2", linkname: long.slice(0, 100) }),
    entry({ name: "after" }),
  );
  const { tree } = await readBytes(bytes);
  expect(tree.lookup(`${long}/link`)).toMatchObject({ kind: "symlink", target: `${long}/target` });
  expect(tree.lookup("after")?.kind).toBe("file");
});

test("pax: an entry's own records, exact times, and that they end with the entry", async () => {
  const { tree } = await readBytes(
    archive(
      pax(
        "x",
        ["path", "påth/ with\nnewline"],
        ["uid", "4294967295"],
        ["gid", "3000000"],
        ["mtime", "1700000000.123456789"],
        ["atime", "1.5"],
        ["ctime", "-0.25"],
        ["LIBARCHIVE.creationtime", "12"],
        ["uname", "somebody"],
        ["size", "5"],
      ),
      header({ name: "short", size: octal(1, 12) }),
      Buffer.from("hello".padEnd(512, "\0")),
      entry({ name: "next" }),
    ),
  );
  expect(tree.lookup("påth/ with\nnewline")).toMatchObject({
    uid: 4_294_967_295,
    gid: 3_000_000,
    mtime: { sec: 1_700_000_000, nsec: 123_456_789 },
    atime: { sec: 1, nsec: 500_000_000 },
    ctime: { sec: -1, nsec: 750_000_000 },
    btime: { sec: 12, nsec: 0 },
    content: { size: 5 },
  });
  expect(tree.lookup("next")).toMatchObject({ uid: 0, mtime: { sec: 1_700_000_000, nsec: 0 } });
});

test.each([
  ["0.1234567899", { sec: 0, nsec: 123_456_789 }],
  ["-0.0000000001", { sec: -1, nsec: 999_999_999 }],
  ["-1.0", { sec: -1, nsec: 0 }],
  ["-1.9999999999", { sec: -2, nsec: 0 }],
  ["1700000000.", { sec: 1_700_000_000, nsec: 0 }],
  ["-0", { sec: 0, nsec: 0 }],
])("a pax time of %s, rounded down", async (text, time) => {
  expect((await one(archive(pax("x", ["mtime", text]), entry({ name: "f" })))).mtime).toEqual(time);
});

test("pax: global records, their precedence, their undoing, and their end with the archive", async () => {
  const first = Buffer.concat([
    pax("g", ["uid", "7"], ["mtime", "100"], ["comment", "x"]),
    entry({ name: "a" }),
    pax("x", ["uid", "8"]),
    entry({ name: "b" }),
    pax("x", ["uid", ""], ["mtime", ""]),
    entry({ name: "c", uid: octal(9, 8) }),
    pax("g", ["uid", ""]),
    entry({ name: "d", uid: octal(10, 8) }),
    END,
  ]);
  const { tree, warnings } = await readBytes(Buffer.concat([first, archive(entry({ name: "e", uid: octal(11, 8) }))]));
  const of = (name: string): unknown => [tree.lookup(name)?.uid, tree.lookup(name)?.mtime.sec];
  expect(["a", "b", "c", "d", "e"].map(of)).toEqual([
    [7, 100],
    [8, 100],
    [9, 1_700_000_000],
    [10, 100],
    [11, 1_700_000_000],
  ]);
  expect(warnings).toEqual([]);
});

test("pax: xattrs are raw bytes, empty ones included, in three spellings", async () => {
  const value = Buffer.from([0, 0xff, 0x0a, 0x3d, 0x80]);
  const node = await one(
    archive(
      pax(
        "x",
        ["SCHILY.xattr.user.raw", value],
        ["SCHILY.xattr.user.empty", ""],
        ["SCHILY.xattr.user.a%3Db%25", "x"],
        ["LIBARCHIVE.xattr.user.only%20%C3%A9", "AP8KPYA"],
        ["LIBARCHIVE.xattr.user.p%3Dq", "eD15"],
        ["SCHILY.xattr.user.p=q", "x=y"],
        ["RHT.security.selinux", "system_u:object_r:bin_t:s0"],
      ),
      entry({ name: "f" }),
    ),
  );
  expect(
    Object.fromEntries([...(node.xattrs ?? [])].map(([name, bytes]) => [name, Buffer.from(bytes).toString("latin1")])),
  ).toEqual({
    "user.raw": value.toString("latin1"),
    "user.empty": "",
    "user.a=b%": "x",
    "user.only é": value.toString("latin1"),
    "user.p=q": "x=y",
    "security.selinux": "system_u:object_r:bin_t:s0\0",
  });
});

const ACL = "user::rwx,user:7:r-x,group::r--,group:joe:rw-:1000,mask::rwx,other::---";
// version 2, then tag, permissions, id: getfattr -n system.posix_acl_access shows the same for `setfacl -m u:7:rx,g:1000:rw`.
const ACL_BYTES =
  "02000000" +
  "01000700ffffffff" +
  "0200050007000000" +
  "04000400ffffffff" +
  "08000600e8030000" +
  "10000700ffffffff" +
  "20000000ffffffff";

test("pax: ACLs as text become the xattrs of Linux", async () => {
  const node = await one(
    archive(
      pax(
        "x",
        ["SCHILY.acl.access", ACL],
        ["SCHILY.acl.default", ACL.replaceAll(",", "\n").replace("joe:rw-:1000", "1000:rw-\t#effective:r--")],
      ),
      entry({ name: "f", typeflag: "5" }),
    ),
  );
  expect(Object.fromEntries([...(node.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString("hex")]))).toEqual(
    {
      "system.posix_acl_access": ACL_BYTES,
      "system.posix_acl_default": ACL_BYTES,
    },
  );
  const minimal = await one(archive(pax("x", ["SCHILY.acl.access", "user::rwx,group::r-x,other::r-x"]), entry({ name: "f" })));
  expect(minimal.xattrs).toBeUndefined();
  const broken = archive(pax("x", ["SCHILY.acl.access", "user::rwx,user:7:r-x,group::r-x,other::r-x"]), entry({ name: "f" }));
  await expect(readBytes(broken)).rejects.toThrow("lacks or repeats one of user::, group::, other:: and mask::");
});

test("pax: names in ACLs are looked up in the entry's owner and in the tree's own passwd and group", async () => {
  const text = "user::rwx,user:joe:r-x,group::r--,group:staff:rw-,group:root:r--,mask::rwx,other::---";
  const parts = [
    pax("x", ["SCHILY.acl.access", text]),
    entry({ name: "f", uname: "joe", uid: octal(7, 8) }),
    entry({ name: "etc/group" }, "root:x:0:\nstaff:x:1000:joe\n"),
  ];
  const { tree } = await readBytes(archive(...parts));
  const value = tree.lookup("f")?.xattrs?.get("system.posix_acl_access");
  expect(Buffer.from(value ?? []).toString("hex")).toBe(
    ACL_BYTES.replace("08000600e8030000", "0800040000000000" + "08000600e8030000"),
  );
  await expect(readBytes(archive(...parts.slice(0, 2)))).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringContaining('its ACL names the group "staff", whose number neither the archive nor the tree'),
  });
});

test("pax: unknown keywords are told of once", async () => {
  const { warnings } = await readBytes(
    archive(pax("x", ["SUNW.acl", "1"]), entry({ name: "a" }), pax("x", ["SUNW.acl", "2"]), entry({ name: "b" })),
  );
  expect(warnings.map(({ code, message }) => [code, message])).toEqual([
    ["tar-keyword-ignored", 'the bytes given: the pax keyword "SUNW.acl" is not understood and left out; first at "a"'],
  ]);
});

test.each([
  ["no length", "path=f\n", "does not start with its length"],
  ["a length beyond the header", "99 path=f\n", "claims 99 bytes; 10 are left"],
  ["a length too short", "3 path=f\n", "a pax record of 3 bytes does not end in a newline"],
  ["no newline", "9 path=ff\n", "does not end in a newline"],
  ["no equals sign", "8 pathf\n", "has no KEY=VALUE"],
  ["no key", "5 =f\n", "has no KEY=VALUE"],
  ["a huge length", "99999999999999999999 path=f\n", "does not start with its length"],
])("pax records that do not parse: %s", async (_, text, message) => {
  await expect(readBytes(archive(entry({ name: "x", typeflag: "x" }, text), entry({ name: "f" })))).rejects.toThrow(message);
});

test.each([
  ["size", "-1"],
  ["size", "9007199254740993"],
  ["uid", "4294967296"],
  ["mtime", "yesterday"],
])("a pax %s of %s is refused", async (key, value) => {
  await expect(readBytes(archive(pax("x", [key, value]), entry({ name: "f" })))).rejects.toThrow(
    `its pax record ${key} is "${value}", expected`,
  );
});

test("extended headers that belong to no entry", async () => {
  await expect(readBytes(archive(pax("x", ["path", "f"])))).rejects.toThrow(
    "at byte 0: the archive ends behind an extended header that belongs to no entry",
  );
  await expect(readBytes(pax("x", ["path", "f"]))).rejects.toThrow("the archive ends at 1024, within the headers of an entry");
  expect((await readBytes(archive(pax("g", ["comment", "made by git"])))).warnings).toEqual([]);
});

// Two pieces of data in a file of 10,000 bytes.
const DATA = Buffer.from("a".repeat(512) + "b".repeat(100));
const SPARSE = `file 644 0:0 1700000000.000000000 10000 HASH {1024+512,9000+100}`;

function sparseMap10(pairs: readonly number[]): Buffer {
  return Buffer.from(
    [pairs.length / 2, ...pairs]
      .map((number) => `${number}\n`)
      .join("")
      .padEnd(512, "\0"),
  );
}

test.each<[string, Buffer]>([
  [
    "old GNU",
    entry(
      {
        name: "f",
        typeflag: "S",
        magic: "ustar ",
        version: " \0",
        patches: [
          [
            386,
            `${octal(1024, 12)}\0${octal(512, 12)}\0${octal(9000, 12)}\0${octal(100, 12)}\0${octal(10_000, 12)}\0${octal(0, 12)}`,
          ],
          [483, octal(10_000, 12)],
        ],
      },
      DATA,
    ),
  ],
  [
    "0.0",
    Buffer.concat([
      pax(
        "x",
        ["GNU.sparse.size", "10000"],
        ["GNU.sparse.numblocks", "2"],
        ["GNU.sparse.offset", "1024"],
        ["GNU.sparse.numbytes", "512"],
        ["GNU.sparse.offset", "9000"],
        ["GNU.sparse.numbytes", "100"],
      ),
      entry({ name: "f" }, DATA),
    ]),
  ],
  [
    "0.1",
    Buffer.concat([
      pax("x", ["GNU.sparse.size", "10000"], ["GNU.sparse.name", "f"], ["GNU.sparse.map", "1024,512,9000,100,10000,0"]),
      entry({ name: "GNUSparseFile.1/f" }, DATA),
    ]),
  ],
  [
    "1.0",
    Buffer.concat([
      pax("x", ["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.name", "f"], ["GNU.sparse.realsize", "10000"]),
      entry({ name: "GNUSparseFile.1/f" }, Buffer.concat([sparseMap10([1024, 512, 9000, 100, 10_000, 0]), DATA])),
    ]),
  ],
])("sparse files: %s, by every way of reading", async (_, made) => {
  const all = await outcomes(archive(made, entry({ name: "next" }, "n")), temporary());
  for (const got of all) {
    expect(got[1]?.replace(/ [0-9a-f]{16} /, " HASH ")).toBe(`/f ${SPARSE}`);
    expect(got[2]).toMatch(/^\/next file/);
    expect(got).toEqual(all[0]);
  }
  const tree = await fromTar(archive(made));
  const content = (tree.lookup("f") as FileNode).content;
  const bytes = new Uint8Array(10_000).fill(1);
  await content.read(0, bytes);
  const expected = new Uint8Array(10_000);
  expected.fill(0x61, 1024, 1536);
  expected.fill(0x62, 9000, 9100);
  expect(bytes).toEqual(expected);
});

test.each([
  ["out of order", [9000, 100, 1024, 512], "has a range 1024+512; expected one behind byte 9100"],
  ["overlapping", [1024, 512, 1500, 100], "has a range 1500+100"],
  ["beyond the size", [1024, 512, 9950, 100], "has a range 9950+100; expected one behind byte 1536 and within 10000 bytes"],
  ["more than is stored", [1024, 512, 9000, 101], "covers 613 bytes of data, but 612 are stored"],
  ["less than is stored", [1024, 512], "covers 512 bytes of data, but 612 are stored"],
])("sparse maps that lie: %s", async (_, pairs, message) => {
  const one0 = archive(
    pax("x", ["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "10000"]),
    entry({ name: "f" }, Buffer.concat([sparseMap10(pairs), DATA])),
  );
  await expect(readBytes(one0)).rejects.toThrow(message);
  const zero1 = archive(pax("x", ["GNU.sparse.size", "10000"], ["GNU.sparse.map", pairs.join(",")]), entry({ name: "f" }, DATA));
  await expect(readBytes(zero1)).rejects.toThrow(message);
});

test("sparse maps that do not parse", async () => {
  const version1 = ["x", ["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "10000"]] as const;
  const read = (map: string): Promise<unknown> => readBytes(archive(pax(...version1), entry({ name: "f" }, map)));
  await expect(read("1\n0\n".padEnd(512, "\0"))).rejects.toThrow("not lines of decimal numbers");
  await expect(read("3\n".padEnd(600, "1"))).rejects.toThrow("not lines of decimal numbers");
  await expect(read("2\n0\n1\n")).rejects.toThrow("too few for a sparse map");
  await expect(read("9999999\n".padEnd(512, "\0"))).rejects.toThrow("more than 4194304");
  await expect(
    readBytes(archive(pax("x", ["GNU.sparse.size", "9"], ["GNU.sparse.map", "1,2,"]), entry({ name: "f" }, "ab"))),
  ).rejects.toThrow("GNU.sparse.map is not pairs");
  await expect(readBytes(archive(pax("x", ["GNU.sparse.major", "2"]), entry({ name: "f" })))).rejects.toMatchObject({
    code: "unsupported",
  });
  const pairs = [
    ["GNU.sparse.size", "9"],
    ["GNU.sparse.numbytes", "2"],
  ] as const;
  await expect(readBytes(archive(pax("x", ...pairs), entry({ name: "f" }, "ab")))).rejects.toThrow(
    "an offset and its numbytes in turn",
  );
});

test("a sparse file of terabytes costs neither memory nor the limit", async () => {
  const size = 10 * 2 ** 40;
  const bytes = archive(
    pax("x", ["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", String(size)]),
    entry({ name: "f" }, Buffer.concat([sparseMap10([size - 4, 4]), Buffer.from("last")])),
  );
  const tree = await fromTar(chunked(bytes, 1000), { maxBytes: 10_000 });
  const { content } = tree.lookup("f") as FileNode;
  expect(content.size).toBe(size);
  const tail = new Uint8Array(8);
  await content.read(size - 8, tail);
  expect(Buffer.from(tail).toString()).toBe("\0\0\0\0last");
});

test("hard links: to links, to symlinks, to earlier layers; to nothing is an error", async () => {
  const tree = await fromTar([
    archive(entry({ name: "a" }, "x"), entry({ name: "s", typeflag: "2", linkname: "a" })),
    archive(
      entry({ name: "b", typeflag: "1", linkname: "a" }),
      entry({ name: "c", typeflag: "1", linkname: "./b" }),
      entry({ name: "t", typeflag: "1", linkname: "s" }),
    ),
  ]);
  expect(tree.lookup("c")).toBe(tree.lookup("a"));
  expect(tree.lookup("t")).toBe(tree.lookup("s"));
  await expect(
    readBytes(archive(entry({ name: "x" }), entry({ name: "l", typeflag: "1", linkname: "nowhere" }))),
  ).rejects.toMatchObject({
    code: "source",
    message: expect.stringMatching(/entry "l" at byte 512: hard link "l" to "nowhere": nothing is there/),
    where: { path: "l", offset: 512 },
  });
  const toDirectory = archive(entry({ name: "d/" }), entry({ name: "l", typeflag: "1", linkname: "d" }));
  await expect(readBytes(toDirectory)).rejects.toThrow("that is a directory");
});

test("hard links with a size: content in pax archives, none in old ones, and looked at in between", async () => {
  const target = entry({ name: "a" }, "old");
  const link = { name: "b", typeflag: "1", linkname: "a" };
  const text = async (bytes: Uint8Array): Promise<string[]> => {
    const all = await outcomes(bytes, temporary());
    for (const got of all) expect(got).toEqual(all[0]);
    const tree = await fromTar(bytes);
    expect(tree.lookup("b")).toBe(tree.lookup("a"));
    const { content } = tree.lookup("a") as FileNode;
    const target = new Uint8Array(content.size);
    await content.read(0, target);
    return [Buffer.from(target).toString(), String(tree.lookup("next")?.kind)];
  };
  const next = entry({ name: "next" });
  expect(await text(archive(target, pax("x", ["atime", "1"]), entry(link, "new"), next))).toEqual(["new", "file"]);
  expect(await text(archive(target, entry({ ...link, magic: "ustar ", version: " \0", size: octal(3, 12) }), next))).toEqual([
    "old",
    "file",
  ]);
  expect(await text(archive(target, entry({ ...link, size: octal(3, 12) }), next))).toEqual(["old", "file"]);
  expect(await text(archive(target, entry(link, "new"), next))).toEqual(["new", "file"]);
  expect(await text(archive(target, next, entry({ ...link, size: octal(3, 12) })))).toEqual(["old", "file"]);
});

test("ends: zeros, none, a lone block, what is left behind, and another archive", async () => {
  const a = entry({ name: "a" }, "x");
  const b = entry({ name: "b" }, "y");
  const zero = Buffer.alloc(512);
  const codes = async (...parts: readonly Uint8Array[]): Promise<string[]> => {
    const bytes = Buffer.concat(parts);
    const all = await outcomes(bytes, temporary());
    for (const got of all) expect(got).toEqual(all[0]);
    const { tree, warnings } = await readBytes(bytes);
    return [...tree.root.children.keys(), ...warnings.map(({ code }) => code)];
  };
  expect(await codes(a, END)).toEqual(["a"]);
  expect(await codes(a, END, Buffer.alloc(10_240))).toEqual(["a"]);
  expect(await codes(a)).toEqual(["a", "tar-unterminated"]);
  expect(await codes(a.subarray(0, 513))).toEqual(["a", "tar-unterminated"]);
  expect(await codes(a, zero)).toEqual(["a"]);
  expect(await codes(a, zero, b, END)).toEqual(["a", "b", "tar-lone-zero-block"]);
  expect(await codes(a, END, b, END)).toEqual(["a", "b"]);
  expect(await codes(a, END, Buffer.alloc(512, 0x2a))).toEqual(["a", "tar-trailing-junk"]);
  expect(await codes(a, END, Buffer.from("junk"))).toEqual(["a", "tar-trailing-junk"]);
  expect(await codes(a, END, Buffer.alloc(100))).toEqual(["a"]);
  expect(await codes(END)).toEqual([]);
  await expect(codes(a, zero, Buffer.alloc(512, 0x2a))).rejects.toThrow("the checksum of a header is no number");
  await expect(codes(a, Buffer.from("junk"))).rejects.toThrow("it ends at 1028, 4 bytes into a header");
  await expect(codes(Buffer.from("junk"))).rejects.toThrow("4 bytes into its first header; this is no tar archive");
  await expect(codes()).rejects.toThrow("it has 0 bytes; an empty tar archive has at least 1024");
});

test.each([
  ["M", "the continuation of a file from another volume"],
  ["N", "long names of a GNU tar from before 1993"],
  ["A", "of a kind that fsynth does not know"],
  ["Z", "of a kind that fsynth does not know"],
])("type flag %s is refused", async (typeflag, message) => {
  await expect(readBytes(archive(entry({ name: "f", typeflag })))).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringContaining(message),
    where: { path: "f", offset: 0 },
  });
});

test("what a tree refuses names the entry and its offset", async () => {
  await expect(readBytes(archive(entry({ name: "ok" }), entry({ name: "../up" })))).rejects.toMatchObject({
    code: "source",
    where: { path: "../up", offset: 512, format: "tar" },
  });
  await expect(readBytes(archive(entry({ name: "s", typeflag: "2" })))).rejects.toThrow("a target is 1 to 4095 bytes");
  await expect(readBytes(archive(entry({ name: "f" }), entry({ name: "f/below" })))).rejects.toThrow('the parent "f" is a file');
  await expect(readBytes(archive(entry({ name: "" })))).rejects.toThrow("at byte 0: it has no name");
  await expect(readBytes(archive(pax("x", ["SCHILY.xattr.nodot", "x"]), entry({ name: "f" })))).rejects.toThrow(
    "expected NAMESPACE.NAME",
  );
});

test("content that is cut, and sizes that lie", async () => {
  const cut = Buffer.concat([entry({ name: "a" }, "x"), entry({ name: "b" }, "y".repeat(2000)).subarray(0, 1000)]);
  for (const [got] of await outcomes(cut, temporary())) {
    expect(got).toBe(
      'ARCHIVE: entry "b" at byte 1536: its content of 2000 bytes runs from 1536 to 3536, but the archive ends at 2024',
    );
  }
  const lies = archive(entry({ name: "a", size: octal(2 ** 33 - 1, 12) }, "x"));
  for (const [got] of await outcomes(lies, temporary())) expect(got).toContain("its content of 8589934591 bytes");
});

test("the limit counts what a stream holds", async () => {
  const bytes = archive(entry({ name: "a" }, "x".repeat(5000)));
  await expect(fromTar(chunked(bytes, 512), { maxBytes: 4096 })).rejects.toMatchObject({
    code: "source",
    where: { offset: 4096 },
  });
  expect((await fromTar(chunked(bytes, 512), { maxBytes: bytes.length })).lookup("a")?.kind).toBe("file");
  await expect(fromTar(bytes, { maxBytes: Number.NaN })).rejects.toMatchObject({ code: "usage" });
});

test("an extended header that claims too much is refused before it is read", async () => {
  await expect(readBytes(archive(header({ name: "x", typeflag: "x", size: octal(2 ** 30, 12) })))).rejects.toThrow(
    "its size is 1073741824, expected 0 to 67108864",
  );
});

test("exclusion, of whole directories too; a link to what is left out keeps its content", async () => {
  const bytes = archive(
    entry({ name: "./usr/share/doc/big/readme" }, "text"),
    entry({ name: "./usr/share/man" }, "m"),
    entry({ name: "./usr/lib/readme", typeflag: "1", linkname: "./usr/share/doc/big/readme" }),
    entry({ name: "x.key" }),
    entry({ name: "etc/x.key" }),
    entry({ name: "etc/kept" }),
  );
  const tree = await fromTar(bytes, { exclude: ["/usr/share/doc", "*.key"] });
  expect([...tree.entries()].map(([path]) => path).sort()).toEqual([
    "/etc",
    "/etc/kept",
    "/usr",
    "/usr/lib",
    "/usr/lib/readme",
    "/usr/share",
    "/usr/share/man",
  ]);
  expect((tree.lookup("usr/lib/readme") as FileNode).content.size).toBe(4);
});

test("a directory on a symlink to a directory merges, or replaces it as tar does", async () => {
  const base = archive(entry({ name: "usr/bin/" }), entry({ name: "bin", typeflag: "2", linkname: "usr/bin" }));
  const overlay = archive(entry({ name: "bin/", mode: octal(0o700, 8) }), entry({ name: "bin/tool" }, "x"));
  const merged = await fromTar([base, overlay]);
  expect(merged.lookup("bin")?.kind).toBe("symlink");
  expect(merged.lookup("usr/bin/tool")?.kind).toBe("file");
  const replaced = await fromTar([base, overlay], { replaceSymlinks: true });
  expect(replaced.lookup("bin")?.kind).toBe("directory");
});

test("a small archive cut at every byte: an error or a warning, the same by every way of reading", async () => {
  const bytes = archive(
    pax("x", ["mtime", "1.5"], ["SCHILY.xattr.user.a", "b"]),
    entry({ name: "a" }, "hello"),
    entry({ name: "././@LongLink", typeflag: "L" }, `${"l".repeat(120)}\0`),
    entry({ name: "long", typeflag: "2", linkname: "a" }),
    pax("x", ["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "10000"]),
    entry({ name: "s" }, Buffer.concat([sparseMap10([1024, 512, 9000, 100]), DATA])),
    entry({ name: "h", typeflag: "1", linkname: "a" }),
  );
  const folder = temporary();
  const full = await lines((await readBytes(bytes)).tree);
  let whole = 0;
  for (let length = 0; length < bytes.length; length += length % 512 < 3 || length % 512 > 508 ? 1 : 61) {
    const [memory, ...others] = await outcomes(bytes.subarray(0, length), folder);
    for (const other of others) expect(other, `cut at ${length}`).toEqual(memory);
    const tree = (memory ?? []).filter((line) => line.startsWith("/"));
    // What was read of a cut archive is never something else.
    for (const line of tree.slice(1)) expect(full).toContain(line);
    if (length < bytes.length - 1024)
      expect(
        memory?.some((line) => line.startsWith("ARCHIVE")),
        `cut at ${length}: silent`,
      ).toBe(true);
    else whole++;
  }
  expect(whole).toBeGreaterThan(5);
});

test("layers, iterables, and what is no source", async () => {
  const bytes = archive(entry({ name: "a" }));
  expect((await fromTar([bytes, chunked(bytes, 100)])).lookup("a")?.kind).toBe("file");
  expect((await fromTar([])).root.children.size).toBe(0);
  await expect(fromTar(42 as unknown as string)).rejects.toMatchObject({ code: "usage" });
  await expect(
    fromTar(
      (function* () {
        yield "text";
      })() as unknown as Iterable<Uint8Array>,
    ),
  ).rejects.toThrow("gave a string; expected chunks of bytes");
  await expect(fromTar(join(temporary(), "none"))).rejects.toMatchObject({ code: "io" });
  expect(record("path", "f").toString()).toBe("9 path=f\n");
});
