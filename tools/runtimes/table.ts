// The answers of all runtimes as one table, and the cases that differ.

import type { Outcome } from "./suite.ts";

/** What one runtime came to. */
export interface Row {
  /** With its version. */
  readonly runtime: string;
  readonly outcomes: readonly Outcome[];
  readonly seconds: number;
}

/** A case that is not as it should be. */
export interface Difference {
  readonly runtime: string;
  readonly name: string;
  readonly result: string;
  readonly expected: string;
}

/**
 * What differs: goldens from their digest, everything else from the first row. A failure differs from everything, and so
 * does a case that was not run, but for those of files and commands where a runtime has none. `limit` gives the result that stands for what a runtime cannot do.
 */
export function differences(
  rows: readonly Row[],
  goldens: ReadonlyMap<string, string>,
  limit: (runtime: string, name: string) => string | undefined,
): Difference[] {
  const wanted = new Map([...(rows[0]?.outcomes ?? []).map(({ name, result }) => [name, result] as const), ...goldens]);
  return rows.flatMap(({ runtime, outcomes }) => {
    const results = new Map(outcomes.map(({ name, result }) => [name, result]));
    const noFiles = runtime.startsWith("Chromium");
    return [...wanted].flatMap(([name, first]) => {
      if (noFiles && /^(files|cli)\//.test(name)) return [];
      const expected = limit(runtime, name) ?? first;
      const result = results.get(name) ?? "not run";
      return result === expected && !result.startsWith("failed: ") ? [] : [{ runtime, name, result, expected }];
    });
  });
}

/** The table for people: a row a runtime, a column a group of cases (`ext`, …, `files`), the cells say how many are equal. */
export function table(rows: readonly Row[], found: readonly Difference[]): string {
  const groupOf = (name: string): string => name.slice(0, name.indexOf("/"));
  const groups = [...new Set(rows.flatMap(({ outcomes }) => outcomes.map(({ name }) => groupOf(name))))];
  const cell = (part: readonly Outcome[], runtime: string): string => {
    const bad = part.filter(({ name }) => found.some((other) => other.runtime === runtime && other.name === name)).length;
    return part.length === 0 ? "-" : bad === 0 ? String(part.length) : `${part.length - bad} of ${part.length}`;
  };
  const lines = rows.map(({ runtime, outcomes, seconds }) => [
    runtime,
    ...groups.map((group) =>
      cell(
        outcomes.filter(({ name }) => groupOf(name) === group),
        runtime,
      ),
    ),
    cell(outcomes, runtime),
    found.some((other) => other.runtime === runtime) ? "NO" : "yes",
    seconds.toFixed(1),
  ]);
  const head = ["runtime", ...groups, "all", "equal", "seconds"];
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => (line[i] ?? "").length)));
  const text = [head, ...lines].map((line) =>
    line.map((word, i) => (i === 0 ? word.padEnd(widths[i] ?? 0) : word.padStart(widths[i] ?? 0))).join("  "),
  );
  const told = found.map(({ runtime, name, result, expected }) => `${runtime}: ${name}: ${result}, expected ${expected}`);
  return [...text, ...told].join("\n");
}
