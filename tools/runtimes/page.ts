// Runs within a browser: bundled into one script, it leaves its one function where the driver finds it.

import { runPortable } from "./portable.ts";

Object.assign(globalThis, { runPortable });
