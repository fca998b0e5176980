// Arguments of callers that the compiler did not check.

import { FsynthError } from "./error.ts";

/** Throws `usage` unless `value` is text; `what` names it. */
export function checkText(what: string, value: unknown): asserts value is string {
  if (typeof value !== "string") throw new FsynthError("usage", `${what} is ${shown(value)}, expected text`);
}

/** Throws `usage` unless `options` is an object with no other than the `known` keys; `what` names the call. */
export function checkKeys(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new FsynthError("usage", `${what}: the options are ${shown(options)}, expected an object`);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new FsynthError("usage", `${what} has no option "${key}"; it has ${known.join(", ")}`, { option: key });
    }
  }
}

/** Throws `usage` unless `value` is undefined or one of `words`. */
export function checkWord(what: string, value: unknown, words: readonly string[]): void {
  if (value !== undefined && !words.includes(value as string)) {
    throw new FsynthError("usage", `${what} is ${shown(value)}, expected ${words.join(" or ")}`);
  }
}

/** A value for a person to read, by its kind where it would be long. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return `an object (${value.constructor?.name ?? "without a constructor"})`;
  if (typeof value === "function") return "a function";
  return String(value);
}
