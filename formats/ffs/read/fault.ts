// Faults of FFS images: told as everywhere, thrown by default.

import type { FsynthError } from "../../../src/error.ts";
import { corruptError, type Fault, throwing } from "../../../src/image/fault.ts";

export type { Fault, Report } from "../../../src/image/fault.ts";

/** Reports by throwing. */
export const refuse = throwing("ffs");

export function corrupt(fault: Fault): FsynthError {
  return corruptError("ffs", fault);
}
