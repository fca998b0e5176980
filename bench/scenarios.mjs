// What is measured, as a table: what fsynth does, what stands beside it, and the goals.
//
// A goal is one of
//   { against, most }       fsynth's time is at most that multiple of the other's; `onTmpfs` where outputs lie in memory
//   { against, plus }       at most the other's time and so many seconds
//   { seconds }             at most so many seconds
//   { peak }                at most so many MiB of memory
//   { entryPeak }           at most so many bytes of peak memory an entry
// `against` names a peer or a floor of the scenario, or is BEST: the fastest peer that made an image.

import * as peers from "./peers.mjs";
import { applianceSources, prepareAppliance, supermin } from "./supermin.mjs";

export const BEST = "best peer";

const { build, fsynth, nodeScript } = peers;
const million = (format, count) => () => ({ ...nodeScript("plan-million.mjs", format, String(count)), reports: true });

/** A quarter of the entries, for which a linear plan takes a quarter of the time. */
const quarter = (format) => ({ name: "250,000 entries", floor: true, command: million(format, 250_000) });
/** Linear, sorted names and caches of the processor included: squares would take sixteen times as long. */
const LINEAR = { against: "250,000 entries", most: 5 };

export const scenarios = [
  {
    name: "start",
    work: "`fsynth --version`",
    corpora: [],
    ours: () => fsynth("--version"),
    peers: [peers.emptyScript, peers.nodeStart],
    goals: [{ against: "empty script", plus: 0.015 }],
  },
  {
    name: "rescue",
    work: "rescue/ → ext2",
    corpora: ["rescue"],
    judge: "e2fsck",
    ours: build("ext2", "rescue"),
    peers: [peers.mke2fs("ext2", "rescue"), peers.genext2fsDirectory("rescue"), peers.copyTree("rescue"), peers.nodeStart],
    goals: [{ against: "node -e 0", plus: 0.035 }, { peak: 75 }],
  },
  {
    name: "rescue.tar",
    work: "rescue.tar → ext2",
    corpora: ["rescue.tar", "rescue"],
    judge: "e2fsck",
    ours: build("ext2", "rescue.tar"),
    peers: [peers.tar2ext4("rescue.tar"), peers.mke2fs("ext2", "rescue"), peers.cp("rescue.tar"), peers.nodeStart],
    goals: [{ against: "node -e 0", plus: 0.035 }, { peak: 75 }],
  },
  {
    name: "rescue-memory",
    work: "rescue → ext2 in a warm process, memory to memory",
    corpora: ["rescue.tar"],
    ours: ({ corpus }) => ({ ...nodeScript("in-process.mjs", "memory", corpus("rescue.tar")), reports: true }),
    peers: [],
    goals: [{ seconds: 0.006 }],
  },
  {
    name: "rescue-file",
    work: "rescue.tar → ext2 in a warm process, file to file",
    corpora: ["rescue.tar"],
    judge: "e2fsck",
    ours: ({ corpus }) => ({ ...nodeScript("in-process.mjs", "file", corpus("rescue.tar"), "OUT"), reports: true }),
    peers: [peers.cp("rescue.tar")],
    goals: [],
  },
  {
    name: "base.tar",
    work: "base.tar → ext4",
    corpora: ["base.tar", "base"],
    judge: "e2fsck",
    ours: build("ext4", "base.tar"),
    peers: [
      peers.tar2ext4("base.tar"),
      peers.mke2fs("ext4", "base"),
      peers.mke2fsTar("ext4", "base.tar"),
      peers.unpackAndMke2fs("ext4", "base.tar"),
      peers.cp("base.tar"),
    ],
    goals: [
      { against: "tar2ext4", most: 0.8 },
      { against: "mke2fs -d", most: 0.28 },
      { against: "tar x + mke2fs -d", most: 0.13 },
      { against: "cp", most: 2.8 },
      { peak: 110 },
    ],
  },
  {
    name: "base",
    work: "base/ → ext4",
    corpora: ["base"],
    judge: "e2fsck",
    ours: build("ext4", "base"),
    peers: [peers.mke2fs("ext4", "base"), peers.copyTree("base")],
    goals: [{ against: "mke2fs -d", most: 0.4, onTmpfs: 0.6 }, { against: "C copy of the tree", most: 1.8 }, { peak: 110 }],
  },
  {
    name: "base-ext2",
    work: "base/ → ext2",
    corpora: ["base"],
    judge: "e2fsck",
    ours: build("ext2", "base"),
    peers: [peers.mke2fs("ext2", "base"), peers.genext2fsDirectory("base"), peers.copyTree("base")],
    goals: [],
  },
  {
    name: "base-ffs2",
    work: "base/ → ffs2",
    corpora: ["base"],
    judge: "fls",
    ours: build("ffs2", "base"),
    peers: [peers.makefs("base"), peers.copyTree("base")],
    goals: [{ against: "makefs", most: 0.65 }, { against: "C copy of the tree", most: 1.7 }, { peak: 110 }],
  },
  {
    name: "base-cpio",
    work: "base/ → cpio",
    corpora: ["base"],
    judge: "bsdtar -tf",
    ours: build("cpio", "base"),
    peers: [peers.bsdtar("base"), peers.gnuCpio("base"), peers.copyTree("base")],
    goals: [
      { against: "bsdtar", most: 0.9 },
      { against: "GNU cpio", most: 0.35 },
      { against: "C copy of the tree", most: 1.6 },
      { peak: 90 },
    ],
  },
  {
    name: "base.tar-cpio",
    work: "base.tar → cpio",
    corpora: ["base.tar", "base"],
    judge: "bsdtar -tf",
    ours: build("cpio", "base.tar"),
    peers: [peers.bsdtarTar("base.tar"), peers.gnuCpio("base"), peers.cp("base.tar")],
    goals: [{ against: "bsdtar", most: 0.6 }, { against: "GNU cpio", most: 0.35 }, { against: "cp", most: 2.5 }, { peak: 90 }],
  },
  {
    name: "base.tar.gz",
    work: "base.tar.gz → ext4",
    corpora: ["base.tar.gz"],
    judge: "e2fsck",
    ours: build("ext4", "base.tar.gz"),
    peers: [peers.mke2fsTar("ext4", "base.tar.gz"), peers.zcat("base.tar.gz"), peers.inflate("base.tar.gz")],
    goals: [{ against: "zcat", most: 0.55 }, { against: "Node's inflate", most: 1.4 }, { peak: 130 }],
  },
  {
    name: "base.tar.zst",
    work: "base.tar.zst → ext4",
    corpora: ["base.tar.zst"],
    judge: "e2fsck",
    ours: build("ext4", "base.tar.zst"),
    peers: [peers.unzstd("base.tar.zst"), peers.zstd("base.tar.zst")],
    goals: [{ against: "zstd decoder", most: 1.3 }, { peak: 150 }],
  },
  {
    name: "many.tar",
    work: "many.tar → ext4",
    corpora: ["many.tar", "many"],
    judge: "e2fsck",
    ours: build("ext4", "many.tar"),
    peers: [
      peers.tar2ext4("many.tar"),
      peers.genext2fsTar("many.tar"),
      peers.mke2fs("ext4", "many"),
      { ...peers.mke2fsTar("ext4", "many.tar"), most: 2 },
      peers.cp("many.tar"),
    ],
    goals: [{ against: BEST, most: 0.3 }, { against: "mke2fs -d", most: 0.4 }, { against: "cp", most: 4 }, { peak: 190 }],
  },
  {
    name: "many",
    work: "many/ → ext4",
    corpora: ["many"],
    judge: "e2fsck",
    ours: build("ext4", "many"),
    peers: [peers.mke2fs("ext4", "many"), peers.copyTree("many")],
    goals: [{ against: "mke2fs -d", most: 0.4 }, { against: "C copy of the tree", most: 2.3 }, { peak: 190 }],
  },
  {
    name: "many-ffs2",
    work: "many/ → ffs2",
    corpora: ["many"],
    judge: "fls",
    ours: build("ffs2", "many"),
    peers: [peers.makefs("many"), peers.copyTree("many")],
    goals: [{ against: "makefs", most: 0.8 }, { peak: 190 }],
  },
  {
    name: "wide.tar",
    work: "wide.tar → ext4",
    corpora: ["wide.tar", "wide"],
    judge: "e2fsck",
    ours: build("ext4", "wide.tar"),
    peers: [peers.tar2ext4("wide.tar"), peers.mke2fsWide, peers.cp("wide.tar")],
    goals: [{ against: "tar2ext4", most: 0.15 }, { against: "mke2fs -d", most: 1 / 500 }, { peak: 300 }],
  },
  {
    name: "wide",
    work: "wide/ → ext4",
    corpora: ["wide", "wide.tar"],
    judge: "e2fsck",
    ours: build("ext4", "wide"),
    peers: [peers.tar2ext4("wide.tar"), peers.mke2fsWide, peers.copyTree("wide")],
    goals: [{ against: "tar2ext4", most: 0.15 }, { against: "mke2fs -d", most: 1 / 500 }, { peak: 300 }],
  },
  {
    name: "big.tar",
    work: "big.tar → ext4",
    corpora: ["big.tar", "big"],
    judge: "e2fsck",
    ours: build("ext4", "big.tar"),
    peers: [{ ...peers.mke2fs("ext4", "big"), most: 2 }, { ...peers.tar2ext4("big.tar"), most: 2 }, peers.cp("big.tar")],
    goals: [{ against: "mke2fs -d", most: 0.1 }, { against: "cp", most: 1.5 }, { peak: 100 }],
  },
  {
    name: "appliance",
    work: "an appliance of installed packages and a kernel's modules → ext2",
    corpora: [],
    prepare: prepareAppliance,
    judge: "e2fsck",
    ours: (context) => fsynth("build", "-f", "ext2", "-o", "OUT", ...applianceSources(context)),
    peers: [supermin],
    goals: [],
  },
  ...["ext4", "ffs2", "cpio"].map((format) => ({
    name: `million-${format}`,
    work: `plan only, 1,000,000 entries, ${format}`,
    corpora: [],
    entries: 1_000_000,
    ours: million(format, 1_000_000),
    peers: [quarter(format)],
    goals: [{ seconds: 3 }, LINEAR, { entryPeak: 1024 }],
  })),
];
