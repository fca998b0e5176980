// Text on the standard streams, all of it out before the process may end.

import { writeSync } from "node:fs";

/** Writes to standard output; rejects with EPIPE when its reader is gone. Gives the exit status of a command that ends with it. */
export function print(text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    process.stdout.once("error", reject);
    process.stdout.write(text, (error) => {
      process.stdout.off("error", reject);
      if (error) {
        // The event that follows the callback would end the process.
        process.stdout.on("error", () => {});
        reject(error);
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
