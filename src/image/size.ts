// Sizes and counts as users write them: `fit`, `fit+10%`, `fit+64M`, `300M`; `fit+N`, `N`, `1/BYTES`.

import { FsynthError } from "../error.ts";

/** How large an image shall be. Bytes. */
export type SizeSpec =
  | { readonly base: "fit"; readonly plus: number; readonly percent: number }
  | { readonly base: "absolute"; readonly bytes: number };

/** How many inodes an image shall have. */
export type InodesSpec =
  | { readonly base: "fit"; readonly plus: number }
  | { readonly base: "absolute"; readonly count: number }
  | { readonly base: "ratio"; readonly bytes: number };

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Bytes behind `300M`, `64KiB`, `4096`; undefined when it is no such number. Units are powers of 1024. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(?:([kmgt])(?:ib)?)?$/i.exec(text);
  if (!match) return undefined;
  const bytes = Number(match[1]) * (UNITS[(match[2] ?? "").toLowerCase()] as number);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

export function parseSize(text: string): SizeSpec | undefined {
  const fit = /^fit(?:\+(.+))?$/.exec(text);
  if (!fit) {
    const bytes = parseBytes(text);
    return bytes === undefined ? undefined : { base: "absolute", bytes };
  }
  const more = fit[1];
  if (more === undefined) return { base: "fit", plus: 0, percent: 0 };
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(more);
  if (percent) return { base: "fit", plus: 0, percent: Number(percent[1]) };
  const plus = parseBytes(more);
  return plus === undefined ? undefined : { base: "fit", plus, percent: 0 };
}

export function parseInodes(text: string): InodesSpec | undefined {
  const match = /^(?:fit(?:\+(\d+))?|(\d+)|1\/(.+))$/.exec(text);
  if (!match) return undefined;
  if (match[2] !== undefined) return { base: "absolute", count: Number(match[2]) };
  if (match[3] !== undefined) {
    const bytes = parseBytes(match[3]);
    return bytes === undefined || bytes < 1 ? undefined : { base: "ratio", bytes };
  }
  return { base: "fit", plus: Number(match[1] ?? 0) };
}

/** The blocks that `spec` asks for, when `fit` blocks are the least. Throws `usage`, naming the size that would do, when they are fewer. */
export function blocksFor(spec: SizeSpec, fit: number, blockSize: number, format: string): number {
  if (spec.base === "fit") {
    const percent = Math.ceil((fit * blockSize * spec.percent) / 100);
    return fit + Math.ceil((spec.plus + percent) / blockSize);
  }
  const blocks = Math.floor(spec.bytes / blockSize);
  if (blocks < fit) {
    throw new FsynthError(
      "usage",
      `${format}: size ${spec.bytes} bytes (${blocks} blocks of ${blockSize}) is too small; this tree needs ${fit * blockSize} bytes (${fit} blocks)`,
      { format, option: "size", needed: fit * blockSize },
    );
  }
  return blocks;
}
