// `fsynth serve`: an image that is not written anywhere, as a network block device or by HTTP.

import { once } from "node:events";
import { type Command, Option } from "commander";
import { writers } from "../../formats/writers.ts";
import { type BuildOptions, buildImage } from "../build.ts";
import type { Image } from "../image/image.ts";
import { resolveOptions, treeOptions } from "../image/options.ts";
import type { Warning } from "../image/plan.ts";
import { parseBytes } from "../image/size.ts";
import { type ImageServer, type ServeEvent, serveImage, storedImage } from "../serve/index.ts";
import { resolveOutput } from "../sinks/output.ts";
import { contentSeed } from "../tree/content-seed.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { loadFiles } from "./file-options.ts";
import { chosenFormat, formatArgument, formatNamed, optionInputs, profileNames } from "./format-choice.ts";
import { addTableFlags, checkGiven, type Given } from "./format-options.ts";
import { hostPath } from "./path.ts";
import { note, print } from "./print.ts";
import { releaseSignals } from "./signals.ts";
import { addSourceFlags, readSources, type SourceFlags } from "./source-options.ts";

interface ServeFlags extends SourceFlags {
  readonly format?: string;
  readonly socket?: string;
  readonly port?: number;
  readonly listen?: string;
  readonly http?: true;
  readonly exportName?: string;
  readonly writable?: true;
  readonly copyOnWrite?: number;
  readonly save?: string;
  readonly maxClients?: number;
  readonly once?: true;
  readonly quiet?: true;
}

/** What --writable may take of memory, bytes. */
const WRITABLE = 1 << 30;

const HELP = `
SOURCE is what fsynth build takes; the image is planned, and what clients read is made when they read it. Without -f, IMAGE is a
file or block device that is served as it is, plain, .gz or .zst. When it can be reached, its URI is printed on one line.

Sources must stay as they are: what changed is an I/O error for clients, and a line here. What clients write (--writable) stays
in memory, is one for all of them, and is gone at the end, unless --save puts the image with all of it into a file. SIGINT and
SIGTERM end the server in order: requests under way are answered, the file is written, the socket is gone.

Examples:
  fsynth serve -f ext4 --socket root.sock rootfs.tar
  qemu-system-x86_64 … -drive file=nbd:unix:root.sock,format=raw,if=virtio,snapshot=on
  fsynth serve -f ext4 --size fit+1G --socket root.sock --writable --save root.ext4 rootfs/
  fsynth serve -f ffs2 --port 10809 rootfs/                nbdcopy nbd://127.0.0.1 disk.img
  fsynth serve -f ext4 --port 8080 --http rootfs.tar       curl -r 1024-2047 http://127.0.0.1:8080/
  fsynth serve --socket old.sock --once root.ext4.zst      until the last client has left

Exit status: 0 ended by SIGINT, SIGTERM or --once; 2 usage, 3 bad or unsupported input, 4 the system failed.`;

/** Runs `fsynth serve`; gives the exit status. */
export async function serveCommand(args: readonly string[]): Promise<number> {
  const synopsis = "[-f FORMAT] [options] SOURCE... (--socket PATH | --port N)";
  const command = newCommand("serve", synopsis, "Serves an image as a network block device without writing it.");
  addServeFlags(command);
  addSourceFlags(command);
  const readGiven = addTableFlags(command, writers, formatNamed(formatArgument(args)));
  command.addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const flags = command.opts<ServeFlags>();
  checkFlags(flags);
  const save = flags.save === undefined ? undefined : hostPath(flags.save);
  if (save !== undefined) resolveOutput(save, false);
  const limit = flags.copyOnWrite ?? (flags.writable ? WRITABLE : undefined);

  releaseSignals();
  const image = await imageOf(command.args, flags, readGiven());
  const watch = new Watch(flags);
  const server = await serveImage(image, {
    socket: flags.socket === undefined ? undefined : hostPath(flags.socket),
    port: flags.port,
    host: flags.listen,
    protocol: flags.http ? "http" : "nbd",
    exportName: flags.exportName,
    overlay: limit === undefined ? undefined : { limit },
    save,
    maxClients: flags.maxClients,
    onEvent: (event) => watch.see(event),
  });
  const ended = watch.end();
  try {
    await print(`${server.uri}\n`);
    await ended;
  } finally {
    await closed(server, save, flags);
  }
  return 0;
}

