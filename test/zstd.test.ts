// zstd streams: frames made by the zstd tool in many shapes, decoded by whatever this Node has and by plain JavaScript.

import { spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { expect, test } from "vitest";
import { plainStripes, Xxh64 } from "../src/bytes/xxh64.ts";
import { type TakeStripes, wasmStripes } from "../src/bytes/xxh64-wasm.ts";
import { FsynthError } from "../src/error.ts";
import { host } from "../src/host/node.ts";
import { unzstdPlain } from "../src/host/zstd-decode.ts";
import { findTool, need } from "./judge/need.ts";
import { chunked } from "./tar-made.ts";

type Decoder = (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
const DECODERS: Readonly<Record<string, Decoder>> = { host: (source) => host.unzstd(source), plain: unzstdPlain };

async function* toAsync(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function decoded(decode: Decoder, bytes: Uint8Array, ...sizes: readonly number[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decode(toAsync(chunked(bytes, ...(sizes.length > 0 ? sizes : [65_536]))))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What the tool makes of `input` from a pipe (then it does not know the size) or from a file. */
function zstd(input: Uint8Array, ...args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync(findTool("zstd") ?? "zstd", ["-q", "-c", ...args], { input, maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(String(stderr));
  return stdout;
}

/** Text that compresses, with matches near and far. */
function text(length: number): Buffer {
  const lines: string[] = [];
  for (let i = 0, size = 0; size < length; i++) {
    const line = `${i % 977} line of text number ${(i * 7919) % 104_729}, and then again ${i % 13}\n`;
    lines.push(line);
    size += line.length;
  }
  return Buffer.from(lines.join("")).subarray(0, length);
}

const random = randomFillSync(Buffer.alloc(300_000));
const SHAPES: Readonly<Record<string, readonly [Buffer, ...string[]]>> = {
  nothing: [Buffer.alloc(0)],
  "one byte": [Buffer.from("x")],
  "a short text, size known": [text(1000), "--stream-size=1000"],
  "a text of several blocks": [text(1_000_000)],
  "without a checksum": [text(500_000), "--no-check"],
  "the best level": [text(500_000), "-19"],
  "the fastest level": [text(500_000), "--fast=5"],
  "a long window": [Buffer.concat([random, Buffer.alloc(9_000_000, 1), random]), "--long=24"],
  "random bytes: raw blocks": [random],
  "zeros: RLE blocks": [Buffer.alloc(700_000)],
  "size known, several blocks": [text(3_000_000), "--stream-size=3000000"],
  "size known, too large for one piece": [Buffer.concat([text(9_000_000), text(9_000_000)]), "--stream-size=18000000"],
};

for (const [decoder, decode] of Object.entries(DECODERS)) {
  for (const [name, [bytes, ...args]] of Object.entries(SHAPES)) {
    test.skipIf(!need("zstd"))(`${decoder}: ${name}`, async () => {
      const packed = zstd(bytes, ...args);
      expect((await decoded(decode, packed)).equals(bytes)).toBe(true);
      if (packed.length < 100_000) expect((await decoded(decode, packed, 1, 2, 5, 17, 300)).equals(bytes)).toBe(true);
    });
  }

  test.skipIf(!need("zstd"))(`${decoder}: frames one behind the other, skippable ones between them`, async () => {
    const skippable = (magic: number, length: number): Buffer => {
      const head = Buffer.alloc(8 + length, 0x28);
      head.writeUInt32LE(magic, 0);
      head.writeUInt32LE(length, 4);
      return head;
    };
    const a = text(200_000);
    const packed = Buffer.concat([
      skippable(0x184d2a50, 0),
      zstd(a),
      skippable(0x184d2a5f, 100_000),
      zstd(Buffer.alloc(0)),
      zstd(a, "--no-check", "--stream-size=200000"),
      zstd(random.subarray(0, 5000), "--stream-size=5000"),
    ]);
    const all = Buffer.concat([a, a, random.subarray(0, 5000)]);
    expect((await decoded(decode, packed)).equals(all)).toBe(true);
    expect((await decoded(decode, packed, 1000, 3)).equals(all)).toBe(true);
  });

  test.skipIf(!need("zstd"))(`${decoder}: a cut stream is refused wherever it is cut, but between frames`, async () => {
    const one = zstd(text(3000));
    const packed = Buffer.concat([one, zstd(text(2000), "--stream-size=2000")]);
    for (let length = 0; length < packed.length; length += 7) {
      await expect(decoded(decode, packed.subarray(0, length)), `cut at ${length}`).rejects.toMatchObject({
        code: "corrupt",
        message: expect.stringContaining("truncated"),
      });
    }
    expect((await decoded(decode, packed.subarray(0, one.length))).equals(text(3000))).toBe(true);
  });

  test.skipIf(!need("zstd"))(`${decoder}: a damaged frame with a checksum never gives other bytes`, async () => {
    const bytes = text(2000);
    for (const packed of [zstd(bytes, "--stream-size=2000"), zstd(bytes)]) {
      let refused = 0;
      for (let i = 0; i < packed.length; i++) {
        const damaged = Buffer.from(packed);
        damaged[i] = (damaged[i] as number) ^ (1 << (i % 8)); // i is in range
        try {
          expect((await decoded(decode, damaged)).equals(bytes), `bit ${i % 8} of byte ${i}`).toBe(true);
        } catch (error) {
          expect((error as Error).name, String(error)).toBe("FsynthError");
          refused++;
        }
      }
      expect(refused).toBeGreaterThan(packed.length * 0.9);
    }
  });

  test(`${decoder}: junk, reserved bits, windows too large and dictionaries`, async () => {
    const empty = [0x28, 0xb5, 0x2f, 0xfd];
    const of = (...bytes: number[]): Promise<Buffer> => decoded(decode, Buffer.from([...empty, ...bytes]));
    // A frame header of no content size, a window of 1 KiB, and one empty raw block that is the last.
    expect(await of(0x00, 0x00, 1, 0, 0)).toHaveLength(0);
    await expect(of(0x00, 0x00, 1, 0, 0, 1, 2, 3, 4)).rejects.toThrow(
      "at byte 9: no zstd frame but 0x04030201 behind the last one",
    );
    await expect(of(0x08, 0x00, 1, 0, 0)).rejects.toThrow("a reserved bit");
    await expect(of(0x00, 0x00, 7, 0, 0)).rejects.toThrow("a block of the reserved type");
    await expect(of(0x00, 0x00, 0x01, 0x40, 0)).rejects.toThrow("a block of 2048 bytes; 1024 is the most");
    await expect(of(0x00, 0x90, 1, 0, 0)).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("needs a window of"),
    });
    await expect(of(0x01, 0x00, 7, 1, 0, 0)).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("needs a dictionary"),
    });
    await expect(of(0x20, 0x05, 1, 0, 0)).rejects.toMatchObject({ code: "corrupt" });
  });
}

test("what our own encoder writes", async () => {
  const bytes = text(9_000_000);
  const packed: Uint8Array[] = [];
  for await (const chunk of host.zstd(toAsync(chunked(bytes, 100_000)))) packed.push(chunk);
  for (const decode of Object.values(DECODERS)) expect((await decoded(decode, Buffer.concat(packed))).equals(bytes)).toBe(true);
});

test("a reader that stops early stops the source", async () => {
  let closed = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;)
        yield Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x50, 0x02 + (8 << 3), 0, 0, 0x41, 0x02 + (8 << 3), 0, 0, 0x41, 1, 0, 0]);
    } finally {
      closed = true;
    }
  }
  for (const decode of Object.values(DECODERS)) {
    closed = false;
    for await (const chunk of decode(endless())) if (chunk.length > 0) break;
    expect(closed).toBe(true);
  }
});

