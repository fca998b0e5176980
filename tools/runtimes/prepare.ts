// What the runtimes work on, made once: the goldens with their expected digests, a directory, and an archive in three forms.

import { execFileSync } from "node:child_process";
import { linkSync, lutimesSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goldenCases } from "../../golden-images/cases.ts";
import { buildTar, fromDirectory } from "../../src/index.ts";
import type { Prepared } from "./files.ts";
import type { Suite, SuiteGolden } from "./suite.ts";

/** What a case folder holds beside what it is made of. */
const EXPECTATIONS = new Set(["tree.txt", "options.json", "image.sha256", "dump.txt"]);

/** The digests that the goldens must have, by case. Throws for a case without one. */
export function goldenDigests(top: string): Map<string, string> {
  return new Map(
    goldenCases(join(top, "golden-images")).map(({ name, folder }) => [
      name,
      readFileSync(join(folder, "image.sha256"), "utf8").trim(),
    ]),
  );
}

/** Makes all of it below `folder`. Needs gzip and zstd, so that the archives are compressed by others. */
export async function prepare(top: string, folder: string): Promise<{ readonly suite: Suite; readonly prepared: Prepared }> {
  const directory = join(folder, "directory");
  makeDirectory(directory);
  const tar = join(folder, "source.tar");
  await buildTar(fromDirectory(directory), { owner: { uid: 1, gid: 2 } }).writeTo(tar);
  const pack = (program: string, args: readonly string[]): Buffer =>
    execFileSync(program, [...args, "-c", tar], { maxBuffer: 64 << 20 });
  const forms = { tar: readFileSync(tar), gzip: pack("gzip", ["-n"]), zstd: pack("zstd", ["-q"]) };
  const exact = join(folder, "exact");
  mkdirSync(exact);
  writeFileSync(join(exact, "file"), "");
  // Microseconds are as near as Node sets them.
  for (const path of [join(exact, "file"), exact]) lutimesSync(path, 1_234_567_890.123457, 1_234_567_890.123457);
  const odd = join(folder, "odd");
  mkdirSync(odd);
  writeFileSync(Buffer.concat([Buffer.from(`${odd}/`), Buffer.from([0x61, 0xff, 0xfe])]), "a name of bytes\n");
  for (const name of readdirSync(odd, { encoding: "buffer" })) {
    lutimesSync(Buffer.concat([Buffer.from(`${odd}/`), name]), "-86400.5", "-86400.5");
  }
  lutimesSync(odd, 0, 0);
  const prepared = { directory, exact, odd, tar, gzip: `${tar}.gzip`, zstd: `${tar}.zstd` };
  writeFileSync(prepared.gzip, forms.gzip);
  writeFileSync(prepared.zstd, forms.zstd);
  return {
    suite: {
      goldens: goldenCases(join(top, "golden-images")).map(suiteGolden),
      archives: {
        tar: forms.tar.toString("base64"),
        gzip: forms.gzip.toString("base64"),
        zstd: forms.zstd.toString("base64"),
      },
    },
    prepared,
  };
}

function suiteGolden({ name, folder }: { readonly name: string; readonly folder: string }): SuiteGolden {
  const files = readdirSync(folder).filter((file) => !EXPECTATIONS.has(file));
  return {
    name,
    tree: readFileSync(join(folder, "tree.txt"), "utf8"),
    options: readFileSync(join(folder, "options.json"), "utf8"),
    files: Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file)).toString("base64")])),
  };
}

/** A tree with what runtimes treat differently: names beyond ASCII, parts of seconds, links, much data. */
function makeDirectory(directory: string): void {
  const path = (name: string): string => join(directory, name);
  for (const name of ["etc", "bin", "data", "empty"]) mkdirSync(path(name), { recursive: true, mode: 0o755 });
  writeFileSync(path("etc/poem"), "äöü €\n".repeat(1000), { mode: 0o640 });
  writeFileSync(path("etc/none"), "");
  // 3 MiB that compress a little: a counter, and a plain generator of noise.
  const noise = new Uint8Array(3 << 20);
  for (let i = 0, state = 1; i < noise.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    noise[i] = i % 3 === 0 ? i >>> 12 : state >>> 24;
  }
  writeFileSync(path("data/noise"), noise);
  writeFileSync(path("data/zeros"), new Uint8Array(1 << 20));
  for (let i = 0; i < 300; i++) writeFileSync(path(`bin/tool-${i}`), `${i}\n`.repeat(i), { mode: 0o755 });
  linkSync(path("etc/poem"), path("etc/poem-too"));
  symlinkSync("../etc/poem", path("bin/poem"));
  symlinkSync("é".repeat(60), path("bin/long"));
  for (const folder of ["etc", "bin", "data", "."]) {
    for (const name of readdirSync(path(folder), { encoding: "buffer" })) {
      lutimesSync(Buffer.concat([Buffer.from(`${path(folder)}/`), name]), 1_000_000_000.25, 1_000_000_000.25);
    }
  }
  lutimesSync(directory, 1_000_000_000, 1_000_000_000);
}
