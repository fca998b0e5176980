// What an extraction could not keep, counted by kind, and told of once.

import { quoteName } from "../bytes/names.ts";
import type { Warning } from "../image/plan.ts";

/** Gathers what is lost. */
export class Lost {
  readonly #kinds = new Map<string, { count: number; readonly sentence: string; readonly first: string }>();

  /** One more of a kind; `sentence` goes behind the count and is the same for all of a kind: the first one's is told. */
  add(code: string, path: string, sentence: string): void {
    const seen = this.#kinds.get(code);
    if (seen) seen.count++;
    else this.#kinds.set(code, { count: 1, sentence, first: path });
  }

  warnings(): Warning[] {
    return [...this.#kinds].map(([code, { count, sentence, first }]) => ({
      code,
      message: `${count} ${sentence}; the first at ${quoteName(first)}`,
    }));
  }
}
