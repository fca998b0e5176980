// A small root within one process that is warm: what a program pays that makes images often.
//
//   node bench/in-process.mjs memory TAR      tree in memory -> ext2 in memory
//   node bench/in-process.mjs file TAR OUT    the tar's file -> ext2 in a file
//
// Prints one JSON object: `seconds` is the median of 50 rounds after 50 that warm up.

import { readFileSync, rmSync } from "node:fs";
import { buildExt2, fromTar } from "../dist/src/index.js";

const ROUNDS = 50;
const [way, tar, out] = process.argv.slice(2);
const tree = await fromTar(readFileSync(tar));

const ways = {
  memory: async () => void (await buildExt2(tree).bytes()),
  file: async () => void (await buildExt2(await fromTar(tar)).writeTo(out)),
};
const once = ways[way];

const times = [];
for (let round = -ROUNDS; round < ROUNDS; round++) {
  if (out) rmSync(out, { force: true });
  const start = performance.now();
  await once();
  if (round >= 0) times.push((performance.now() - start) / 1000);
}
times.sort((a, b) => a - b);
process.stdout.write(`${JSON.stringify({ seconds: times[ROUNDS / 2], least: times[0], most: times[ROUNDS - 1] })}\n`);
