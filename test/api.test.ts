// The public API: it is what docs/api says, every function has an example, and the examples run.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireFreshBuild } from "./cli-run.ts";
import { commentExamples, ExampleFolder, runnableBlocks } from "./example-run.ts";
import { needPackages } from "./judge/need.ts";

const top = dirname(import.meta.dirname);
const reports = readdirSync(join(top, "docs/api")).filter((name) => name.endsWith(".api.md"));

describe("the reports in docs/api", () => {
  test.skipIf(!needPackages("tools"))("say what the built package exports, and nothing is left to say about it", () => {
    requireFreshBuild();
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(top, "tools/api.js")], { encoding: "utf8" });
    expect(`${stderr}${stdout}exit ${status}`).toBe(`${reports.length} entries, as docs/api says\nexit 0`);
  });
});

describe("examples in comments", () => {
  const sources = ["src", "formats"].flatMap((directory) =>
    readdirSync(join(top, directory), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .sort()
      .map((name) => join(directory, name)),
  );
  const examples = sources.flatMap(commentExamples);
  const folder = new ExampleFolder(examples);
  beforeAll(() => {
    folder.prepare();
    for (const name of ["root", "one", "two"]) folder.build("ext4", `${name}.ext4`, "rootfs");
  });
  afterAll(() => folder.remove());

  test.each(examples)("$name", (example) => folder.run(example));

  test("call every function that can be imported", () => {
    const shown = [...examples, ...runnableBlocks("README.md")].map(({ code }) => code).join("\n");
    const functions = reports.flatMap((name) =>
      [...readFileSync(join(top, "docs/api", name), "utf8").matchAll(/^export function (\w+)/gm)].map(([, word]) => word),
    );
    expect(functions.length).toBeGreaterThan(20);
    expect(functions.filter((word) => !new RegExp(`\\b${word}\\(`).test(shown))).toEqual([]);
  });
});
