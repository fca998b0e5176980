// What bundlers make of the package: for browsers and for Node, of what size, without what was not asked for, and that it runs.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildExt4, Tree } from "../src/index.ts";
import { requireFreshBuild } from "./cli-run.ts";
import { needPackages } from "./judge/need.ts";
import { type BundleBudget, bundleBudgets } from "./size-budgets.ts";

const top = dirname(import.meta.dirname);
const folder = mkdtempSync(join(tmpdir(), "fsynth-bundle-"));

/** As much of esbuild as is used; its own types stay in tools/. */
interface Esbuild {
  buildSync(options: object): {
    readonly outputFiles: readonly { readonly path: string; readonly contents: Uint8Array; readonly text: string }[];
    readonly metafile: {
      readonly outputs: Readonly<
        Record<
          string,
          {
            readonly entryPoint?: string;
            readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>;
            readonly imports: readonly { readonly path: string; readonly kind: string }[];
          }
        >
      >;
    };
  };
}

const here = needPackages("tools");
const esbuild = (): Esbuild => createRequire(join(top, "tools/package.json"))("esbuild");

beforeAll(() => {
  requireFreshBuild();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(top, join(folder, "node_modules/fsynth"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "bundle", private: true, type: "module" }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A bundle of `code`: its files by name, those that run at the start, and the modules of fsynth that are in it. */
function bundle(code: string, options: object = {}) {
  const { outputFiles, metafile } = esbuild().buildSync({
    stdin: { contents: code, resolveDir: folder },
    absWorkingDir: folder,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2023",
    splitting: true,
    outdir: "out",
    write: false,
    metafile: true,
    logLevel: "silent",
    ...options,
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [path.slice(folder.length + 1), contents]));
  const start = new Set(Object.keys(metafile.outputs).filter((name) => metafile.outputs[name]?.entryPoint === "<stdin>"));
  // A set grows while it is walked: what is imported by what runs at the start runs then, too.
  for (const name of start) {
    for (const { path, kind } of metafile.outputs[name]?.imports ?? []) if (kind === "import-statement") start.add(path);
  }
  const inputs = [...start].flatMap((name) => Object.entries(metafile.outputs[name]?.inputs ?? {}));
  const modules = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path.replace(/^.*\/dist\//, ""));
  return { files, start, modules };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

function sizes(files: readonly Uint8Array[]): { minified: number; gzip: number } {
  return {
    minified: sum(files.map((bytes) => bytes.length)),
    gzip: sum(files.map((bytes) => gzipSync(bytes, { level: 9 }).length)),
  };
}

/** A sentence for each size that is over its budget: of what runs at the start, and of one file with all that may be loaded. */
function excess(budget: BundleBudget): string[] {
  const { files, start } = bundle(budget.code);
  const measured = {
    start: sizes([...start].map((name) => files.get(name) as Uint8Array)), // its names are those of files
    whole: sizes([...bundle(budget.code, { splitting: false }).files.values()]),
  };
  return (["start", "whole"] as const).flatMap((part) =>
    (["minified", "gzip"] as const).flatMap((kind) => {
      const [found, allowed] = [measured[part][kind], budget[part][kind]];
      const over = `${found - allowed} bytes (${((found / allowed - 1) * 100).toFixed(1)} %) over the budget of ${allowed}`;
      return found > allowed ? [`${part}, ${kind}: ${found} bytes, ${over} in test/size-budgets.ts`] : [];
    }),
  );
}

describe.skipIf(!here)("bundles for browsers", () => {
  test.each(bundleBudgets)("$code stays within its budget", (budget) => {
    expect(excess(budget)).toEqual([]);
    const { modules } = bundle(budget.code);
    expect(modules).toContain("src/tree/tree.js");
    expect(modules.filter((path) => budget.without.some((beginning) => path.startsWith(beginning)))).toEqual([]);
  });

  test("an import of nothing leaves nothing", () => {
    const { files } = bundle('import "fsynth"; import "fsynth/formats/ext";', { splitting: false });
    expect(sum([...files.values()].map((bytes) => bytes.length))).toBe(0);
  });

  test("a bundle that runs gives the same bytes", async () => {
    const program = `
      import { buildExt4, Tree } from "fsynth";
      const image = buildExt4(new Tree().file("/etc/motd", "hello\\n"), { label: "root" });
      console.log(await image.sha256());`;
    // Without Node's modules: what a browser has, Node has too.
    const { files } = bundle(program, { splitting: false });
    const said = execute("page.mjs", [...files.values()][0]);
    expect(said).toBe(`${await buildExt4(new Tree().file("/etc/motd", "hello\n"), { label: "root" }).sha256()}\n`);
  });
});

function execute(name: string, bytes: Uint8Array | undefined): string {
  writeFileSync(join(folder, name), bytes ?? "");
  const { stdout, stderr, status } = spawnSync(process.execPath, [name], { cwd: folder, encoding: "utf8" });
  expect(`exit ${status}\n${stderr}`).toBe("exit 0\n");
  return stdout;
}

describe.skipIf(!here)("a bundle for Node", () => {
  test("reads and writes files; the native zstd stays outside", () => {
    const program = `
      import { buildExt4, fromDirectory, openImage } from "fsynth";
      await buildExt4(fromDirectory("tree", { xattrs: "none" })).writeTo("root.ext4.gz");
      const volume = await openImage("root.ext4.gz");
      console.log(new TextDecoder().decode(volume.read("/motd")));`;
    mkdirSync(join(folder, "tree"));
    writeFileSync(join(folder, "tree/motd"), "hello");
    const options = { platform: "node", target: "node20", splitting: false, external: ["@mongodb-js/zstd"] };
    const { files } = bundle(program, options);
    expect(execute("node.mjs", [...files.values()][0])).toBe("hello\n");
  });
});
