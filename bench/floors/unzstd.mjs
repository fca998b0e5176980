// The streaming zstd decoder of this runtime alone, the bytes counted and dropped: node:zlib's where it has one (Node 22.15
// and later), else the one that fsynth brings.

import { createReadStream } from "node:fs";
import * as zlib from "node:zlib";

const CHUNK = 1 << 20;
const [path] = process.argv.slice(2);
const file = createReadStream(path, { highWaterMark: CHUNK });
const chunks = zlib.createZstdDecompress
  ? file.pipe(zlib.createZstdDecompress({ chunkSize: CHUNK }))
  : (await import("../../dist/src/host/node-zstd.js")).unzstdStream(file);
let size = 0;
for await (const chunk of chunks) size += chunk.length;
process.stdout.write(`${size}\n`);
