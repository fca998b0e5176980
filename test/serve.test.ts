// The NBD server, spoken to by hand: what the protocol asks for, what an overlay keeps, and what bad clients get.
// That well-behaved clients of others agree is in serve-judged.test.ts.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { buildExt4, buildTar, fromDirectory, fromTar, type Image, Tree } from "../src/index.ts";
import { type ImageServer, type ServeEvent, type ServeOptions, serveImage, storedImage } from "../src/serve/index.ts";
import { pattern } from "./arbitrary/tree.ts";
import { be, CMD, contextData, FLAG, infoData, OPT, REP, Talk, text } from "./nbd-talk.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-serve-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MIB = 1 << 20;
const T = 1_600_000_000;

/** 8 MiB, of which half is holes. */
function sample(): Image {
  const tree = new Tree().directory("/", { mtime: T }).file("/large", pattern(3_000_001, 7), { mtime: T });
  for (let i = 0; i < 50; i++) tree.file(`/many/${i}`, pattern(i * 97, i), { mtime: T });
  return buildExt4(tree, { size: 8 * MIB });
}

const image = sample();
const whole = Buffer.from(await image.bytes());

const open: { readonly server: ImageServer; readonly talks: Talk[] }[] = [];
let sockets = 0;

interface Serving {
  readonly server: ImageServer;
  readonly events: ServeEvent[];
  readonly talk: () => Talk;
}

async function serve(options: Partial<ServeOptions> = {}, served = image): Promise<Serving> {
  const events: ServeEvent[] = [];
  const socket = options.port === undefined ? (options.socket ?? join(folder, `socket ${++sockets}`)) : undefined;
  const server = await serveImage(served, { socket, ...options, onEvent: (event) => events.push(event) });
  const talks: Talk[] = [];
  open.push({ server, talks });
  return {
    server,
    events,
    talk() {
      const talk = new Talk(socket === undefined ? { host: "127.0.0.1", port: server.port } : { path: socket });
      talks.push(talk);
      return talk;
    },
  };
}

afterEach(async () => {
  for (const { server, talks } of open.splice(0)) {
    for (const talk of talks) talk.end();
    await server.close();
  }
});

const writing = { overlay: { limit: 64 * MIB } } as const;

/** Said of megabytes, which no report could show. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Waits until something comes about by itself. */
async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(what()).toBe(true);
}

describe("the handshake", () => {
  test("EXPORT_NAME, with and without the zeros", async () => {
    const { talk } = await serve({ exportName: "root/disk" });
    for (const [flags, length, name] of [
      [1, 134, ""],
      [3, 10, ""],
      [3, 10, "root/disk"],
      [0, 134, ""],
    ] as const) {
      const client = talk();
      const greeting = await client.greet(flags);
      expect(greeting.toString("latin1", 0, 16)).toBe("NBDMAGICIHAVEOPT");
      expect(greeting.readUInt16BE(16)).toBe(3);
      client.sendOption(OPT.name, Buffer.from(name));
      const reply = await client.take(length);
      expect(reply.readBigUInt64BE(0)).toBe(BigInt(image.size));
      expect(reply.readUInt16BE(8)).toBe(1 | 2 | 4 | 0x100); // flags: has, read-only, flush, several connections
      expect(reply.subarray(10).every((byte) => byte === 0)).toBe(true);
      expect(same((await client.read(1024, 512)).data, whole.subarray(1024, 1536))).toBe(true);
      await client.leave();
    }
  });

  test("an unknown name by EXPORT_NAME, unknown client flags and a bad magic number end the connection", async () => {
    const { talk, events } = await serve();
    const name = talk();
    await name.greet();
    name.sendOption(OPT.name, Buffer.from("nobody"));
    expect((await name.gone()).length).toBe(0);
    const flags = talk();
    await flags.greet(4);
    await flags.gone();
    const magic = talk();
    await magic.greet();
    magic.send(Buffer.from("IHAVEOP!"), be(4, 3), be(4, 0));
    await magic.gone();
    await until(() => events.length === 3);
    expect(events.map(({ kind, message }) => `${kind} ${message}`)).toEqual([
      'dropped it breaks the protocol: there is no export "nobody"',
      "dropped it breaks the protocol: client flags 0x4, expected none but FIXED_NEWSTYLE and NO_ZEROES",
      "dropped it breaks the protocol: an option without its magic number",
    ]);
  });

  test("names of clients are told in letters that do nothing to a terminal", async () => {
    const { talk, events } = await serve();
    const client = talk();
    await client.greet();
    client.sendOption(OPT.name, Buffer.from("\x1b[31mred\nfsynth: all is well\u009b\u202e"));
    await client.gone();
    const long = talk();
    await long.greet();
    long.sendOption(OPT.name, Buffer.alloc(4000, 0x61));
    await long.gone();
    await until(() => events.length === 2);
    expect(events[0]?.message).toBe(
      'it breaks the protocol: there is no export "\\x1b[31mred\\x0afsynth: all is well\\u{9b}\\u{202e}"',
    );
    expect(events[1]?.message.length).toBeLessThan(300);
  });

  test("LIST, INFO and GO tell name, size, flags and block sizes; what is unknown or malformed gets an error and costs nothing", async () => {
    const { talk } = await serve({ exportName: "root" });
    const client = talk();
    await client.greet();
    const [listed] = await client.option(OPT.list);
    expect(listed).toEqual({ type: REP.server, data: text("root") });
    const types = async (option: number, data?: Uint8Array): Promise<number[]> =>
      (await client.option(option, data)).map(({ type }) => type);
    expect(await types(OPT.list, be(4, 1))).toEqual([REP.invalid]);
    expect(await types(OPT.starttls)).toEqual([REP.unsup]);
    expect(await types(4711, pattern(100, 1))).toEqual([REP.unsup]);
    expect(await types(OPT.structured, be(1, 0))).toEqual([REP.invalid]);
    expect(await types(OPT.info, infoData("nobody"))).toEqual([REP.unknown]);
    expect(await types(OPT.info, infoData("root").subarray(0, 5))).toEqual([REP.invalid]);
    expect(await types(OPT.info, Buffer.concat([infoData("root"), be(1, 0)]))).toEqual([REP.invalid]);
    expect(await types(OPT.go, Buffer.concat([be(4, 0xffff_ffff), be(4, 0)]))).toEqual([REP.invalid]);
    expect(await types(OPT.go, Buffer.concat([text("root"), be(2, 0xffff)]))).toEqual([REP.invalid]);
    expect(await types(OPT.info, infoData("x".repeat(5000)))).toEqual([REP.invalid]);
    expect(await types(OPT.listMeta, Buffer.alloc(0))).toEqual([REP.invalid]);
    expect(await types(99, new Uint8Array(100_000))).toEqual([REP.tooBig]);
    const info = await client.option(OPT.info, infoData("", 1, 3, 77));
    expect(info.map(({ data }) => data.toString("hex"))).toEqual([
      `0000${be(8, image.size).toString("hex")}0107`,
      "0003000000010000100002000000",
      `0001${Buffer.from("root").toString("hex")}`,
      "",
    ]);
    const go = await client.option(OPT.go, infoData("root"));
    expect(go.map(({ type }) => type)).toEqual([REP.info, REP.info, REP.ack]);
    expect(same((await client.read(0, 2048)).data, whole.subarray(0, 2048))).toBe(true);
  });

  test("ABORT is acknowledged", async () => {
    const { talk } = await serve();
    const client = talk();
    await client.greet();
    expect(await client.option(OPT.abort, Buffer.from("bye"))).toEqual([{ type: REP.ack, data: Buffer.alloc(0) }]);
    await client.gone();
  });

  test("metadata contexts: listed by nothing, namespace and name, set by name alone, and only with structured replies", async () => {
    const { talk } = await serve();
    const client = talk();
    await client.greet();
    expect((await client.option(OPT.setMeta, contextData("", "base:allocation"))).at(-1)?.type).toBe(REP.invalid);
    await client.option(OPT.structured);
    const names = async (option: number, ...queries: readonly string[]): Promise<string[]> =>
      (await client.option(option, contextData("", ...queries))).slice(0, -1).map(({ data }) => data.subarray(4).toString());
    const all = ["base:allocation"];
    expect(await names(OPT.listMeta)).toEqual(all);
    expect(await names(OPT.listMeta, "base:")).toEqual(all);
    expect(await names(OPT.listMeta, "qemu:dirty-bitmap:x")).toEqual([]);
    expect(await names(OPT.setMeta, "base:allocation", "x-fun:1")).toEqual(all);
    expect(await names(OPT.setMeta, "base:")).toEqual([]);
    expect((await client.option(OPT.setMeta, contextData("nobody", "base:allocation"))).at(-1)?.type).toBe(REP.unknown);
    await client.option(OPT.go, infoData(""));
    client.structured = true;
    // The last choice counts, and it was none.
    expect((await client.request(CMD.status, 0, 4096)).error).toBe(22);
  });
});

