// Planning alone: a synthetic tree of N entries (default 1,000,000), then the plan of an image of it; nothing is emitted.
//
//   node bench/plan-million.mjs [FORMAT [N]]
//
// Prints one JSON object: `seconds` of the plan (snapshot included), of the making of the tree, bytes of heap an entry that
// tree and plan hold together, and the size of the image.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { buildCpio, buildExt4, buildFfs } from "../dist/src/index.js";
import { treeOfEntries } from "./synthetic-tree.mjs";

const BUILDERS = { ext4: buildExt4, ffs2: buildFfs, cpio: buildCpio };
const [format = "ext4", count = "1000000"] = process.argv.slice(2);
const entries = Number(count);

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const held = () => {
  collect();
  const { heapUsed, external } = process.memoryUsage(); // `external` holds the array buffers
  return heapUsed + external;
};

const before = held();
let start = performance.now();
const tree = treeOfEntries(entries);
const treeSeconds = (performance.now() - start) / 1000;
start = performance.now();
const image = BUILDERS[format](tree);
const seconds = (performance.now() - start) / 1000;
const heapPerEntry = Math.round((held() - before) / entries);
if (image.plan.summary.entries !== entries) throw new Error(`planned ${image.plan.summary.entries} entries, expected ${entries}`);
process.stdout.write(
  `${JSON.stringify({ seconds, treeSeconds, heapPerEntry, size: image.size, tree: tree.root.children.size })}\n`,
);
