// `fsynth hash`: of a file its bytes, of a tree all that it holds. Each line says which.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";
import { escapeName } from "../bytes/names.ts";
import { Turns } from "../host/turn.ts";
import { treeDigest } from "../tree/digest.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { hostPath } from "./path.ts";
import { note, print } from "./print.ts";
import { addSourceFlags, readSources } from "./source-options.ts";
import { standardInput } from "./standard-input.ts";

const HELP = `
Prints a line for each:
  sha256 DIGEST image NAME    of the bytes of a file, whatever they are
  tree DIGEST NAME            of a tree: names, metadata, hard links, contents and holes; the same for sources that give the
                              same images. For a directory, and for any source with --tree.

Examples:
  fsynth hash root.ext4
  fsynth hash --tree rootfs.tar.zst rootfs/
  docker export NAME | fsynth hash --tree -`;

/** Bytes read at once. */
const WINDOW = 8 << 20;

/** Runs `fsynth hash`; gives the exit status. */
export async function hashCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("hash", "[--tree] [options] SOURCE|IMAGE...", "Digests of images, or of trees with all they hold.");
  command.option("--tree", "Of the tree that a source holds, instead of its bytes.");
  addSourceFlags(command);
  command.addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const flags = command.opts<{ tree?: true; exclude: readonly string[] }>();
  if (command.args.length === 0) throw usage("nothing to hash given: a file, a directory, or - for standard input");
  for (const source of command.args) {
    const name = source === "-" ? source : escapeName(hostPath(source));
    if (flags.tree || (source !== "-" && host.files.stat(hostPath(source))?.kind === "directory")) {
      const tree = await readSources([source], flags, ({ message }) => note(`fsynth: warning: ${message}`));
      await print(`tree ${await treeDigest(tree)} ${name}\n`);
    } else {
      const input = source === "-" ? standardInput("an image") : hostPath(source);
      const digest = typeof input === "string" ? await pathDigest(input) : await streamDigest(input);
      await print(`sha256 ${digest} image ${name}\n`);
    }
  }
  return 0;
}

function pathDigest(path: string): Promise<string> {
  const kind = host.files.stat(path)?.kind;
  return kind === "fifo" || kind === "character-device" ? streamDigest(host.files.readStream(path)) : fileDigest(path);
}

async function fileDigest(path: string): Promise<string> {
  const hash = host.sha256();
  const turns = new Turns();
  const file = host.files.openRead(path);
  try {
    const window = new Uint8Array(WINDOW);
    for (let at = 0, count = WINDOW; count === WINDOW; at += count) {
      count = file.readAt(at, window);
      hash.update(window.subarray(0, count));
      if (turns.due()) await turns.take();
    }
  } finally {
    file.close();
  }
  return toHex(hash.digest());
}

async function streamDigest(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = host.sha256();
  for await (const chunk of stream) hash.update(chunk);
  return toHex(hash.digest());
}
