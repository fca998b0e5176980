// What npm publishes: the lockfile, the tarball, and a project that installs it without any of our development tools.

import { execFileSync } from "node:child_process";
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { need } from "./judge/need.ts";

const top = dirname(import.meta.dirname);
const text = (path: string): string => readFileSync(join(top, path), "utf8");

interface Locked {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
  readonly peer?: boolean;
  readonly hasInstallScript?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, Locked>>;
}
interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly imports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(text("package.json")) as Manifest;
const locked = Object.entries((JSON.parse(text("package-lock.json")) as Lock).packages).filter(([path]) => path !== "");

/** Runs a program in `cwd` and gives what it printed; npm is kept from asking the network for anything beside. */
function run(program: string, args: readonly string[], cwd = top): string {
  const env = { ...process.env, npm_config_update_notifier: "false", npm_config_audit: "false", npm_config_fund: "false" };
  return execFileSync(program, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 32 << 20 });
}

/** Whether this folder is a git checkout; an unpacked archive of the sources is none. */
function needCheckout(): boolean {
  if (existsSync(join(top, ".git"))) return true;
  if (process.env.CI === "true") throw new Error("this is no git checkout, and with CI=true it must be one");
  console.warn("SKIPPED: tests of what git tracks, since this is no git checkout");
  return false;
}

describe("the dependencies", () => {
  test("no package of the tree runs a script when it is installed", () => {
    expect(locked.length).toBeGreaterThan(50);
    expect(locked.filter(([, entry]) => entry.hasInstallScript).map(([path]) => path)).toEqual([]);
  });

  test.each(["package-lock.json", "tools/package-lock.json", "tools/runtimes/package-lock.json"])(
    "%s names no host, and pins every package by its digest",
    (path) => {
      const entries = Object.entries((JSON.parse(text(path)) as Lock).packages).filter(([name]) => name !== "");
      expect(entries.filter(([, entry]) => entry.resolved !== undefined).map(([name]) => name)).toEqual([]);
      // Linters' binaries for other systems, which the registry that the lockfile was made from does not carry, have no digest.
      const foreign = (name: string): boolean => /^node_modules\/(@biomejs\/cli|@oxlint\/binding|@oxlint-tsgolint\/)/.test(name);
      const unpinned = entries.filter(([, entry]) => !entry.integrity?.startsWith("sha512-"));
      expect(unpinned.filter(([name, entry]) => !(entry.dev && entry.optional && foreign(name))).map(([name]) => name)).toEqual(
        [],
      );
    },
  );

  test("the lockfile knows the optional packages of every system; npm ci refuses it otherwise", () => {
    const known = new Set(locked.map(([path]) => path));
    const missing: string[] = [];
    for (const [path, entry] of locked) {
      for (const name of Object.keys(entry.optionalDependencies ?? {})) {
        if (!known.has(`node_modules/${name}`) && !known.has(`${path}/node_modules/${name}`)) missing.push(`${path}: ${name}`);
      }
    }
    expect(missing).toEqual([]);
  });

  test("every direct dependency is pinned exactly", () => {
    const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(ranges.filter(([, range]) => !/^\d+\.\d+\.\d+$/.test(range))).toEqual([]);
  });
});

describe("the repository", () => {
  const tracked = need("git") && needCheckout() ? run("git", ["ls-files", "-s", "-z"]).split("\0").filter(Boolean) : undefined;

  test.skipIf(!tracked)("tracks the command as an executable file", () => {
    const bin = manifest.bin.fsynth as string; // the command's own name
    expect(tracked?.filter((line) => line.endsWith(`\t${bin}`)).map((line) => line.slice(0, 6))).toEqual(["100755"]);
    accessSync(join(top, bin), constants.X_OK);
  });

  test.skipIf(!tracked)("names no path of this machine and no package registry", () => {
    const registry = new URL(run("npm", ["config", "get", "registry"]).trim()).host;
    const words = [top, registry, ["registry", "npmjs", "org"].join(".")];
    // A checkout often lies in a folder of its own; the folders that every system has are no secret.
    const around = `${dirname(top)}/`;
    if (
      !["/", "/app/", "/build/", "/home/", "/mnt/", "/opt/", "/root/", "/src/", "/srv/", "/tmp/", "/usr/", "/var/"].includes(
        around,
      )
    ) {
      words.push(around);
    }
    if (homedir() !== "/root") words.push(homedir());
    const found: string[] = [];
    for (const line of tracked ?? []) {
      const path = line.slice(line.indexOf("\t") + 1);
      if (!existsSync(join(top, path))) continue; // removed, and not yet committed
      const content = readFileSync(join(top, path), "latin1");
      for (const word of words) if (content.includes(word)) found.push(`${path}: ${word}`);
    }
    expect(found).toEqual([]);
  });
});

