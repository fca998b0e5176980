// What is wrong with an image, told by the code that meets it. What becomes of it is the caller's choice: opening a volume
// throws the first fault, a checker gathers them all. So whoever reports goes on, as far as it makes sense, when the report
// comes back.

import { type ErrorPlace, FsynthError } from "../error.ts";
import type { Problem } from "./volume.ts";

/** One thing that is wrong, with its place in numbers. */
export interface Fault extends Problem {
  readonly where: ErrorPlace;
}

export type Report = (fault: Fault) => void;

/** The fault of an image of `format` as an error. */
export function corruptError(format: string, { place, found, expected, where }: Fault): FsynthError {
  return new FsynthError("corrupt", `${format}: ${place}: ${found}, expected ${expected}`, { format, ...where });
}

/** Reports by throwing. */
export function throwing(format: string): Report {
  return (fault) => {
    throw corruptError(format, fault);
  };
}

/** `0x1f2e`, with as many digits as `bytes` have. */
export function hex(value: number, bytes = 4): string {
  return `0x${(value >>> 0).toString(16).padStart(bytes * 2, "0")}`;
}
