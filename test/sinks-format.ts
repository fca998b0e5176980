// A small format for the tests of the sinks: a header, then every file at the next 4096-byte block, in order of the tree.

import type { Format } from "../src/image/format.ts";
import { integer } from "../src/image/options.ts";
import type { Plan } from "../src/image/plan.ts";
import type { Region } from "../src/image/region.ts";
import { asUuid, formatUuid } from "../src/image/seed.ts";
import { pathOf, type Snapshot } from "../src/tree/snapshot.ts";

export const HEADER = 5000;

function regionsOf(snapshot: Snapshot, spare: number): Region[] {
  const regions: Region[] = [];
  let at = 0;
  const add = (region: Region): void => {
    regions.push(region);
    at = region.offset + region.length;
  };
  const hole = (to: number): void => {
    if (to > at) add({ kind: "hole", offset: at, length: to - at });
  };
  add({ kind: "bytes", offset: 0, length: HEADER, fill: (target) => target.set([0xf5, 1, 2, 3], HEADER - 4) });
  snapshot.nodes.forEach(({ content }, index) => {
    if (!content) return;
    hole(Math.ceil(at / 4096) * 4096);
    const start = at;
    for (const extent of content.extents ?? [{ offset: 0, length: content.size }]) {
      hole(start + extent.offset);
      if (extent.length === 0) continue;
      const path = (): string => pathOf(snapshot, index);
      add({ kind: "content", offset: at, length: extent.length, content, start: extent.offset, path });
    }
    hole(start + content.size);
  });
  hole(at + spare);
  return regions;
}

const options = { spare: integer(0, { min: 0, max: 2 ** 50, units: true }, "BYTES", "A hole behind everything.") };

export const blocks: Format<typeof options> = {
  name: "blocks",
  profiles: [{ name: "blocks", summary: "For tests.", capabilities: {} }],
  options,
  plan(_profile, snapshot, { spare }, context): Plan {
    const regions = regionsOf(snapshot, spare);
    const last = regions.at(-1);
    const size = last ? last.offset + last.length : 0;
    const uuid = formatUuid(asUuid(context.derive("uuid", 16)));
    return {
      size,
      uuid,
      summary: { format: "blocks", size, uuid },
      warnings: [],
      *regions(from = 0) {
        for (const region of regions) if (region.offset + region.length > from) yield region;
      },
    };
  },
};
