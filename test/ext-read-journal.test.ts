// Journals that were not replayed, written block by block: what the log replaces, revokes, escapes and leaves undone, in every form
// of its tags and checksums; and logs broken on purpose.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ext } from "../formats/ext/index.ts";
import { buildExt3, buildExt4 } from "../src/build.ts";
import { crc32c } from "../src/bytes/crc.ts";
import { viewOf } from "../src/bytes/struct.ts";
import { makeVolume, type Volume } from "../src/image/volume.ts";
import { Tree } from "../src/tree/tree.ts";
import { imageOf, patched, readEverything } from "./judge/broken.ts";
import { runSeed } from "./judge/ext.ts";

const seed = runSeed();
const BLOCK = 1024;
const MAGIC = 0xc03b3998;

interface Form {
  readonly name: string;
  /** Bits of s_feature_incompat of the journal. */
  readonly incompat: number;
  /** Where the log starts; its end is at 1024 blocks, so that a late start wraps around. */
  readonly start: number;
  readonly ext4?: true;
}

const FORMS: readonly Form[] = [
  { name: "plain tags", incompat: 0x1, start: 1 },
  { name: "64-bit tags", incompat: 0x3, start: 700, ext4: true },
  { name: "checksums of version 2", incompat: 0x9, start: 5 },
  { name: "checksums of version 2, 64 bits, around the end of the ring", incompat: 0xb, start: 1020, ext4: true },
  { name: "checksums of version 3, around the end of the ring", incompat: 0x13, start: 1017, ext4: true },
];

type Entry = { readonly block: number; readonly data: Uint8Array };

/** An image whose journal holds transactions. */
class Log {
  readonly bytes: Uint8Array;
  readonly #journal: number;
  readonly #seed: number;
  #at: number;
  #sequence = 0xffff_fffe;

  constructor(
    readonly form: Form,
    bytes: Uint8Array,
  ) {
    this.bytes = bytes.slice();
    const volume = open(bytes);
    this.#journal = [...volume.usage()].find(({ use }) => use === "journal")?.offset ?? Number.NaN;
    this.#at = form.start;
    // needs_recovery
    const superblock = viewOf(this.bytes.subarray(1024, 2048));
    superblock.setUint32(0x60, superblock.getUint32(0x60, true) | 4, true);
    const journal = this.bytes.subarray(this.#journal, this.#journal + BLOCK);
    const view = viewOf(journal);
    view.setUint32(0x18, this.#sequence);
    view.setUint32(0x1c, form.start);
    view.setUint32(0x28, form.incompat);
    if (this.#checked) {
      journal[0x50] = 4;
      view.setUint32(0xfc, crc32c(0xffff_ffff, journal));
    }
    this.#seed = crc32c(0xffff_ffff, journal.subarray(0x30, 0x40));
  }

  get #checked(): boolean {
    return (this.form.incompat & 0x18) !== 0;
  }

  /** Writes one transaction: revocations, then blocks, then, unless it is cut off, its commit. */
  transaction(revoked: readonly number[], entries: readonly Entry[], end: "commit" | "cut" | "wrong" = "commit"): void {
    const { incompat } = this.form;
    if (revoked.length > 0) {
      const wide = (incompat & 2) !== 0;
      this.#record(5, (view) => {
        view.setUint32(12, 16 + revoked.length * (wide ? 8 : 4));
        revoked.forEach((block, i) => {
          view.setUint32(16 + i * (wide ? 8 : 4) + (wide ? 4 : 0), block);
        });
      });
    }
    const third = (incompat & 0x10) !== 0;
    this.#record(1, (view) => {
      let at = 12;
      entries.forEach(({ block, data }, i) => {
        const stored = escaped(data);
        // The first tag is followed by a UUID.
        const flags = (stored === data ? 0 : 1) | (i > 0 ? 2 : 0) | (i === entries.length - 1 ? 8 : 0);
        const sum = crc32c(crc32c(this.#seed, sequenceBytes(this.#sequence)), stored);
        view.setUint32(at, block);
        if (third) {
          view.setUint32(at + 4, flags);
          view.setUint32(at + 12, sum);
          at += 16;
        } else {
          view.setUint16(at + 4, this.#checked ? sum & 0xffff : 0);
          view.setUint16(at + 6, flags);
          at += ((incompat & 2) !== 0 ? 12 : 8) + ((incompat & 8) !== 0 ? 2 : 0);
        }
        if (i === 0) at += 16;
      });
    });
    for (const { data } of entries) this.#put(escaped(data));
    if (end === "cut") return;
    this.#record(2, () => {}, end === "wrong");
    this.#sequence = (this.#sequence + 1) >>> 0;
  }

  #record(type: number, fill: (view: DataView) => void, wrong = false): void {
    const bytes = new Uint8Array(BLOCK);
    const view = viewOf(bytes);
    view.setUint32(0, MAGIC);
    view.setUint32(4, type);
    view.setUint32(8, wrong && !this.#checked ? this.#sequence + 7 : this.#sequence);
    fill(view);
    if (this.#checked) view.setUint32(type === 2 ? 16 : BLOCK - 4, crc32c(this.#seed, bytes) ^ (wrong ? 1 : 0));
    this.#put(bytes);
  }

  #put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#journal + this.#at * BLOCK);
    this.#at = this.#at + 1 < 1024 ? this.#at + 1 : 1;
  }
}

function sequenceBytes(sequence: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, sequence);
  return bytes;
}

/** A block that starts like a journal's header is stored with zeros there. */
function escaped(data: Uint8Array): Uint8Array {
  if (viewOf(data).getUint32(0) !== MAGIC) return data;
  const copy = data.slice();
  copy.fill(0, 0, 4);
  return copy;
}

