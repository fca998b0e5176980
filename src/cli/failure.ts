// What ends a command early, and the exit status that it gives.

import { type ErrorCode, FsynthError } from "../error.ts";
import { note } from "./print.ts";

/** The exit statuses of failures; those of signals are in main.ts. */
export const STATUS = { found: 1, usage: 2, input: 3, system: 4, bug: 70, closedPipe: 141 } as const;

const OF_CODE: Readonly<Record<ErrorCode, number>> = {
  usage: STATUS.usage,
  unsupported: STATUS.input,
  corrupt: STATUS.input,
  source: STATUS.input,
  io: STATUS.system,
};

/** An error of whoever typed the command. */
export function usage(message: string, option?: string): FsynthError {
  return new FsynthError("usage", message, option === undefined ? {} : { option });
}

/** Tells the user what went wrong, and gives the exit status. */
export function reportFailure(error: unknown): number {
  if (isClosedPipe(error)) return STATUS.closedPipe;
  if (error instanceof FsynthError) {
    note(`fsynth: ${error.message}`);
    return OF_CODE[error.code];
  }
  note(`fsynth: this is a bug of fsynth, please report it:\n${error instanceof Error ? error.stack : String(error)}`);
  return STATUS.bug;
}

function isClosedPipe(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if ("code" in at && at.code === "EPIPE") return true;
  return false;
}
