// Host paths as users type them.

import { unescapeName } from "../bytes/names.ts";
import { usage } from "./failure.ts";

/**
 * A path in lossless spelling: `\xNN` stands for a byte, which is how names that are not UTF-8 are written; any other
 * backslash stands for itself.
 */
export function hostPath(text: string): string {
  if (text === "") throw usage("a path is empty");
  if (text.includes("\ufffd")) {
    throw usage(`path "${text}" holds a character that could not be read; write bytes that are not UTF-8 as \\xNN`);
  }
  return unescapeName(text.replaceAll(/\\(?!x[0-9a-fA-F]{2})/g, "\\\\"));
}
