// The options of all sources, checked where callers give them. One object may go to sources of several kinds, so each of
// them takes the options of all.

import { checkKeys, checkText, checkWord } from "../arguments.ts";

/** Their names. */
export const sourceOptionNames: readonly string[] = [
  "exclude",
  "hardLinks",
  "keepLostFound",
  "maxBytes",
  "onWarning",
  "replaceSymlinks",
  "spoolDirectory",
  "xattrs",
];

/** Throws `usage` for options that no source has and for words that they do not know; `call` names the function. */
export function checkSourceOptions(call: string, options: object): void {
  checkKeys(call, options, sourceOptionNames);
  const { hardLinks, xattrs, spoolDirectory } = options as { readonly [name: string]: unknown };
  checkWord(`${call}: hardLinks`, hardLinks, ["keep", "copy"]);
  checkWord(`${call}: xattrs`, xattrs, ["none", "getfattr"]);
  if (spoolDirectory !== undefined) checkText(`${call}: spoolDirectory`, spoolDirectory);
}
