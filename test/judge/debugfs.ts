// debugfs as a judge: the whole tree through `ls`, `stat`, `ea_get` and `cat`, many commands a run.

import { decodeName } from "../../src/bytes/names.ts";
import type { Extent } from "../../src/tree/content.ts";
import { digestOf, type JudgedEntry, type Manifest, type Precision, settleNodes, WHOLE } from "./manifest.ts";
import { run } from "./need.ts";

/** Runs commands in one debugfs; gives what each printed. Whatever it says on stderr besides its version is an error. */
export function debugfs(path: string, commands: readonly string[]): Buffer[] {
  // Numbered echoes tell the answers apart, whatever bytes they hold.
  const marks = commands.map((_, i) => `#${i}-of-${commands.length}`);
  const input = commands.flatMap((command, i) => [marks[i] as string, command]).join("\n");
  const { status, stdout, stderr } = run("debugfs", ["-f", "-", path], { input: `${input}\n#end\n` });
  const said = stderr.toString().replace(/^debugfs \d.*\n/, "");
  if (status !== 0 || said !== "") throw new Error(`debugfs: exit status ${status}: ${said}`);
  const answers: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < commands.length; i++) {
    const echo = Buffer.from(`${marks[i]}\ndebugfs: ${commands[i]}\n`);
    const start = stdout.indexOf(echo, at);
    if (start < 0) throw new Error(`debugfs: no answer to ${commands[i]}`);
    at = start + echo.length;
    const next = Buffer.from(`${marks[i + 1] ?? "#end"}\n`);
    const end = stdout.indexOf(next, at);
    if (end < 0) throw new Error(`debugfs: no end of the answer to ${commands[i]}`);
    answers.push(stdout.subarray(at, end));
    at = end;
  }
  return answers;
}

const KINDS: Readonly<Record<string, string>> = {
  FIFO: "fifo",
  "character special": "character-device",
  directory: "directory",
  "block special": "block-device",
  regular: "file",
  symlink: "symlink",
  socket: "socket",
};

interface Listed {
  readonly inode: number;
  readonly name: string;
  readonly directory: boolean;
}

/** What debugfs shows of an image. Content above {@link WHOLE} is left out: debugfs would read every hole. */
export async function debugfsManifest(
  path: string,
  precision: Precision,
  extents: ReadonlyMap<string, readonly Extent[]> = new Map(),
): Promise<Manifest> {
  const names = new Map<string, number>([["/", 2]]);
  for (let level: [string, number][] = [["", 2]]; level.length > 0; ) {
    const listings = debugfs(
      path,
      level.map(([, inode]) => `ls -p <${inode}>`),
    );
    const below: [string, number][] = [];
    level.forEach(([parent], i) => {
      for (const { inode, name, directory } of parseListing(listings[i] as Buffer)) {
        if (inode === 0 || name === "." || name === "..") continue; // inode 0: an unused record
        const at = `${parent}/${decodeName(Buffer.from(name, "latin1"))}`;
        names.set(at, inode);
        if (directory) below.push([at, inode]);
      }
    });
    level = below;
  }
  const inodes = [...new Set(names.values())];
  const entries = new Map<number, JudgedEntry>();
  debugfs(
    path,
    inodes.map((inode) => `stat <${inode}>`),
  ).forEach((answer, i) => {
    entries.set(inodes[i] as number, parseStat(answer.toString("latin1"), precision, inodes[i] as number));
  });
  readXattrs(path, entries);
  await readContents(path, names, entries, extents);
  const manifest: Manifest = new Map([...names].map(([at, inode]) => [at, entries.get(inode) as JudgedEntry]));
  return settleNodes(manifest);
}

/** `/INODE/MODE/UID/GID/NAME/SIZE/` lines; a name may hold line ends but no slash. */
function parseListing(answer: Buffer): Listed[] {
  const fields = answer.toString("latin1").split("/");
  const listed: Listed[] = [];
  for (let i = 1; i + 6 < fields.length; i += 7) {
    const [inode, mode, , , name] = fields.slice(i, i + 5) as [string, string, string, string, string];
    listed.push({ inode: Number(inode), name, directory: mode.startsWith("04") });
  }
  return listed;
}