describe.each([true, false])("reading, structured replies: %s", (structured) => {
  test("any range is that of the image", async () => {
    const { talk } = await serve();
    const client = talk();
    await client.go({ structured });
    for (const [offset, length] of [
      [0, 1],
      [0, image.size],
      [image.size - 1, 1],
      [1023, 70_000],
      [5, 3 * MIB],
      [image.size, 0],
    ] as const) {
      const { error, data } = await client.read(offset, length);
      expect(error).toBe(0);
      expect(Buffer.compare(data, whole.subarray(offset, offset + length)), `${length} at ${offset}`).toBe(0);
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(image.size), fc.nat(300_000), async (offset, most) => {
        const length = Math.min(most, image.size - offset);
        const { data } = await client.read(offset, length);
        return Buffer.compare(data, whole.subarray(offset, offset + length)) === 0;
      }),
      { numRuns: 100 },
    );
  });

  test("requests may be sent ahead of the answers", async () => {
    const { talk } = await serve();
    const client = talk();
    await client.go({ structured });
    const asked = Array.from({ length: 300 }, (_, i) => ({ at: i * 1000, cookie: client.ask(CMD.read, i * 1000, 900) }));
    for (const { at, cookie } of asked) {
      expect(same((await client.answer(cookie, at, 900)).data, whole.subarray(at, at + 900))).toBe(true);
    }
  });

  test("what is outside, too long, unknown or forbidden is an error, and the next request is answered", async () => {
    const { talk } = await serve();
    const client = talk();
    await client.go({ structured });
    const { size } = image;
    const errors = async (...requests: readonly (readonly [number, number | bigint, number, number?, Uint8Array?])[]) => {
      const found: number[] = [];
      for (const [command, offset, length, flags, data] of requests) {
        const cookie = client.ask(command, offset, length, flags, data);
        // The payload of a write that is refused is taken, too.
        found.push((await client.answer(cookie, 0, 0)).error);
      }
      return found;
    };
    expect(await errors([CMD.read, size, 1], [CMD.read, size - 5, 6], [CMD.read, 2n ** 64n - 1n, 0xffff_ffff])).toEqual([
      22, 22, 22,
    ]);
    expect(await errors([CMD.write, 0, 5, 0, pattern(5, 1)], [CMD.trim, 0, 4096], [CMD.zeroes, 0, 4096])).toEqual([1, 1, 1]);
    expect(await errors([CMD.write, 0, 33 * MIB, 0, Buffer.alloc(33 * MIB)])).toEqual([1]);
    expect(await errors([CMD.cache, 0, 4096], [8, 0, 4096], [0xffff, 0, 0], [CMD.flush, 0, 1])).toEqual([22, 22, 22, 22]);
    expect(await errors([CMD.read, 0, 512, 0x8000], [CMD.read, 0, 512, FLAG.fua], [CMD.status, 0, 0])).toEqual([22, 22, 22]);
    expect(await errors([CMD.flush, 0, 0])).toEqual([0]);
    expect(same((await client.read(77, 100)).data, whole.subarray(77, 177))).toBe(true);
  });
});

test("holes come as holes, unless they shall not", async () => {
  const { talk } = await serve();
  const client = talk();
  await client.go();
  const { chunks, data } = await client.read(0, image.size);
  expect(new Set(chunks)).toEqual(new Set([1, 2]));
  expect(Buffer.compare(data, whole)).toBe(0);
  const tail = await client.read(image.size - 200_000, 200_000);
  expect(tail.chunks).toEqual([2]);
  expect((await client.read(image.size - 200_000, 200_000, FLAG.df)).chunks).toEqual([1]);
  expect((await client.read(0, image.size, FLAG.df)).error).toBe(75);
  expect(same((await client.read(0, 65_536, FLAG.df)).data, whole.subarray(0, 65_536))).toBe(true);
});

