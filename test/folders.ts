// Folders of their own for the tests of a file.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach } from "vitest";

/** Has `enter` be given a new, empty folder before each test; gives the folder that they are in, which goes at the end. */
export function folderForEach(name: string, enter: (folder: string) => void): string {
  const base = fs.mkdtempSync(join(tmpdir(), `fsynth-${name}-`));
  afterAll(() => fs.rmSync(base, { recursive: true, force: true }));
  let count = 0;
  beforeEach(() => {
    const folder = join(base, String(count++));
    fs.mkdirSync(folder);
    enter(folder);
  });
  return base;
}
