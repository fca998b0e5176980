// `npm run golden`: builds every case and compares; `npm run golden -- --update` writes what the cases expect from now on. Names
// of cases, or the front of them, choose some.

import { fileURLToPath } from "node:url";
import { buildCase, compareCase, compareList, type GoldenCase, goldenCases, updateCase, updateList } from "./cases.ts";

const top = fileURLToPath(new URL("../../golden-images", import.meta.url));

/** The cases to build; a sentence where the words choose none. */
function chosen(all: readonly GoldenCase[], words: readonly string[]): readonly GoldenCase[] | string {
  const option = words.find((word) => word.startsWith("-"));
  if (option !== undefined) return `there is no option ${option}; the only one is --update`;
  const lost = words.filter((word) => !all.some(({ name }) => name.startsWith(word)));
  if (lost.length > 0) return `no case is called ${lost.join(", ")}, nor starts so`;
  return all.filter(({ name }) => words.length === 0 || words.some((front) => name.startsWith(front)));
}

/** Whether npm may have kept an --update that stood before "--"; npm 11 takes it for short for --update-notifier. */
function keptByNpm(): boolean {
  return process.env.npm_config_update === "true" || process.env.npm_config_update_notifier === "true";
}

/** The exit status: 0 as expected or updated, 1 something differs or cannot be built, 2 misuse. */
async function main(args: readonly string[]): Promise<number> {
  const update = args.includes("--update");
  const words = args.filter((word) => word !== "--update");
  const all = goldenCases(top);
  const cases = chosen(all, words);
  if (typeof cases === "string") {
    console.error(cases);
    return 2;
  }
  const differ: string[] = [];
  const failed: string[] = [];
  for (const golden of cases) {
    try {
      const result = await buildCase(golden);
      const told = compareCase(golden, result);
      if (told === undefined) continue;
      console.log(`${told}\n`);
      differ.push(golden.name);
      if (update) updateCase(golden, result);
    } catch (error) {
      console.log(`${golden.name}: ${error instanceof Error ? error.message : String(error)}\n`);
      failed.push(golden.name);
    }
  }
  const list = compareList(top, all);
  if (list !== undefined) console.log(`${list}\n`);
  if (update) updateList(top, all);
  if (differ.length > 0) console.log(`${update ? "updated" : "not as expected"}: ${differ.join(", ")}`);
  if (failed.length > 0) console.log(`cannot be built: ${failed.join(", ")}`);
  console.log(`${cases.length - differ.length - failed.length} of ${cases.length} golden images are as expected`);
  if (!update && (differ.length > 0 || list !== undefined) && keptByNpm()) {
    console.error('npm took --update for itself: did you mean "npm run golden -- --update"?');
  }
  return failed.length > 0 || (!update && (differ.length > 0 || list !== undefined)) ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