test("BLOCK_STATUS tells every hole, in whole blocks, and nothing else as one", async () => {
  const { talk } = await serve();
  const client = talk();
  await client.go();
  const runs: [number, number, number][] = [];
  for (let at = 0; at < image.size; ) {
    const { extents, error } = await client.request(CMD.status, at, image.size - at);
    expect(error).toBe(0);
    for (const [length, flags] of extents) {
      runs.push([at, length, flags]);
      at += length;
    }
  }
  expect(runs.length).toBeGreaterThan(2);
  let holes = 0;
  for (const [at, length, flags] of runs) {
    if (flags === 0) continue;
    expect(flags).toBe(3);
    expect(at % 4096 === 0 && length % 4096 === 0).toBe(true);
    expect(whole.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
    holes += length;
  }
  const planned = [...image.plan.regions()].filter(({ kind, length }) => kind === "hole" && length >= 8192);
  expect(holes).toBeGreaterThan(planned.reduce((sum, { length }) => sum + length, 0) - 8192 * planned.length);
  const [hole] = runs.filter(([, , flags]) => flags === 3) as [[number, number, number]];
  expect((await client.request(CMD.status, hole[0] - 100, 200, FLAG.one)).extents).toEqual([[100, 0]]);
  expect((await client.request(CMD.status, hole[0], 200)).extents).toEqual([[200, 3]]);
});

describe("an overlay", () => {
  test("any sequence of writes, zeros and reads of several clients is that of a plain array", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            client: fc.nat(2),
            kind: fc.constantFrom("write", "zeroes", "trim", "read", "flush"),
            // Around blocks and chunks of the map.
            at: fc.oneof(
              fc.nat(image.size),
              fc.integer({ min: 0, max: 1 }).map((i) => i * 4 * MIB),
              fc.nat(2000).map((i) => i * 4096),
            ),
            length: fc.oneof(fc.nat(10_000), fc.nat(600_000), fc.constant(4 * MIB)),
            flags: fc.constantFrom(0, FLAG.fua),
          }),
          { maxLength: 25 },
        ),
        fc.boolean(),
        async (steps, structured) => {
          const { server, talk } = await serve(writing);
          const clients = [talk(), talk(), talk()];
          for (const client of clients) await client.go({ structured });
          const expected = Buffer.from(whole);
          for (const [i, { client, kind, at, length: most, flags }] of steps.entries()) {
            const talking = clients[client] as Talk;
            const length = Math.max(1, Math.min(most, image.size - at));
            const offset = Math.min(at, image.size - length);
            if (kind === "read") {
              expect(Buffer.compare((await talking.read(offset, length)).data, expected.subarray(offset, offset + length))).toBe(
                0,
              );
            } else if (kind === "flush") {
              expect((await talking.request(CMD.flush, 0, 0)).error).toBe(0);
            } else if (kind === "write") {
              const bytes = pattern(length, i + 3);
              expect((await talking.write(offset, bytes, flags)).error).toBe(0);
              expected.set(bytes, offset);
            } else {
              expect((await talking.request(CMD[kind as "trim"], offset, length, flags)).error).toBe(0);
              expected.fill(0, offset, offset + length);
            }
          }
          for (const client of clients) {
            expect(Buffer.compare((await client.read(0, image.size)).data, expected)).toBe(0);
          }
          if (structured) {
            let at = 0;
            while (at < image.size) {
              for (const [length, state] of (await (clients[0] as Talk).request(CMD.status, at, image.size - at)).extents) {
                if (state === 3) expect(expected.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
                at += length;
              }
            }
          }
          expect(Buffer.compare(Buffer.from(await server.image.bytes()), expected)).toBe(0);
          for (const client of clients) client.end();
          await server.close();
        },
      ),
      { numRuns: 15 },
    );
    expect(Buffer.compare(Buffer.from(await image.bytes()), whole)).toBe(0);
  });

  test("its flags", async () => {
    const { talk } = await serve(writing);
    const client = talk();
    const [info] = await client.go();
    expect(info?.data.readUInt16BE(10)).toBe(1 | 4 | 8 | 0x20 | 0x40 | 0x80 | 0x100);
    const own = (await serve({ overlay: { limit: MIB, private: true } })).talk();
    expect((await own.go())[0]?.data.readUInt16BE(10)).toBe(1 | 4 | 8 | 0x20 | 0x40 | 0x80);
  });

  test("is full at its limit, and what is trimmed makes room again", async () => {
    const { server, talk } = await serve({ overlay: { limit: MIB } });
    const client = talk();
    await client.go();
    expect((await client.write(0, pattern(2 * MIB, 1))).error).toBe(28);
    expect(server.written).toBeLessThanOrEqual(MIB);
    expect((await client.request(CMD.trim, 0, 4 * MIB)).error).toBe(0);
    expect(server.written).toBeLessThan(200);
    expect((await client.write(100, pattern(900_000, 2))).error).toBe(0);
    expect(same((await client.read(100, 900_000)).data, Buffer.from(pattern(900_000, 2)))).toBe(true);
    // Outside of the disk there is no space either.
    expect((await client.write(image.size - 1, pattern(2, 1))).error).toBe(28);
    expect((await client.request(CMD.trim, image.size, 1)).error).toBe(22);
  });

  test("zeros that shall be no hole are none, and have room", async () => {
    const { server, talk } = await serve({ overlay: { limit: MIB } });
    const client = talk();
    await client.go();
    expect((await client.request(CMD.zeroes, 100, 65_536, FLAG.noHole)).error).toBe(0);
    expect(server.written).toBeGreaterThan(17 * 4096);
    expect((await client.request(CMD.status, 0, 65_536)).extents).toEqual([[65_536, 0]]);
    expect(same((await client.read(100, 65_536)).data, Buffer.alloc(65_536))).toBe(true);
    expect(same((await client.read(0, 100)).data, whole.subarray(0, 100))).toBe(true);
    const before = server.written;
    expect((await client.request(CMD.zeroes, 0, 2 * MIB, FLAG.noHole)).error).toBe(28);
    expect((await client.write(8192, pattern(8192, 1))).error).toBe(0);
    expect(server.written).toBe(before);
    expect((await client.request(CMD.zeroes, 0, 4 * MIB)).error).toBe(0);
    expect(server.written).toBeLessThan(200);
    expect((await client.request(CMD.status, 0, 65_536)).extents).toEqual([[65_536, 3]]);
  });

  test("what is trimmed gives its memory back", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const memory = (): number => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const { talk } = await serve(writing);
    const client = talk();
    await client.go();
    for (let at = 0; at < image.size; at += MIB) expect((await client.write(at, pattern(MIB, 5))).error).toBe(0);
    await client.read(0, 1);
    const full = memory();
    await client.request(CMD.trim, 0, image.size);
    await client.read(0, 1);
    await until(() => full - memory() > 6 * MIB);
  });

  test("a write is applied whole or not at all: by a client that goes, at the limit, at the end of the server", async () => {
    const save = join(folder, "torn.img");
    const { server, talk } = await serve({ overlay: { limit: 2 * MIB }, save });
    const [gone, late, slow] = [talk(), talk(), talk()];
    for (const client of [gone, late, slow]) await client.go();
    expect((await late.write(0, pattern(3 * MIB, 2))).error).toBe(28);
    expect(server.written).toBe(0);
    const bytes = pattern(MIB, 9);
    const header = (length: number): Buffer =>
      Buffer.concat([be(4, 0x25609513), be(2, 0), be(2, CMD.write), be(8, 7), be(8, 0), be(4, length)]);
    for (const client of [gone, late]) client.send(header(MIB), bytes.subarray(0, 700_000));
    gone.socket.end();
    await gone.gone();
    const place = Buffer.concat([be(4, 0x25609513), be(2, 0), be(2, CMD.write), be(8, 8), be(8, 4 * MIB), be(4, MIB)]);
    slow.send(place, bytes.subarray(0, 700_000));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.written).toBe(0);
    const closing = server.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    // There is still time for it.
    slow.send(bytes.subarray(700_000));
    expect((await slow.answer(8n)).error).toBe(0);
    await closing;
    const expected = Buffer.from(whole);
    expected.set(bytes, 4 * MIB);
    expect(same(readFileSync(save), expected)).toBe(true);
  });

  test("private ones are each client's own, and gone with it", async () => {
    const { talk } = await serve({ overlay: { limit: MIB, private: true } });
    const [a, b] = [talk(), talk()];
    for (const client of [a, b]) await client.go();
    await a.write(0, pattern(1024, 9));
    expect(same((await b.read(0, 1024)).data, whole.subarray(0, 1024))).toBe(true);
    expect(same((await a.read(0, 1024)).data, Buffer.from(pattern(1024, 9)))).toBe(true);
    await a.leave();
    const c = talk();
    await c.go();
    expect(same((await c.read(0, 1024)).data, whole.subarray(0, 1024))).toBe(true);
  });

  test("save writes the image with what was written, when the server is closed", async () => {
    const save = join(folder, "saved.img");
    const { server, talk } = await serve({ ...writing, save });
    const client = talk();
    await client.go();
    const bytes = pattern(123_456, 4);
    await client.write(777, bytes);
    await client.request(CMD.zeroes, 2 * MIB, MIB);
    await client.leave();
    expect(existsSync(save)).toBe(false);
    await server.close();
    const expected = Buffer.from(whole);
    expected.set(bytes, 777);
    expected.fill(0, 2 * MIB, 3 * MIB);
    expect(Buffer.compare(readFileSync(save), expected)).toBe(0);
    expect(statSync(save).blocks * 512).toBeLessThan(image.size);
  });

  test("a file that is served and saved over holds what was written", async () => {
    const path = join(folder, "committed.img");
    writeFileSync(path, whole);
    const { server, talk } = await serve({ ...writing, save: path }, await storedImage(path));
    const client = talk();
    await client.go();
    await client.write(5000, pattern(10_000, 6));
    await client.leave();
    await server.close();
    const expected = Buffer.from(whole);
    expected.set(pattern(10_000, 6), 5000);
    expect(Buffer.compare(readFileSync(path), expected)).toBe(0);
  });
});

