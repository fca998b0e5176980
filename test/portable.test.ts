// What would let the machine into the bytes, looked for in the sources: its byte order, clock, chance, locale and environment.
// docs/reproducible.md argues from this that images are the same on a big-endian machine, where no test runs.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bin, requireFreshBuild } from "./cli-run.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Everything but what talks to the host, to machines and to people. */
const files = ["src", "formats"]
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => posix.join(folder, name)),
  )
  .filter((name) => name.endsWith(".ts") && !/^src\/(cli|qemu|serve|page)\/|^src\/host\/node[^/]*$/.test(name))
  .sort();

/** Uses that reach no image, by file: why. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  // When to let others run.
  "src/host/turn.ts": ["performance.now"],
};

/** `source` without comments; texts stay. Positions of ends of lines stay as well. */
function codeOf(source: string): string {
  let code = "";
  for (let i = 0; i < source.length; ) {
    const char = source[i] as string;
    const two = source.slice(i, i + 2);
    let end = i + 1;
    let keep = true;
    if (two === "//") {
      end = source.indexOf("\n", i);
      keep = false;
    } else if (two === "/*") {
      end = source.indexOf("*/", i) + 2;
      keep = false;
    } else if (char === '"' || char === "'" || char === "`") end = endOfText(source, i, char);
    else if (char === "/" && /(?:^|[(,=:[!&|?{};+\n]|return|=>)\s*$/.test(code.slice(-40))) end = endOfPattern(source, i);
    if (end < i + 1) end = source.length;
    code += keep ? source.slice(i, end) : source.slice(i, end).replace(/[^\n]/g, "");
    i = end;
  }
  return code;
}

function endOfText(source: string, start: number, quote: string): number {
  for (let i = start + 1; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === quote) return i + 1;
  }
  return source.length;
}

function endOfPattern(source: string, start: number): number {
  let inClass = false;
  for (let i = start + 1; i < source.length && source[i] !== "\n"; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "[") inClass = true;
    else if (source[i] === "]") inClass = false;
    else if (source[i] === "/" && !inClass) return i + 1;
  }
  return start + 1; // a division after all
}

/** The arguments of the call whose opening parenthesis stands at `open`. */
function argumentsAt(code: string, open: number): string[] {
  const found: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let i = open; i < code.length; i++) {
    const char = code[i] as string;
    if (char === '"' || char === "'" || char === "`") {
      i = endOfText(code, i, char) - 1;
      continue;
    }
    if ("([{".includes(char)) depth++;
    if (")]}".includes(char)) depth--;
    if ((char === "," && depth === 1) || depth === 0) {
      const text = code.slice(from, i).trim();
      if (text !== "") found.push(text);
      from = i + 1;
    }
    if (depth === 0) return found;
  }
  return found;
}

const WORDS: readonly RegExp[] = [
  /\bMath\s*\.\s*random\b/g,
  // Their last digit is the implementation's own (ECMA-262, 21.3.2). log2 is used where it is rounded.
  /\bMath\s*\.\s*(?:a?(?:sin|cos|tan)h?|atan2|cbrt|expm?1?|hypot|log(?:10|1p)?|pow)\b/g,
  /\bDate\s*\.\s*now\b/g,
  /\bDate\s*\(\s*\)/g,
  /\bperformance\s*\.\s*now\b/g,
  /\bhrtime\b/g,
  /\.\s*toLocale\w*/g,
  /\.\s*localeCompare\b/g,
  /\bIntl\b/g,
  /\.\s*(?:getTimezoneOffset|get(?:Full)?Year|getMonth|getDate|getDay|getHours|getMinutes|toDateString|toTimeString)\b/g,
  /\bprocess\s*\.\s*(?:env|argv|cwd|umask|pid|getuid|platform|arch)\b/g,
  /\b(?:randomUUID|getRandomValues|randomBytes)\b/g,
  /\bendianness\b/g,
  /\bnavigator\b/g,
];

