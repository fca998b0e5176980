// The public surface: names, no logic.

export { type ErrorCode, type ErrorPlace, FsynthError } from "./error.ts";
export { type OverlayRules, Tree } from "./tree/tree.ts";
