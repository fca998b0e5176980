// FFS images before their judges: sleuthkit (fls, icat), GRUB (grub-fstest), and where a BSD brings it,
// fsck_ffs.

import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ffs } from "../../formats/ffs/index.ts";
import { type BuildOptions, buildImage } from "../../src/build.ts";
import { decodeName } from "../../src/bytes/names.ts";
import type { Image } from "../../src/image/image.ts";
import { entryName, type Snapshot, takeSnapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { type Recipe, recipeArbitrary, type TreeLimits } from "../arbitrary/tree.ts";
import { findTool, need, run, runOk } from "./need.ts";

export const PROFILES = ["ffs1", "ffs2", "ffs2ea"] as const;
export type FfsProfileName = (typeof PROFILES)[number];
export const BYTE_ORDERS = ["little", "big"] as const;
/** Blocks and fragments, from the smallest to the largest. */
export const SIZES = [
  [4096, 512],
  [4096, 4096],
  [8192, 1024],
  [16384, 2048],
  [32768, 4096],
  [65536, 8192],
  [65536, 65536],
] as const;

export type FfsBuildOptions = BuildOptions<typeof ffs.options>;

/** What random trees for an image of these options may hold. */
export function limitsOf(profile: FfsProfileName, blockSize: number): TreeLimits {
  return {
    blockSize,
    xattrBytes: 0,
    maxTarget: 1023,
    maxMajor: 0xfff,
    maxMinor: 0xfffff,
    minTime: -(2 ** 31),
    maxTime: profile === "ffs1" ? 2 ** 31 - 1 : 2 ** 36,
    maxFile: profile === "ffs1" ? 2 ** 33 : 2 ** 36,
    maxCrowd: 400,
  };
}

export function optionsArbitrary(profile: FfsProfileName): fc.Arbitrary<FfsBuildOptions> {
  return fc
    .record({
      sizes: fc.constantFrom(...SIZES),
      byteOrder: fc.constantFrom(...BYTE_ORDERS),
      size: fc.constantFrom("fit", "fit", "fit+1", "fit+30%", "fit+700K", "fit+9M", "fit+300M"),
      inodes: fc.constantFrom("fit", "fit", "fit+1", "fit+1000", "1/8192"),
      minfree: fc.constantFrom(0, 5, 5, 20),
      optimization: fc.constantFrom("time" as const, "space" as const),
      label: fc.constantFrom("", "root", "thirty-two bytes are the most of."),
      superblock: profile === "ffs1" ? fc.constant(8192 as const) : fc.constantFrom(8192 as const, 65536 as const),
    })
    .map(({ sizes: [blockSize, fragmentSize], label, ...rest }) => ({
      blockSize,
      fragmentSize,
      label: label.slice(0, 32),
      ...rest,
    }));
}

/** A tree and the options of an image that can hold it. */
export function buildArbitrary(profile: FfsProfileName, maxEntries?: number): fc.Arbitrary<readonly [FfsBuildOptions, Recipe]> {
  return optionsArbitrary(profile).chain((options) =>
    fc.tuple(fc.constant(options), recipeArbitrary(limitsOf(profile, Number(options.blockSize)), maxEntries)),
  );
}

export function buildFfsProfile(profile: FfsProfileName, tree: Tree, options: FfsBuildOptions = {}): Image {
  return buildImage(ffs, profile, tree, options);
}

/** A folder for images that goes when `work` is done. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "fsynth-ffs-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function needReaders(): boolean {
  return need("fls", "icat", "grub-fstest");
}

/** What fsck_ffs says beyond its pass lines; nothing where there is no fsck_ffs, which only BSDs have. */
export function fsckFfs(path: string): string[] {
  if (!findTool("fsck_ffs")) return [];
  const { stdout, stderr } = run("fsck_ffs", ["-F", "-f", "-n", path]);
  const known = /^(\*\* .*|\d+ files, \d+ used, \d+ free \(.*\)|)$/;
  return Buffer.concat([stdout, stderr])
    .toString()
    .split("\n")
    .filter((line) => !known.test(line));
}

/** As sleuthkit shows names: control characters as `^`. */
function shownName(name: Uint8Array): string {
  return decodeName(name).replace(/[\u0000-\u001f]/g, "^");
}

/** Bytes that are not UTF-8 lead sleuthkit to show something else for all around them. */
const BROKEN = /[\udc80-\udcff]/u;

interface Shown {
  readonly inode: number;
  readonly path: string;
  readonly node: SnapshotNode;
}

/** All entries of a snapshot by the paths that sleuthkit shows. */
function shownEntries(snapshot: Snapshot): Shown[] {
  const all: Shown[] = [];
  const visit = (index: number, path: string): void => {
    const { first, count } = snapshot.nodes[index] as SnapshotNode;
    for (let entry = first; entry < first + count; entry++) {
      const child = snapshot.entryNode[entry] as number;
      const node = snapshot.nodes[child] as SnapshotNode;
      const at = `${path}/${shownName(entryName(snapshot, entry))}`;
      all.push({ inode: child + 2, path: at, node });
      if (node.kind === "directory") visit(child, at);
    }
  };
  visit(0, "");
  return all;
}

const LETTERS: Readonly<Record<SnapshotNode["kind"], string>> = {
  file: "r",
  directory: "d",
  symlink: "l",
  "character-device": "c",
  "block-device": "b",
  fifo: "p",
  socket: "s",
};

function modeText({ kind, mode }: SnapshotNode): string {
  const letter = (bit: number, char: string): string => ((mode & bit) !== 0 ? char : "-");
  const special = (execute: number, bit: number, lower: string): string =>
    (mode & bit) === 0 ? letter(execute, "x") : (mode & execute) !== 0 ? lower : lower.toUpperCase();
  const bits = [
    letter(0o400, "r"),
    letter(0o200, "w"),
    special(0o100, 0o4000, "s"),
    letter(0o040, "r"),
    letter(0o020, "w"),
    special(0o010, 0o2000, "s"),
    letter(0o004, "r"),
    letter(0o002, "w"),
    special(0o001, 0o1000, "t"),
  ];
  // Where it shows a mode, sleuthkit calls sockets `h`.
  return `${kind === "socket" ? "h" : LETTERS[kind]}${bits.join("")}`;
}

function listed(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

/** sleuthkit reads no more of a target than its first fragment. */
const SHOWN_TARGET = 300;

/** What sleuthkit sees that is not `snapshot`: names, kinds, modes, owners, sizes, times in seconds, targets. */
export function sleuthkitComplaints(path: string, snapshot: Snapshot): string[] {
  const entries = shownEntries(snapshot);
  const withTarget = ({ path: at, node }: Shown): string => (node.target ? `${at} -> ${shownName(node.target)}` : at);
  // Inodes whose names it does not show as they are.
  const control = ({ node: { target } }: Shown): boolean => target?.some((byte) => byte < 0x20) === true;
  const broken = new Set(entries.filter((entry) => BROKEN.test(withTarget(entry)) || control(entry)).map(({ inode }) => inode));
  const found = runOk("fls", ["-f", "ufs", "-r", "-p", "-m", "/", path])
    .toString()
    // A target may hold line ends.
    .split(/\n(?=0\|\/)|\n$/)
    .filter((line) => line !== "" && !line.includes("|/$OrphanFiles|"))
    .map((line) => {
      // 0|NAME|INODE|MODE|UID|GID|SIZE|ATIME|MTIME|CTIME|BIRTH; a name may hold a bar.
      const fields = line.split("|");
      const [inode, mode, uid, gid, size, ...times] = fields.slice(-9) as [string, string, string, string, string, ...string[]];
      const name = broken.has(Number(inode)) ? "?" : fields.slice(1, -9).join("|");
      return shownLine(name, Number(inode), mode, Number(uid), Number(gid), Number(size), times.slice(0, 3).map(Number));
    });
  const expected = entries.map((entry) => {
    const { inode, node } = entry;
    const name = broken.has(inode) ? "?" : withTarget(entry);
    const times = [node.atime, node.mtime, node.ctime].map(({ sec }) => sec);
    const size = node.content?.size ?? node.target?.length ?? 0;
    return shownLine(name, inode, `${LETTERS[node.kind]}/${modeText(node)}`, node.uid, node.gid, size, times);
  });
  const complaints: string[] = [];
  const a = listed(found);
  const b = listed(expected);
  for (const [line, count] of a) if (b.get(line) !== count) complaints.push(`fls: found ${line}`);
  for (const [line, count] of b) if (a.get(line) !== count) complaints.push(`fls: expected ${line}`);
  return complaints;
}

/** Sizes of directories are the format's own, and of times sleuthkit has 32 bits. */
function shownLine(
  name: string,
  inode: number,
  mode: string,
  uid: number,
  gid: number,
  size: number,
  times: readonly number[],
): string {
  const arrow = name.indexOf(" -> ");
  const cut = mode.startsWith("l") ? name.slice(0, arrow + SHOWN_TARGET) : name;
  const ids = [uid, gid].map((id) => id >>> 0).join(":");
  return `${inode} ${mode} ${ids} ${mode.startsWith("d") ? "" : size} ${times.map((sec) => sec >>> 0).join(" ")} ${cut}`;
}

/** Contents as icat reads them, of at most `most` files without holes, which it stumbles over, and no more than 4 MiB each. */
export async function icatComplaints(path: string, snapshot: Snapshot, most = 12): Promise<string[]> {
  const complaints: string[] = [];
  const files = snapshot.nodes
    .map((node, index) => ({ node, inode: index + 2 }))
    .filter(({ node: { content } }) => content && !content.extents && content.size > 0 && content.size <= 4 << 20)
    .sort((x, y) => (y.node.content?.size ?? 0) - (x.node.content?.size ?? 0))
    .slice(0, most);
  for (const { node, inode } of files) {
    const wanted = new Uint8Array(node.content?.size ?? 0);
    await node.content?.read(0, wanted);
    const found = runOk("icat", ["-f", "ufs", path, String(inode)]);
    if (!found.equals(wanted)) complaints.push(`icat: inode ${inode} of ${wanted.length} bytes has another content`);
  }
  return complaints;
}

/** Whether GRUB knows this kind: UFS1 in both orders, UFS2 in little only. */
export function grubKnows(profile: FfsProfileName, order: "little" | "big"): boolean {
  return profile === "ffs1" || (profile === "ffs2" && order === "little");
}

/** Compares files by paths of letters, digits, `-`, `_` and `.` with what GRUB reads. */
export async function grubComplaints(
  path: string,
  snapshot: Snapshot,
  folder: string,
  options: FfsBuildOptions,
  most = 6,
): Promise<string[]> {
  // GRUB 2.06 does not swap what stands in indirect blocks.
  const longest = options.byteOrder === "big" ? 12 * Number(options.blockSize ?? 16384) : 1 << 20;
  const plain = shownEntries(snapshot).filter(
    ({ path: at, node }) => /^[\w./-]{1,200}$/.test(at) && node.content && node.content.size > 0 && node.content.size <= longest,
  );
  const complaints: string[] = [];
  for (const { path: at, node } of plain.slice(0, most)) {
    const wanted = new Uint8Array(node.content?.size ?? 0);
    await node.content?.read(0, wanted);
    const local = join(folder, "wanted");
    writeFileSync(local, wanted);
    const { status, stdout, stderr } = run("grub-fstest", [path, "cmp", at, local]);
    if (status !== 0) complaints.push(`grub-fstest: ${at}: ${Buffer.concat([stdout, stderr]).toString()}`);
  }
  return complaints;
}

/** Builds and judges. */
export async function judgeBuild(profile: FfsProfileName, tree: Tree, options: FfsBuildOptions): Promise<string[]> {
  return inFolder(async (folder) => {
    const path = join(folder, "image");
    await buildFfsProfile(profile, tree, options).writeTo(path);
    const snapshot = takeSnapshot(tree);
    // sleuthkit and fsck_ffs read at 256 KiB while they look for a superblock, and give up where a device ends before.
    if (statSync(path).size < 1 << 19) truncateSync(path, 1 << 19);
    const complaints = fsckFfs(path).map((line) => `fsck_ffs: ${line}`);
    const order = options.byteOrder === "big" ? "big" : "little";
    if (grubKnows(profile, order)) complaints.push(...(await grubComplaints(path, snapshot, folder, options)));
    // sleuthkit does not look for UFS2 at 8192.
    if (profile !== "ffs1" && options.superblock === 8192) return complaints;
    complaints.push(...sleuthkitComplaints(path, snapshot));
    complaints.push(...(await icatComplaints(path, snapshot)));
    return complaints;
  });
}
