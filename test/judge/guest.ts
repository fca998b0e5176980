// Guests for boots: a root of busybox with a script as its init, and what such scripts print about the files they see.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { escapeName } from "../../src/bytes/names.ts";
import { Tree } from "../../src/tree/tree.ts";
import { findTool } from "./need.ts";

/** Ends the machine with everything written. The root is made read-only, so that its file system is clean. */
export const POWER_OFF = "sync; mount -o remount,ro / 2> /dev/null; poweroff -f; sleep 60";

/** A root that runs `script` with busybox's commands, /proc, /sys and /dev. */
export function busyboxRoot(script: string): Tree {
  const tree = new Tree();
  tree.file("/bin/busybox", readFileSync(findTool("busybox") as string), { mode: 0o755 }); // the tests need it
  for (const folder of ["/dev", "/proc", "/sys", "/mnt", "/tmp", "/run"]) tree.directory(folder);
  // As few links as are used: a root that is just large enough has no inodes to spare.
  const names =
    "sh mount umount cat ls find sort xargs sha256sum sync poweroff sleep echo mkdir insmod ip nc readlink grep basename";
  for (const name of names.split(" ")) tree.symlink(`/bin/${name}`, "busybox");
  const init = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
[ -e /dev/null ] || mount -t devtmpfs devtmpfs /dev
${script}
${POWER_OFF}
`;
  return tree.file("/sbin/init", init, { mode: 0o755 });
}

/** Shell that prints a line `SUM tag digest path` for each file under a folder, once it is mounted. */
export const SUMS = `sums() { # TAG FOLDER
  (cd "$2" && find . -xdev -type f | sort | while IFS= read -r file; do
    echo "SUM $1 $(sha256sum < "$file" | { read -r sum rest; echo "$sum"; }) $file"
  done)
  echo "END OF $1"
}`;

/** The lines that {@link SUMS} printed for `tag`, sorted. */
export function sumsOf(console: string, tag: string): string[] {
  if (!console.includes(`END OF ${tag}`)) return [`the console lacks END OF ${tag}`];
  const lines = console.split(/\r*\n/).flatMap((line) => /^SUM (\S+) (.*)$/.exec(line)?.slice(1, 3) ?? []);
  const own: string[] = [];
  for (let i = 0; i < lines.length; i += 2) if (lines[i] === tag) own.push(lines[i + 1] as string); // pairs
  return own.sort();
}

/** The lines that a tree should give. */
export async function expectedSums(tree: Tree): Promise<string[]> {
  const lines: string[] = [];
  for (const [path, node] of tree.entries()) {
    if (node.kind !== "file") continue;
    const bytes = new Uint8Array(node.content.size);
    await node.content.read(0, bytes);
    lines.push(`${createHash("sha256").update(bytes).digest("hex")} .${escapeName(path)}`);
  }
  return lines.sort();
}

/** A tree with what file systems map differently: small, empty, long, sparse and many. */
export function mixedTree(pattern: (size: number, fill: number) => Uint8Array, seed: number): Tree {
  const tree = new Tree();
  tree.file("/empty", "").file("/one byte", "1").file("/a/b/c/deep", `deep ${seed}\n`);
  for (const [i, size] of [511, 512, 4095, 4097, 50_000, 70_001, 1_300_000].entries())
    tree.file(`/sizes/${size}`, pattern(size, seed + i));
  for (let i = 0; i < 150; i++) tree.file(`/many/file number ${i}`, `${seed} ${i}`);
  return tree.symlink("/link", "a/b").link("/second name", "/sizes/50000").directory("/lost+found", { mode: 0o700 });
}
