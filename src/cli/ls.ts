// `fsynth ls`: what an image holds.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";
import { compareNames, escapeName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import type { Volume, VolumeNode } from "../image/volume.ts";
import type { Content } from "../tree/content.ts";
import { dataOf } from "../tree/content-data.ts";
import type { Kind } from "../tree/node.ts";
import { formatTime } from "../tree/time.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { note, print } from "./print.ts";
import { nodeArgument, openArgument } from "./volume.ts";

const HELP = `
IMAGE is any image that fsynth opens, plain or compressed by gzip or zstd; - is standard input. Lists the directory at PATH
(default /), or what else is there, in the order of the bytes of the names. In paths, \\xNN stands for a byte.

  -l          mode, links, owner, size or device, mtime in UTC, name, target; flags that trees have no place for in brackets
  -R          with all that lies below
  --json      one object a line and entry, in one array, all times as seconds
  --manifest  tree.txt of the directory at PATH and all below, files by their sha256

Examples:
  fsynth ls -l root.ext4 /etc
  fsynth ls -R rootfs.ext4.zst
  fsynth ls --manifest root.ext4 > root.txt`;

interface LsFlags {
  readonly long?: true;
  readonly recursive?: true;
  readonly json?: true;
  readonly manifest?: true;
}

/** Runs `fsynth ls`; gives the exit status. */
export async function lsCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("ls", "[-l] [-R] [--json|--manifest] IMAGE [PATH]", "Lists what an image holds.")
    .option("-l, --long", "With metadata, a line an entry.")
    .option("-R, --recursive", "With all that lies below.")
    .option("--json", "As one JSON array.")
    .option("--manifest", "As tree.txt, files by their digests.")
    .addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const flags = command.opts<LsFlags>();
  const [image, path = "/", ...more] = command.args;
  if (more.length > 0) throw usage(`fsynth ls takes an IMAGE and a PATH, found "${more[0]}" as well`);
  if (flags.manifest && (flags.json || flags.long || flags.recursive)) {
    throw usage("--manifest goes without -l, -R and --json: it holds all of that");
  }
  const volume = await openArgument(image);
  const node = nodeArgument(volume, path, false);
  if (flags.manifest) return await print(await manifest(volume, node));
  await printLines(lines(volume, node, shownPath(path), flags), flags.json === true);
  return 0;
}

/** Absolute, without a slash at its end; the root is empty. */
function shownPath(path: string): string {
  return path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .map((name) => `/${name}`)
    .join("");
}

/** Characters that are printed at once. */
const PIECE = 1 << 18;

async function printLines(all: Iterable<string>, json: boolean): Promise<void> {
  let text = json ? "[" : "";
  let first = true;
  for (const line of all) {
    text += json ? `${first ? "\n" : ",\n"}${line}` : `${line}\n`;
    first = false;
    if (text.length < PIECE) continue;
    await print(text);
    text = "";
  }
  await print(json ? `${text}\n]\n` : text);
}

interface Entry {
  readonly name: string;
  readonly node: VolumeNode;
}

/** Of a directory its entries, else the node itself. `base` is in the spelling of the command line. */
function* lines(volume: Volume, node: VolumeNode, base: string, flags: LsFlags): Generator<string> {
  const write = flags.json ? jsonLine : flags.long ? longLine : (_: Volume, name: string): string => name;
  if (node.kind !== "directory") {
    yield write(volume, base, node);
    return;
  }
  if (!flags.recursive && !flags.json && !flags.long) {
    // Names alone ask for no node.
    for (const { name } of volume.children(node.id).toSorted((a, b) => compareNames(a.name, b.name))) yield escapeName(name);
    return;
  }
  if (!flags.recursive) {
    const prefix = flags.json ? `${base}/` : "";
    for (const { name, node: child } of entriesOf(volume, node.id)) yield write(volume, prefix + escapeName(name), child);
    return;
  }
  const seen = new Set<number>([node.id]);
  const open: { readonly path: string; readonly entries: Iterator<Entry> }[] = [];
  const enter = (path: string, id: number): void => void open.push({ path, entries: entriesOf(volume, id)[Symbol.iterator]() });
  enter(base, node.id);
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { done, value } = top.entries.next();
    if (done) {
      open.pop();
      continue;
    }
    const { name, node: child } = value as Entry; // not done
    const path = `${top.path}/${escapeName(name)}`;
    yield write(volume, path, child);
    if (child.kind !== "directory") continue;
    if (seen.has(child.id)) {
      throw new FsynthError("corrupt", `"${path}": the directory stands in two places, expected one`, { format: volume.format });
    }
    seen.add(child.id);
    enter(path, child.id);
  }
}

