// An output that lies in the directory it is made from: the image of the last run is no part of the next one.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import type { Warning } from "../image/plan.ts";
import { resolveOutput } from "../sinks/output.ts";
import type { Tree } from "../tree/tree.ts";
import { hostPath } from "./path.ts";

/** Takes the older output `out` out of `tree` where a source directory brought it in, with a warning. */
export function leaveOutOutput(tree: Tree, sources: readonly string[], out: string, warn: (warning: Warning) => void): void {
  if (out === "-") return;
  const output = resolveOutput(out, true);
  if (output.kind !== "file" || output.old === undefined) return;
  const real = host.files.realPath(output.path);
  for (const source of sources) {
    const path = source === "-" ? undefined : hostPath(source);
    if (path === undefined || host.files.stat(path)?.kind !== "directory") continue;
    const root = `${host.files.realPath(path).replace(/\/$/, "")}/`;
    const inside = real.startsWith(root) ? `/${real.slice(root.length)}` : undefined;
    if (inside === undefined || tree.lookup(inside)?.kind !== "file") continue;
    tree.remove(inside);
    warn({
      code: "output-in-source",
      message: `the output lies in the source ${quoteName(path)}; ${quoteName(inside)} is left out`,
    });
  }
}