describe("what is saved", () => {
  test("a source that changed: what is lost is said, and a folder that is not there is refused before there is something to lose", async () => {
    await expect(serveImage(image, { port: 0, ...writing, save: join(folder, "none", "x") })).rejects.toMatchObject({
      code: "io",
    });
    const path = join(folder, "lost.tar");
    await buildTar(new Tree().file("/a", pattern(MIB, 3), { mtime: T })).writeTo(path);
    const save = join(folder, "lost.img");
    const server = await serveImage(buildTar(await fromTar(path)), { port: 0, ...writing, save });
    const client = new Talk({ host: "127.0.0.1", port: server.port });
    await client.go();
    await client.write(0, pattern(4096, 1));
    await client.leave();
    writeFileSync(path, "");
    await expect(server.close()).rejects.toMatchObject({
      code: "source",
      message: /lost\.img" is not saved, and what clients wrote \(\d+ bytes of memory\) is lost: archive .* changed/,
    });
    expect(existsSync(save)).toBe(false);
  });
});

describe("a stored image", () => {
  test("what is zeros in a sparse file comes as holes, in a dense one as it is", async () => {
    const path = join(folder, "sparse.img");
    await image.writeTo(path);
    const dense = join(folder, "dense.img");
    writeFileSync(dense, whole);
    const holes = async (from: string): Promise<number> => {
      const { talk } = await serve({}, await storedImage(from));
      const client = talk();
      await client.go();
      const { chunks, data } = await client.read(0, image.size);
      expect(same(data, whole)).toBe(true);
      let sum = 0;
      for (let at = 0; at < image.size; ) {
        const { extents, error } = await client.request(CMD.status, at, image.size - at);
        expect(error).toBe(0);
        for (const [length, flags] of extents) {
          if (flags === 3) {
            expect(whole.subarray(at, at + length).every((byte) => byte === 0)).toBe(true);
            sum += length;
          }
          at += length;
        }
      }
      expect(chunks.includes(2)).toBe(sum > 0);
      return sum;
    };
    expect(statSync(path).blocks * 512).toBeLessThan(image.size);
    expect(await holes(path)).toBeGreaterThan(3 * MIB);
    expect(await holes(dense)).toBe(0);
  });
});

