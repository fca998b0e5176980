// Node's inflate alone: a gzip file decompressed in chunks of 1 MiB, the bytes counted and dropped.

import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";

const CHUNK = 1 << 20;
const [path] = process.argv.slice(2);
let size = 0;
for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }).pipe(createGunzip({ chunkSize: CHUNK }))) {
  size += chunk.length;
}
process.stdout.write(`${size}\n`);
