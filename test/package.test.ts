// What npm publishes: the lockfile, the tarball, and a project that installs it without any of our development tools.

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
import { entries, manifest, type Packed, pack, run, text, top, typeCheck, typedProgram, typings } from "./packed.ts";
import { packageBudget } from "./size-budgets.ts";

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

const locked = Object.entries((JSON.parse(text("package-lock.json")) as Lock).packages).filter(([path]) => path !== "");

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
  let tarball: Packed;
  let files: string[] = [];

  beforeAll(() => {
    tarball = pack(folder);
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
      (path) => !/^(bin|dist\/(cli|src|formats)|src|formats)\//.test(path) && !/^[^/]+\.(md|json)$|^LICENSE$/.test(path),
    );
    expect(strangers).toEqual([]);
    expect(files.filter((path) => /\.tsbuildinfo$|\.test\.|\.long\./.test(path))).toEqual([]);
  });

  test("stays within its budget", () => {
    const measured = { files: files.length, packed: tarball.size, unpacked: tarball.unpackedSize };
    const over = (["files", "packed", "unpacked"] as const).flatMap((what) => {
      const [found, allowed] = [measured[what], packageBudget[what]];
      return found > allowed ? [`${what}: ${found}, ${found - allowed} over the budget in test/size-budgets.ts`] : [];
    });
    expect(over).toEqual([]);
  });

  test("has no script that npm would run, or warn of, where a tarball of it is installed", () => {
    // npm names `prepare` in a warning though it does not run it; what a fresh clone needs, `preprepare` does as well.
    const { preinstall, install, postinstall, prepare } = manifest.scripts;
    expect({ preinstall, install, postinstall, prepare }).toEqual({});
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
    expect(lost, "what dist holds of sources that are gone is no part of a fresh build: npm pack makes it anew").toEqual([]);
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

  test("each entry is imported", () => {
    expect(entries).toContain("fsynth/formats/ext");
    const program = `for (const entry of ${JSON.stringify(entries)}) console.log(entry, Object.keys(await import(entry)).length > 0);`;
    const said = run("node", ["--input-type=module", "-e", program], project);
    expect(said).toBe(entries.map((entry) => `${entry} true\n`).join(""));
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

  test.each(typings)("type-checks under %s", (name, options) => {
    const file = `${name.replaceAll(/\W+/g, "-")}.ts`;
    writeFileSync(join(project, file), typedProgram);
    expect(typeCheck(project, file, options)).toBe("");
  });
});
