// The command line: picks the command, and turns its end into an exit status. What a command needs is loaded when it runs.

import { reportFailure } from "./failure.ts";
import { keepNewSpaceSmall } from "./heap.ts";
import { print } from "./print.ts";
import { catchSignals } from "./signals.ts";
import { version } from "./version.ts";

type Command = (args: readonly string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  build: async () => (await import("./build.ts")).buildCommand,
  ls: async () => (await import("./ls.ts")).lsCommand,
  cat: async () => (await import("./cat.ts")).catCommand,
  extract: async () => (await import("./extract.ts")).extractCommand,
  check: async () => (await import("./check.ts")).checkCommand,
  diff: async () => (await import("./diff.ts")).diffCommand,
  hash: async () => (await import("./hash.ts")).hashCommand,
  inspect: async () => (await import("./inspect.ts")).inspectCommand,
  verify: async () => (await import("./verify.ts")).verifyCommand,
  serve: async () => (await import("./serve.ts")).serveCommand,
  boot: async () => (await import("./boot.ts")).bootCommand,
  formats: async () => (await import("./formats.ts")).formatsCommand,
};

const HELP = `Usage: fsynth COMMAND [options]

Makes file system images in-process: no root, no mkfs, no mount; the same tree gives the same bytes everywhere.

Commands:
  build -f FORMAT -o OUT SOURCE...   turns directories, archives and images into an image
  ls [-l] IMAGE [PATH]               lists what an image holds
  cat IMAGE PATH...                  writes files in an image to standard output
  extract IMAGE (-C DIR|--tar FILE)  takes what an image holds out of it
  check IMAGE                        what is wrong with an image
  diff A B                           what differs: trees first, then bytes and what they belong to
  hash [--tree] SOURCE|IMAGE...      digests of files, or of trees with all they hold
  inspect IMAGE                      what an image is, and what takes its space
  verify RECORD                      rebuilds what build --record FILE wrote down, and explains a difference
  serve -f FORMAT SOURCE...          serves an image that is not written, as a network block device
  boot IMAGE|SOURCE...               boots an image under QEMU
  formats                            what each format can hold

Examples:
  fsynth build -f ext4 -o root.ext4 rootfs/
  fsynth build -f ext4 --size fit+20% -o root.ext4 rootfs.tar.zst
  docker export NAME | fsynth build -f ext2 -o - - | sha256sum

fsynth COMMAND --help tells more about one.
`;

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-V") return await print(`${version()}\n`);
  if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) return await print(HELP);
  const load = Object.hasOwn(COMMANDS, name ?? "") ? COMMANDS[name ?? ""] : undefined;
  if (load) return await (await load())(rest);
  if (name === "help" && COMMANDS[rest[0] ?? ""]) return await main([rest[0] ?? "", "--help"]);
  const { usage } = await import("./failure.ts");
  const { suggestion } = await import("./nearest.ts");
  if (name === undefined) throw usage("no command given; fsynth --help shows them");
  const what = name.startsWith("-") ? "option" : "command";
  throw usage(`unknown ${what} "${name}"${suggestion(name, Object.keys(COMMANDS))}; fsynth --help shows what there is`);
}

keepNewSpaceSmall();
catchSignals();

// What nobody awaits: a standard stream that breaks between two writes, or a bug.
process.on("uncaughtException", (error) => process.exit(reportFailure(error)));

process.exit(await main(process.argv.slice(2)).catch(reportFailure));