describe("the published package", () => {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-package-"));
  const project = join(folder, "project");
  const installed = join(project, "node_modules/fsynth");
  let files: string[] = [];

  beforeAll(() => {
    // `npm test` has built dist; packing shall not build it again.
    const packed = run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder]);
    const [tarball] = JSON.parse(packed) as { filename: string; files: { path: string }[] }[];
    if (!tarball) throw new Error("npm pack made no tarball");
    files = tarball.files.map((file) => file.path);
    mkdirSync(installed, { recursive: true });
    run("tar", ["-xzf", join(folder, tarball.filename), "-C", installed, "--strip-components=1"]);
    // The dependencies that `npm install --omit=dev` would bring, taken from here so that no network is needed.
    for (const [path, entry] of locked) {
      if (entry.dev || entry.devOptional || entry.peer || !existsSync(join(top, path))) continue;
      cpSync(join(top, path), join(project, path), { recursive: true });
    }
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }));
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("holds what a user needs and nothing else", () => {
    for (const path of [
      "package.json",
      "README.md",
      "LICENSE",
      "CHANGELOG.md",
      "bin/fsynth.js",
      "dist/src/index.js",
      "dist/src/index.d.ts",
    ]) {
      expect(files).toContain(path);
    }
    const strangers = files.filter(
      (path) => !/^(bin|dist\/(src|formats)|src|formats)\//.test(path) && !/^[^/]+\.(md|json)$|^LICENSE$/.test(path),
    );
    expect(strangers).toEqual([]);
    expect(files.filter((path) => /\.tsbuildinfo$|\.test\.|\.long\./.test(path))).toEqual([]);
  });

  test("every source map leads to a source in the package", () => {
    const maps = files.filter((path) => path.endsWith(".map"));
    expect(maps.length).toBeGreaterThan(0);
    const lost: string[] = [];
    for (const path of maps) {
      const { sources } = JSON.parse(readFileSync(join(installed, path), "utf8")) as { sources: string[] };
      for (const source of sources)
        if (!files.includes(posix.join(posix.dirname(path), source))) lost.push(`${path} -> ${source}`);
    }
    expect(lost).toEqual([]);
  });

  test("every entry of exports and imports leads to a file", () => {
    const targets = Object.values({ ...manifest.exports, ...manifest.imports }).flatMap((entry) =>
      typeof entry === "string" ? [entry] : Object.values(entry),
    );
    const missing: string[] = [];
    for (const target of targets) {
      const [before, after] = target.slice(2).split("*") as [string, string | undefined];
      const matches = files.filter((path) =>
        after === undefined ? path === before : path.startsWith(before) && path.endsWith(after),
      );
      if (matches.length === 0) missing.push(target);
    }
    expect(missing).toEqual([]);
  });

  test("is imported, builds an image, and gives its formats one by one", () => {
    writeFileSync(
      join(project, "build.mjs"),
      `import { buildExt4, FsynthError, Tree } from "fsynth";
       import { ext } from "fsynth/formats/ext";
       const tree = new Tree().file("/etc/motd", "hello\\n");
       const image = buildExt4(tree);
       await image.writeTo("out.ext4");
       console.log(JSON.stringify({ size: image.size, sha256: await image.sha256(), format: ext.name, error: typeof FsynthError }));`,
    );
    const told = JSON.parse(run("node", ["build.mjs"], project)) as Record<string, unknown>;
    expect(told).toMatchObject({ format: "ext", error: "function" });
    expect(readFileSync(join(project, "out.ext4")).length).toBe(told.size);
    // Not exported, so not reachable: what is not in the contract can change.
    expect(() => run("node", ["-e", 'import("fsynth/dist/src/index.js").catch(() => process.exit(9))'], project)).toThrow();
  });

  test("the command runs without the development dependencies", () => {
    mkdirSync(join(project, "node_modules/.bin"), { recursive: true });
    symlinkSync("../fsynth/bin/fsynth.js", join(project, "node_modules/.bin/fsynth"));
    const version = run(join(project, "node_modules/.bin/fsynth"), ["--version"], project);
    expect(version.trim()).toBe((JSON.parse(text("package.json")) as { version: string }).version);
    mkdirSync(join(project, "tree"));
    writeFileSync(join(project, "tree/hello"), "hello\n");
    run(join(project, "node_modules/.bin/fsynth"), ["build", "--quiet", "-f", "ext2", "-o", "tree.ext2", "tree"], project);
    // s_magic of the superblock.
    expect([...readFileSync(join(project, "tree.ext2")).subarray(1024 + 56, 1024 + 58)]).toEqual([0x53, 0xef]);
  });

  const program = `import { buildExt2, Tree, type Image } from "fsynth";
    import { ext } from "fsynth/formats/ext";
    const image: Image = buildExt2(new Tree().directory("/bin"), { size: "fit+10%", label: "root" });
    export const size: number = image.size;
    export const name: string = ext.name;
    // @ts-expect-error there is no such option
    buildExt2(new Tree(), { lable: "root" });
  `;

  test.each([
    [
      "nodenext, with the library of browsers",
      { module: "nodenext", moduleResolution: "nodenext", lib: ["ES2023", "DOM"], types: [] },
    ],
    ["nodenext, with the types of Node", { module: "nodenext", moduleResolution: "nodenext", lib: ["ES2023"], types: ["node"] }],
    ["a bundler", { module: "esnext", moduleResolution: "bundler", lib: ["ES2023", "DOM"], types: [] }],
  ])("type-checks under %s", (name, options) => {
    const directory = join(project, name.replaceAll(/\W+/g, "-"));
    mkdirSync(directory);
    writeFileSync(join(directory, "program.ts"), program);
    const typeRoots = [join(top, "node_modules/@types")];
    const compilerOptions = {
      target: "ES2023",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      typeRoots,
      ...options,
    };
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
    let told = "";
    try {
      told = run(process.execPath, [join(top, "node_modules/typescript/bin/tsc"), "-p", directory], project);
    } catch (error) {
      told = (error as { stdout: string }).stdout; // execFileSync fails with what was printed
    }
    expect(told).toBe("");
  });
});
