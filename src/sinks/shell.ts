// Calls of system tools by the hundred: one shell for all of a batch, since a process of its own for each would cost more than
// the work.

import { host } from "#host";
import { decodeName, encodeName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";

/** Calls in one batch, and characters of their arguments: Linux takes 2 MiB, with the environment, and 128 KiB in one. */
const MOST = 200;
const MOST_CHARACTERS = 512 * 1024;

/** Longest single argument, escaped. */
export const MAX_ARGUMENT = 120_000;

/** What a call said that failed. */
export interface FailedCall {
  readonly index: number;
  readonly said: string;
}

/**
 * Runs `script`, a command of the shell in which `$1` to `$9` are the arguments of one call, for each of `calls`, which all
 * have as many arguments. They may hold any bytes but NUL. Gives those that failed.
 */
export function runForEach(script: string, calls: readonly (readonly string[])[]): FailedCall[] {
  const failed: FailedCall[] = [];
  for (let from = 0; from < calls.length; ) {
    let to = from;
    for (let size = 0; to < calls.length && to - from < MOST; to++) {
      size += (calls[to] as readonly string[]).reduce((sum, text) => sum + escaped(text).length, 0); // to is in range
      if (size > MOST_CHARACTERS && to > from) break;
    }
    failed.push(...runBatch(script, calls.slice(from, to)).map(({ index, said }) => ({ index: index + from, said })));
    from = to;
  }
  return failed;
}

function runBatch(script: string, calls: readonly (readonly string[])[]): FailedCall[] {
  const count = calls[0]?.length ?? 0;
  // A period behind each, because the shell drops line feeds at the end of what a command printed. Most need no command.
  const names = Array.from(
    { length: count },
    (_, i) => `case $${i + 1} in *\\\\*) a=$(printf '%b.' "$${i + 1}"); a=\${a%.} ;; *) a=$${i + 1} ;; esac; set -- "$@" "$a"`,
  );
  const body = [
    `call() { ${names.join("; ")}; shift ${count}; ${script}; }`,
    "i=0",
    `while [ $# -gt 0 ]; do`,
    `  s=$(call ${Array.from({ length: count }, (_, i) => `"$${i + 1}"`).join(" ")} 2>&1) || printf '%s %s\\n' "$i" "$(printf '%s' "$s" | head -n 1)"`,
    `  shift ${count}; i=$((i + 1))`,
    "done",
  ];
  const result = host.run("sh", ["-c", body.join("\n"), "sh", ...calls.flatMap((call) => call.map(escaped))], "/");
  if (result === undefined) return calls.map((_, index) => ({ index, said: "this machine has no sh" }));
  if (result.status !== 0) {
    throw new FsynthError("io", `sh ended with ${result.status}: ${decodeName(result.stderr).trim()}; expected 0`);
  }
  return decodeName(result.stdout)
    .split("\n")
    .flatMap((line) => {
      const match = /^(\d+) (.*)$/.exec(line);
      return match ? [{ index: Number(match[1]), said: match[2] ?? "" }] : [];
    });
}

/** In the spelling of `printf %b`: bytes beyond letters, digits and a few more as octal numbers. */
function escaped(text: string): string {
  let out = "";
  for (const byte of encodeName(text)) {
    const char = String.fromCharCode(byte);
    out += /[A-Za-z0-9/._,:-]/.test(char) ? char : `\\0${byte.toString(8).padStart(3, "0")}`;
  }
  return out;
}
