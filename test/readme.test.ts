// What the README and the comments of public names show is run: shell blocks marked `run` in order in one folder, and every
// TypeScript example compiled against the built package and executed. The README's option tables are those of the code.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formats } from "../formats/index.ts";
import { flagOf, type Option, treeOptions } from "../src/image/options.ts";
import * as fsynth from "../src/index.ts";

const top = dirname(import.meta.dirname);
const folder = mkdtempSync(join(tmpdir(), "fsynth-readme-"));

beforeAll(() => {
  // A project in which `npx fsynth` and `import "fsynth"` mean the built package.
  mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
  symlinkSync(top, join(folder, "node_modules/fsynth"));
  symlinkSync(join(top, "node_modules/tar-stream"), join(folder, "node_modules/tar-stream"));
  symlinkSync(join(top, "node_modules/@types"), join(folder, "node_modules/@types"));
  symlinkSync("../fsynth/bin/fsynth.js", join(folder, "node_modules/.bin/fsynth"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "readme", private: true, type: "module" }));
  cpSync(join(top, "examples"), join(folder, "examples"), { recursive: true });
  const rootfs = join(folder, "rootfs");
  mkdirSync(join(rootfs, "etc"), { recursive: true });
  mkdirSync(join(rootfs, "bin"));
  writeFileSync(join(rootfs, "etc/hostname"), "fsynth\n");
  writeFileSync(join(rootfs, "bin/tool"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
  const script = "tar --sort=name --numeric-owner --owner=0 --group=0 -c -C rootfs . > rootfs.tar; cp rootfs.tar overlay.tar";
  execFileSync("sh", ["-c", script], { cwd: folder });
  // The name promises zstd, the content decides: where there is no zstd program, the examples run on the plain tar.
  const packed = spawnSync("zstd", ["-q", "rootfs.tar", "-o", "rootfs.tar.zst"], { cwd: folder });
  if (packed.status !== 0) cpSync(join(folder, "rootfs.tar"), join(folder, "rootfs.tar.zst"));
  cpSync(join(folder, "rootfs.tar.zst"), join(folder, "base.tar.zst"));
  const initrd = ["build", "--quiet", "--xattrs", "none", "-f", "cpio", "-o", "initrd.img", "rootfs"];
  execFileSync(process.execPath, [join(top, "bin/fsynth.js"), ...initrd], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Block {
  readonly language: string;
  readonly code: string;
  readonly name: string;
}

/** Fenced blocks whose info string carries the word `run`. */
function runnable(path: string): Block[] {
  const found: Block[] = [];
  for (const match of readFileSync(join(top, path), "utf8").matchAll(/^```(\w+) run\n(.*?)^```$/gms)) {
    const [whole, language, code] = match as unknown as [string, string, string]; // the pattern has these groups
    const line = match.input.slice(0, match.index).split("\n").length;
    found.push({ language, code, name: `${path}:${line} ${whole.split("\n")[1]}` });
  }
  return found;
}

/** The TypeScript of `@example` blocks. */
function examples(path: string): Block[] {
  const found: Block[] = [];
  for (const match of readFileSync(join(top, path), "utf8").matchAll(/@example\n\s*\* ```ts\n(.*?)\n\s*\* ```/gs)) {
    const code = (match[1] as string).replaceAll(/^\s*\* ?/gm, ""); // the pattern has this group
    const line = match.input.slice(0, match.index).split("\n").length;
    found.push({ language: "ts", code, name: `${path}:${line}` });
  }
  return found;
}

/** The TypeScript files below a folder of the repository. */
function sources(directory: string): string[] {
  const names = readdirSync(join(top, directory), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name) => join(directory, name));
}

function runShell(code: string): void {
  const path = [join(folder, "node_modules/.bin"), dirname(process.execPath), process.env.PATH].join(delimiter);
  // npx finds the package's command first; it needs no network then.
  const env = { ...process.env, PATH: path, npm_config_update_notifier: "false", npm_config_offline: "true" };
  const done = spawnSync("bash", ["-euo", "pipefail", "-c", code], { cwd: folder, env, encoding: "utf8" });
  expect(`exit ${done.status}\n${done.status === 0 ? "" : done.stderr}`).toBe("exit 0\n");
}

function runTypeScript(code: string, name: string): void {
  const file = `${name.replaceAll(/\W+/g, "-")}.ts`;
  // An example that shows no import means the package's own names.
  const names = Object.keys(fsynth).filter((word) => new RegExp(`\\b${word}\\(`).test(code));
  const imports = /^import /m.test(code) ? "" : `import { ${names.join(", ")} } from "fsynth";\n`;
  writeFileSync(join(folder, file), imports + code);
  const tsc = join(top, "node_modules/typescript/bin/tsc");
  const flags = [
    "--strict",
    "--target",
    "es2023",
    "--module",
    "nodenext",
    "--lib",
    "es2023",
    "--types",
    "node",
    "--skipLibCheck",
  ];
  const types = ["--typeRoots", join(top, "node_modules/@types"), "--ignoreConfig"];
  const compiled = spawnSync(process.execPath, [tsc, ...flags, ...types, file], { cwd: folder, encoding: "utf8" });
  expect(`${compiled.stdout}${compiled.stderr}`).toBe("");
  const done = spawnSync(process.execPath, [file.replace(/\.ts$/, ".js")], { cwd: folder, encoding: "utf8" });
  expect(`exit ${done.status}\n${done.stderr}`).toBe("exit 0\n");
}

describe("examples", () => {
  const blocks = ["README.md", "docs/tree-txt.md"].flatMap(runnable);
  const comments = ["src", "formats"].flatMap(sources).flatMap(examples);

  test("there are some", () => {
    expect(blocks.filter(({ language }) => language === "sh").length).toBeGreaterThan(4);
    expect(blocks.filter(({ language }) => language === "ts").length).toBeGreaterThan(0);
    expect(comments.length).toBeGreaterThan(1);
  });

  test.each([...blocks, ...comments])("$name", ({ language, code, name }) => {
    if (language === "sh") runShell(code);
    else runTypeScript(code, name);
  });
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
