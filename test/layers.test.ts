// The layers of docs/architecture.md, kept by reading every import under src/ and formats/: no upward edge, no cycle, no
// format that the list lacks, and no built-in module of Node where other runtimes come along.

import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

function modules(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => posix.join(folder, name))
    .sort();
}

const files = [...modules("src"), ...modules("formats")];

/** A file without its comments and texts, so that prose about imports is none; the texts of imports stay. */
function codeOf(file: string): string {
  return readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
}

/** What a file imports or re-exports, types included, and what it loads on demand. */
function importsOf(code: string): string[] {
  const found = [
    ...code.matchAll(/\b(?:import|export)\b(?:[^"';]*?\bfrom)?\s*"([^"]+)"/g),
    ...code.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g),
    ...code.matchAll(/\bgetBuiltinModule\(\s*"([^"]+)"\s*\)/g),
  ];
  return [...new Set(found.map(([, name]) => name as string))];
}

/** The file of this project that an import leads to; undefined for packages. */
function resolve(from: string, name: string): string | undefined {
  if (name === "#host") return "src/host/node.ts";
  return name.startsWith(".") ? posix.join(posix.dirname(from), name) : undefined;
}

const graph = new Map(files.map((file) => [file, importsOf(codeOf(file))]));
const edges = [...graph].flatMap(([from, names]) =>
  names.flatMap((name) => {
    const to = resolve(from, name);
    return to === undefined ? [] : [{ from, to, name }];
  }),
);

/** The layer of a file by its place; the list of formats is what L5 and sources see of the formats. */
function layerOf(file: string): number {
  const layers: readonly (readonly [RegExp, number])[] = [
    [/^src\/((arguments|error)\.ts$|bytes\/|host\/)/, 0],
    [/^src\/tree\//, 1],
    [/^src\/image\//, 2],
    [/^formats\//, 3],
    [/^src\/(sources|sinks)\//, 4],
    [/^src\/(compare\/|(build|index|open)\.ts$)/, 5],
    [/^src\/(serve|qemu|page)\//, 6],
    [/^src\/cli\//, 7],
  ];
  const found = layers.find(([pattern]) => pattern.test(file));
  if (found === undefined) throw new Error(`${file} lies in no layer`);
  return found[1];
}

/** Why an edge is not allowed; undefined where it is. */
function objection(from: string, to: string): string | undefined {
  if (layerOf(from) < layerOf(to)) return "upward";
  const [a, b] = [from, to].map((file) => /^formats\/([^/]+)\//.exec(file)?.[1]);
  if (a !== undefined && b !== undefined && a !== b) return "one format imports another";
  if (a !== undefined && to === "formats/index.ts") return "a format imports the list";
  const [c, d] = [from, to].map((file) => /^src\/(sources|sinks)\//.exec(file)?.[1]);
  if (c !== undefined && d !== undefined && c !== d) return "sources and sinks know each other";
  return undefined;
}

describe("the layers", () => {
  test("every import leads to a file that is there", () => {
    expect(files.length).toBeGreaterThan(40);
    expect(edges.length).toBeGreaterThan(100);
    expect(edges.filter(({ to }) => !graph.has(to)).map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
    expect(
      edges.filter(({ name }) => name !== "#host" && !name.endsWith(".ts")).map(({ from, name }) => `${from}: ${name}`),
    ).toEqual([]);
  });

  test("no import goes up or across", () => {
    const wrong = edges.flatMap(({ from, to }) => {
      const why = objection(from, to);
      return why === undefined ? [] : [`${from} -> ${to}: ${why}`];
    });
    expect(wrong).toEqual([]);
  });

  test("there is no cycle", () => {
    const below = new Map(files.map((file) => [file, edges.filter(({ from }) => from === file).map(({ to }) => to)]));
    expect(findCycle(below)).toBeUndefined();
  });

  test("the list of formats lacks none", () => {
    const folders = readdirSync(join(root, "formats"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const listed = graph.get("formats/index.ts") ?? [];
    const names = folders.map(({ name }) => name);
    expect(names.filter((name) => !listed.includes(`./${name}/index.ts`))).toEqual([]);
  });

  test("built-in modules of Node stay where Node is", () => {
    const wrong = [...graph]
      .filter(([file]) => !/^src\/(host\/node[^/]*\.ts$|serve\/|qemu\/|cli\/)/.test(file))
      .flatMap(([file, names]) => names.filter((name) => name.startsWith("node:")).map((name) => `${file}: ${name}`));
    expect(wrong).toEqual([]);
  });

  test("built-in modules are named with node:", () => {
    const bare = new Set(process.getBuiltinModule("node:module").builtinModules);
    expect(
      [...graph].flatMap(([file, names]) => names.filter((name) => bare.has(name)).map((name) => `${file}: ${name}`)),
    ).toEqual([]);
  });

  test("only the port knows which runtime this is", () => {
    const wrong = files.filter(
      (file) => !/^src\/(host|cli|serve|qemu)\//.test(file) && /\b(?:Buffer|process|Bun|Deno)\s*[.[(]/.test(codeOf(file)),
    );
    expect(wrong).toEqual([]);
  });
});

function findCycle(below: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): string[] | undefined => {
    const at = way.indexOf(file);
    if (at >= 0) return [...way.slice(at), file];
    if (done.has(file)) return undefined;
    for (const next of below.get(file) ?? []) {
      const cycle = visit(next, [...way, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of below.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}

describe("this test sees what it looks for", () => {
  test("imports of all forms", () => {
    const code = `import "./a.ts"; import x from "./b.ts";\nimport { type A,\n B } from "./c.ts";\nimport type { T } from "./d.ts";
      export * from "./e.ts"; export { y } from "./f.ts"; const z = await import("./g.ts"); process.getBuiltinModule("node:zlib"); const s = "./no.ts";`;
    expect(importsOf(code)).toEqual(["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts", "./g.ts", "node:zlib"]);
  });

  test("edges that are not allowed", () => {
    expect(objection("src/bytes/names.ts", "src/tree/node.ts")).toBe("upward");
    expect(objection("src/image/plan.ts", "formats/index.ts")).toBe("upward");
    expect(objection("formats/ext/plan.ts", "formats/tar/records.ts")).toBe("one format imports another");
    expect(objection("formats/ext/plan.ts", "src/sources/directory.ts")).toBe("upward");
    expect(objection("src/sources/tar.ts", "src/sinks/file.ts")).toBe("sources and sinks know each other");
    expect(objection("src/index.ts", "src/cli/main.ts")).toBe("upward");
    expect(objection("src/cli/main.ts", "src/index.ts")).toBeUndefined();
    expect(objection("formats/ext/plan.ts", "src/tree/snapshot.ts")).toBeUndefined();
    expect(() => layerOf("src/stray.ts")).toThrow("src/stray.ts lies in no layer");
  });

  test("cycles", () => {
    expect(
      findCycle(
        new Map([
          ["a", ["b"]],
          ["b", ["c"]],
          ["c", ["b"]],
        ]),
      ),
    ).toEqual(["b", "c", "b"]);
    expect(
      findCycle(
        new Map([
          ["a", ["b", "c"]],
          ["b", ["c"]],
          ["c", []],
        ]),
      ),
    ).toBeUndefined();
  });
});
