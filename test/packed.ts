// The package as npm publishes it, and a program that uses it as others do.

import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { requireFreshBuild } from "./cli-run.ts";

export const top = dirname(import.meta.dirname);
export const text = (path: string): string => readFileSync(join(top, path), "utf8");

export interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly imports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export const manifest = JSON.parse(text("package.json")) as Manifest;

/** What can be imported: `fsynth`, `fsynth/formats/ext`, … */
export const entries = Object.entries(manifest.exports)
  .filter(([, targets]) => typeof targets === "object")
  .flatMap(([path]) => {
    if (!path.includes("*")) return [path];
    const folders = readdirSync(join(top, dirname(path)), { withFileTypes: true }).filter((each) => each.isDirectory());
    return folders.map(({ name }) => path.replace("*", name));
  })
  .map((path) => path.replace(/^\./, "fsynth"));

/** Runs a program in `cwd` and gives what it printed; npm is kept from asking the network for anything beside. */
export function run(program: string, args: readonly string[], cwd = top): string {
  const env = { ...process.env, npm_config_update_notifier: "false", npm_config_audit: "false", npm_config_fund: "false" };
  return execFileSync(program, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 32 << 20 });
}

export interface Packed {
  readonly filename: string;
  /** Bytes of the tarball. */
  readonly size: number;
  /** Bytes of the files in it. */
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

/** Makes the tarball in `folder`, of the dist that is there: packing shall not build it again under the other tests. */
export function pack(folder: string): Packed {
  requireFreshBuild();
  const said = run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder]);
  const [tarball] = JSON.parse(said) as Packed[];
  if (!tarball) throw new Error("npm pack made no tarball");
  return tarball;
}

/** A program that uses every entry; its last line shall not compile without the comment above it. */
export const typedProgram = `import { buildExt2, buildImage, Tree, type Format, type Image, type Node } from "fsynth";
import { ext } from "fsynth/formats/ext";
${entries.map((entry, i) => `import * as entry${i} from "${entry}";`).join("\n")}
const image: Image = buildExt2(new Tree().directory("/bin"), { size: "fit+10%", label: "root" });
export const size: number = image.size;
export const name: string = ext.name;
export const chosen = (format: Format, tree: Tree): Image => buildImage(format, "ext4", tree, { allowLoss: true, label: "root" });
export const kind = (node: Node): string => (node.kind === "file" ? String(node.content.size) : node.kind);
export const all: readonly object[] = [${entries.map((_, i) => `entry${i}`).join(", ")}];
// @ts-expect-error there is no such option
buildExt2(new Tree(), { lable: "root" });
`;

/** How others compile. */
export const typings = [
  ["nodenext, with the types of Node", { module: "nodenext", moduleResolution: "nodenext", lib: ["ES2023"], types: ["node"] }],
  ["a bundler, with those of Node", { module: "esnext", moduleResolution: "bundler", lib: ["ES2023"], types: ["node"] }],
  [
    "nodenext, with the library of browsers",
    { module: "nodenext", moduleResolution: "nodenext", lib: ["ES2023", "DOM"], types: [] },
  ],
  ["a bundler, with that of browsers", { module: "esnext", moduleResolution: "bundler", lib: ["ES2023", "DOM"], types: [] }],
] as const;

/** What the compiler says of `file` in `project`, of which it checks the declarations too; nothing when all is well. */
export function typeCheck(project: string, file: string, options: object): string {
  const compilerOptions = {
    target: "ES2023",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    typeRoots: [join(top, "node_modules/@types")],
    ...options,
  };
  const config = join(project, `${file}.tsconfig.json`);
  writeFileSync(config, JSON.stringify({ compilerOptions, files: [file] }));
  const tsc = join(top, "node_modules/typescript/bin/tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", config], { cwd: project, encoding: "utf8" });
  return status === 0 ? "" : `${stdout}${stderr}exit ${status}`;
}
