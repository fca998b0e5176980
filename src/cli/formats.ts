// `fsynth formats`: what each format can hold, from the formats' own tables.

import { writers } from "../../formats/writers.ts";
import { flagOf, type Option, type OptionTable } from "../image/options.ts";
import { newCommand, parse } from "./command.ts";
import { usage } from "./failure.ts";
import { print } from "./print.ts";

/** Runs `fsynth formats`; gives the exit status. */
export async function formatsCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("formats", "[--json]", "Tells what each format can hold.").option("--json", "As one JSON array.");
  if (!(await parse(command, args))) return 0;
  if (command.args.length > 0) throw usage(`fsynth formats takes no arguments, found "${command.args[0]}"`);
  return await print(command.opts<{ json?: true }>().json ? `${JSON.stringify(asData(), undefined, 2)}\n` : asText());
}

function asData(): unknown {
  return writers.flatMap((format) =>
    format.profiles.map(({ name, summary, capabilities }) => ({
      name,
      format: format.name,
      summary,
      capabilities,
      options: optionsAsData(format.options),
    })),
  );
}

function optionsAsData(table: OptionTable): unknown {
  return Object.entries(table).map(([name, option]) => {
    const { help, metavar, defaultText, repeats } = option as unknown as Option; // hidden only by the type of all tables
    return { name, flag: flagOf(name), value: metavar, default: defaultText, repeats, help };
  });
}

/** For each format its profiles, then a line for each subject: one value, or each value with the profiles that have it. */
function asText(): string {
  return writers
    .map((format) => {
      const lines = format.profiles.map(({ name, summary }) => `${name.padEnd(16)} ${summary}`);
      const subjects = [...new Set(format.profiles.flatMap(({ capabilities }) => Object.keys(capabilities)))];
      const width = Math.max(0, ...subjects.map((subject) => subject.length));
      for (const subject of subjects) {
        const values = format.profiles.map(({ capabilities }) => worded(capabilities[subject]));
        const words = [...new Set(values)];
        const told =
          words.length === 1
            ? words[0]
            : words
                .map(
                  (word) =>
                    `${word} (${format.profiles.flatMap(({ name }, i) => (values[i] === word ? [name] : [])).join(", ")})`,
                )
                .join("; ");
        lines.push(`  ${subject.padEnd(width)}  ${told}`);
      }
      return `${lines.join("\n")}\n`;
    })
    .join("\n");
}

function worded(value: string | number | boolean | undefined): string {
  return value === true ? "yes" : value === false || value === undefined ? "no" : String(value);
}
