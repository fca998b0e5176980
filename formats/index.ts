// The one list of formats that are read as well. A new format is a folder beside this file, a line here and one in writers.ts.

import type { Format } from "../src/image/format.ts";
import { cpio } from "./cpio/index.ts";
import { ext } from "./ext/index.ts";
import { ffs } from "./ffs/index.ts";
import { tar } from "./tar/index.ts";

/** Every format, its readers and checkers included. */
export const formats: readonly Format[] = [ext, ffs, cpio, tar];
