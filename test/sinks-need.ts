// What a test needs of the machine. Missing, the test is skipped aloud; with CI=true it fails.

import { spawnSync } from "node:child_process";
import type { TestContext } from "vitest";

function missing(context: TestContext, what: string): void {
  if (process.env.CI === "true") throw new Error(`${context.task.name}: needs ${what}`);
  console.warn(`skipped: ${context.task.name}: needs ${what}`);
  context.skip();
}

export function need(context: TestContext, ...tools: string[]): void {
  for (const tool of tools) if (spawnSync("which", [tool]).status !== 0) missing(context, tool);
}

export function needRoot(context: TestContext): void {
  if (process.getuid?.() !== 0) missing(context, "root");
}

export function needLoop(context: TestContext): void {
  need(context, "losetup");
  if (spawnSync("losetup", ["-f"]).status !== 0) missing(context, "loop devices");
}
