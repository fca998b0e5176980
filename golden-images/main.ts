// `npm run golden`: builds every case and compares; `npm run golden -- --update` writes what the cases expect from now on. Names
// of cases, or the front of them, choose some.

import { buildCase, compareCase, goldenCases, updateCase } from "./cases.ts";

const update = process.argv.includes("--update");
const wanted = process.argv.slice(2).filter((word) => word !== "--update");
const top = new URL("../../golden-images", import.meta.url).pathname;
const cases = goldenCases(top).filter(({ name }) => wanted.length === 0 || wanted.some((front) => name.startsWith(front)));

let differs = 0;
for (const golden of cases) {
  let told: string | undefined;
  try {
    const result = await buildCase(golden);
    told = compareCase(golden, result);
    if (told !== undefined && update) updateCase(golden, result);
  } catch (error) {
    told = `${golden.name}: ${error instanceof Error ? error.message : String(error)}`;
    process.exitCode = 1;
  }
  if (told === undefined) continue;
  differs++;
  console.log(`${told}\n`);
}
if (cases.length === 0) {
  console.log(`no case is called ${wanted.join(", ")}`);
  process.exitCode = 2;
} else if (differs === 0) console.log(`${cases.length} golden images are as expected`);
else {
  console.log(`${differs} of ${cases.length} golden images ${update ? "were updated or cannot be" : "differ"}`);
  if (!update) process.exitCode = 1;
}