describe("where it listens", () => {
  test("a socket that only its owner can reach, gone at the end", async () => {
    const socket = join(folder, "mode");
    const before = process.umask(0);
    try {
      const { server } = await serve({ socket });
      expect(statSync(socket).mode & 0o777).toBe(0o600);
      expect(server.uri).toBe(`nbd+unix:///?socket=${socket}`);
      await server.close();
      expect(existsSync(socket)).toBe(false);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(before);
    }
  });

  test("a live socket and what is none are refused, a stale one is replaced", async () => {
    const socket = join(folder, "taken");
    const { server, talk } = await serve({ socket });
    await expect(serveImage(image, { socket })).rejects.toMatchObject({ code: "usage", message: /somebody listens on/ });
    const client = talk();
    await client.go();
    expect((await client.read(0, 10)).error).toBe(0);
    await client.leave();
    await server.close();
    writeFileSync(socket, "mine");
    await expect(serveImage(image, { socket })).rejects.toMatchObject({ code: "usage", message: /is no socket/ });
    expect(readFileSync(socket, "utf8")).toBe("mine");
    rmSync(socket);
    // What a killed server leaves behind.
    const program = `require("net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`;
    expect(() => execFileSync(process.execPath, ["-e", program], { stdio: "ignore" })).toThrow();
    expect(statSync(socket).isSocket()).toBe(true);
    await serve({ socket });
  });

  test("127.0.0.1, at the port that is free; a taken one and impossible places are refused", async () => {
    const { server, talk } = await serve({ port: 0, exportName: "a b/c" });
    expect(server.uri).toBe(`nbd://127.0.0.1:${server.port}/a%20b/c`);
    const client = talk();
    await client.go();
    expect(client.socket.remoteAddress).toBe("127.0.0.1");
    await expect(serveImage(image, { port: server.port })).rejects.toMatchObject({ code: "usage" });
    await expect(serveImage(image, { socket: join(folder, "no", "folder") })).rejects.toMatchObject({ code: "io" });
    await expect(serveImage(image, { socket: join(folder, "x".repeat(200)) })).rejects.toMatchObject({ code: "usage" });
    await expect(serveImage(image, { port: 0, host: "192.0.2.1" })).rejects.toMatchObject({ code: "io" });
  });

  test("a socket that another put in our place is theirs, and a folder that is not there is named", async () => {
    const socket = join(folder, "replaced");
    const { server } = await serve({ socket });
    rmSync(socket);
    const theirs = createServer().listen(socket);
    await once(theirs, "listening");
    await server.close();
    expect(statSync(socket).isSocket()).toBe(true);
    theirs.close();
    await expect(serveImage(image, { socket: join(folder, "none", "s") })).rejects.toMatchObject({
      code: "io",
      message: expect.stringContaining(`there is no folder "${join(folder, "none")}"`),
    });
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("of many that replace one stale socket at once, one listens", async () => {
    const socket = join(folder, "raced");
    const program = `require("net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`;
    expect(() => execFileSync(process.execPath, ["-e", program], { stdio: "ignore" })).toThrow();
    const tried = await Promise.allSettled(Array.from({ length: 8 }, () => serveImage(image, { socket })));
    const servers = tried.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    for (const one of tried) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "usage" });
    expect(servers.length).toBe(1);
    const client = new Talk({ path: socket });
    await client.go();
    client.end();
    for (const server of servers) await server.close();
    expect(existsSync(socket)).toBe(false);
  });

  test("an onEvent that throws is no matter of the clients; close tells", async () => {
    const server = await serveImage(image, {
      port: 0,
      onEvent() {
        throw new Error("mine");
      },
    });
    const client = new Talk({ host: "127.0.0.1", port: server.port });
    await client.go();
    expect((await client.read(0, 10)).error).toBe(0);
    await client.leave();
    await expect(server.close()).rejects.toThrow("mine");
  });

  test("options that do not fit are refused", async () => {
    const refused: readonly [unknown, RegExp][] = [
      [{}, /either a socket or a port/],
      [{ socket: "a", port: 1 }, /either a socket or a port/],
      [{ socket: "a", host: "::1" }, /goes with a port/],
      [{ port: 65_536 }, /port is 65536/],
      [{ port: 0, protocol: "ftp" }, /"ftp", expected nbd or http/],
      [{ port: 0, overlay: { limit: -1 } }, /overlay.limit is -1/],
      [{ port: 0, overlay: { limit: 1, size: 1 } }, /no option "size"/],
      [{ port: 0, protocol: "http", overlay: { limit: 1 } }, /nothing is written by HTTP/],
      [{ port: 0, overlay: { limit: 1, private: true }, save: "x" }, /nothing to save/],
      [{ port: 0, maxClients: 0 }, /maxClients is 0/],
      [{ port: 0, maxClients: 1.5 }, /maxClients is 1.5, expected a whole number/],
      [{ port: 1.5 }, /port is 1.5, expected a whole number/],
      [{ port: 0, host: "" }, /host is empty/],
      [{ socket: "" }, /socket is empty/],
      [{ port: 0, onEvent: 5 }, /onEvent is 5, expected a function/],
      [{ port: 0, overlay: {} }, /overlay.limit is NaN/],
      [{ port: 0, overlay: { limit: 1, private: "yes" } }, /overlay.private is "yes"/],
      [{ prot: 0 }, /no option "prot"/],
    ];
    for (const [options, message] of refused) {
      await expect(serveImage(image, options as ServeOptions)).rejects.toMatchObject({ code: "usage", message });
    }
    await expect(serveImage(Promise.resolve(image) as never, { port: 0 })).rejects.toMatchObject({ code: "usage" });
    await expect(storedImage(import.meta.dirname)).rejects.toMatchObject({ code: "source" });
  });
});

