// The kind of a member: the upper bits of its mode (sys/stat.h, as every Unix has them).

import type { Kind } from "../../src/tree/node.ts";

export const TYPE_MASK = 0o170000;

export const TYPE: Readonly<Record<Kind, number>> = {
  fifo: 0o010000,
  "character-device": 0o020000,
  directory: 0o040000,
  "block-device": 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

const KINDS = new Map(Object.entries(TYPE).map(([kind, type]) => [type, kind as Kind])); // its keys are kinds

/** The kind behind a whole mode; undefined for bits that stand for none. */
export function kindOfMode(mode: number): Kind | undefined {
  return KINDS.get(mode & TYPE_MASK);
}
