// One point of the chart: a synthetic tree, its plan, and all bytes of the image through the stream sink, counted and dropped.
//
//   node bench/scaling-point.mjs FORMAT entries|bytes N
//
// Prints one JSON object: `seconds` from the tree to the last byte, and the size of the image.

import { buildCpio, buildExt4, buildFfs } from "../dist/src/index.js";
import { treeOfBytes, treeOfEntries } from "./synthetic-tree.mjs";

const BUILDERS = { ext4: buildExt4, ffs2: buildFfs, cpio: buildCpio };
const [format, kind, count] = process.argv.slice(2);
const tree = kind === "bytes" ? treeOfBytes(Number(count)) : treeOfEntries(Number(count));
const start = performance.now();
const image = BUILDERS[format](tree);
let size = 0;
for await (const chunk of image.stream()) size += chunk.length;
const seconds = (performance.now() - start) / 1000;
if (size !== image.size) throw new Error(`the stream gave ${size} bytes, expected ${image.size}`);
process.stdout.write(`${JSON.stringify({ seconds, size })}\n`);
