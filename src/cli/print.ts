// Text on the standard streams, all of it out before the process may end.

import { writeSync } from "node:fs";
import { FsynthError } from "../error.ts";

/** Writes to standard output; rejects with `io`, caused by EPIPE when its reader is gone. Gives the exit status of a command that ends with it. */
export function print(text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => {
      reject(new FsynthError("io", `cannot write to standard output: ${cause.message}`, {}, { cause }));
    };
    process.stdout.once("error", failed);
    process.stdout.write(text, (error) => {
      process.stdout.off("error", failed);
      if (error) {
        // The event that follows the callback would end the process.
        process.stdout.on("error", () => {});
        failed(error);
      } else resolve(0);
    });
  });
}

/** Writes a line to standard error. That nobody reads it is no reason to fail. */
export function note(line: string): void {
  let rest = Buffer.from(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(2, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
    }
  }
}
