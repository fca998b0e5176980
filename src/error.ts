// The one error of fsynth: a family, the place, and one sentence with what was found and what was expected.

/**
 * The families of errors.
 *
 * - `usage`: the call itself is wrong (an unknown option, a number out of range);
 * - `unsupported`: the input is sound, but the format or this version cannot do it;
 * - `corrupt`: the input breaks the rules of its own format;
 * - `source`: the tree cannot be built from what the sources hold (a loop, `..`, a file that changed);
 * - `io`: the operating system failed.
 */
export type ErrorCode = "usage" | "unsupported" | "corrupt" | "source" | "io";

/** The place an error speaks of. Offsets are in bytes from the start of the archive or image. */
export interface ErrorPlace {
  /** A path of the tree or of the host. */
  readonly path?: string;
  /** The format or profile. */
  readonly format?: string;
  /** The record, in the words of its specification. */
  readonly record?: string;
  /** Which of several such records. */
  readonly index?: number;
  /** Bytes from the start of the archive or image. */
  readonly offset?: number;
  /** The option, by its name in the API. */
  readonly option?: string;
  /** The size in bytes that would have done, when a size was too small. */
  readonly needed?: number;
}

/** Every error that fsynth throws on purpose. Anything else is a bug of fsynth. */
export class FsynthError extends Error {
  /** Always `FsynthError`. */
  override readonly name = "FsynthError";
  /** The family of the error. */
  readonly code: ErrorCode;
  /** The place; empty where there is none to name. */
  readonly where: ErrorPlace;
  /** When one refusal has several reasons: every one of them, a sentence each. */
  readonly violations: readonly string[];

  /** For formats and sources of others: their errors belong to these families too. */
  constructor(
    code: ErrorCode,
    message: string,
    where: ErrorPlace = {},
    more: { readonly cause?: unknown; readonly violations?: readonly string[] } = {},
  ) {
    super(message, "cause" in more ? { cause: more.cause } : undefined);
    this.code = code;
    this.where = where;
    this.violations = more.violations ?? [];
  }
}

/** Throws what must never happen; it reaches the user as a bug of fsynth (exit status 70). */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`bug in fsynth: ${message}`);
}
