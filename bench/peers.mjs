// The commands that stand beside fsynth: the tools it replaces, and the plain copies below which nobody gets. Each is a
// function from what is known about a scenario to a command for meter.mjs.
//
// A peer says with `needs` which programs it calls, with `missing` why it cannot run, with `floor` that it makes no image.
//
// `context`: `corpus(name)` a path in the folder of corpora; `work` a folder for inputs made on the way; `copyTree` the
// compiled copy-tree.c; `summary` what `fsynth build --json` told about its image, which is how peers that want to be told
// a size or a number of inodes get one.

import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as zlib from "node:zlib";

const beside = (name) => fileURLToPath(new URL(name, import.meta.url));
const quoted = (path) => `'${path.replaceAll("'", "'\\''")}'`;

export const fsynth = (...args) => ({ argv: [process.execPath, beside("../bin/fsynth.js"), ...args] });

/** `fsynth build`; its `--json` tells the others the size. */
export const build = (format, source) => (context) => ({
  ...fsynth("build", "--json", "-f", format, "-o", "OUT", context.corpus(source)),
  summary: true,
});

export const nodeScript = (name, ...args) => ({ argv: [process.execPath, beside(name), ...args] });

/** A twentieth more than fsynth needs, and 32 MiB: other layouts take more. */
function roomyKib({ size }) {
  return Math.ceil((size * 1.05) / 1024) + 32 * 1024;
}

function mke2fsWords(type, source, summary, out) {
  const inodes = summary.inodes - summary.freeInodes + 200;
  return ["-q", "-F", "-t", type, "-b", "4096", "-m", "0", "-N", String(inodes), "-d", source, out, `${roomyKib(summary)}k`];
}

export const mke2fs = (type, name) => ({
  name: "mke2fs -d",
  needs: ["mke2fs"],
  command: (context) => ({ argv: ["mke2fs", ...mke2fsWords(type, context.corpus(name), context.summary, "OUT")] }),
});

/** From version 1.47.1 on, built with libarchive, -d takes a tar; Debian 12 has an older one. */
export const mke2fsTar = (type, name) => ({
  name: "mke2fs -d tar",
  missing: () => (process.env.MKE2FS ? undefined : "MKE2FS names no mke2fs 1.47.1 or later with libarchive"),
  command: (context) => ({ argv: [process.env.MKE2FS, ...mke2fsWords(type, context.corpus(name), context.summary, "OUT")] }),
});

export const unpackAndMke2fs = (type, name) => ({
  name: "tar x + mke2fs -d",
  needs: ["tar", "mke2fs"],
  command(context) {
    const make = mke2fsWords(type, '"$O.d"', context.summary, '"$O"').join(" ");
    return { shell: `mkdir "$O.d" && tar -x -p --numeric-owner -f ${quoted(context.corpus(name))} -C "$O.d" && mke2fs ${make}` };
  },
});

const genext2fs = (flag, name) => ({
  name: "genext2fs",
  needs: ["genext2fs"],
  command({ corpus, summary }) {
    const inodes = summary.inodes - summary.freeInodes + 200;
    const blocks = String(Math.ceil(roomyKib(summary) / 4));
    return { argv: ["genext2fs", "-B", "4096", "-b", blocks, "-N", String(inodes), "-m", "0", flag, corpus(name), "OUT"] };
  },
});
export const genext2fsTar = (name) => genext2fs("-a", name);
export const genext2fsDirectory = (name) => genext2fs("-d", name);

/** From Microsoft's hcsshim; a Go program that Debian does not carry. */
export const tar2ext4 = (name) => ({
  name: "tar2ext4",
  missing: () => (process.env.TAR2EXT4 ? undefined : "TAR2EXT4 names none"),
  command: ({ corpus }) => ({ argv: [process.env.TAR2EXT4, "-i", corpus(name), "-o", "OUT"] }),
});

