// Reading a content from its first byte to its last, in bounded memory.

import { Turns } from "../host/turn.ts";
import type { Content } from "./content.ts";

/** Bytes read at once. A multiple of every block size. */
const WINDOW = 1 << 20;

/** The data of a content, holes left out: ascending runs. `bytes` is reused: it holds until the next run is asked for. */
export async function* dataOf(content: Content): AsyncGenerator<{ readonly offset: number; readonly bytes: Uint8Array }> {
  const window = new Uint8Array(Math.min(WINDOW, content.size));
  const turns = new Turns();
  for (const extent of content.extents ?? [{ offset: 0, length: content.size }]) {
    const end = extent.offset + extent.length;
    for (let offset = extent.offset; offset < end; ) {
      // Every run but the first ends where a window would, so that blocks are never cut.
      const length = Math.min(end - offset, WINDOW - (offset % WINDOW), window.length);
      const bytes = window.subarray(0, length);
      const done = content.read(offset, bytes);
      if (done) await done;
      yield { offset, bytes };
      offset += length;
      if (turns.due()) await turns.take();
    }
  }
}
