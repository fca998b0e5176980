// An image with what was written to it: a plan again, so that every sink takes it.

import type { Plan } from "../image/plan.ts";
import type { Region } from "../image/region.ts";
import type { Content } from "../tree/content.ts";
import type { Overlay } from "./overlay.ts";

/** The plan of an image under an overlay. Its bytes are those of the overlay when they are asked for. */
export function overlaidPlan({ size, uuid, summary, warnings }: Plan, overlay: Overlay): Plan {
  const content: Content = { size: overlay.size, read: (offset, target) => overlay.read(offset, target) };
  return {
    size,
    uuid,
    summary,
    warnings,
    *regions(from = 0): Generator<Region> {
      for (let at = from; at < overlay.size; ) {
        for (const { offset, length, hole } of overlay.runs(at, overlay.size)) {
          if (hole) yield { kind: "hole", offset, length };
          else yield { kind: "content", offset, length, content, start: offset, path: () => "the served image" };
          at = offset + length;
        }
      }
    },
  };
}
