// The one list of what is written: the formats without their readers, which a build has no need to load.

import type { Format } from "../src/image/format.ts";
import { cpioWriter } from "./cpio/writer.ts";
import { extWriter } from "./ext/writer.ts";
import { ffsWriter } from "./ffs/writer.ts";
import { tarWriter } from "./tar/writer.ts";

/** Every format as far as it is written. */
export const writers: readonly Format[] = [extWriter, ffsWriter, cpioWriter, tarWriter];
