// commander, set up so that every command fails in the same way: one sentence, exit status 2.

import { Command, CommanderError } from "commander";
import { usage } from "./failure.ts";
import { print } from "./print.ts";

/** Reads `args` by `command`. `undefined` after help was shown. Throws `usage` for what does not fit. */
export async function parse(command: Command, args: readonly string[]): Promise<Command | undefined> {
  let shown = "";
  command.configureOutput({
    writeOut: (text) => {
      shown += text;
    },
    writeErr: () => {}, // the sentence is in the error itself
    getOutHelpWidth: () => process.stdout.columns || 100,
  });
  // Choices and defaults stand in the descriptions themselves.
  command.configureHelp({ optionDescription: (option) => option.description });
  command.exitOverride();
  try {
    return command.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) {
      await print(shown);
      return undefined;
    }
    const [first, ...more] = error.message.replace(/^error: /, "").split("\n");
    const hint = more.length > 0 ? ` ${more.join(" ").replace(/^\(Did/, "(did")}` : "";
    throw usage(`${first}${hint}; ${command.name()} --help shows the options`);
  }
}

/** A command named `name`; its help starts with `summary`. */
export function newCommand(name: string, synopsis: string, summary: string): Command {
  return new Command(`fsynth ${name}`)
    .usage(synopsis)
    .description(summary)
    .helpOption("-h, --help", "Shows this.")
    .allowExcessArguments(true);
}
