// A third of all fields of all records of many ext images, changed once each (FSYNTH_SEED chooses which and how): where e2fsck complains, check complains; where e2fsck is silent,
// check is, or the reason is written down (judge/ext-differences.ts).

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { needTools } from "./judge/ext.ts";
import { FOREIGN_PATIENTS, OUR_PATIENTS } from "./judge/ext-patients.ts";
import { compareVerdicts, numbers } from "./judge/ext-verdicts.ts";
import { need } from "./judge/need.ts";

const tools = needTools();
const patients = need("mke2fs") ? [...OUR_PATIENTS, ...FOREIGN_PATIENTS] : OUR_PATIENTS;
const folder = mkdtempSync(join(tmpdir(), "fsynth-damage-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Fixed, so that a rare difference is found where it is looked for; FSYNTH_SEED changes the ways in which fields are damaged.
const seed = Number(process.env.FSYNTH_SEED ?? 1);
/** One of so many fields. */
const STRIDE = 3;
const pick = numbers(seed);
const total = { cases: 0, agreed: 0, known: 0 };

describe.skipIf(!tools)("fields damaged one at a time", () => {
  test.each(patients)("$name", async ({ make }) => {
    const { cases, agreed, known, unknown } = compareVerdicts(await make(folder), join(folder, "image"), STRIDE, pick);
    total.cases += cases;
    total.agreed += agreed;
    total.known += known;
    expect(unknown).toEqual([]);
  });

  test("the rate", () => {
    console.info(
      `check and e2fsck agree on ${total.agreed} of ${total.cases} damaged images; ${total.known} differences are known`,
    );
    expect(total.agreed / total.cases).toBeGreaterThanOrEqual(0.98);
    expect((total.agreed + total.known) / total.cases).toBeGreaterThanOrEqual(0.998);
  });
});
