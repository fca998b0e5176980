// What a profile cannot hold: gathered over the whole tree, then refused at once with every path, or dropped and counted.

import { FsynthError } from "../error.ts";
import type { Warning } from "./plan.ts";

/** How many violations a message spells out. */
const SHOWN = 200;

/** A gatherer of violations for one plan. */
export class Violations {
  readonly #hard: string[] = [];
  readonly #losses = new Map<string, { readonly count: number; readonly what: string; readonly first: string }>();
  readonly #lossLines: string[] = [];

  constructor(
    readonly format: string,
    readonly allowLoss: boolean,
  ) {}

  /** Something that no option makes possible. `path` comes first in the sentence. */
  refuse(path: string, sentence: string): void {
    this.#hard.push(`${path}: ${sentence}`);
  }

  /** Something that can be left out when loss is allowed. `code` and `what` (plural: "xattrs") name its kind in the warning. */
  lose(code: string, what: string, path: string, sentence: string): void {
    if (!this.allowLoss) {
      this.#lossLines.push(`${path}: ${sentence}`);
      return;
    }
    const seen = this.#losses.get(code);
    this.#losses.set(code, { count: (seen?.count ?? 0) + 1, what, first: seen?.first ?? path });
  }

  /** Throws `unsupported` if anything was refused; else gives the warnings that count what was lost. */
  settle(): Warning[] {
    const all = [...this.#hard, ...this.#lossLines];
    if (all.length > 0) {
      const hint = this.#lossLines.length > 0 ? " (allowLoss drops what can be left out)" : "";
      const head =
        all.length === 1
          ? `${this.format} cannot hold `
          : `${this.format} cannot hold ${all.length} things of this tree${hint}:\n  `;
      const listed =
        all.length > SHOWN ? [...all.slice(0, SHOWN), `and ${all.length - SHOWN} more (error.violations has all)`] : all;
      const shown = all.length === 1 ? `${all[0]}${hint}` : listed.join("\n  ");
      throw new FsynthError("unsupported", head + shown, { format: this.format }, { violations: all });
    }
    return [...this.#losses].map(([code, { count, what, first }]) => ({
      code,
      message: `${this.format} cannot hold ${count} ${what}, dropped as allowed; the first at ${first}`,
    }));
  }
}
