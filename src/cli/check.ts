// `fsynth check`: what is wrong with an image.

import { escapeName } from "../bytes/names.ts";
import { checkImage } from "../sources/check.ts";
import { newCommand, parse } from "./command.ts";
import { STATUS, usage } from "./failure.ts";
import { hostPath } from "./path.ts";
import { print } from "./print.ts";
import { standardInput } from "./standard-input.ts";

const HELP = `
IMAGE is any image that fsynth opens, plain or compressed by gzip or zstd; - is standard input. Changes nothing. Prints a line
for each problem: the place, what was found, what was expected.

Exit status: 0 when nothing is wrong, 1 when something is, 3 for what is no image or needs features that fsynth does not know.

Examples:
  fsynth check root.ext4
  fsynth check --json root.ext4 | jq '.[].code'`;

/** Runs `fsynth check`; gives the exit status. */
export async function checkCommand(args: readonly string[]): Promise<number> {
  const command = newCommand("check", "[--json] IMAGE", "Checks an image for everything that can be wrong with it.")
    .option("--json", "As one JSON array of { code, place, found, expected }; the codes are stable.")
    .addHelpText("after", HELP);
  if (!(await parse(command, args))) return 0;
  const [image, ...more] = command.args;
  if (image === undefined) throw usage("no IMAGE given: a file, a block device, or - for standard input");
  if (more.length > 0) throw usage(`fsynth check takes one IMAGE, found "${more[0]}" as well`);
  const problems = await checkImage(image === "-" ? standardInput("an image") : hostPath(image));
  const status = problems.length > 0 ? STATUS.found : 0;
  if (command.opts<{ json?: true }>().json) await print(`${JSON.stringify(problems, undefined, 2)}\n`);
  else if (status === 0) await print(`${escapeName(image)}: nothing is wrong\n`);
  else await print(problems.map(({ place, found, expected }) => `${place}: ${found}, expected ${expected}\n`).join(""));
  return status;
}
