// What a build tells when it is done: a few lines for a person, or one JSON object.

import type { Image, Written } from "../image/image.ts";
import type { Warning } from "../image/plan.ts";
import { amount } from "./progress.ts";

/** One JSON object and a line feed. */
export function jsonSummary(path: string, image: Image, written: Written | undefined, warnings: readonly Warning[]): string {
  // The figures in the order of the table; what a format has no notion of is undefined, and left out by JSON.
  const summary = {
    path,
    ...image.plan.summary,
    sha256: written?.sha256,
    warnings: warnings.map(({ code, message }) => ({ code, message })),
  };
  return `${JSON.stringify(summary)}\n`;
}

/** Without a line feed at the end. */
export function humanSummary(path: string, image: Image, written: Written | undefined): string {
  const { format, size, blockSize, blocks, freeBlocks, inodes, freeInodes, uuid, label, journalBlocks } = image.plan.summary;
  const figures = [`${path}: ${format}, ${amount(size)}`];
  if (blocks !== undefined)
    figures.push(`${blocks} blocks${blockSize === undefined ? "" : ` of ${blockSize}`}${free(freeBlocks)}`);
  if (inodes !== undefined) figures.push(`${inodes} inodes${free(freeInodes)}`);
  if (journalBlocks) figures.push(`journal of ${journalBlocks} blocks`);
  if (label) figures.push(`label ${label}`);
  if (uuid) figures.push(`UUID ${uuid}`);
  return written?.sha256 ? `${figures.join(", ")}\nsha256 ${written.sha256}` : figures.join(", ");
}

function free(count: number | undefined): string {
  return count === undefined ? "" : ` (${count} free)`;
}
