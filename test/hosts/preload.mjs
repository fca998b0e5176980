// Another host, preloaded into the process under test (node --import): a clock that is off, folders listed in another order,
// other random numbers, files read in short pieces. FSYNTH_HOST is JSON: { "shift": milliseconds, "shuffle": seed, "umask": bits,
// "short": bytes }.

import * as fs from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";

const { shift = 0, shuffle, umask, short } = JSON.parse(process.env.FSYNTH_HOST ?? "{}");
const mutable = createRequire(import.meta.url)("node:fs");

if (umask !== undefined) process.umask(umask);

if (shift !== 0) {
  const Real = Date;
  globalThis.Date = class Shifted extends Real {
    constructor(...list) {
      if (list.length === 0) super(Real.now() + shift);
      else super(...list);
    }
    static now() {
      return Real.now() + shift;
    }
  };
  const now = performance.now.bind(performance);
  performance.now = () => now() + shift;
  const { hrtime } = process;
  process.hrtime = Object.assign(
    (...list) => (list.length > 0 ? hrtime(...list) : [hrtime()[0] + Math.floor(shift / 1000), hrtime()[1]]),
    {
      bigint: () => hrtime.bigint() + BigInt(shift) * 1_000_000n,
    },
  );
}

if (shuffle !== undefined) {
  let state = shuffle >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  Math.random = random;
  const shuffled = (list) => {
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  };
  const { readdirSync } = fs;
  const readdir = fs.promises.readdir;
  mutable.readdirSync = (...list) => shuffled(readdirSync(...list));
  mutable.promises.readdir = async (...list) => shuffled(await readdir(...list));
}

if (short !== undefined) {
  // read(2) may always give less than was asked for, and write(2) may take less.
  const { readSync, writeSync } = fs;
  mutable.readSync = (fd, buffer, offset, length, position) =>
    typeof offset === "number"
      ? readSync(fd, buffer, offset, Math.min(length, short), position)
      : readSync(fd, buffer, offset, length, position);
  mutable.writeSync = (fd, buffer, offset, length, position) =>
    typeof offset === "number" && typeof length === "number" && buffer instanceof Uint8Array
      ? writeSync(fd, buffer, offset, Math.min(length, short), position)
      : writeSync(fd, buffer, offset, length, position);
}

syncBuiltinESMExports();
