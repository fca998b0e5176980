// Runs what documentation shows, as a reader would: in a folder where `npx fsynth` and `import "fsynth"` mean the built
// package, beside the files that examples speak of.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { expect } from "vitest";
import * as fsynth from "../src/index.ts";
import { requireFreshBuild } from "./cli-run.ts";

const top = dirname(import.meta.dirname);

/** An example and where it stands. */
export interface Example {
  readonly language: string;
  readonly code: string;
  readonly name: string;
  /** Compiled and not executed: it takes what not every machine has. */
  readonly compileOnly: boolean;
}

function example(path: string, match: RegExpMatchArray, language: string, code: string, compileOnly: boolean): Example {
  const line = (match.input ?? "").slice(0, match.index).split("\n").length;
  return { language, code, name: `${path}:${line} ${code.slice(0, code.indexOf("\n"))}`, compileOnly };
}

/** Fenced blocks of a Markdown file whose info string carries the word `run`. */
export function runnableBlocks(path: string): Example[] {
  const blocks = readFileSync(join(top, path), "utf8").matchAll(/^```(\w+) run\n(.*?)^```$/gms);
  return [...blocks].map((match) => example(path, match, match[1] as string, match[2] as string, false)); // the pattern's groups
}

/** The `@example` blocks in the comments of a source; those of `ts no-run` are only compiled. */
export function commentExamples(path: string): Example[] {
  const blocks = readFileSync(join(top, path), "utf8").matchAll(/@example\n\s*\* ```ts( no-run)?\n(.*?\n)\s*\* ```/gs);
  return [...blocks].map((match) => {
    const code = (match[2] as string).replaceAll(/^\s*\* ?/gm, ""); // the pattern's group
    return example(path, match, "ts", code, match[1] !== undefined);
  });
}

/** A folder to run examples in; they see the files that those before them made. */
export class ExampleFolder {
  readonly path = mkdtempSync(join(tmpdir(), "fsynth-example-"));
  /** What the compiler says, by the file of the example. */
  readonly #complaints = new Map<string, string[]>();

  constructor(readonly examples: readonly Example[]) {}

  /** Makes the project, and the archives that examples take as sources; compiles all examples. */
  prepare(): void {
    requireFreshBuild();
    const at = (name: string): string => join(this.path, name);
    mkdirSync(at("node_modules/.bin"), { recursive: true });
    symlinkSync(top, at("node_modules/fsynth"));
    symlinkSync(join(top, "node_modules/tar-stream"), at("node_modules/tar-stream"));
    symlinkSync(join(top, "node_modules/@types"), at("node_modules/@types"));
    symlinkSync("../fsynth/bin/fsynth.js", at("node_modules/.bin/fsynth"));
    writeFileSync(at("package.json"), JSON.stringify({ name: "examples", private: true, type: "module" }));
    cpSync(join(top, "examples"), at("examples"), { recursive: true });
    mkdirSync(at("rootfs/etc"), { recursive: true });
    mkdirSync(at("rootfs/bin"));
    writeFileSync(at("rootfs/etc/hostname"), "fsynth\n");
    writeFileSync(at("rootfs/etc/motd"), "hello\n");
    writeFileSync(at("rootfs/bin/tool"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
    const script = "tar --sort=name --numeric-owner --owner=0 --group=0 -c -C rootfs . > rootfs.tar; cp rootfs.tar overlay.tar";
    execFileSync("sh", ["-c", script], { cwd: this.path });
    // The name promises zstd, the content decides: where there is no zstd program, the examples run on the plain tar.
    const packed = spawnSync("zstd", ["-q", "rootfs.tar", "-o", "rootfs.tar.zst"], { cwd: this.path });
    if (packed.status !== 0) cpSync(at("rootfs.tar"), at("rootfs.tar.zst"));
    cpSync(at("rootfs.tar.zst"), at("base.tar.zst"));
    this.build("cpio", "initrd.img", "rootfs");
    this.#compile();
  }

  /** Builds an image of a directory that later examples read. */
  build(format: string, output: string, source: string): void {
    const args = ["build", "--quiet", "--xattrs", "none", "-f", format, "-o", output, source];
    execFileSync(process.execPath, [join(top, "bin/fsynth.js"), ...args], { cwd: this.path });
  }

  run({ language, code, name, compileOnly }: Example): void {
    if (language === "sh") {
      this.#shell(code);
      return;
    }
    const file = fileOf(name);
    expect(this.#complaints.get(`${file}.ts`) ?? []).toEqual([]);
    if (compileOnly) return;
    const done = spawnSync(process.execPath, [`${file}.js`], { cwd: this.path, encoding: "utf8" });
    expect(`exit ${done.status}\n${done.stderr}`).toBe("exit 0\n");
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #shell(code: string): void {
    const path = [join(this.path, "node_modules/.bin"), dirname(process.execPath), process.env.PATH].join(delimiter);
    // npx finds the package's command first; it needs no network then.
    const env = { ...process.env, PATH: path, npm_config_update_notifier: "false", npm_config_offline: "true" };
    const done = spawnSync("bash", ["-euo", "pipefail", "-c", code], { cwd: this.path, env, encoding: "utf8" });
    expect(`exit ${done.status}\n${done.status === 0 ? "" : done.stderr}`).toBe("exit 0\n");
  }

  /** All at once: most of the compiler's time goes into reading the declarations of the package and of Node. */
  #compile(): void {
    const files = this.examples
      .filter(({ language }) => language === "ts")
      .map(({ code, name }) => {
        // An example that shows no import means the package's own names.
        const names = Object.keys(fsynth).filter((word) => new RegExp(`\\b${word}\\(`).test(code));
        const imports = /^import /m.test(code) ? "" : `import { ${names.join(", ")} } from "fsynth";\n`;
        const file = `${fileOf(name)}.ts`;
        writeFileSync(join(this.path, file), imports + code);
        return file;
      });
    const tsc = join(top, "node_modules/typescript/bin/tsc");
    const flags = [
      "--strict",
      "--target",
      "es2023",
      "--module",
      "nodenext",
      "--lib",
      "es2023",
      "--skipLibCheck",
      "--pretty",
      "false",
    ];
    const types = ["--types", "node", "--typeRoots", join(top, "node_modules/@types"), "--ignoreConfig"];
    const args = [tsc, ...flags, ...types, ...files];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: this.path, encoding: "utf8" });
    for (const line of stdout.split("\n")) {
      const file = /^([\w-]+\.ts)\(/.exec(line)?.[1];
      if (file) this.#complaints.set(file, [...(this.#complaints.get(file) ?? []), line]);
    }
    if (status !== 0 && this.#complaints.size === 0) throw new Error(`tsc ended with ${status}: ${stdout}${stderr}`);
  }
}

/** The name of an example's file, without its ending. */
function fileOf(name: string): string {
  return name.replaceAll(/\W+/g, "-").slice(0, 80);
}
