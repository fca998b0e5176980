// The public surface: names, no logic.

export { type BuildOptions, buildExt2, buildExt3, buildExt4, buildImage, type ExtBuildOptions } from "./build.ts";
export { type ErrorCode, type ErrorPlace, FsynthError } from "./error.ts";
export { type OverlayRules, Tree } from "./tree/tree.ts";
