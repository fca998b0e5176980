// Small images with something of everything, to be damaged.

import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesContent, sparseContent } from "../../src/tree/content.ts";
import { Tree } from "../../src/tree/tree.ts";
import { buildExt, type ExtBuildOptions, type ExtProfileName } from "./ext.ts";
import { runOk } from "./need.ts";

/** Data of `count` blocks with holes between: as many extents. */
function scattered(blockSize: number, count: number): ReturnType<typeof sparseContent> {
  const extents = Array.from({ length: count }, (_, i) => ({ offset: i * 2 * blockSize, length: blockSize }));
  const size = count * 2 * blockSize;
  return sparseContent(size, extents, bytesContent(new Uint8Array(count * blockSize).fill(0x5a)));
}

/** Files, directories, links and attributes of all sorts. */
export function patientTree(blockSize: number, xattrs: boolean, large = false): Tree {
  const tree = new Tree();
  const when = { mtime: 1_700_000_000 };
  tree.chmod("/", 0o755);
  tree.file("/empty", "", when);
  tree.file("/small", "hello\n", when);
  tree.file("/blocks", new Uint8Array(blockSize * 20 + 5).fill(0x61), when);
  tree.file("/scattered", scattered(blockSize, 4), when);
  tree.file("/tree", scattered(blockSize, 6), when);
  if (blockSize === 1024) tree.file("/deep", scattered(blockSize, 400), when);
  tree.file(
    "/double",
    sparseContent(
      blockSize * 300,
      [{ offset: blockSize * 290, length: blockSize }],
      bytesContent(new Uint8Array(blockSize).fill(0x62)),
    ),
    when,
  );
  tree.link("/linked", "/small");
  tree.directory("/dir/sub/below", when);
  tree.directory("/dir/empty", when);
  for (let i = 0; i < 12; i++) tree.file(`/dir/name-${i}`, String(i), when);
  for (let i = 0; i < 160; i++) tree.file(`/many/a-name-that-is-a-little-longer-${i}`, "", when);
  tree.symlink("/short", "small", when);
  tree.symlink("/long", `/${"x".repeat(90)}`, when);
  tree.device("/character", "c", 4, 5, when);
  tree.device("/block", "b", 300, 70000, when);
  tree.fifo("/fifo", when);
  tree.socket("/socket", when);
  if (xattrs) {
    const value = new Uint8Array(40).fill(0x31);
    const long = new Uint8Array(300).fill(0x32);
    tree.file("/attributes", "a", { ...when, xattrs: { "user.one": value, "user.two": new Uint8Array(0) } });
    for (const name of ["/shared-1", "/shared-2"])
      tree.file(name, "s", { ...when, xattrs: { "user.big": long, "user.other": value } });
    tree.symlink("/named", "small", { ...when, xattrs: { "trusted.x": value, "trusted.long": long } });
    tree.directory("/dir/acl", { ...when, xattrs: { "user.d": value } });
    if (large) tree.file("/value", "v", { ...when, xattrs: { "user.huge": new Uint8Array(blockSize + 500).fill(0x33) } });
  }
  return tree;
}

export interface PatientRecipe {
  readonly name: string;
  readonly make: (folder: string) => Promise<Uint8Array>;
}

function ours(name: string, profile: ExtProfileName, options: ExtBuildOptions): PatientRecipe {
  const blockSize = Number(options.blockSize ?? 4096);
  const features = (options.features ?? []) as readonly string[];
  return {
    name,
    make: async () =>
      buildExt(profile, patientTree(blockSize, profile !== "ext2-netbsd", features.includes("ea_inode")), options).bytes(),
  };
}

/** By mke2fs, of what our ext4 image is unpacked to by nobody: its files come from the tree alone. */
function foreign(name: string, megabytes: number, ...args: readonly string[]): PatientRecipe {
  return {
    name,
    async make(folder) {
      const path = join(folder, `${name.replaceAll(/[^a-z0-9]+/g, "-")}.made`);
      const commands = join(folder, "commands");
      writeFileSync(path, "");
      truncateSync(path, megabytes << 20);
      runOk("mke2fs", [
        "-q",
        "-F",
        "-U",
        "6a2b1c9e-1111-4222-8333-444455556666",
        "-E",
        "hash_seed=0f1e2d3c-1111-4222-8333-444455556666",
        ...args,
        path,
      ]);
      const file = join(folder, "content");
      writeFileSync(file, new Uint8Array(50_000).fill(0x63));
      const lines = [
        "mkdir /dir",
        "mkdir /dir/sub",
        `write ${file} /dir/file`,
        `write ${file} /file`,
        "symlink /short dir",
        `symlink /long ${"y".repeat(70)}`,
      ];
      lines.push(
        "mknod null c 1 3",
        "mknod pipe p",
        "ea_set /file user.name value",
        "ln /file /other",
        "sif /other links_count 2",
      );
      for (let i = 0; i < 30; i++) lines.push(`mkdir /dir/d${i}`);
      writeFileSync(commands, lines.join("\n"));
      runOk("debugfs", ["-w", "-f", commands, path]);
      return new Uint8Array(readFileSync(path));
    },
  };
}

export const OUR_PATIENTS: readonly PatientRecipe[] = [
  ours("ext2 of 1 KiB", "ext2", { blockSize: 1024, size: "fit+200K", inodes: "fit+20" }),
  ours("ext2 of 4 KiB, 128-byte inodes", "ext2", { inodeSize: 128, size: "fit+200K", inodes: "fit+20" }),
  ours("ext2-netbsd", "ext2-netbsd", { blockSize: 1024, size: "fit+9M", inodes: "fit+2000" }),
  ours("ext3 of 1 KiB", "ext3", { blockSize: 1024, size: "fit+100K" }),
  ours("ext4 of 1 KiB", "ext4", { blockSize: 1024, size: "fit+9M", inodes: "fit+100" }),
  ours("ext4 of 4 KiB without journal", "ext4-nojournal", { size: "fit+100K", inodes: "fit+50" }),
  ours("ext4 with all of xattrs and data in inodes", "ext4", {
    blockSize: 1024,
    size: "fit+100K",
    features: ["inline_data", "ea_inode"],
  }),
  ours("ext4 with uninit_bg", "ext4-nojournal", { blockSize: 1024, size: "fit+9M", inodes: "fit+2000", features: ["uninit_bg"] }),
  ours("ext4 without checksums", "ext4-nojournal", {
    blockSize: 1024,
    size: "fit+100K",
    features: ["^metadata_csum", "inline_data", "ea_inode"],
  }),
  ours("ext4 with meta_bg", "ext4-nojournal", { blockSize: 1024, size: "fit+9M", features: ["meta_bg", "metadata_csum_seed"] }),
];

export const FOREIGN_PATIENTS: readonly PatientRecipe[] = [
  foreign("mke2fs ext4 bigalloc", 8, "-t", "ext4", "-b", "1024", "-O", "bigalloc,^has_journal", "-C", "4096"),
  foreign("mke2fs ext4 orphan_file", 8, "-t", "ext4", "-b", "1024", "-O", "orphan_file"),
  foreign("mke2fs ext3", 6, "-t", "ext3", "-b", "1024"),
  foreign("mke2fs ext2 sparse_super2", 5, "-t", "ext2", "-b", "1024", "-g", "2048", "-O", "sparse_super2,^resize_inode"),
];