describe("clients that do not behave", () => {
  /** A client that does, to whom nothing may happen. */
  async function healthy({ talk }: Serving): Promise<void> {
    const client = talk();
    await client.go();
    expect(same((await client.read(1000, 100_000)).data, whole.subarray(1000, 101_000))).toBe(true);
    await client.leave();
  }

  test("random bytes, before and behind the handshake", async () => {
    const serving = await serve(writing);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), fc.nat(3), async (bytes, stage) => {
        const client = serving.talk();
        if (stage === 1) await client.greet();
        if (stage === 2) {
          await client.greet();
          client.send(Buffer.from("IHAVEOPT"));
        }
        if (stage === 3) await client.go();
        client.send(bytes);
        client.socket.end();
        await client.gone();
      }),
      { numRuns: 100 },
    );
    await healthy(serving);
    await until(() => serving.server.clients === 0);
    expect(serving.events.filter(({ kind }) => kind === "failed")).toEqual([]);
  });

  test("half-open connections are dropped, idle ones in the transmission are not", async () => {
    const serving = await serve({ handshakeTimeout: 0.2 });
    const idle = serving.talk();
    await idle.go();
    const silent = Array.from({ length: 5 }, () => serving.talk());
    const slow = serving.talk();
    await slow.greet();
    await slow.option(OPT.list);
    for (const client of [...silent, slow]) await client.gone();
    await until(() => serving.server.clients === 1);
    expect(same((await idle.read(5, 5)).data, whole.subarray(5, 10))).toBe(true);
    expect(serving.events.filter(({ kind }) => kind === "dropped").length).toBe(6);
  });

  test("two hundred at once, all served; one more than may be is dropped", async () => {
    const serving = await serve({ maxClients: 200 });
    const clients = Array.from({ length: 200 }, () => serving.talk());
    await Promise.all(
      clients.map(async (client, i) => {
        await client.go({ structured: i % 2 === 0 });
        expect(same((await client.read(i * 5000, 70_000)).data, whole.subarray(i * 5000, i * 5000 + 70_000))).toBe(true);
      }),
    );
    expect(serving.server.clients).toBe(200);
    await serving.talk().gone();
    expect(same((await (clients[7] as Talk).read(0, 5)).data, whole.subarray(0, 5))).toBe(true);
    for (const client of clients) client.end();
    await until(() => serving.server.clients === 0);
    await healthy(serving);
  });

  test("who asks and does not listen holds up nobody, and makes the server keep next to nothing", async () => {
    const serving = await serve();
    const deaf = Array.from({ length: 20 }, () => serving.talk());
    await Promise.all(deaf.map((client, i) => client.go({ structured: i % 2 === 0 })));
    const before = memory();
    for (const client of deaf) {
      client.socket.pause();
      // 20 clients ask for 20 times 8 MiB each: 3 GB.
      for (let i = 0; i < 20; i++) client.ask(CMD.read, 0, image.size);
    }
    await healthy(serving);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await healthy(serving);
    expect(memory() - before).toBeLessThan(60 * MIB);
    // They are still clients: what they asked for comes when they listen.
    const first = deaf[1] as Talk;
    first.socket.resume();
    expect(same((await first.answer(0x1_0000_0001n, 0, image.size)).data, whole)).toBe(true);
  });

  test("who says and does not stop is not read from", async () => {
    const serving = await serve(writing);
    const client = serving.talk();
    await client.go();
    const before = memory();
    client.socket.pause();
    // Answers that nobody takes hold up what follows them.
    const blocks = Buffer.alloc(MIB, 1);
    for (let i = 0; i < 100; i++) client.ask(CMD.read, 0, image.size);
    let queued = 0;
    while (client.socket.writableLength < 16 * MIB && queued < 64 * MIB) {
      client.ask(CMD.write, 0, blocks.length, 0, blocks);
      queued += blocks.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(client.socket.writableLength).toBeGreaterThan(8 * MIB);
    // What is queued is on the client's side, which is this process, too.
    expect(memory() - before).toBeLessThan(client.socket.writableLength + 60 * MIB);
    await healthy(serving);
  });

  test("a write that ends in the middle leaves the rest as it was", async () => {
    const serving = await serve(writing);
    const client = serving.talk();
    await client.go();
    client.ask(CMD.write, 0, 8 * MIB - 5, 0, pattern(10_000, 1));
    client.socket.end();
    await client.gone();
    const next = serving.talk();
    await next.go();
    expect(same((await next.read(MIB, 7 * MIB)).data, whole.subarray(MIB))).toBe(true);
    expect((await next.answer(next.ask(CMD.read, 0, 0xffff_ffff))).error).toBe(22);
    expect(serving.server.written).toBeLessThan(MIB);
  });

  test("a bad request ends its connection, no other", async () => {
    const serving = await serve();
    const client = serving.talk();
    await client.go();
    client.send(Buffer.alloc(28, 0x11));
    await client.gone();
    await until(() => serving.events.some(({ kind }) => kind === "dropped"));
    await healthy(serving);
  });

  test("an endless option is passed over, options without end are not heard", async () => {
    const serving = await serve();
    const client = serving.talk();
    await client.greet();
    for (let i = 0; i < 2000; i++) client.sendOption(12_345);
    await client.gone();
    await until(() => serving.events.length > 0);
    expect(serving.events.at(-1)?.message).toContain("more than 1024 options");
    await healthy(serving);
  });

  function memory(): number {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }
});