function addServeFlags(command: Command): void {
  const bytes = (text: string): number => {
    const amount = parseBytes(text);
    if (amount === undefined) throw usage(`option --copy-on-write is "${text}"; expected an amount such as 512M`);
    return amount;
  };
  const whole = (flag: string, least: number, most: number) => (text: string) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw usage(`option ${flag} is "${text}"; expected a whole number from ${least} to ${most}`);
  };
  const flags = [
    new Option("-f, --format <FORMAT>", `One of ${profileNames.join(", ")}. Left out: IMAGE is served as it is.`),
    new Option("--socket <PATH>", "Listens on a socket there, which only its owner can reach; a stale one is replaced."),
    new Option("--port <N>", "Listens on that port of 127.0.0.1; 0 takes one that is free.").argParser(
      whole("--port", 0, 65_535),
    ),
    new Option("--listen <ADDRESS>", "Listens on that address instead, such as 0.0.0.0: whoever reaches it may read, and write."),
    new Option("--http", "Speaks HTTP (GET and HEAD with ranges) instead of NBD."),
    new Option("--export-name <NAME>", "The name of the export; a client that gives none gets it, too. Default: none."),
    new Option("-w, --writable", "Lets clients write, into memory, up to 1 GiB."),
    new Option("--copy-on-write <BYTES>", "The same, up to so much.").argParser(bytes),
    new Option("--save <FILE>", "At the end, writes the image with all that was written to it."),
    new Option("--max-clients <N>", "How many may be connected at once. Default: 256.").argParser(
      whole("--max-clients", 1, 65_536),
    ),
    new Option("--once", "Ends when the last NBD client has left."),
    new Option("-q, --quiet", "Tells of errors alone."),
  ];
  for (const flag of flags) command.addOption(flag);
}

function checkFlags(flags: ServeFlags): void {
  if ((flags.socket === undefined) === (flags.port === undefined)) {
    throw usage("expected either --socket with a path or --port with a number to listen on");
  }
  for (const key of ["socket", "listen", "save"] as const) {
    if (flags[key] === "") throw usage(`option --${key} is empty`, key);
  }
  if (flags.listen !== undefined && flags.port === undefined) throw usage("--listen goes with --port", "listen");
  const writable = flags.writable || flags.copyOnWrite !== undefined;
  if (flags.http && writable) throw usage("--http is for reading; nothing is written by it", "http");
  if (flags.http && flags.once) throw usage("--once is for NBD: HTTP has no last client", "once");
  if (flags.http && flags.exportName !== undefined) throw usage("--export-name is for NBD", "exportName");
  if (flags.save !== undefined && !writable) {
    throw usage("--save is for what clients write: with --writable; fsynth build writes an image as it is", "save");
  }
}

async function imageOf(sources: readonly string[], flags: ServeFlags, given: Given): Promise<Image> {
  const [first, ...more] = sources;
  if (first === undefined) throw usage("nothing to serve: -f FORMAT and sources, or an IMAGE");
  const warn = (warning: Warning): void => {
    if (!flags.quiet) note(`fsynth: warning: ${warning.message}`);
  };
  if (flags.format === undefined) {
    if (more.length > 0 || first === "-") throw usage("-f with a format is needed to make an image of sources", "format");
    if (given.size > 0) throw usage("options of a format need -f: without it IMAGE is served as it is", "format");
    return await storedImage(hostPath(first), {
      spoolDirectory: flags.spoolDir === undefined ? undefined : hostPath(flags.spoolDir),
      maxBytes: flags.maxBytes,
    });
  }
  const { format, profile } = chosenFormat(flags.format);
  checkGiven(given, writers, format, profile);
  const { seeded, inputs } = optionInputs(given, format, undefined);
  loadFiles(inputs, format);
  // What can be refused is refused before the sources are read.
  resolveOptions({ ...treeOptions, ...format.options }, inputs, profile);
  const tree = await readSources(sources, flags, warn);
  const seed = seeded ? await contentSeed(tree) : undefined;
  // The inputs were checked against the tables above.
  const image = buildImage(format, profile, tree, { ...inputs, seed } as BuildOptions);
  for (const warning of image.plan.warnings) warn(warning);
  return image;
}

/** So many different things of each kind are told: clients that go on and on fill no disk, and hide nothing of the sources. */
const MOST_NOTES = { failed: 1000, dropped: 100 } as const;

/** Tells the user what happens, once each, and waits for the end. */
class Watch {
  readonly #flags: ServeFlags;
  readonly #told = { failed: new Set<string>(), dropped: new Set<string>() };
  readonly #last = new AbortController();
  #connected = 0;

  constructor(flags: ServeFlags) {
    this.#flags = flags;
  }

  see({ kind, client, message }: ServeEvent): void {
    if (kind === "connected") this.#connected++;
    if (kind === "disconnected" && --this.#connected === 0) this.#last.abort();
    if (kind !== "failed" && (kind !== "dropped" || this.#flags.quiet)) return;
    const told = this.#told[kind];
    if (told.has(message) || told.size === MOST_NOTES[kind]) return;
    told.add(message);
    note(`fsynth: client ${client}: ${message}`);
    if (told.size === MOST_NOTES[kind]) {
      note(`fsynth: no more is told of ${kind === "failed" ? "what cannot be read" : "clients that are dropped"}`);
    }
  }

  /** Resolves at a signal, or with --once when the last client has left. A second signal ends the process. */
  async end(): Promise<void> {
    const waits: Promise<unknown>[] = [];
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
    for (const signal of signals) waits.push(once(process, signal));
    if (this.#flags.once) waits.push(once(this.#last.signal, "abort"));
    await Promise.race(waits);
  }
}

async function closed(server: ImageServer, save: string | undefined, flags: ServeFlags): Promise<void> {
  const { written } = server;
  await server.close();
  if (save !== undefined && !flags.quiet) note(`fsynth: ${save}: saved with ${written} bytes of memory of what was written`);
}