const takers = [plainStripes, wasmStripes() as TakeStripes]; // which every runtime of the tests has

test("XXH64: the specification's values", () => {
  for (const take of takers) {
    const of = (text: string): string => {
      const hash = new Xxh64(take);
      hash.update(Buffer.from(text));
      return hash.digest().toString(16);
    };
    expect([of(""), of("a"), of("abc")]).toEqual(["ef46db3751d8e999", "d24ec4f1a98c6e5b", "44bc2cf5ad770999"]);
  }
});

test.skipIf(!need("zstd"))("XXH64: what the zstd tool writes, in pieces of any size", () => {
  for (const length of [4, 8, 31, 32, 33, 63, 64, 100, 1000, 4097, 100_003, 300_000]) {
    const bytes = text(length);
    const packed = zstd(bytes, "--check");
    for (const take of takers) {
      for (const piece of [1, 7, 32, 33, 5000, 200_000]) {
        const hash = new Xxh64(take);
        for (const part of chunked(bytes, piece)) hash.update(part);
        expect(hash.low32(), `${length} bytes in pieces of ${piece}`).toBe(packed.readUInt32LE(packed.length - 4));
      }
    }
  }
});

test.skipIf(!need("zstd"))(
  "plain JavaScript and libzstd agree on random content, and on random damage where they take it",
  async () => {
    const { decompress } = await import("@mongodb-js/zstd");
    // Runs, repeats from near and far, and noise, by a generator with a fixed seed.
    let seed = 12_345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return Math.floor((seed / 0x8000_0000) * below);
    };
    const noise = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, () => random(256)));
    let differing = 0;
    let refused = 0;
    for (let round = 0; round < 15; round++) {
      const parts: Buffer[] = [Buffer.alloc(1)];
      for (let i = random(40); i >= 0; i--) {
        const before = Buffer.concat(parts);
        const from = random(before.length);
        parts.push(
          [
            noise(random(3000)),
            Buffer.alloc(random(5000), random(256)),
            before.subarray(from, from + random(20_000)),
            text(random(30_000)),
          ][random(4)] as Buffer, // one of four
        );
      }
      const bytes = Buffer.concat(parts);
      const packed = zstd(bytes, `-${1 + random(19)}`, ...(random(2) ? [`--stream-size=${bytes.length}`] : []), "--no-check");
      expect((await decoded(unzstdPlain, packed)).equals(bytes), `round ${round}`).toBe(true);
      for (let i = 0; i < 20; i++) {
        const damaged = Buffer.from(packed);
        const at = random(i % 2 ? damaged.length : Math.min(damaged.length, 200));
        damaged[at] = (damaged[at] as number) ^ (1 << random(8)); // at is in range
        const ours = await decoded(unzstdPlain, damaged).catch((error: unknown) => {
          if (error instanceof FsynthError) return undefined;
          throw error;
        });
        if (!ours) refused++;
        else if (!ours.equals(bytes)) {
          differing++;
          expect(ours.equals(await decompress(damaged)), `round ${round}, damage ${i}`).toBe(true);
        }
      }
    }
    // Both must occur, or nothing was tested.
    expect(differing).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(100);
  },
);
