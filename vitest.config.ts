import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The tests run the sources themselves: `#host` is resolved here as package.json resolves it for the built files.
const all = process.env.FSYNTH_TEST === "all";
// Where .ci/run wants the results as JSON, beside what people read.
const results = process.env.FSYNTH_RESULTS;

export default defineConfig({
  resolve: { alias: { "#host": fileURLToPath(new URL("./src/host/node.ts", import.meta.url)) } },
  test: {
    include: all ? ["test/**/*.test.ts", "test/**/*.long.ts"] : ["test/**/*.test.ts"],
    testTimeout: all ? 1_800_000 : 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    ...(results === undefined ? {} : { reporters: ["default", "json"], outputFile: { json: results } }),
  },
});
