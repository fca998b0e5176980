// Flags that tell how sources are read, and the tree that they give together.

import { type Command, Option } from "commander";
import type { Warning } from "../image/plan.ts";
import { parseBytes } from "../image/size.ts";
import type { LoadImages, SourceOptions } from "../sources/any-source.ts";
import type { Digested, SourceDigest } from "../sources/digested.ts";
import { Tree } from "../tree/tree.ts";
import { usage } from "./failure.ts";
import { hostPath } from "./path.ts";
import { standardInput } from "./standard-input.ts";

export interface SourceFlags {
  readonly exclude: readonly string[];
  readonly replaceSymlinks?: true;
  readonly hardLinks?: "keep" | "copy";
  readonly xattrs?: "none" | "getfattr";
  readonly spoolDir?: string;
  readonly maxBytes?: number;
  readonly holes?: "detect";
}

const GROUP = "Sources:";

/** Adds the flags of sources. */
export function addSourceFlags(command: Command): void {
  const flags = [
    new Option("--exclude <GLOB>", "Leaves out what matches; without a slash: names at any depth. Can be repeated.")
      .argParser((glob, before: readonly string[]) => [...before, glob])
      .default([], "nothing"),
    new Option(
      "--replace-symlinks",
      "A directory laid over a symlink replaces it, as tar does, instead of going where it leads.",
    ),
    new Option("--hard-links <keep|copy>", "What becomes of hard links in a directory. Default: keep.").choices(["keep", "copy"]),
    new Option("--xattrs <none|getfattr>", "How xattrs of a directory are read: not, or by the tool getfattr.").choices([
      "none",
      "getfattr",
    ]),
    new Option("--spool-dir <DIR>", "Where archives that cannot be read twice are unpacked to. Default: TMPDIR."),
    new Option("--max-bytes <BYTES>", "How much a stream or a compressed archive may hold unpacked. Default: 64G.").argParser(
      (text) => {
        const bytes = parseBytes(text);
        if (bytes === undefined || bytes < 1) throw usage(`option --max-bytes is "${text}"; expected an amount such as 100G`);
        return bytes;
      },
    ),
    new Option("--holes <detect>", "Reads all files first, and makes holes of their runs of zeros.").choices(["detect"]),
  ];
  for (const flag of flags) command.addOption(flag.helpGroup(GROUP));
}

/** Reads the sources, each laid over those before it; `-` is standard input. */
export async function readSources(
  sources: readonly string[],
  flags: SourceFlags,
  onWarning: (warning: Warning) => void,
): Promise<Tree> {
  checkStandardInput(sources);
  const { addAny } = await import("../sources/any-source.ts");
  const images = (): ReturnType<LoadImages> => import("../sources/image.ts");
  const options = sourceOptions(flags, onWarning);
  const tree = new Tree();
  for (const source of sources) await addAny(tree, source === "-" ? standardInput(ARCHIVE) : hostPath(source), options, images);
  await findHoles(tree, flags);
  return tree;
}

/** {@link readSources} with the digest of each. `onDigest` may refuse what it is told by throwing. */
export async function readDigestedSources(
  sources: readonly string[],
  flags: SourceFlags,
  onWarning: (warning: Warning) => void,
  onDigest: (digested: Digested) => void,
): Promise<{ readonly tree: Tree; readonly digests: readonly SourceDigest[] }> {
  checkStandardInput(sources);
  const { addDigestedSource } = await import("../sources/digested.ts");
  const options = sourceOptions(flags, onWarning);
  const tree = new Tree();
  const digests: SourceDigest[] = [];
  for (const source of sources) {
    const input = source === "-" ? standardInput(ARCHIVE) : hostPath(source);
    const [path, stream] = typeof input === "string" ? [input, undefined] : ["-", input];
    digests.push(await addDigestedSource(tree, path, stream, options, onDigest));
  }
  await findHoles(tree, flags);
  return { tree, digests };
}

const ARCHIVE = "an archive, an image or a tree.txt";

function checkStandardInput(sources: readonly string[]): void {
  if (sources.filter((source) => source === "-").length > 1) throw usage("standard input (-) can be read only once");
  if (sources.includes("-")) standardInput(ARCHIVE);
}

async function findHoles(tree: Tree, flags: SourceFlags): Promise<void> {
  if (flags.holes !== "detect") return;
  const { detectHoles } = await import("../tree/holes.ts");
  await detectHoles(tree);
}

/** The options behind the flags. */
export function sourceOptions(flags: SourceFlags, onWarning: (warning: Warning) => void): SourceOptions {
  return {
    exclude: flags.exclude,
    hardLinks: flags.hardLinks,
    xattrs: flags.xattrs,
    replaceSymlinks: flags.replaceSymlinks,
    spoolDirectory: flags.spoolDir === undefined ? undefined : hostPath(flags.spoolDir),
    maxBytes: flags.maxBytes,
    onWarning(warning) {
      // A hint to do what is being done.
      if (warning.code !== "sparse-host-file" || flags.holes !== "detect") onWarning(warning);
    },
  };
}
