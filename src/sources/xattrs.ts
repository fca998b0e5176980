// Xattrs of a host directory, as the system's getfattr tells them (package attr): Node has no call for them.
// The dump is the one that setfattr --restore reads: "# file: PATH", then NAME=0xHEX lines, then a blank line. In paths
// and names, getfattr writes backslashes, line ends and (in names) "=" as three octal digits.

import { host } from "#host";
import { decodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Xattrs } from "../tree/node.ts";

const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const PATH_LINE = "# file: ";

/**
 * The xattrs of everything below the host directory `path`, itself included, by path: `/` is the directory.
 * What has none is left out. Throws `unsupported` where there is no getfattr, `io` when it fails.
 */
export function readXattrs(path: string): ReadonlyMap<string, Xattrs> {
  const result = host.run("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--", "."], path);
  if (result === undefined) {
    throw new FsynthError(
      "unsupported",
      `the xattrs of ${quoteName(path)} were asked for, and this machine has no getfattr; it is in the package "attr"`,
      { path, option: "xattrs" },
    );
  }
  if (result.status !== 0) {
    const said = decodeName(result.stderr).trim().split("\n")[0] ?? "";
    throw new FsynthError("io", `getfattr ended with ${result.status} in ${quoteName(path)}: ${said}; expected 0`, { path });
  }
  return parseGetfattr(result.stdout);
}

/** Reads a dump of `getfattr -e hex` of paths below `.`; keys start with `/`. Throws `io` for what is no such dump. */
export function parseGetfattr(dump: Uint8Array): Map<string, Xattrs> {
  const all = new Map<string, Xattrs>();
  let current: Map<string, Uint8Array> | undefined;
  for (let start = 0, number = 1; start < dump.length; number++) {
    let end = dump.indexOf(NEWLINE, start);
    if (end < 0) end = dump.length;
    const line = dump.subarray(start, end);
    start = end + 1;
    if (line.length === 0) current = undefined;
    else if (current === undefined) {
      const text = decodeName(unescapeOctal(line));
      if (!text.startsWith(PATH_LINE)) throw strange(number, text, `"${PATH_LINE}PATH"`);
      current = new Map();
      all.set(treePath(text.slice(PATH_LINE.length)), current);
    } else {
      const equals = line.indexOf(0x3d); // "="; in names it is escaped
      const name = decodeName(unescapeOctal(equals < 0 ? line : line.subarray(0, equals)));
      const value = equals < 0 ? new Uint8Array(0) : hexValue(line.subarray(equals + 1));
      if (value === undefined) throw strange(number, decodeName(line), "NAME=0xHEX");
      current.set(name, value);
    }
  }
  return all;
}

function strange(line: number, found: string, expected: string): FsynthError {
  return new FsynthError("io", `getfattr's output, line ${line}: found ${quoteName(found)}, expected ${expected}`);
}

function treePath(path: string): string {
  if (path === ".") return "/";
  return path.startsWith("./") ? path.slice(1) : `/${path}`;
}

function unescapeOctal(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(BACKSLASH)) return bytes;
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const octal = bytes[i] === BACKSLASH ? /^[0-3][0-7]{2}/.exec(String.fromCharCode(...bytes.subarray(i + 1, i + 4))) : null;
    out[length++] = octal ? Number.parseInt(octal[0], 8) : (bytes[i] as number);
    if (octal) i += 3;
  }
  return out.subarray(0, length);
}

function hexValue(text: Uint8Array): Uint8Array | undefined {
  if (text.length % 2 !== 0 || text[0] !== 0x30 || text[1] !== 0x78) return undefined;
  const value = new Uint8Array(text.length / 2 - 1);
  for (let i = 0; i < value.length; i++) {
    const high = hexDigit(text[2 * i + 2] as number);
    const low = hexDigit(text[2 * i + 3] as number);
    if (high < 0 || low < 0) return undefined;
    value[i] = high * 16 + low;
  }
  return value;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
