// What differs between two texts, as the unified diffs of diff(1) show it.

/** Lines of context around what differs. */
const CONTEXT = 3;
/** Longest texts, behind what they start and end with alike, that are compared line by line. */
const MOST = 4000;

type Step = readonly [mark: " " | "-" | "+", line: string];

/** The hunks of a unified diff; empty when the texts are the same. */
export function unifiedDiff(before: string, after: string): string {
  const steps = stepsOf(before.split("\n"), after.split("\n"));
  const shown = new Set<number>();
  steps.forEach(([mark], i) => {
    if (mark !== " ") for (let near = i - CONTEXT; near <= i + CONTEXT; near++) shown.add(near);
  });
  const lines: string[] = [];
  let [a, b] = [1, 1];
  steps.forEach(([mark, line], i) => {
    if (shown.has(i)) {
      if (!shown.has(i - 1) || i === 0) lines.push(`@@ -${a} +${b} @@`);
      lines.push(mark + line);
    }
    if (mark !== "+") a++;
    if (mark !== "-") b++;
  });
  return lines.join("\n");
}

function stepsOf(before: readonly string[], after: readonly string[]): Step[] {
  const least = Math.min(before.length, after.length);
  let start = 0;
  while (start < least && before[start] === after[start]) start++;
  let end = 0;
  while (end < least - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const same = (lines: readonly string[]): Step[] => lines.map((line) => [" ", line]);
  return [
    ...same(before.slice(0, start)),
    ...middle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...same(before.slice(before.length - end)),
  ];
}

/** By the longest common subsequence. */
function middle(before: readonly string[], after: readonly string[]): Step[] {
  if (before.length > MOST || after.length > MOST) {
    return [...before.map((line): Step => ["-", line]), ...after.map((line): Step => ["+", line])];
  }
  const width = after.length + 1;
  const common = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const [down, right] = [common[(i + 1) * width + j] as number, common[i * width + j + 1] as number]; // both in range
      common[i * width + j] = before[i] === after[j] ? (common[(i + 1) * width + j + 1] as number) + 1 : Math.max(down, right);
    }
  }
  const steps: Step[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, young] = [before[i], after[j]];
    if (old !== undefined && old === young) {
      steps.push([" ", old]);
      i++;
      j++;
    } else if (
      old !== undefined &&
      (young === undefined || (common[(i + 1) * width + j] as number) >= (common[i * width + j + 1] as number))
    ) {
      steps.push(["-", old]);
      i++;
    } else {
      steps.push(["+", young as string]); // one of them is left
      j++;
    }
  }
  return steps;
}
