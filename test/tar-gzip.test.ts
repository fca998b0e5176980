// gzip streams, by node:zlib and in plain JavaScript: members, padding, junk, cut ends.

import { randomFillSync } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { inflateMembers } from "../src/host/gunzip.ts";
import { host } from "../src/host/node.ts";
import { chunked } from "./tar-made.ts";

type Decoder = (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
const DECODERS: Readonly<Record<string, Decoder>> = { host: (source) => host.gunzip(source), plain: inflateMembers };

async function* toAsync(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function decoded(decode: Decoder, bytes: Uint8Array, ...sizes: readonly number[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decode(toAsync(chunked(bytes, ...(sizes.length > 0 ? sizes : [65_536]))))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const big = Buffer.concat([
  randomFillSync(Buffer.alloc(300_000)),
  Buffer.alloc(5_000_000, 0x61),
  randomFillSync(Buffer.alloc(100_000)),
]);
const hello = gzipSync("hello ");
const world = gzipSync("world");

for (const [name, decode] of Object.entries(DECODERS)) {
  test(`${name}: one member, several, an empty one, in chunks of any size`, async () => {
    expect((await decoded(decode, gzipSync(big))).equals(big)).toBe(true);
    const members = Buffer.concat([hello, gzipSync(""), world]);
    for (const sizes of [[1], [2, 3], [hello.length], [hello.length + 1], [hello.length - 1, 5], [10_000]]) {
      expect((await decoded(decode, members, ...sizes)).toString()).toBe("hello world");
    }
  });

  test(`${name}: a member with every optional field`, async () => {
    // RFC 1952: FTEXT, FHCRC is not among them (zlib checks it), FEXTRA, FNAME, FCOMMENT.
    const plain = gzipSync("x");
    const fields = Buffer.concat([Buffer.from([3, 0, 1, 2, 3]), Buffer.from("name\0comment\0")]);
    const head = Buffer.from(plain.subarray(0, 10));
    head[3] = 0x1d;
    expect((await decoded(decode, Buffer.concat([head, fields, plain.subarray(10)]), 3)).toString()).toBe("x");
  });

  test(`${name}: zeros behind the end are padding, anything else is junk`, async () => {
    for (const sizes of [[1], [hello.length], [hello.length + 2], [1000]]) {
      expect((await decoded(decode, Buffer.concat([hello, Buffer.alloc(700)]), ...sizes)).toString()).toBe("hello ");
      for (const junk of ["junk", "\0\0\0junk", "\x1f\x8bjunk"]) {
        const bytes = Buffer.concat([hello, Buffer.from(junk, "latin1")]);
        await expect(
          decoded(decode, bytes, ...sizes),
          `${JSON.stringify(junk)} in chunks of ${sizes.join()}`,
        ).rejects.toMatchObject({
          code: "corrupt",
        });
      }
    }
    await expect(decoded(decode, Buffer.concat([hello, Buffer.from("\0\0\0junk")]), 1000)).rejects.toThrow(
      `at byte ${hello.length + 3}`,
    );
  });

  test(`${name}: cut anywhere`, async () => {
    const bytes = Buffer.concat([hello, world]);
    for (let length = 0; length < bytes.length; length++) {
      for (const sizes of [[1], [1000]]) {
        const result = decoded(decode, bytes.subarray(0, length), ...sizes);
        if (length === hello.length) expect((await result).toString()).toBe("hello ");
        else await expect(result, `cut at ${length}`).rejects.toMatchObject({ code: "corrupt" });
      }
    }
    await expect(decoded(decode, hello.subarray(0, 15))).rejects.toThrow("truncated");
  });

  test(`${name}: damage is found by the member's own checksum`, async () => {
    const text = "a text that is long enough to be compressed, compressed, compressed";
    const packed = gzipSync(text);
    let refused = 0;
    for (let i = 10; i < packed.length; i++) {
      const damaged = Buffer.from(packed);
      damaged[i] = (damaged[i] as number) ^ 0x10; // i is in range
      try {
        // The last byte of deflate's bits may have unused ones.
        expect((await decoded(decode, damaged)).toString(), `byte ${i}`).toBe(text);
      } catch (error) {
        expect(error).toMatchObject({ name: "FsynthError", code: "corrupt", where: { format: "gzip" } });
        refused++;
      }
    }
    expect(refused).toBeGreaterThanOrEqual(packed.length - 11);
  });

  test(`${name}: a source that fails is the error, and a reader that stops stops the source`, async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield hello.subarray(0, 12);
      throw new Error("the network is gone");
    }
    await expect(
      (async () => {
        for await (const _ of decode(failing())) expect(_.length).toBeGreaterThan(0);
      })(),
    ).rejects.toThrow("the network is gone");
    let closed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield gzipSync(big.subarray(0, 200_000));
      } finally {
        closed = true;
      }
    }
    for await (const chunk of decode(endless())) if (chunk.length > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(true);
  });

  test(`${name}: damage is told while the source takes its time`, async () => {
    const damaged = gzipSync(big);
    damaged.fill(0xff, 200, 400);
    let ask = 0;
    const slow: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => (ask++ === 0 ? Promise.resolve({ done: false, value: damaged }) : new Promise(() => {})),
        // As of a generator: it ends after the piece that was asked for.
        return: () => (ask === 1 ? Promise.resolve({ done: true, value: undefined }) : new Promise(() => {})),
      }),
    };
    await expect(
      (async () => {
        for await (const _ of decode(slow)) expect(_.length).toBeGreaterThan(0);
      })(),
    ).rejects.toMatchObject({ code: "corrupt" });
  }, 10_000);
}
