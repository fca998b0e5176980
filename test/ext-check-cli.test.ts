// fsynth check on the command line.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { viewOf } from "../src/bytes/struct.ts";
import { Tree } from "../src/tree/tree.ts";
import { fsynth, requireFreshBuild } from "./cli-run.ts";
import { buildExt } from "./judge/ext.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-check-cli-"));
const sound = join(folder, "sound.ext2");
const broken = join(folder, "broken.ext2");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(async () => {
  requireFreshBuild();
  const bytes = await buildExt("ext2", new Tree().file("/a", "a").fifo("/b"), {}).bytes();
  writeFileSync(sound, bytes);
  viewOf(bytes).setUint32(1024 + 0x0c, 9, true); // s_free_blocks_count
  writeFileSync(broken, bytes);
});

describe("fsynth check", () => {
  test("a sound image: 0", () => {
    expect(fsynth(["check", sound])).toEqual({ status: 0, stdout: `${sound}: nothing is wrong\n`, stderr: "" });
    expect(fsynth(["check", "--json", sound])).toEqual({ status: 0, stdout: "[]\n", stderr: "" });
    expect(fsynth(["check", "-"], { input: readFileSync(sound) }).status).toBe(0);
  });

  test("a broken one: 1, and a line for each problem", () => {
    expect(fsynth(["check", broken])).toEqual({
      status: 1,
      stdout: "superblock: 9 blocks are said to be free, expected 0\n",
      stderr: "",
    });
    const { status, stdout } = fsynth(["check", "--json", broken]);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toEqual([
      { code: "free-blocks", place: "superblock", found: "9 blocks are said to be free", expected: "0" },
    ]);
  });

  test("it changes nothing", () => {
    const before = readFileSync(broken);
    fsynth(["check", broken]);
    expect(readFileSync(broken).equals(before)).toBe(true);
  });

  test("no image: 3; a call that makes no sense: 2", () => {
    const text = join(folder, "text");
    writeFileSync(text, "hello\n");
    expect(fsynth(["check", text])).toMatchObject({ status: 3, stdout: "" });
    expect(fsynth(["check", join(folder, "nothing")])).toMatchObject({ status: 4, stdout: "" });
    expect(fsynth(["check"]).status).toBe(2);
    expect(fsynth(["check", sound, broken]).status).toBe(2);
  });
});

test("every code is in the list of formats/ext/check/README.md", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const listed = new Set(
    [...readFileSync(join(root, "formats/ext/check/README.md"), "utf8").matchAll(/`([a-z][a-z-]+)`/g)].map(([, code]) => code),
  );
  const check = readdirSync(join(root, "formats/ext/check"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `formats/ext/check/${file}`);
  const read = ["superblock", "descriptors"].map((file) => `formats/ext/read/${file}.ts`);
  const codes = [...check, ...read].flatMap((file) =>
    [...readFileSync(join(root, file), "utf8").matchAll(/(?:tell|add|tell\([^()]*\))\(\s*"([a-z-]+)",|code: "([a-z-]+)"/g)].map(
      ([, a, b]) => a ?? b,
    ),
  );
  expect(new Set(codes).size).toBeGreaterThan(50);
  expect([...new Set(codes)].filter((code) => !listed.has(code))).toEqual([]);
});
