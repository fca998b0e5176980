// Plans a cpio archive: a tree and options in, every offset out.

import { FsynthError } from "../../src/error.ts";
import type { PlanContext } from "../../src/image/format.ts";
import { Violations } from "../../src/image/loss.ts";
import type { Part, Plan, Warning } from "../../src/image/plan.ts";
import type { Snapshot } from "../../src/tree/snapshot.ts";
import { align4, Layout } from "./layout.ts";
import { checkNodes } from "./limits.ts";
import { type CpioOptions, checkOptions } from "./options.ts";
import { type Archive, type PlacedPart, placeParts, regionsOf } from "./regions.ts";

/** Plans an archive in the newc format, or in crc. */
export function planCpio(profile: string, snapshot: Snapshot, options: CpioOptions, context: PlanContext): Plan {
  checkOptions(options);
  const violations = new Violations(profile, context.allowLoss);
  checkNodes(snapshot, options.rootEntry, violations);
  const before = placeParts(options.prepend, 0, "prepended");
  const from = align4(before.end);
  const layout = new Layout(snapshot, options, from, violations);
  const warnings = [...violations.settle(), ...alignmentWarnings(layout, options)];
  // As if the archive stood alone.
  const to = from + Math.ceil((layout.end - from) / options.padding) * options.padding;
  const behind = placeParts(options.append, to, "appended");
  const archive: Archive = {
    layout,
    from,
    // Padding below 4 leaves nothing out: the trailer ends at a multiple of 4.
    to: Math.max(to, layout.end),
    before: before.parts,
    behind: behind.parts,
    size: behind.end,
    checksum: options.checksum,
  };
  const { size } = archive;
  return {
    size,
    uuid: undefined,
    summary: { format: profile, size, inodes: layout.inodes, entries: snapshot.entries },
    warnings,
    parts: { list: partsOf(archive), zstdLimit: options.zstdLimit },
    regions(start = 0) {
      if (!Number.isSafeInteger(start) || start < 0 || start > size) {
        throw new FsynthError("usage", `regions from byte ${start} of an archive of ${size} bytes`);
      }
      return regionsOf(archive, start);
    },
  };
}

function partsOf(archive: Archive): Part[] {
  const placed = (part: PlacedPart, stored: boolean): Part => ({ offset: part.offset, length: part.content.size, stored });
  return [
    ...archive.before.map((part) => placed(part, true)),
    { offset: archive.from, length: archive.to - archive.from, stored: false },
    ...archive.behind.map((part) => placed(part, part.stored)),
  ];
}

function alignmentWarnings({ missed }: Layout, { align }: CpioOptions): Warning[] {
  if (missed === 0) return [];
  return [
    {
      code: "cpio-align-missed",
      message: `the data of ${missed} files does not start at a multiple of ${align}: no name there could take the zeros`,
    },
  ];
}