export const makefs = (name) => ({
  name: "makefs",
  needs: ["makefs"],
  command: ({ corpus }) => ({ argv: ["makefs", "-t", "ffs", "-B", "le", "-o", "version=2", "OUT", corpus(name)] }),
});

export const gnuCpio = (name) => ({
  name: "GNU cpio",
  needs: ["find", "sort", "cpio"],
  command: ({ corpus }) => ({
    shell: `cd ${quoted(corpus(name))} && find . -print0 | sort -z | cpio -0 -o -H newc --reproducible --quiet >"$O"`,
  }),
});

export const bsdtar = (name) => ({
  name: "bsdtar",
  needs: ["bsdtar"],
  command: ({ corpus }) => ({ argv: ["bsdtar", "--format", "newc", "-cf", "OUT", "-C", corpus(name), "."] }),
});
export const bsdtarTar = (name) => ({
  name: "bsdtar",
  needs: ["bsdtar"],
  command: ({ corpus }) => ({ argv: ["bsdtar", "--format", "newc", "-cf", "OUT", `@${corpus(name)}`] }),
});

/** How many of the 200,000 names of `wide` mke2fs is given: its time grows with the square of them. */
const WIDE_PART = 25_000;
const WIDE_ALL = 200_000;
export const mke2fsWide = {
  name: "mke2fs -d",
  needs: ["mke2fs"],
  once: true,
  factor: (WIDE_ALL / WIDE_PART) ** 2,
  note: `the time for ${WIDE_PART.toLocaleString("en")} names, times ${(WIDE_ALL / WIDE_PART) ** 2}, run once`,
  command(context) {
    const part = join(context.work, "wide-part");
    if (!fs.existsSync(part)) {
      const names = fs
        .readdirSync(join(context.corpus("wide"), "d"))
        .sort()
        .slice(0, WIDE_PART);
      fs.mkdirSync(join(part, "d"), { recursive: true });
      for (const name of names) fs.copyFileSync(join(context.corpus("wide"), "d", name), join(part, "d", name));
    }
    const summary = { inodes: WIDE_PART, freeInodes: 0, size: 128 << 20 };
    return { argv: ["mke2fs", ...mke2fsWords("ext4", part, summary, "OUT")] };
  },
};

/** A copy of the same bytes. */
export const cp = (name) => ({
  name: "cp",
  needs: ["cp"],
  floor: true,
  command: ({ corpus }) => ({ argv: ["cp", "--reflink=never", "--sparse=auto", corpus(name), "OUT"] }),
});

export const copyTree = (name) => ({
  name: "C copy of the tree",
  missing: (context) => (context.copyTree ? undefined : "no C compiler"),
  floor: true,
  command: (context) => ({ argv: [context.copyTree, context.corpus(name), "OUT"] }),
});

export const zcat = (name) => ({
  name: "zcat",
  needs: ["zcat"],
  floor: true,
  command: ({ corpus }) => ({ shell: `exec zcat ${quoted(corpus(name))} >/dev/null` }),
});

export const zstd = (name) => ({
  name: "zstd -dc",
  needs: ["zstd"],
  floor: true,
  command: ({ corpus }) => ({ shell: `exec zstd -q -dc ${quoted(corpus(name))} >/dev/null` }),
});

export const inflate = (name) => ({
  name: "Node's inflate",
  floor: true,
  command: ({ corpus }) => nodeScript("floors/inflate.mjs", corpus(name)),
});

export const unzstd = (name) => ({
  name: "zstd decoder",
  floor: true,
  note: zlib.createZstdDecompress ? "that of node:zlib" : "fsynth's own: this Node has none that streams",
  command: ({ corpus }) => nodeScript("floors/unzstd.mjs", corpus(name)),
});

export const emptyScript = {
  name: "empty script",
  floor: true,
  command: () => nodeScript("floors/empty.mjs"),
};

export const nodeStart = {
  name: "node -e 0",
  floor: true,
  command: () => ({ argv: [process.execPath, "-e", "0"] }),
};
