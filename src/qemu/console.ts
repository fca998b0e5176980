// What the machine says: kept, shown, and watched for the text that is expected and for signs that nothing good will come.

import { INIT_FAILED, INIT_STARTED } from "./init.ts";

/** How much text is kept; beyond twice that, the oldest goes. */
const KEPT = 32 << 20;

/** How far back a pattern may begin. */
const WINDOW = 64 << 10;

export type Sign =
  | { readonly kind: "first" }
  | { readonly kind: "init" }
  | { readonly kind: "expected" }
  /** `line` tells why. */
  | { readonly kind: "panic" | "init-failed"; readonly line: string };

const SIGNS: readonly (readonly ["panic" | "init-failed", RegExp])[] = [
  // Linux, then NetBSD.
  ["panic", /^.*?(Kernel panic - not syncing: [^\r\n]*)\r*\n/m],
  ["panic", /^(?:\[\s*[\d.]+\] )?(panic: [^\r\n]*)\r*\n/m],
  ["init-failed", new RegExp(`^${INIT_FAILED}([^\\r\\n]*)\\r*\\n`, "m")],
];

const INIT = new RegExp(`^${INIT_STARTED}\\r*$|Run \\S+ as init process`, "m");

/** A console of one boot. {@link feed} gives each sign once. */
export class Console {
  text = "";
  readonly #decoder = new TextDecoder();
  readonly #seen = new Set<string>();
  readonly #expected: ((text: string) => boolean) | undefined;
  /** Length of the longest literal, so that one across two chunks is found. */
  readonly #reach: number;

  constructor(expect: string | RegExp | undefined) {
    if (expect === undefined) this.#reach = 0;
    else if (typeof expect === "string") {
      this.#reach = expect.length;
      this.#expected = (text) => text.includes(expect);
    } else {
      this.#reach = WINDOW;
      // A pattern that remembers where it was would miss things.
      const pattern = new RegExp(expect.source, expect.flags.replaceAll(/[gy]/g, ""));
      this.#expected = (text) => pattern.test(text);
    }
  }

  feed(bytes: Uint8Array): Sign[] {
    const signs: Sign[] = [];
    const once = (sign: Sign): void => {
      if (this.#seen.has(sign.kind)) return;
      this.#seen.add(sign.kind);
      signs.push(sign);
    };
    if (bytes.length > 0) once({ kind: "first" });
    const before = this.text.length;
    this.text += this.#decoder.decode(bytes, { stream: true });
    if (this.#expected?.(this.text.slice(Math.max(0, before - this.#reach)))) once({ kind: "expected" });
    // Lines that the new bytes go on with or end.
    const lines = this.text.slice(this.text.lastIndexOf("\n", before - 1) + 1);
    if (!this.#seen.has("init") && INIT.test(lines)) once({ kind: "init" });
    for (const [kind, pattern] of SIGNS) {
      const line = pattern.exec(lines)?.[1];
      if (line !== undefined) once({ kind, line });
    }
    if (this.text.length > 2 * KEPT) this.text = this.text.slice(-KEPT);
    return signs;
  }

  /** The last `count` lines with something in them. */
  lastLines(count: number): string {
    const lines = this.text.slice(-WINDOW).split(/[\r\n]+/);
    return lines
      .filter((line) => line.trim() !== "")
      .slice(-count)
      .join("\n");
  }
}