function open(bytes: Uint8Array): Volume {
  if (!ext.open) throw new Error("ext images can be opened");
  return makeVolume(ext.open(imageOf(bytes)));
}

function blockOf(text: string): Uint8Array {
  return new TextEncoder().encode(text.repeat(BLOCK)).slice(0, BLOCK);
}

async function made({ ext4 }: Form): Promise<Uint8Array> {
  const tree = new Tree();
  for (const name of ["one", "two", "three", "four"]) tree.file(`/${name}`, blockOf("-"));
  const options = { blockSize: BLOCK, journalSize: 1024 * BLOCK };
  return await (ext4 ? buildExt4(tree, { ...options, features: ["^metadata_csum"] }) : buildExt3(tree, options)).bytes();
}

async function logged(form: Form, last: "commit" | "cut" | "wrong"): Promise<Uint8Array> {
  const bytes = await made(form);
  const runs = [...open(bytes).usage()];
  const at = (path: string): number => (runs.find((run) => run.path === path)?.offset ?? Number.NaN) / BLOCK;
  const log = new Log(form, bytes);
  const magic = blockOf("m");
  viewOf(magic).setUint32(0, MAGIC);
  log.transaction(
    [],
    [
      { block: at("/one"), data: blockOf("a") },
      { block: at("/two"), data: blockOf("b") },
      { block: at("/three"), data: magic },
    ],
  );
  // An older version of a revoked block stays in the log, a newer one counts again.
  log.transaction([at("/two"), at("/four")], [{ block: at("/one"), data: blockOf("c") }]);
  log.transaction([], [{ block: at("/four"), data: blockOf("d") }], last);
  return log.bytes;
}

describe.each(FORMS)("$name", (form) => {
  const read = (volume: Volume): Record<string, string> =>
    Object.fromEntries(
      ["one", "two", "three", "four"].map((name) => [name, Buffer.from(volume.read(`/${name}`)).toString("latin1")]),
    );
  const text = (letter: string): string => Buffer.from(blockOf(letter)).toString("latin1");

  test("what is complete is replayed, in order", async () => {
    const volume = open(await logged(form, "commit"));
    const magic = `\xc0\x3b\x39\x98${text("m").slice(4)}`;
    expect(read(volume)).toEqual({ one: text("c"), two: text("-"), three: magic, four: text("d") });
    expect(volume.inspect().facts.state).toBe("clean, journal replayed in memory (3 blocks)");
  });

  test.each(["cut", "wrong"] as const)("a last transaction that is %s does not count", async (last) => {
    expect(read(open(await logged(form, last)))).toMatchObject({ one: text("c"), two: text("-"), four: text("-") });
  });

  test("damaged logs are read to an end", async () => {
    const bytes = await logged(form, "commit");
    const journal = [...open(bytes).usage()].find(({ use }) => use === "journal")?.offset ?? Number.NaN;
    expect(readEverything(ext, bytes)).toBe(0);
    const place = fc
      .tuple(fc.oneof(fc.constant(0), fc.integer({ min: form.start - 1, max: form.start + 12 })), fc.nat(BLOCK / 4 - 1))
      .map(([block, word]) => journal + (block < 1024 ? block : block - 1023) * BLOCK + (word % 16 === 0 ? word : word % 12) * 4);
    const put = fc.oneof(
      fc.constantFrom([0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 1], [0, 0, 4, 0], [0xc0, 0x3b, 0x39, 0x98]),
      fc.array(fc.nat(255), { minLength: 1, maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(fc.record({ offset: place, bytes: put }), { minLength: 1, maxLength: 3 }), (patches) => {
        readEverything(ext, patched(bytes, patches));
      }),
      { numRuns: process.env.FSYNTH_TEST === "all" ? 5000 : 150, seed, endOnFailure: true },
    );
  });
});

describe("what is refused", () => {
  const form: Form = { name: "", incompat: 0x13, start: 1, ext4: true };
  const at = (bytes: Uint8Array): number => [...open(bytes).usage()].find(({ use }) => use === "journal")?.offset ?? Number.NaN;

  test("a wrong checksum of a block in the log", async () => {
    const bytes = await logged(form, "commit");
    const broken = patched(bytes, [{ offset: at(bytes) + 2 * BLOCK + 100, bytes: [1] }]);
    expect(() => open(broken)).toThrow(/^ext: journal: the checksum of a block in the log is 0x[0-9a-f]{8}, expected 0x/);
  });

  test("features that are not known, and a superblock that is none", async () => {
    const bytes = await logged({ ...form, incompat: 0x1 }, "commit");
    const journal = at(bytes);
    const feature = patched(bytes, [{ offset: journal + 0x28, bytes: [0, 0, 0, 0x41] }]);
    expect(() => open(feature)).toThrow(/^ext: the journal needs the feature 0x40, which fsynth does not read$/);
    const magic = patched(bytes, [{ offset: journal, bytes: [0] }]);
    expect(() => open(magic)).toThrow(/^ext: journal: it starts with 0x003b3998 and type 4, expected 0xc03b3998, 3 or 4$/);
    const size = patched(bytes, [{ offset: journal + 0x10, bytes: [1] }]);
    expect(() => open(size)).toThrow(
      /^ext: journal: \d+ blocks, the log from 1 to \d+, its start at 1, expected a log that lies within 1024 blocks$/,
    );
  });

  test("a journal on another device", async () => {
    const bytes = await logged({ ...form, incompat: 0x1 }, "commit");
    const external = patched(bytes, [{ offset: 1024 + 0xe0, bytes: [0, 0, 0, 0] }]);
    expect(() => open(external)).toThrow(/its journal lies on another device; mounting it once, or e2fsck, replays it$/);
  });
});
