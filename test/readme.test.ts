// What the README and the documents show is run: blocks marked `run`, in order in one folder. The README's option tables are
// those of the code.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formats } from "../formats/index.ts";
import { flagOf, type Option, treeOptions } from "../src/image/options.ts";
import { ExampleFolder, runnableBlocks } from "./example-run.ts";

const top = dirname(import.meta.dirname);

describe("examples", () => {
  const blocks = ["README.md", "docs/tree-txt.md"].flatMap(runnableBlocks);
  const folder = new ExampleFolder(blocks);
  beforeAll(() => folder.prepare());
  afterAll(() => folder.remove());

  test("there are some", () => {
    expect(blocks.filter(({ language }) => language === "sh").length).toBeGreaterThan(4);
    expect(blocks.filter(({ language }) => language === "ts").length).toBeGreaterThan(0);
  });

  test.each(blocks)("$name", (block) => folder.run(block));
});

describe("the option tables of the README", () => {
  const cell = (text: string): string => text.replaceAll("|", "\\|");

  function table(title: string, options: Readonly<Record<string, Option>>): string {
    const rows = Object.entries(options).map(([name, option]) => {
      // A switch that is on is turned off by its other spelling.
      if (option.default === true) return `| \`${flagOf(name).replace("--", "--no-")}\` | | Turns off: ${cell(option.help)} |`;
      const flag = `${flagOf(name)}${option.metavar === undefined ? "" : ` ${option.metavar}`}`;
      return `| \`${cell(flag)}\` | ${cell(option.defaultText ?? "")} | ${cell(option.help)} |`;
    });
    return [`${title}:`, "", "| option | default | |", "|---|---|---|", ...rows].join("\n");
  }

  test("say what the code says", () => {
    const tables = [table("Every format", treeOptions as Readonly<Record<string, Option>>)];
    for (const format of formats) {
      const names = format.profiles.map((profile) => `\`${profile.name}\``).join(", ");
      tables.push(table(names, format.options as Readonly<Record<string, Option>>));
    }
    const expected = `<!-- options -->\n\n${tables.join("\n\n")}\n\n<!-- /options -->`;
    const readme = readFileSync(join(top, "README.md"), "utf8");
    const found = /<!-- options -->.*<!-- \/options -->/s.exec(readme)?.[0] ?? "nothing between the two marks";
    if (process.env.FSYNTH_UPDATE === "1")
      writeFileSync(
        join(top, "README.md"),
        readme.replace(found, () => expected),
      );
    else expect(found, "FSYNTH_UPDATE=1 npx vitest run test/readme.test.ts writes them anew").toBe(expected);
  });

  test("every profile is described", () => {
    const readme = readFileSync(join(top, "README.md"), "utf8");
    for (const profile of formats.flatMap((format) => format.profiles)) expect(readme).toContain(`| \`${profile.name}\` |`);
  });
});
