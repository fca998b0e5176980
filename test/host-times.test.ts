// Times that extraction sets come back to the microsecond, whatever the runtime makes of a double.

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { host } from "../src/host/node.ts";

const dir = fs.mkdtempSync(join(tmpdir(), "fsynth-times-"));
afterAll(() => fs.rmSync(dir, { recursive: true }));

/** What is read back of a time that was set, in microseconds since 1970, rounded down. */
function setAndRead(sec: number, micros: number): number {
  const path = join(dir, "file");
  fs.closeSync(fs.openSync(path, "w"));
  host.files.setTimes(path, { sec, nsec: micros * 1000 }, { sec, nsec: micros * 1000 });
  const nanos = fs.statSync(path, { bigint: true }).mtimeNs;
  const whole = nanos / 1000n;
  return Number(nanos < 0n && whole * 1000n !== nanos ? whole - 1n : whole);
}

test("times come back to the microsecond, before 1970 and next to it too", () => {
  for (const [sec, micros] of [
    [-1, 549_432],
    [-1, 540_309],
    [-1, 993_765],
    [-1, 999_999],
    [0, 1],
    [-2, 1],
    [1_700_000_000, 123_457],
    [-2_147_483_647, 7],
  ] as const) {
    expect([sec, micros, setAndRead(sec, micros)]).toEqual([sec, micros, sec * 1e6 + micros]);
  }
  const seconds = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 2 }));
  fc.assert(
    fc.property(seconds, fc.integer({ min: 0, max: 999_999 }), (sec, micros) => {
      expect(setAndRead(sec, micros)).toBe(sec * 1e6 + micros);
    }),
    { numRuns: 500 },
  );
});
