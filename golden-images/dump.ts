// The dump of a golden image: every record by name. Runs on every runtime.

import { formats } from "../formats/index.ts";
import { recordText } from "../src/image/record-text.ts";
import { FsynthError } from "../src/index.ts";

/** Of so many records of one kind in a row each is told; of longer rows the others have checksums. */
const MOST = 12;

/** The text of dump.txt for the bytes of an image. `unfold` says which lines of checksums are followed by their records. */
export function dumpGolden(bytes: Uint8Array, unfold?: (line: string) => boolean): string {
  const image = {
    size: bytes.length,
    readAt(offset: number, target: Uint8Array): void {
      if (offset + target.length > bytes.length)
        throw new FsynthError("corrupt", `the image ends at byte ${bytes.length}`, { offset });
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
  const records = formats.find((format) => format.records && format.recognises?.(image))?.records?.(image);
  if (records === undefined) throw new FsynthError("unsupported", "no format knows the records of the image");
  return `${[...recordText(records, { most: MOST, unfold })].join("\n")}\n`;
}