function parseStat(text: string, precision: Precision, inode: number): JudgedEntry {
  const field = (pattern: RegExp): string => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`debugfs: stat <${inode}> shows no ${pattern}: ${text}`);
    return found;
  };
  const kind = KINDS[field(/Type: (.*?) {2,}Mode:/)] ?? "unknown";
  const time = (name: string): string => {
    const [low, extra] = field(new RegExp(`^ *${name}: 0x([0-9a-f:]+)`, "m"))
      .split(":")
      .map((part) => Number.parseInt(part, 16));
    // ext4's encoding: 32 signed bits, two more above them, 30 of nanoseconds.
    const high = ((extra ?? 0) & 3) * 2 ** 32;
    return `${((low as number) | 0) + high}.${(extra ?? 0) >>> 2}`;
  };
  const entry: JudgedEntry = {
    kind,
    mode: Number.parseInt(field(/Mode: +([0-7]+)/), 8).toString(8),
    owner: `${Number(field(/User: +(-?\d+)/)) >>> 0}:${Number(field(/Group: +(-?\d+)/)) >>> 0}`,
    links: Number(field(/Links: (\d+)/)),
    node: String(inode),
    mtime: time("mtime"),
    atime: time("atime"),
    ctime: time("ctime"),
    xattrs: {},
  };
  if (precision.extra) entry.btime = time("crtime");
  if (kind === "file" || kind === "symlink") entry.size = Number(field(/Size: (\d+)/));
  if (kind === "symlink" && /Fast link dest: "/.test(text)) {
    const start = text.indexOf('Fast link dest: "') + 'Fast link dest: "'.length;
    entry.target = decodeName(Buffer.from(text.slice(start, start + (entry.size as number)), "latin1"));
  }
  if (kind.endsWith("device")) {
    const [major, minor] = field(/Device major\/minor number: (\d+:\d+)/)
      .split(":")
      .map(Number);
    entry.device = `${major}:${minor}`;
  }
  return entry;
}

function readXattrs(path: string, entries: Map<number, JudgedEntry>): void {
  const inodes = [...entries.keys()];
  const wanted: [inode: number, name: string][] = [];
  debugfs(
    path,
    inodes.map((inode) => `ea_list <${inode}>`),
  ).forEach((answer, i) => {
    for (const [, name = ""] of answer.toString("latin1").matchAll(/^ {2}(\S+|(?:[0-9a-f]{2} )+) \(\d+\)/gm)) {
      // A name that is not plain ASCII is shown as the hex of its bytes.
      const bytes = name.endsWith(" ") ? Buffer.from(name.replaceAll(" ", ""), "hex") : Buffer.from(name, "latin1");
      // Where inline data goes on; part of the content, which `cat` shows.
      if (name !== "system.data") wanted.push([inodes[i] as number, bytes.toString()]);
    }
  });
  if (wanted.length === 0) return;
  const commands = wanted.map(([inode, name]) => `ea_get -x <${inode}> ${name}`);
  debugfs(path, commands).forEach((answer, i) => {
    const [inode, name] = wanted[i] as [number, string];
    const value = / \(\d+\)(?: = ([0-9a-f ]*))?\s*$/.exec(answer.toString("latin1"));
    if (!value) throw new Error(`debugfs: ${commands[i]}: ${answer.toString()}`);
    (entries.get(inode) as JudgedEntry).xattrs[name] = asKernelShows(name, (value[1] ?? "").replaceAll(" ", ""));
  });
}

/** In ACLs, debugfs gives the id 0 to entries that have none (owner, group, mask, others), the kernel 2^32-1. */
function asKernelShows(name: string, hex: string): string {
  if (!name.startsWith("system.posix_acl_")) return hex;
  return hex.replace(/^(.{8})(.*)$/, (_, head: string, rows: string) => {
    return (
      head +
      rows.replace(/(01|04|10|20)00(....)00000000|.{16}/g, (row, tag?: string, bits?: string) =>
        tag ? `${tag}00${bits}ffffffff` : row,
      )
    );
  });
}

async function readContents(
  path: string,
  names: ReadonlyMap<string, number>,
  entries: ReadonlyMap<number, JudgedEntry>,
  extents: ReadonlyMap<string, readonly Extent[]>,
): Promise<void> {
  const wanted = [...new Map([...names].map(([at, inode]) => [inode, at]))].filter(([inode]) => {
    const { kind, target, size = 0 } = entries.get(inode) as JudgedEntry;
    return (kind === "file" && size <= WHOLE) || (kind === "symlink" && target === undefined);
  });
  const answers =
    wanted.length === 0
      ? []
      : debugfs(
          path,
          wanted.map(([inode]) => `cat <${inode}>`),
        );
  for (let i = 0; i < wanted.length; i++) {
    const [inode, at] = wanted[i] as [number, string];
    const entry = entries.get(inode) as JudgedEntry;
    let bytes = answers[i] as Buffer;
    // libext2fs shows all of i_block for a shorter file that lies in its inode.
    if (entry.kind === "file" && bytes.length === 60 && (entry.size ?? 0) < 60) bytes = bytes.subarray(0, entry.size);
    if (entry.kind === "symlink") entry.target = decodeName(bytes);
    else if (bytes.length !== entry.size) entry.content = `${bytes.length} bytes`;
    else {
      entry.content = await digestOf(bytes.length, extents.get(at), (offset, target) => {
        target.set(bytes.subarray(offset, offset + target.length));
      });
    }
  }
}
