// The tarball as strangers meet it: linted, installed by npm into an empty project, imported, required, compiled and bundled.

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findRuntimes } from "../tools/runtimes/binaries.ts";
import { needPackages } from "./judge/need.ts";
import { entries, manifest, type Packed, pack, run, top, typeCheck, typedProgram, typings } from "./packed.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-install-"));
let packed: Packed;
beforeAll(() => {
  packed = pack(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Runs a program and gives all that it said, and how it ended. It writes to a file: a program that ends by process.exit
 * while its reader is slow loses what does not fit in a pipe.
 */
function said(program: string, args: readonly string[]): string {
  const env = { ...process.env, NO_COLOR: "1", npm_config_audit: "false", npm_config_fund: "false" };
  const file = join(folder, "said");
  const output = openSync(file, "w");
  const { status } = spawnSync(program, args, { cwd: folder, env, stdio: ["ignore", output, output] });
  closeSync(output);
  return `${readFileSync(file, "utf8")}exit ${status}`;
}

describe.skipIf(!needPackages("tools"))("linters of packages", () => {
  const tool = (name: string): string => join(top, "tools/node_modules/.bin", name);

  test("publint finds nothing, suggestions included", () => {
    expect(said(tool("publint"), ["--strict", packed.filename])).toMatch(/All good!\s*exit 0$/);
  });

  test("attw finds every entry typed as it is, for all who can import", () => {
    // By itself it leaves out what a * in exports stands for.
    const paths = entries.map((entry) => entry.replace(/^fsynth/, "."));
    const report = said(tool("attw"), [packed.filename, "--format", "json", "--include-entrypoints", ...paths]);
    const { analysis, problems } = JSON.parse(report.slice(0, report.lastIndexOf("exit"))) as AttwReport;
    // The types are those of ESM; TypeScript that knows nothing of exports finds nothing.
    const supported = ["node16-esm", "node16", "bundler"];
    const found = Object.values(problems).flat();
    expect(
      found.filter(({ resolutionKind, resolutionOption }) => supported.includes(resolutionKind ?? resolutionOption ?? "")),
    ).toEqual([]);
    for (const path of paths) {
      const { resolutions } = analysis.entrypoints[path] ?? {};
      for (const how of ["node16-esm", "bundler"])
        expect(resolutions?.[how]?.resolution?.isTypeScript, `${path}, ${how}`).toBe(true);
    }
  });
});

/** As much of what attw tells as is read here. */
interface AttwReport {
  readonly analysis: {
    readonly entrypoints: Readonly<
      Record<
        string,
        { readonly resolutions: Readonly<Record<string, { readonly resolution?: { readonly isTypeScript: boolean } }>> }
      >
    >;
  };
  readonly problems: Readonly<
    Record<string, readonly { readonly resolutionKind?: string; readonly resolutionOption?: string }[]>
  >;
}

describe("installed by npm", () => {
  beforeAll(() => {
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
    // The machine's own settings of npm are none of the package's business.
    const install = said("npm", ["install", "--prefer-offline", `./${packed.filename}`]);
    const warnings = install
      .split("\n")
      .filter((line) => /npm warn/i.test(line) && !/Unknown (user|project|env|cli) config/.test(line));
    expect(warnings).toEqual([]);
    expect(install).toMatch(/exit 0$/);
  });

  test("brings its dependencies and nothing else", () => {
    const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as { packages: Record<string, object> };
    const brought = Object.keys(lock.packages).filter((path) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path));
    const wanted = [...Object.keys(manifest.dependencies), "fsynth"].map((name) => `node_modules/${name}`);
    // The native zstd has a package for each system.
    expect(brought.filter((path) => !path.startsWith("node_modules/@mongodb-js/zstd-")).sort()).toEqual(wanted.sort());
    expect(Object.values(lock.packages).filter((entry) => "hasInstallScript" in entry)).toEqual([]);
  });

  test("runs from plain JavaScript, and by npx", () => {
    writeFileSync(
      join(folder, "use.js"),
      `import { buildExt4, fromImage, openImage, Tree } from "fsynth";
       await buildExt4(new Tree().file("/etc/motd", "hello\\n")).writeTo("root.ext4");
       const volume = await openImage("root.ext4");
       await buildExt4(await fromImage(volume)).writeTo("again.ext4.zst");
       console.log(new TextDecoder().decode(volume.read("/etc/motd")).trim(), volume.format);`,
    );
    expect(run(process.execPath, ["use.js"], folder)).toBe("hello ext4\n");
    expect(run("npx", ["--no-install", "fsynth", "cat", "again.ext4.zst", "/etc/motd"], folder)).toBe("hello\n");
    expect(run("npx", ["--no-install", "fsynth", "--version"], folder).trim()).toBe(manifest.version);
  });

  test.each(typings)("type-checks under %s", (name, options) => {
    const file = `${name.replaceAll(/\W+/g, "-")}.ts`;
    writeFileSync(join(folder, file), typedProgram);
    expect(typeCheck(folder, file, options)).toBe("");
  });

  test("is required by CommonJS on every Node that it runs on", () => {
    writeFileSync(
      join(folder, "use.cjs"),
      'const { buildExt2, Tree } = require("fsynth"); console.log(buildExt2(new Tree().file("/motd", "hello")).plan.summary.entries);',
    );
    const nodes = findRuntimes(top).filter(({ name }) => name.startsWith("Node "));
    expect(nodes.map(({ name, binary }) => `${name}: ${run(binary, ["use.cjs"], folder).trim()}`)).toEqual([
      "Node 20: 1",
      "Node 22: 1",
      "Node 24: 1",
      "Node 26: 1",
    ]);
  });

  test.skipIf(!needPackages("tools"))("is bundled, for Node and for browsers", () => {
    const esbuild = createRequire(join(top, "tools/package.json"))("esbuild") as { buildSync(options: object): void };
    const shared = { bundle: true, minify: true, format: "esm", absWorkingDir: folder };
    writeFileSync(
      join(folder, "page.js"),
      'import { buildExt2, Tree } from "fsynth"; console.log(await buildExt2(new Tree()).sha256());',
    );
    esbuild.buildSync({ ...shared, entryPoints: ["page.js"], platform: "browser", outfile: "page.out.mjs" });
    esbuild.buildSync({
      ...shared,
      entryPoints: ["use.js"],
      platform: "node",
      outfile: "use.out.mjs",
      external: ["@mongodb-js/zstd"],
    });
    const onNode = run(process.execPath, ["page.js"], folder);
    expect(run(process.execPath, ["page.out.mjs"], folder)).toBe(onNode);
    expect(run(process.execPath, ["use.out.mjs"], folder)).toBe("hello ext4\n");
  });
});
