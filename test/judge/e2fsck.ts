// e2fsck as a judge: it must exit with 0 and say nothing but its version, its passes and its summary.

import { run } from "./need.ts";

const EXPECTED = [
  /^$/,
  /^e2fsck \d.*$/,
  /^Pass [1-5]: Checking [a-z, ]+$/,
  /^.*: \d+\/\d+ files \([\d.]+% non-contiguous\), \d+\/\d+ blocks$/s,
];

/** What `e2fsck -fn` has against the image at `path`: nothing, for a sound one. Further arguments go before the path. */
export function e2fsck(path: string, ...args: readonly string[]): string[] {
  const { status, stdout, stderr } = run("e2fsck", ["-fn", ...args, path]);
  const lines = `${stdout.toString("latin1")}\n${stderr.toString("latin1")}`.split("\n");
  const complaints = lines.filter((line) => !EXPECTED.some((pattern) => pattern.test(line)));
  if (!lines.some((line) => line.startsWith("Pass 5:"))) complaints.push("e2fsck did not come to its pass 5");
  if (status !== 0) complaints.push(`exit status ${status}`);
  return complaints;
}