describe("the end", () => {
  test("requests under way are answered, and everybody is sent away", async () => {
    let release = (): void => {};
    const waits = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = new Tree().file("/slow", {
      size: MIB,
      async read(_, target) {
        await waits;
        target.fill(3);
      },
    });
    const served = buildTar(slow);
    const { server, talk } = await serve({}, served);
    const [busy, idle] = [talk(), talk()];
    for (const client of [busy, idle]) await client.go();
    const cookie = busy.ask(CMD.read, MIB / 2, 512);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closing = server.close();
    await idle.gone();
    release();
    expect(same((await busy.answer(cookie, MIB / 2, 512)).data, Buffer.alloc(512, 3))).toBe(true);
    await closing;
    await busy.gone();
    expect(server.clients).toBe(0);
    await server.close();
  });

  test("nobody is waited for who does not listen", async () => {
    const { server, talk } = await serve();
    const client = talk();
    await client.go();
    client.socket.pause();
    for (let i = 0; i < 10; i++) client.ask(CMD.read, 0, image.size);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const began = performance.now();
    await server.close();
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe("sources that change", () => {
  const bytes = pattern(4 * MIB, 11);

  async function archive(name: string): Promise<string> {
    const path = join(folder, name);
    await buildTar(new Tree().file("/a", bytes, { mtime: T }).file("/b", bytes, { mtime: T })).writeTo(path);
    utimesSync(path, T, T);
    return path;
  }

  test.each([true, false])(
    "an archive: an error for the client, a sentence for the user, and no byte of the new one; structured: %s",
    async (structured) => {
      const path = await archive(`changed-${structured}.tar`);
      const planned = buildExt4(await fromTar(path));
      const expected = Buffer.from(await planned.bytes());
      const { talk, events } = await serve(writing, planned);
      const client = talk();
      await client.go({ structured });
      const at = expected.indexOf(Buffer.from(bytes.subarray(0, 64)));
      expect(same((await client.read(at, 100_000)).data, expected.subarray(at, at + 100_000))).toBe(true);
      writeFileSync(path, Buffer.alloc(statSync(path).size, 0x55));
      const { error, data, message } = await client.read(at, 100_000);
      expect(error).toBe(5);
      expect(data.includes(0x55)).toBe(false);
      if (structured) expect(message).toMatch(/changed since its headers were read: its mtime is/);
      expect(events.at(-1)).toMatchObject({ kind: "failed", message: expect.stringContaining(`archive "${path}" changed`) });
      // What is made of the tree alone goes on; and to overwrite a whole block none has to be read.
      expect(same((await client.read(1024, 1024)).data, expected.subarray(1024, 2048))).toBe(true);
      expect((await client.write(Math.ceil(at / 4096) * 4096, Buffer.alloc(4096, 1))).error).toBe(0);
      expect((await client.write(Math.ceil(at / 4096) * 4096 + 8192, Buffer.alloc(100, 1))).error).toBe(5);
    },
  );

  test.each(["archive", "directory"])("%s: an mtime that was set back hides nothing", async (kind) => {
    const path = kind === "archive" ? await archive("back.tar") : join(folder, "back", "a");
    if (kind === "directory") {
      mkdirSync(dirname(path));
      writeFileSync(path, bytes);
      utimesSync(path, T, T);
    }
    const planned = buildExt4(kind === "archive" ? await fromTar(path) : fromDirectory(dirname(path)));
    const expected = Buffer.from(await planned.bytes());
    const { talk } = await serve({}, planned);
    const client = talk();
    await client.go();
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0x55));
    utimesSync(path, T, T);
    const { error, data, message } = await client.read(expected.indexOf(Buffer.from(bytes.subarray(0, 64))), 100_000);
    expect(error).toBe(5);
    expect(data.includes(0x55)).toBe(false);
    expect(message).toMatch(/its ctime is [\d.]+, expected/);
  });

  test.skipIf(process.platform === "win32")("a fifo in the place of a file holds up nobody", async () => {
    const source = join(folder, "pipes");
    mkdirSync(source);
    writeFileSync(join(source, "a"), bytes);
    const planned = buildExt4(fromDirectory(source));
    const expected = Buffer.from(await planned.bytes());
    rmSync(join(source, "a"));
    execFileSync("mkfifo", [join(source, "a")]);
    const { talk } = await serve({}, planned);
    const client = talk();
    await client.go();
    const { error, message } = await client.read(expected.indexOf(Buffer.from(bytes.subarray(0, 64))), 100_000);
    expect([error, message]).toEqual([
      5,
      expect.stringMatching(/pipes\/a" changed since the tree was made: its kind is fifo, expected file/),
    ]);
    expect(same((await client.read(1024, 1024)).data, expected.subarray(1024, 2048))).toBe(true);
  });

  test("behind the head of a simple reply there is only the end of the connection", async () => {
    const path = await archive("late.tar");
    const planned = buildExt4(await fromTar(path));
    const { talk, events } = await serve({}, planned);
    const client = talk();
    await client.go({ structured: false });
    client.socket.pause();
    client.ask(CMD.read, 0, planned.size);
    await new Promise((resolve) => setTimeout(resolve, 100));
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0x55));
    client.socket.resume();
    const sent = await client.gone();
    expect(sent.length).toBeLessThan(planned.size);
    expect(sent.includes(Buffer.alloc(100, 0x55))).toBe(false);
    await until(() => events.some(({ kind }) => kind === "failed"));
  });
});

describe("HTTP", () => {
  async function web(): Promise<{ readonly url: string; readonly events: ServeEvent[]; readonly server: ImageServer }> {
    const { server, events } = await serve({ port: 0, protocol: "http" });
    return { url: server.uri, events, server };
  }

  test("GET and HEAD, whole and one range, by RFC 9110", async () => {
    const { url } = await web();
    const all = await fetch(url);
    expect(all.status).toBe(200);
    expect(all.headers.get("content-length")).toBe(String(image.size));
    expect(all.headers.get("accept-ranges")).toBe("bytes");
    expect(Buffer.compare(Buffer.from(await all.arrayBuffer()), whole)).toBe(0);
    const tag = all.headers.get("etag") as string;
    expect(tag).toMatch(new RegExp(`^"${image.uuid}-[0-9a-f]{16}"$`));
    const { size } = image;
    const cases: readonly [string, number, number, number][] = [
      ["bytes=0-0", 206, 0, 1],
      ["bytes=1000-300000", 206, 1000, 300_001],
      [`bytes=${size - 10}-`, 206, size - 10, size],
      ["bytes=-100", 206, size - 100, size],
      [`bytes=-${size + 5}`, 206, 0, size],
      [`bytes=5-${size + 100}`, 206, 5, size],
      [`bytes=${size}-`, 416, 0, 0],
      ["bytes=-0", 416, 0, 0],
      ["bytes=5-3", 200, 0, size],
      ["bytes=a-b", 200, 0, size],
      ["lines=1-2", 200, 0, size],
      ["bytes=0-1,5-6", 200, 0, size],
    ];
    for (const [range, status, from, to] of cases) {
      const response = await fetch(url, { headers: { Range: range } });
      expect(response.status, range).toBe(status);
      const body = Buffer.from(await response.arrayBuffer());
      if (status === 416) expect(response.headers.get("content-range")).toBe(`bytes */${size}`);
      else expect(Buffer.compare(body, whole.subarray(from, to)), range).toBe(0);
      if (status === 206) expect(response.headers.get("content-range")).toBe(`bytes ${from}-${to - 1}/${size}`);
    }
    const head = await fetch(url, { method: "HEAD", headers: { Range: "bytes=0-1" } });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(size)]);
    const status = async (headers: Record<string, string>, method = "GET", path = ""): Promise<number> => {
      const response = await fetch(url + path, { method, headers });
      await response.arrayBuffer();
      return response.status;
    };
    expect(await status({ Range: "bytes=0-1", "If-Range": tag })).toBe(206);
    expect(await status({ Range: "bytes=0-1", "If-Range": '"other"' })).toBe(200);
    expect(await status({ Range: "bytes=0-1", "If-Range": "Sat, 21 Nov 2026 00:00:00 GMT" })).toBe(200);
    expect(await status({ "If-None-Match": tag })).toBe(304);
    expect(await status({ "If-None-Match": '"a", "b"' })).toBe(200);
    expect(await status({ "If-Match": '"a"' })).toBe(412);
    expect(await status({ "If-Match": "*" })).toBe(200);
    expect(await status({}, "POST")).toBe(405);
    expect(await status({}, "DELETE")).toBe(405);
    expect(await status({}, "GET", "etc/passwd")).toBe(404);
  });

  test("a page of another name cannot reach it, nonsense is answered, and its tag is not that of another run", async () => {
    const { url, server } = await web();
    const talk = async (said: string): Promise<string> => {
      const client = new Talk({ host: "127.0.0.1", port: server.port });
      client.send(Buffer.from(said));
      return (await client.gone()).toString("latin1").split("\r\n")[0] as string;
    };
    const end = "Connection: close\r\n\r\n";
    expect(await talk(`HEAD / HTTP/1.1\r\nHost: evil.example\r\n${end}`)).toBe("HTTP/1.1 421 Misdirected Request");
    expect(await talk(`HEAD / HTTP/1.1\r\nHost: localhost:${server.port}\r\n${end}`)).toBe("HTTP/1.1 200 OK");
    expect(await talk(`HEAD / HTTP/1.1\r\nHost: [::1]:1\r\n${end}`)).toBe("HTTP/1.1 200 OK");
    expect(await talk(`HEAD / HTTP/1.1\r\nHost: LocalHost\r\n${end}`)).toBe("HTTP/1.1 200 OK");
    // By the whole URL, as proxies ask: its name counts.
    expect(await talk(`HEAD http://127.0.0.1:1/ HTTP/1.1\r\nHost: evil.example\r\n${end}`)).toBe("HTTP/1.1 200 OK");
    expect(await talk(`HEAD http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n${end}`)).toBe(
      "HTTP/1.1 421 Misdirected Request",
    );
    expect(await talk(`HEAD / HTTP/1.1\r\n${end}`)).toBe("HTTP/1.1 400 Bad Request");
    expect(await talk(`HEAD / HTTP/2.0\r\n${end}`)).toBe("HTTP/1.1 505 HTTP Version Not Supported");
    expect(await talk("HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")).toBe("HTTP/1.1 200 OK");
    expect(await talk("\x00\x01\x02nonsense\r\n\r\n")).toBe("HTTP/1.1 400 Bad Request");
    expect(await talk(`GET / HTTP/1.1\r\nX: ${"y".repeat(100_000)}\r\n\r\n`)).toBe(
      "HTTP/1.1 431 Request Header Fields Too Large",
    );
    const other = await web();
    const tags = await Promise.all(
      [url, other.url].map(async (one) => (await fetch(one, { method: "HEAD" })).headers.get("etag")),
    );
    expect(tags[0]).not.toBe(tags[1]);
  });

  test("a source that changed is an error", async () => {
    const path = join(folder, "web.tar");
    const bytes = pattern(4 * MIB, 12);
    await buildTar(new Tree().file("/a", bytes, { mtime: T })).writeTo(path);
    const { server, events } = await serve({ port: 0, protocol: "http" }, buildTar(await fromTar(path)));
    writeFileSync(path, Buffer.alloc(statSync(path).size, 0x55));
    const refused = await fetch(server.uri, { headers: { Range: "bytes=5000-6000" } });
    expect(refused.status).toBe(500);
    for (const name of ["etag", "content-range", "accept-ranges"]) expect(refused.headers.get(name), name).toBeNull();
    expect(await refused.text()).toMatch(/changed since its headers were read/);
    expect((await fetch(server.uri)).status).toBe(500);
    await until(() => events.length === 2);
    expect(events.map(({ kind }) => kind)).toEqual(["failed", "failed"]);
  });

  test("one request at a time: what is asked ahead of the answers takes no memory, and is answered in order", async () => {
    const { server } = await web();
    const before = process.memoryUsage().arrayBuffers;
    const get = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    const greedy = Array.from({ length: 10 }, () => new Talk({ host: "127.0.0.1", port: server.port }));
    for (const client of greedy) {
      client.socket.pause();
      client.send(Buffer.from(get.repeat(8000)));
    }
    let most = 0;
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    expect(most - before).toBeLessThan(60 * MIB);
    const client = new Talk({ host: "127.0.0.1", port: server.port });
    const range = (from: number): string => `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=${from}-${from + 9}\r\n\r\n`;
    client.send(
      Buffer.from(
        [1024, 2048, 4096]
          .map(range)
          .join("")
          .replace(/\r\n\r\n$/, "\r\nConnection: close\r\n\r\n"),
      ),
    );
    const said = (await client.gone()).toString("latin1");
    expect([...said.matchAll(/Content-Range: bytes (\d+)/g)].map(([, from]) => from)).toEqual(["1024", "2048", "4096"]);
    const began = performance.now();
    await server.close();
    expect(performance.now() - began).toBeLessThan(6000);
    for (const one of greedy) one.end();
  });

  test("a head that comes by drops has the time of a handshake, and bodies are refused", async () => {
    const { server, events } = await serve({ port: 0, protocol: "http", handshakeTimeout: 0.4 });
    const slow = new Talk({ host: "127.0.0.1", port: server.port });
    slow.send(Buffer.from("GET / HTTP/1.1\r\n"));
    const drops = setInterval(() => slow.send(Buffer.from("x")), 50);
    const began = performance.now();
    await slow.gone();
    clearInterval(drops);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(events).toMatchObject([{ kind: "dropped", message: "no whole request in time" }]);
    const body = new Talk({ host: "127.0.0.1", port: server.port });
    body.send(Buffer.from(`PUT / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nGET / HTTP/1.1\r\n\r\n`));
    const said = (await body.gone()).toString();
    expect(said).toMatch(/^HTTP\/1.1 413 /);
    expect(said.match(/HTTP\/1.1/g)?.length).toBe(1);
  });

  test("a source that never answers does not keep the server from its end", async () => {
    const never = buildTar(new Tree().file("/never", { size: MIB, read: () => new Promise<void>(() => {}) }));
    for (const protocol of ["http", "nbd"] as const) {
      const { server, talk } = await serve({ port: 0, protocol }, never);
      const client = talk();
      if (protocol === "nbd") {
        await client.go();
        client.ask(CMD.read, 4096, 4096);
      } else client.send(Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
      await new Promise((resolve) => setTimeout(resolve, 50));
      await server.close();
      await client.gone();
    }
  }, 20_000);

  test("who does not listen is let go at the end", async () => {
    const { server } = await web();
    const client = new Talk({ host: "127.0.0.1", port: server.port });
    client.socket.pause();
    client.send(Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
    await until(() => server.clients === 1);
    await server.close();
    expect(server.clients).toBe(0);
  });
});

test("a place that somebody else took is theirs", async () => {
  const taken = createServer().listen({ port: 0, host: "127.0.0.1" });
  await once(taken, "listening");
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await expect(serveImage(image, { port })).rejects.toMatchObject({ code: "usage", message: /somebody listens/ });
  taken.close();
});