/** In the order of the names; nodes are read in the order of the disk. */
function entriesOf(volume: Volume, id: number): Entry[] {
  return volume
    .children(id)
    .toSorted((a, b) => a.id - b.id)
    .map(({ name, id: child }) => ({ name, node: volume.node(child) }))
    .sort((a, b) => compareNames(a.name, b.name));
}

const LETTERS: Readonly<Record<Kind, string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  "character-device": "c",
  "block-device": "b",
  fifo: "p",
  socket: "s",
};

/** As ls(1) writes modes. */
function modeText(kind: Kind, mode: number): string {
  const triple = (shift: number, special: number, set: string): string => {
    const bits = mode >> shift;
    const run = (bits & 1) !== 0;
    const last = (mode & special) === 0 ? (run ? "x" : "-") : run ? set : set.toUpperCase();
    return ((bits & 4) !== 0 ? "r" : "-") + ((bits & 2) !== 0 ? "w" : "-") + last;
  };
  return LETTERS[kind] + triple(6, 0o4000, "s") + triple(3, 0o2000, "s") + triple(0, 0o1000, "t");
}

/** UTC to the second, or seconds where no calendar reaches. */
function timeText(sec: number): string {
  const date = new Date(sec * 1000);
  return Number.isNaN(date.getTime()) ? String(sec) : date.toISOString().replace(/\.000Z$/, "Z");
}

function isDevice({ kind }: VolumeNode): boolean {
  return kind === "character-device" || kind === "block-device";
}

/** Undefined for one that is encrypted. */
function targetOf(volume: Volume, node: VolumeNode): string | undefined {
  return node.flags.includes("encrypt") ? undefined : volume.target(node.id);
}

function longLine(volume: Volume, name: string, node: VolumeNode): string {
  const { kind, mode, links, uid, gid, size, major, minor, mtime, flags } = node;
  const amount = isDevice(node) ? `${major}, ${minor}` : String(size);
  const target = kind === "symlink" ? ` -> ${escapeName(targetOf(volume, node) ?? "(encrypted)")}` : "";
  const marks = flags.length > 0 ? ` [${flags.join(" ")}]` : "";
  return `${modeText(kind, mode)} ${String(links).padStart(3)} ${`${uid}:${gid}`.padEnd(9)} ${amount.padStart(10)} ${timeText(mtime.sec)} ${name}${target}${marks}`;
}

function jsonLine(volume: Volume, path: string, node: VolumeNode): string {
  const { id, kind, mode, uid, gid, size, links, allocated, flags, atime, mtime, ctime, btime, major, minor } = node;
  const xattrs = [...volume.xattrs(id)].map(([name, value]) => [escapeName(name), toHex(value)] as const);
  return JSON.stringify({
    path: path === "" ? "/" : path,
    kind,
    id,
    mode: mode.toString(8).padStart(4, "0"),
    uid,
    gid,
    size,
    links,
    allocated,
    mtime: formatTime(mtime),
    atime: formatTime(atime),
    ctime: formatTime(ctime),
    btime: btime && formatTime(btime),
    device: isDevice(node) ? `${major}:${minor}` : undefined,
    target: kind === "symlink" ? escaped(targetOf(volume, node)) : undefined,
    xattrs: xattrs.length > 0 ? Object.fromEntries(xattrs) : undefined,
    flags: flags.length > 0 ? flags : undefined,
  });
}

function escaped(target: string | undefined): string | undefined {
  return target === undefined ? undefined : escapeName(target);
}

/** tree.txt of a directory. */
async function manifest(volume: Volume, node: VolumeNode): Promise<string> {
  if (node.kind !== "directory") throw usage(`--manifest is of directories, and this is a ${node.kind}`);
  const { fromImage } = await import("../sources/image.ts");
  const { writeTreeText } = await import("../tree/tree-text-write.ts");
  const tree = await fromImage(
    { ...volume, root: node.id },
    { keepLostFound: true, onWarning: ({ message }) => note(`fsynth: warning: ${message}`) },
  );
  return await writeTreeText(tree, { content: async (_, content) => ({ sha256: await digestOf(content) }) });
}

/** Of all bytes, holes being zeros. */
async function digestOf(content: Content): Promise<string> {
  const hash = host.sha256();
  for await (const { bytes } of dataOf({ size: content.size, read: (offset, target) => content.read(offset, target) })) {
    hash.update(bytes);
  }
  return toHex(hash.digest());
}
