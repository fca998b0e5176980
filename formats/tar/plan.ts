// Plans a tar archive: a tree and options in, every offset out.

import { FsynthError } from "../../src/error.ts";
import type { PlanContext } from "../../src/image/format.ts";
import { Violations } from "../../src/image/loss.ts";
import { checkOffset } from "../../src/image/merge.ts";
import type { Plan } from "../../src/image/plan.ts";
import type { Snapshot } from "../../src/tree/snapshot.ts";
import { checkNodes } from "./limits.ts";
import { Layout } from "./write/layout.ts";
import { archiveSize, type TarBuildValues } from "./write/options.ts";
import { regionsOf } from "./write/regions.ts";

/** Plans an archive: ustar headers, and pax records for what they cannot hold. */
export function planTar(profile: string, snapshot: Snapshot, options: TarBuildValues, context: PlanContext): Plan {
  const violations = new Violations(profile, context.allowLoss);
  checkNodes(snapshot, violations);
  const layout = new Layout(snapshot, options, violations);
  const warnings = violations.settle();
  const size = archiveSize(layout.end, options.blockingFactor);
  if (size > Number.MAX_SAFE_INTEGER) {
    throw new FsynthError(
      "unsupported",
      `${profile}: the archive would have ${size} bytes; ${Number.MAX_SAFE_INTEGER} is the most here`,
      { format: profile },
    );
  }
  return {
    size,
    uuid: undefined,
    summary: { format: profile, size, entries: snapshot.entries },
    warnings,
    regions(from = 0) {
      checkOffset(from, size);
      return regionsOf(layout, size, from);
    },
  };
}
