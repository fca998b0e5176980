// Runs within Node, Bun and Deno: `child.js SUITE PREPARED SCRATCH ANSWER`, four paths. The answer is a file of JSON.

import { readFileSync, writeFileSync } from "node:fs";
import { type Prepared, runFiles } from "./files.ts";
import { runPortable } from "./portable.ts";
import type { Suite } from "./suite.ts";

const [suite = "", prepared = "", scratch = "", answer = ""] = process.argv.slice(2);
const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
const portable = await runPortable(json(suite) as Suite);
const files = await runFiles(json(prepared) as Prepared, scratch);
writeFileSync(answer, JSON.stringify([...portable, ...files]));
