// `-`: standard input as an image or a source.

import { fstatSync } from "node:fs";
import { usage } from "./failure.ts";

/**
 * Where the bytes of `-` come from. A block device, of which Node's stream of standard input knows no byte, is read by its path.
 * Throws `usage` for a terminal and a directory, where `expected` ends the sentence.
 */
export function standardInput(expected: string): string | NodeJS.ReadStream {
  if (process.stdin.isTTY) throw usage(`standard input (-) is a terminal, expected ${expected}`);
  const stat = fstatSync(0);
  if (stat.isDirectory()) throw usage(`standard input (-) is a directory, expected ${expected}`);
  return stat.isBlockDevice() ? "/dev/stdin" : process.stdin;
}