/** What of the machine `code` would let in. */
function offences(code: string): string[] {
  const found: string[] = [];
  for (const word of WORDS) for (const [text] of code.matchAll(word)) found.push(text.replaceAll(/\s/g, ""));
  // A typed array over bytes that exist has the byte order of the machine; one of a length, or copied element by element, has none.
  const views = /\bnew\s+((?:Uint16|Uint32|Int16|Int32|Float16|Float32|Float64|BigInt64|BigUint64)Array)\s*(?:<[^>]*>)?\s*\(/g;
  for (const match of code.matchAll(views)) {
    const list = argumentsAt(code, match.index + match[0].length - 1);
    const [first = ""] = list;
    if (list.length > 1 || /\bbuf(?:fer)?\b|[bB]uffer\b|\bmemory\b|\.buffer\b/.test(first)) {
      found.push(`new ${match[1]}(${list.join(", ")})`);
    }
  }
  // DataView's own order is big-endian everywhere, but whoever leaves it out may have meant the machine's.
  const scalars = /\.\s*((get|set)(?:Uint16|Uint32|Int16|Int32|Float16|Float32|Float64|BigInt64|BigUint64))\s*\(/g;
  for (const match of code.matchAll(scalars)) {
    const list = argumentsAt(code, match.index + match[0].length - 1);
    if (list.length < (match[2] === "get" ? 2 : 3)) found.push(`${match[1]}(${list.join(", ")})`);
  }
  return found;
}

test("the sources let nothing of the machine in", () => {
  expect(files.length).toBeGreaterThan(150);
  const found = files.flatMap((file) =>
    offences(codeOf(readFileSync(join(root, file), "utf8")))
      .filter((text) => !HARMLESS[file]?.includes(text))
      .map((text) => `${file}: ${text}`),
  );
  expect(found).toEqual([]);
});

test("what is harmless is still there", () => {
  for (const [file, texts] of Object.entries(HARMLESS)) {
    expect(offences(codeOf(readFileSync(join(root, file), "utf8")))).toEqual(expect.arrayContaining([...texts]));
  }
});

test("planted offenders are found", () => {
  const planted = [
    "new Uint32Array(bytes.buffer)",
    "new Uint16Array(bytes.buffer, bytes.byteOffset, 4)",
    "new Float64Array<ArrayBuffer>( buffer )",
    "new BigUint64Array(new ArrayBuffer(8))",
    "new Int32Array(shared, 8, f(1, 2))",
    "new Uint32Array(this.#buffer)",
    "view.getUint32(at)",
    "view.setUint16(f(a, b), value)",
    "view\n  .setBigUint64(8, 1n)",
    "view.getFloat64(g('(', 1))",
    "Math.random()",
    "Math.pow(2, 0.5)",
    "Math.log(x)",
    "Date.now()",
    "new Date()",
    "names.sort((a, b) => a.localeCompare(b))",
    "count.toLocaleString()",
    "new Intl.Collator()",
    "process.env.TZ",
    "date.getHours()",
    "crypto.getRandomValues(bytes)",
    "os.endianness()",
  ];
  for (const code of planted) expect({ code, found: offences(codeOf(code)).length > 0 }).toEqual({ code, found: true });
  // Behind texts and patterns that look like comments.
  expect(offences(codeOf('const a = "//"; Date.now();'))).toEqual(["Date.now"]);
  expect(offences(codeOf("const a = /[/*]/; Date.now();"))).toEqual(["Date.now"]);
  expect(offences(codeOf("const a = b / c; // d\nDate.now(); /* e */"))).toEqual(["Date.now"]);
  // In code that is made at run time, too.
  expect(offences(codeOf("new Function(`return view.getUint32(at)`)"))).toEqual(["getUint32(at)"]);
});

test("what depends on nothing is left alone", () => {
  const fine = `
    // Date.now() is never asked, nor Math.random()
    /* new Uint32Array(bytes.buffer) */
    const a = new Uint32Array(1024), b = new Uint32Array(array.length * 2), c = new Float64Array([1, 2, 3]);
    const d = new Uint8Array(bytes.buffer, bytes.byteOffset, 4), e = new DataView(bytes.buffer, 8, 4);
    view.setUint32(at, value, true); view.getUint16(f(a, b), little); view.getUint8(at); view.setInt8(at, 1);
    names.sort(compareNames); new Date(0); Math.log2(8); Float64Array.from(list);`;
  expect(offences(codeOf(fine))).toEqual([]);
});

/** The path of a URL is percent-encoded: in a folder with a space or a % in its name it is the path of nothing. */
const ENCODED_PATH = /\bimport\s*\.\s*meta\s*\.\s*url\s*\)\s*\.\s*pathname\b/;

test("no path of a file is taken from a URL as it is spelled", () => {
  const places = ["src", "formats", "golden-images", "examples", "test", "tools", "bench"];
  const sources = places
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => posix.join(folder, name)),
    )
    .filter((name) => /\.(?:ts|mjs|js)$/.test(name) && !name.includes("node_modules/"));
  expect(sources.length).toBeGreaterThan(300);
  sources.push("vitest.config.ts");
  expect(sources.filter((file) => ENCODED_PATH.test(codeOf(readFileSync(join(root, file), "utf8"))))).toEqual([]);
  expect(["new URL('..', import", "meta", "url)", "pathname"].join(".")).toMatch(ENCODED_PATH);
});

/**
 * What the scan cannot see (an ArrayBuffer behind a name that does not tell) is caught at work: typed arrays over existing
 * bytes throw where code of fsynth makes them.
 */
const GUARD = `
  for (const name of ["Uint16", "Uint32", "Int16", "Int32", "Float32", "Float64", "BigInt64", "BigUint64"]) {
    globalThis[name + "Array"] = new Proxy(globalThis[name + "Array"], {
      construct(target, list, made) {
        const caller = new Error().stack.split("\\n")[2] ?? "";
        const aliases = list[0] instanceof ArrayBuffer || list[0] instanceof SharedArrayBuffer;
        if (aliases && /\\/dist\\/|planted/.test(caller)) {
          process.stderr.write("aliasing: " + name + caller + "\\n");
          process.exit(99);
        }
        return Reflect.construct(target, list, made);
      },
    });
  }
`;

function guarded(args: readonly string[]): { status: number | null; stderr: string } {
  const preload = `data:text/javascript,${encodeURIComponent(GUARD)}`;
  const { status, stderr } = spawnSync(process.execPath, ["--import", preload, ...args], { cwd: root, maxBuffer: 1 << 28 });
  return { status, stderr: stderr.toString() };
}

test("no typed array over existing bytes is made while images are built", () => {
  requireFreshBuild();
  const planted = `data:text/javascript,${encodeURIComponent("function planted() { return new Uint32Array(new ArrayBuffer(8)); } planted();")}`;
  expect(guarded(["--import", planted, "-e", "0"]).status).toBe(99);
  for (const profile of ["ext4", "ffs2ea", "cpio", "tar"]) {
    const args = [bin, "build", "-q", "--xattrs", "none", "--compress", "gzip", "-f", profile, "-o", "-", "examples/hello"];
    expect({ profile, ...guarded(args) }).toEqual({ profile, status: 0, stderr: "" });
  }
  expect(
    guarded([bin, "build", "-q", "--xattrs", "none", "--compress", "zstd", "-f", "ext2", "-o", "-", "examples/hello"]).status,
  ).toBe(0);
});
