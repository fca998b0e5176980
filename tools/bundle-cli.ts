// Makes dist/cli out of the compiled command line: a few files instead of some 300, because Node spends about half a
// millisecond on each module it loads, which is longer than a small image takes. What a command does not need stays in files
// of their own, as its dynamic imports say. The library is not bundled: those who import it have bundlers of their own.

import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

// Of dist/tools.
const dist = fileURLToPath(new URL("..", import.meta.url));

/**
 * commander asks for child_process, for commands that are programs of their own. There are none here, and loading it takes
 * longer than commander itself.
 */
const ASKED = "const childProcess = require('node:child_process');";
let askedOnce = false;
const withoutPrograms = {
  name: "without-programs",
  transform(code: string, id: string): string | undefined {
    if (!id.includes("commander") || !code.includes(ASKED)) return undefined;
    askedOnce = true;
    return code.replace(ASKED, "const childProcess = undefined;");
  },
};

const bundle = await rolldown({
  input: { main: `${dist}src/cli/main.js` },
  platform: "node",
  plugins: [withoutPrograms],
  // The encoder of zstd has a native part, and is loaded only when it is asked for.
  external: [/^node:/, "@mongodb-js/zstd"],
  resolve: { conditionNames: ["node", "import", "default"] },
  onLog(level, log) {
    // A dynamic import that saves nothing here saves something for those who import the library.
    if (level === "warn" && log.code !== "INEFFECTIVE_DYNAMIC_IMPORT") throw new Error(log.message);
  },
});
rmSync(`${dist}cli`, { recursive: true, force: true });
await bundle.write({
  dir: `${dist}cli`,
  format: "esm",
  // Comments and spaces go, names stay: the trace of a bug can be read.
  minify: { compress: false, mangle: false, codegen: true },
  entryFileNames: "[name].js",
  chunkFileNames: "[name]-[hash].js",
  codeSplitting: {
    groups: [
      // What every command needs, --version included.
      { name: "start", priority: 2, test: /\/dist\/src\/(error|cli\/(failure|print|signals|heap|version))\.js$/ },
      // What every build needs.
      { name: "core", priority: 1, test: /\/dist\/src\/(cli\/build|sources\/any-source)\.js$/ },
    ],
  },
});
await bundle.close();
if (!askedOnce) throw new Error(`commander no longer says ${ASKED}`);
