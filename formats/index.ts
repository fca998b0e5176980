// The one list of formats. A new format is a folder beside this file, and a line here.

import type { Format } from "../src/image/format.ts";
import { cpio } from "./cpio/index.ts";
import { ext } from "./ext/index.ts";
import { ffs } from "./ffs/index.ts";
import { tar } from "./tar/index.ts";

/** Every format that fsynth writes. */
export const formats: readonly Format[] = [ext, ffs, cpio, tar];
