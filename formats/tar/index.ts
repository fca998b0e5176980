// tar archives: pax where ustar does not suffice.

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
