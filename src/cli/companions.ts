// Small files that come to be together with an image: its record, the pins of its sources. They get their names just before the
// image gets its own, and whoever had those names gets them back if the image then fails.

import { host } from "#host";
import { encodeName, quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { resolveOutput } from "../sinks/output.ts";
import { makeTemporary, type Temporary } from "../sinks/temporary.ts";

/** A file that has its name, and where the older one of that name waits. */
interface Placed {
  readonly path: string;
  readonly older: Temporary | undefined;
}

export class Companions {
  readonly #placed: Placed[] = [];
  readonly #fsync: boolean;

  constructor(fsync: boolean) {
    this.#fsync = fsync;
  }

  /** Puts `text` at `path`, all of it or nothing. Throws `usage` for what is no regular file, and `io`. */
  place(path: string, text: string): void {
    const output = resolveOutput(path);
    if (output.kind !== "file") throw new FsynthError("usage", `${quoteName(path)} is no regular file`, { path });
    const file = makeTemporary(output);
    let older: Temporary | undefined;
    try {
      file.handle.writeAt(0, encodeName(text));
      if (output.old) {
        older = makeTemporary(output);
        older.handle.writeAt(0, host.files.readFile(output.path));
        const mtime = { sec: output.old.mtimeSec, nsec: output.old.mtimeNsec };
        older.handle.setTimes(mtime, mtime);
      }
      file.commit(this.#fsync);
    } catch (error) {
      file.discard();
      older?.discard();
      throw error;
    }
    this.#placed.push({ path: output.path, older });
  }

  /** The image is there: what was replaced goes. */
  keep(): void {
    for (const { older } of this.#placed.splice(0)) older?.discard();
  }

  /** The image failed: everything is as it was. */
  restore(): void {
    for (const { path, older } of this.#placed.splice(0).reverse()) {
      if (older) older.commit(this.#fsync);
      else host.files.remove(path);
    }
  }
}
