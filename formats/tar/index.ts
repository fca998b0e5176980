/**
 * tar archives: ustar, and pax extended headers where that does not suffice (POSIX.1-2024, pax; formats/tar/README.md).
 *
 * @example
 * ```ts
 * import { Tree, buildImage } from "fsynth";
 * import { tar } from "fsynth/formats/tar";
 * const image = buildImage(tar, "tar", new Tree().symlink("/bin", "usr/bin"), { blockingFactor: 1 });
 * for await (const chunk of image.stream()) console.log(chunk.length);
 * ```
 *
 * @packageDocumentation
 */

import type { Format } from "../../src/image/format.ts";
import { checkTar, openTar, recognisesTar } from "./open.ts";
import { tarRecords } from "./shown.ts";
import type { tarOptions } from "./write/options.ts";
import { tarWriter } from "./writer.ts";

export { tarOptions } from "./write/options.ts";

/** The format behind `buildTar`. */
export const tar: Format<typeof tarOptions> = {
  ...tarWriter,
  recognises: recognisesTar,
  open: openTar,
  check: checkTar,
  records: tarRecords,
};
