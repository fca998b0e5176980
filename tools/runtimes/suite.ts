// What every runtime is given to do, as plain JSON, and what it answers.

/** A case of golden-images with all that it is made of. */
export interface SuiteGolden {
  /** Such as `ext/empty`. */
  readonly name: string;
  readonly tree: string;
  readonly options: string;
  /** Files beside tree.txt, in base64. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Suite {
  readonly goldens: readonly SuiteGolden[];
  /** One archive in three forms, in base64: as it is read, `gzip` and `zstd` compressed by others. */
  readonly archives: Readonly<Record<"tar" | "gzip" | "zstd", string>>;
}

/** What came of one case: a digest, or why there is none. */
export interface Outcome {
  /** Group and name, such as `ext/empty` or `files/sparse file`. */
  readonly name: string;
  readonly result: string;
}

/** Runs one case; a failure is its result, so that the others still run. */
export async function outcome(name: string, work: () => Promise<string>): Promise<Outcome> {
  try {
    return { name, result: await work() };
  } catch (error) {
    return { name, result: `failed: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}` };
  }
}
