// A folder of the host that holds always the same, made in any order.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { pattern } from "../arbitrary/tree.ts";

type Entry =
  | { readonly path: string | Buffer; readonly file: Uint8Array; readonly mode: number }
  | { readonly path: string; readonly directory: number }
  | { readonly path: string; readonly target: string }
  | { readonly path: string; readonly link: string }
  | { readonly path: string; readonly fifo: true };

/** Names that locales order, fold or normalise, each in its own way. */
const NAMES = [
  "I",
  "i",
  "ı",
  "İ",
  "ß",
  "ss",
  "SS",
  "é",
  "e\u0301",
  "z",
  "ä",
  "Å",
  "a.b",
  "a-b",
  "a b",
  "A",
  "_",
  "10",
  "9",
  "ﬁ",
  "😀",
  "\uffff",
];

const entries: readonly Entry[] = [
  ...["bin", "etc", "etc/init.d", "names", "var", "var/empty", "crowd"].map((path) => ({ path, directory: 0o755 })),
  { path: "tmp", directory: 0o1777 },
  ...NAMES.map((name, i) => ({ path: `names/${name}`, file: pattern(i * 37, i), mode: 0o644 })),
  { path: Buffer.from([...Buffer.from("names/"), 0xff, 0xe9, 0x41]), file: pattern(10, 1), mode: 0o600 },
  { path: "names/ẞ-link", target: "İ/ı/\u0131" },
  ...Array.from({ length: 150 }, (_, i) => ({ path: `crowd/${i}`, file: pattern(i % 5, i), mode: 0o640 })),
  { path: "bin/sh", file: pattern(300_000, 2), mode: 0o4755 },
  { path: "bin/bash", link: "bin/sh" },
  { path: "var/sh too", link: "bin/sh" },
  { path: "etc/zeros", file: new Uint8Array(70_000), mode: 0o644 },
  { path: "etc/init.d/rc", target: "../../bin/sh" },
  { path: "var/pipe", fifo: true },
];

/** When everything in it was changed. */
const TIME = 1_650_000_000;

/** Makes it at `folder`, where nothing is, its entries in an order that `seed` chooses; parents are made when they are needed. */
export function makeSource(folder: string, seed: number): string {
  let state = seed >>> 0;
  const keyed = entries.map((entry) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return { entry, key: ("link" in entry ? 2 ** 32 : 0) + state };
  });
  const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ entry }) => entry);
  fs.mkdirSync(folder);
  for (const entry of shuffled) make(folder, entry);
  for (const entry of shuffled) settle(folder, entry);
  // Folders last: what is made in them changes their time.
  for (const entry of shuffled) if ("directory" in entry) fs.utimesSync(`${folder}/${entry.path}`, TIME, TIME);
  fs.chmodSync(folder, 0o755);
  fs.utimesSync(folder, TIME, TIME);
  return folder;
}

function at(folder: string, path: string | Buffer): string | Buffer {
  return typeof path === "string" ? `${folder}/${path}` : Buffer.concat([Buffer.from(`${folder}/`), path]);
}

function make(folder: string, entry: Entry): void {
  const path = at(folder, entry.path);
  const name = path.toString("latin1" as BufferEncoding);
  fs.mkdirSync(name.slice(0, name.lastIndexOf("/")), { recursive: true });
  if ("directory" in entry) fs.mkdirSync(path, { recursive: true });
  else if ("file" in entry) fs.writeFileSync(path, entry.file);
  else if ("target" in entry) fs.symlinkSync(entry.target, path);
  else if ("link" in entry) fs.linkSync(`${folder}/${entry.link}`, path);
  else if (spawnSync("mkfifo", [path as string]).status !== 0) throw new Error(`mkfifo ${String(path)} failed`);
}

function settle(folder: string, entry: Entry): void {
  const path = at(folder, entry.path);
  if ("target" in entry) fs.lutimesSync(path, TIME, TIME);
  else {
    fs.chmodSync(path, "file" in entry ? entry.mode : "directory" in entry ? entry.directory : "link" in entry ? 0o4755 : 0o600);
    fs.utimesSync(path, TIME, TIME);
  }
}
